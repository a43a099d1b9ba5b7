"""Scores of a result with more than two classes."""

import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, roc_auc_score

from dermfeat.evaluation.metrics import auc_of_ranks, bootstrap_interval, dense_ranks, wilson_interval
from dermfeat.learning.labels import require_labels


def multiclass_scores(y_true, proba, *, classes, groups=None, n_resamples=500):
    """Return the scores of a result of several classes, with 95 % intervals.

    Parameters
    ----------
    y_true : (n,) array of labels
    proba : (n, n_classes) ndarray
        Probability of each class.
    classes : (n_classes,) sequence
        The label of each column; each must occur in `y_true`.
    groups : (n,) array, optional
        Lesions or patients, for the bootstrap.
    n_resamples : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``n``, ``accuracy`` (most probable class) with ``accuracy_interval`` (Wilson), ``balanced_accuracy`` (mean
        recall), ``macro_f1``, ``macro_auc`` (unweighted mean of each class against the rest), ``recall`` and
        ``recall_interval`` (Wilson): dicts by class, ``count``: images of each class, ``confusion``: true by predicted
        counts, in the order of `classes`. ``balanced_accuracy_interval`` and ``macro_auc_interval`` are by cluster
        bootstrap.

    Raises
    ------
    ValueError
        If a label is missing or no class, a class has no image, or the shapes do not fit.

    Notes
    -----
    Wilson intervals take each image for a case of its own: with several photos of a lesion they are too narrow.
    """
    require_labels(y_true)
    y_true, classes, proba = np.asarray(y_true), np.asarray(classes), np.asarray(proba)
    if proba.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"proba has shape {proba.shape}; {len(y_true)} images of {len(classes)} classes need one column a class"
        )
    if set(y_true.tolist()) != set(classes.tolist()):
        odd = sorted(set(y_true.tolist()) ^ set(classes.tolist()), key=str)
        raise ValueError(f"{odd} are not in both y_true and classes; every class needs an image and a column")
    truth, called = np.argmax(y_true[:, None] == classes, axis=1), proba.argmax(axis=1)
    matrix = confusion_matrix(truth, called, labels=range(len(classes)))
    totals, hits = matrix.sum(axis=1).tolist(), np.diag(matrix).tolist()
    resampling = {"groups": groups, "n_resamples": n_resamples}
    pairs = dict(zip(classes.tolist(), zip(hits, totals, strict=True), strict=True))
    return {
        "n": len(y_true),
        "accuracy": sum(hits) / len(y_true),
        "accuracy_interval": wilson_interval(sum(hits), len(y_true)),
        "balanced_accuracy": float(balanced_accuracy_score(truth, called)),
        "balanced_accuracy_interval": bootstrap_interval(_mean_recall, truth, called, **resampling),
        "macro_f1": float(f1_score(truth, called, average="macro", labels=range(len(classes)))),
        "macro_auc": macro_auc(truth, proba),
        "macro_auc_interval": bootstrap_interval(_macro_auc, truth, dense_ranks(proba), **resampling),
        "recall": {name: hit / total for name, (hit, total) in pairs.items()},
        "recall_interval": {name: wilson_interval(hit, total) for name, (hit, total) in pairs.items()},
        "count": {name: total for name, (_, total) in pairs.items()},
        "confusion": matrix.tolist(),
    }


def macro_auc(truth, proba):
    """Return the unweighted mean of each class's AUC against the rest; `truth` holds columns of `proba`."""
    return float(np.mean([roc_auc_score(truth == k, column) for k, column in enumerate(proba.T)]))


def _macro_auc(truth, ranks):
    return np.mean([auc_of_ranks(truth == k, column) for k, column in enumerate(ranks.T)])


def _mean_recall(truth, called):
    return np.mean(np.bincount(truth, truth == called) / np.bincount(truth))
