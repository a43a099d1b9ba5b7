"""Three leaks that flatter a classifier, each beside the honest number on the same images.

    python examples/07_leaky_and_honest.py                                    # drawn lesions
    python examples/07_leaky_and_honest.py --data HAM10000 --limit 2000       # images/ and HAM10000_metadata.csv

(a) the sampler before the split, or inside the training fold; (b) a split by image, or by lesion; (c) tuning and
threshold on the test folds, or nested. Each difference has an interval that resamples lesions; where that holds 0,
the example says so. For research and education, not for diagnosis.
"""

import argparse

import numpy as np
import pandas as pd
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict

from dermfeat import ColorFeatures, LesionClassifier, datasets
from dermfeat.evaluation import GroupedCV, choose_threshold, nested_cv

GRID = {
    "max_depth": [1, 2, 4, 6],
    "learning_rate": [0.03, 0.1, 0.3],
    "colsample_bytree": [0.1, 0.3],
}


def drawn(n):
    """Return features, labels and lesions of drawn photos, about three of each lesion."""
    data = datasets.make_lesions(n, size=(96, 128), photos_per_lesion=3, malignant_share=0.25, random_state=0)
    return measured(data.X), np.where(data.y == "malignant", 1, 0), data.groups


def ham10000(folder, limit):
    """Return features, labels (melanoma or not) and lesions of a random part of the lesions."""
    data = datasets.load_ham10000(folder, target="melanoma", allow_incomplete=True)
    order = pd.Series(data.groups).drop_duplicates().sample(frac=1, random_state=0)
    place = pd.Series(np.arange(len(order)), index=order)[data.groups]
    kept = np.argsort(place.to_numpy(), kind="stable")[:limit]
    return measured(data.X[kept]), (data.y[kept] == data.pos_label).astype(int), data.groups[kept]


def measured(X):
    """Return one row of colour features per image. A row depends on its image alone, so it leaks nothing."""
    return ColorFeatures().fit_transform(X)


def classifier(trees):
    return LesionClassifier(
        n_estimators=trees, max_depth=4, learning_rate=0.1, colsample_bytree=0.3, max_bin=32, n_jobs=1, random_state=0
    )


def probability(model, X, y, folds):
    return cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]


def sampling(X, y, lesion, model):
    """One photo of each lesion, so that copies made by the sampler are the only leak."""
    _, first = np.unique(lesion, return_index=True)
    X, y, lesion = X[first], y[first], lesion[first]
    sampler = RandomOverSampler(random_state=0)
    X_more, y_more = sampler.fit_resample(X, y)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    leaky = y_more, probability(model, X_more, y_more, folds), lesion[sampler.sample_indices_]
    honest = y, probability(make_pipeline(sampler, model), X, y, folds), lesion
    return leaky, honest


def splitting(X, y, lesion, model):
    by_image = probability(model, X, y, StratifiedKFold(5, shuffle=True, random_state=0))
    by_lesion = probability(model, X, y, list(GroupedCV(5).split(X, y, lesion)))
    return (y, by_image, lesion), (y, by_lesion, lesion)


def choosing(X, y, lesion, model):
    """The same grid and the same outer folds; only where parameters and threshold are chosen differs."""
    folds = list(GroupedCV(5).split(X, y, lesion))
    best = GridSearchCV(model, GRID, cv=folds, scoring="roc_auc", refit=False).fit(X, y).best_params_
    p = probability(model.set_params(**best), X, y, folds)
    called = np.empty(len(y))
    for _, test in folds:
        called[test] = p[test] >= choose_threshold(y[test] == 1, p[test], "balanced_accuracy")
    result = nested_cv(
        model, X, y, lesion, param_grid=GRID, threshold="balanced_accuracy", refit=False, n_resamples=200
    )
    return (y, called, lesion), (y, result.decisions, lesion)


def difference(metric, leaky, honest, resamples=500):
    """Return the interval of ``metric(leaky) - metric(honest)``, lesions resampled as wholes, the same for both."""
    lesions = np.unique(honest[2])
    codes = [np.searchsorted(lesions, lesion) for *_, lesion in (leaky, honest)]
    rng, found = np.random.default_rng(0), []
    for _ in range(resamples):
        weight = rng.multinomial(len(lesions), np.full(len(lesions), 1 / len(lesions)))
        scores = [
            metric(y, p, sample_weight=weight[code]) for (y, p, _), code in zip((leaky, honest), codes, strict=True)
        ]
        found.append(scores[0] - scores[1])
    return np.quantile(found, [0.025, 0.975])


def report(title, name, metric, leaky, honest):
    low, high = difference(metric, leaky, honest)
    scores = [metric(y, p) for y, p, _ in (leaky, honest)]
    verdict = "flattered" if low > 0 else "within noise here: more lesions or another data set would be needed"
    print(f"{title}\n    {name}: leaky {scores[0]:.3f}, honest {scores[1]:.3f}; ", end="")
    print(f"difference {scores[0] - scores[1]:+.3f} [{low:+.3f}, {high:+.3f}], {verdict}")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of HAM10000; drawn lesions by default")
    parser.add_argument("--limit", type=int, default=2000, help="number of images of HAM10000")
    parser.add_argument("--n", type=int, default=450, help="number of images to draw")
    parser.add_argument("--trees", type=int, default=60)
    args = parser.parse_args(argv)

    X, y, lesion = ham10000(args.data, args.limit) if args.data else drawn(args.n)
    print(
        f"{len(y)} images of {len(np.unique(lesion))} lesions, {y.sum()} of them positive; {X.shape[1]} colour features"
    )
    model = classifier(args.trees)
    report("(a) over-sampling before the split, or inside the training fold", "AUC", roc_auc_score,
           *sampling(X, y, lesion, model))  # fmt: skip
    report("(b) split by image, or by lesion", "AUC", roc_auc_score, *splitting(X, y, lesion, model))
    report("(c) parameters and threshold chosen on the test folds, or nested", "balanced accuracy",
           balanced_accuracy_score, *choosing(X, y, lesion, model))  # fmt: skip


if __name__ == "__main__":
    main()
