"""Measures of a classifier's worth, with intervals."""

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.metrics import (
    auc,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
    roc_curve,
)
from sklearn.utils import check_random_state

from dermfeat.learning.labels import require_labels


def wilson_interval(successes, total, *, confidence=0.95):
    """Return the Wilson score interval (low, high) of a share such as the accuracy.

    Wilson 1927, J Am Stat Assoc 22:209.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"{successes} of {total} is no share")
    z = norm.ppf(0.5 + confidence / 2)
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def bootstrap_interval(metric, y_true, y_score, *, groups=None, confidence=0.95, n_resamples=2000, random_state=0):
    """Return the percentile bootstrap interval (low, high) of ``metric(y_true, y_score)``.

    Parameters
    ----------
    metric : callable
    y_true : (n,) bool ndarray
    y_score : (n,) ndarray
    groups : (n,) array, optional
        Lesions or patients: they are resampled as wholes, so that photos of one lesion do not count as independent.
        Without groups the images are resampled.

    Notes
    -----
    A resample that lacks one of the classes is drawn again.

    Raises
    ------
    ValueError
        If `y_true` holds one class only, a class too few groups, or a label or group is missing.
    """
    require_labels(y_true)
    y_true, y_score = np.asarray(y_true), np.asarray(y_score)
    labels, codes = np.unique(y_true, return_inverse=True)
    if len(labels) < 2:
        raise ValueError("y_true holds one class only; both are needed")
    if groups is not None and pd.isna(np.asarray(groups, object)).any():
        raise ValueError("groups holds missing values; give every image a group, its own if need be")
    rng = check_random_state(random_state)
    members = _Members(np.arange(len(y_true)) if groups is None else groups)
    values = []
    for _ in range(100 * n_resamples):
        drawn = members.of(rng.randint(len(members), size=len(members)))
        if np.bincount(codes[drawn], minlength=len(labels)).all():
            values.append(metric(y_true[drawn], y_score[drawn]))
        if len(values) == n_resamples:
            break
    else:
        raise ValueError("resamples seldom hold every class: a class has too few groups; leave it out or merge it")
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


class _Members:
    """The images of each group, found for thousands of groups at once."""

    def __init__(self, groups):
        _, codes = np.unique(np.asarray(groups), return_inverse=True)
        self._order = np.argsort(codes, kind="stable")
        self._sizes = np.bincount(codes)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def __len__(self):
        return len(self._sizes)

    def of(self, groups):
        """Return the images of the groups with these numbers, one group after the other, repeats included."""
        sizes = self._sizes[groups]
        shift = self._starts[groups] - (np.cumsum(sizes) - sizes)
        return self._order[np.arange(sizes.sum()) + np.repeat(shift, sizes)]


def dense_ranks(scores):
    """Return integers in the order of the scores, equal ones for equal ones, for each column on its own."""
    return rankdata(scores, method="dense", axis=0).astype(int)


def auc_of_ranks(positive, ranks):
    """Return the area under the ROC curve of (n,) bool `positive` by (n,) `dense_ranks`.

    The share of pairs of a positive and a negative case in which the positive one ranks higher, ties counting half
    (Hanley and McNeil 1982, Radiology 143:29): that of `sklearn.metrics.roc_auc_score`, without sorting each
    resample anew.
    """
    negatives = np.bincount(ranks[~positive], minlength=ranks.max() + 1)
    won = np.cumsum(negatives) - negatives / 2
    return float(won[ranks[positive]].mean() / negatives.sum())


def partial_auc_above_tpr(y_true, y_score, *, min_tpr=0.8):
    """Return the area under the ROC curve that lies above `min_tpr`, in [0, 1 - min_tpr].

    The measure of the ISIC 2024 challenge: at 0.8, chance gives 0.02 and perfection 0.2.
    """
    require_labels(y_true)
    fpr, tpr, _ = roc_curve(np.asarray(y_true, bool), y_score)
    kept = tpr > min_tpr
    start = np.interp(min_tpr, tpr, fpr)
    return float(auc(np.r_[start, fpr[kept]], np.r_[0, tpr[kept] - min_tpr]))


def binary_scores(y_true, y_score, *, pos_label, threshold=0.5, groups=None, n_resamples=2000):
    """Return the scores of a two-class result, with 95 % intervals.

    Parameters
    ----------
    y_true : (n,) array of labels
    y_score : (n,) ndarray
        Probability of `pos_label`.
    pos_label : str or int
        The positive class.
    threshold : float, default=0.5
        Probability from which a case counts as positive.
    groups : (n,) array, optional
        Lesions or patients, for the bootstrap.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``sensitivity``, ``specificity`` (Wilson intervals: ``accuracy_interval`` ...),
        ``balanced_accuracy``, ``auc`` (cluster bootstrap: ``auc_interval``), ``average_precision``, ``brier``,
        ``partial_auc`` and the counts ``tn, fp, fn, tp``.

    Raises
    ------
    ValueError
        If a label or group is missing, or there is one class only.

    Notes
    -----
    Wilson intervals take each image for a case of its own, whatever the groups. With several photos of a lesion they
    are too narrow: score one photo of each, or give `bootstrap_interval` the metric and the groups.
    """
    positive = positives(y_true, pos_label)
    tn, fp, fn, tp = confusion_matrix(positive, np.asarray(y_score) >= threshold).ravel().tolist()
    shares = {"accuracy": (tn + tp, len(positive)), "sensitivity": (tp, tp + fn), "specificity": (tn, tn + fp)}
    scores = {"n": len(positive), "tn": tn, "fp": fp, "fn": fn, "tp": tp}
    for name, (successes, total) in shares.items():
        scores[name] = successes / total
        scores[f"{name}_interval"] = wilson_interval(successes, total)
    return scores | {
        "balanced_accuracy": (scores["sensitivity"] + scores["specificity"]) / 2,
        "auc": float(roc_auc_score(positive, y_score)),
        "auc_interval": bootstrap_interval(
            auc_of_ranks, positive, dense_ranks(y_score), groups=groups, n_resamples=n_resamples
        ),
        "average_precision": float(average_precision_score(positive, y_score)),
        "brier": float(brier_score_loss(positive, y_score)),
        "partial_auc": partial_auc_above_tpr(positive, y_score),
    }


def positives(y_true, pos_label):
    """Return the (n,) bool ndarray of cases that are `pos_label`; refuse missing labels and one class alone."""
    require_labels(y_true)
    positive = np.asarray(y_true) == pos_label
    if positive.all() or not positive.any():
        raise ValueError(f"{positive.sum()} of {len(positive)} cases are {pos_label!r}; both classes are needed")
    return positive
