"""Tune features, sampler and classifier together; an image is measured once for each setting of the features.

    python examples/02_tune.py [--n 160]

For research and education, not for diagnosis.
"""

import argparse

from imblearn.over_sampling import SMOTE
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

from dermfeat import LesionPipeline, datasets, default_steps

GRID = {
    "features__texture__levels": [16, 32],
    "sampler": ["passthrough", SMOTE(random_state=0)],
    "classifier__max_depth": [3, 5],
}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=160, help="number of images to draw")
    parser.add_argument("--trees", type=int, default=100)
    args = parser.parse_args(argv)

    data = datasets.make_lesions(args.n, random_state=0, malignant_share=0.3)
    pipe = LesionPipeline(default_steps(pos_label=data.pos_label)).set_params(classifier__n_estimators=args.trees)
    search = GridSearchCV(pipe, GRID, scoring="roc_auc", cv=StratifiedGroupKFold(3), refit=True)
    search.fit(data.X, data.y, groups=data.groups)

    for params, mean, std in zip(
        search.cv_results_["params"],
        search.cv_results_["mean_test_score"],
        search.cv_results_["std_test_score"],
        strict=True,
    ):
        print(f"AUC {mean:.3f} ± {std:.3f}  {params}")
    print(f"best      {search.best_params_}")
    print("The best of several is flattered by the choice: judge it on images that the search has not seen.")


if __name__ == "__main__":
    main()
