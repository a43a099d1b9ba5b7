"""What the benchmarks share: families in which nothing was fitted to the images they are judged on, options, tables."""

import numpy as np
from sklearn.model_selection import cross_val_predict

from dermfeat import ABCDFeatures, CNNEmbedding, ColorFeatures, FunctionFeatures, LesionPipeline, TextureFeatures
from dermfeat.measures import mask_quality
from dermfeat.pipeline import default_classifier

FITTED = ("is_fallback", "confidence")  # of every segmenter rest on a regression that was fitted to HAM10000


def mask_seen(lesion):
    """Return the columns of the mask in which nothing is fitted."""
    return {name: value for name, value in mask_quality(lesion).items() if name not in FITTED}


def unfitted_families():
    """Return the classical families without the columns that rest on a fitted regression."""
    families = [("mask", FunctionFeatures(mask_seen, version="1"))]
    return [*families, ("color", ColorFeatures()), ("texture", TextureFeatures()), ("abcd", ABCDFeatures())]


def backbone(name, alpha):
    """Return the `CNNEmbedding` that the command line asks for, None for 'none'."""
    return None if name == "none" else CNNEmbedding(name, alpha=alpha if "mobilenet" in name else None)


def classifier(args, **params):
    """Return the XGBoost classifier of the command line, with class weights unless told otherwise."""
    settings = {"class_weight": "balanced", "n_estimators": args.trees, "n_jobs": args.n_jobs or 1, "random_state": 0}
    return default_classifier(**settings | params)


def add_arguments(parser, out, *, trees=400):
    """Add the options that the benchmarks share."""
    parser.add_argument("--embedding", default="mobilenet", help="backbone with ImageNet weights, or 'none'")
    parser.add_argument("--alpha", type=float, default=0.5, help="width of a MobileNet")
    parser.add_argument("--segmenter", default="otsu", help="method of dermfeat.preparation.segment_lesion")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--trees", type=int, default=trees, help="of the classifier (for each class, where many)")
    parser.add_argument("--limit", type=int, help="use this many images only, drawn at random")
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--resamples", type=int, default=2000, help="of an interval; a fourth of it for many classes")
    parser.add_argument("--out", default=f"out/{out}", help="result files without ending")


def drawn(n, limit):
    """Return the indices of `limit` of n images, drawn at random, in order; of all without a limit."""
    return np.arange(n) if not limit else np.sort(np.random.default_rng(0).permutation(n)[:limit])


def out_of_fold(steps, X, y, groups, splitter):
    """Return the out-of-fold probabilities, (n, n_classes), columns sorted by label."""
    return cross_val_predict(LesionPipeline(steps), X, y, groups=groups, cv=splitter, method="predict_proba")


def multiclass_row(name, scores):
    """Return one line of a table from `multiclass_scores`."""

    def shown(key, factor, digits):
        low, high = (factor * bound for bound in scores[f"{key}_interval"])
        return f"{factor * scores[key]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    return {
        "model": name,
        "n": str(scores["n"]),
        "accuracy %": shown("accuracy", 100, 1),
        "balanced accuracy %": f"{100 * scores['balanced_accuracy']:.1f}",
        "macro F1": f"{scores['macro_f1']:.3f}",
        "macro AUC": shown("macro_auc", 1, 3),
    }


def recall_rows(results):
    """Return lines with the recall of each class, one column for each of ``{model: multiclass_scores}``."""
    first = next(iter(results.values()))
    rows = []
    for label, count in first["count"].items():
        row = {"class": label, "n": str(count)}
        for name, scores in results.items():
            low, high = (100 * bound for bound in scores["recall_interval"][label])
            row[f"{name}: recall %"] = f"{100 * scores['recall'][label]:.1f} [{low:.0f}, {high:.0f}]"
        rows.append(row)
    return rows
