"""A first pipeline: draw lesions, train, evaluate, save a picture. Needs no network, data or weights.

    python examples/01_first_pipeline.py [--n 400] [--out first_pipeline.png]

For research and education, not for diagnosis: the images are drawn, the figures say nothing about patients.
"""

import argparse

from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from dermfeat import LesionPipeline, datasets, default_steps
from dermfeat.evaluation import plot_result


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=400, help="number of images to draw")
    parser.add_argument("--out", default="first_pipeline.png", help="the picture to write")
    args = parser.parse_args(argv)

    data = datasets.make_lesions(args.n, random_state=0)
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(data.X, data.y, data.groups))

    pipe = LesionPipeline(default_steps(pos_label=data.pos_label))
    pipe.fit(data.X[train], data.y[train])

    y_test, probability = data.y[test], pipe.positive_proba(data.X[test])
    predicted = pipe.predict(data.X[test])
    print(f"{len(train)} drawn photos to train on, {len(test)} to test on, {pipe[-1].n_features_in_} columns")
    print(f"accuracy  {accuracy_score(y_test, predicted):.3f}")
    print(f"ROC AUC   {roc_auc_score(y_test == data.pos_label, probability):.3f}")
    print("confusion matrix (rows: truth, columns: called)")
    print(f"{'':>12}" + "".join(f"{name:>12}" for name in data.target_names))
    for name, row in zip(data.target_names, confusion_matrix(y_test, predicted, labels=data.target_names), strict=True):
        print(f"{name:>12}" + "".join(f"{count:>12}" for count in row))

    figure = plot_result(y_test, probability, pos_label="malignant", neg_label="benign", title="Drawn lesions")
    figure.savefig(args.out, dpi=150)
    print(f"picture   {args.out}")


if __name__ == "__main__":
    main()
