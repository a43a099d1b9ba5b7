"""Nested cross-validation: whatever learns or chooses does so inside the outer fold, groups kept together."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_consistent_length

from dermfeat.evaluation.groups import checked_labels, group_ids, require_groups
from dermfeat.evaluation.metrics import binary_scores
from dermfeat.evaluation.multiclass import multiclass_scores
from dermfeat.evaluation.tuned import TunedClassifier
from dermfeat.evaluation.validation import grouped_folds


@dataclass(frozen=True, repr=False, eq=False)
class NestedResult:
    """What `nested_cv` found; printed, a report.

    Attributes
    ----------
    classes : (n_classes,) ndarray
        Sorted labels, the columns of `probabilities`.
    pos_label : label or None
        The positive class of two.
    y : (n,) ndarray
        The true labels.
    probabilities : (n, n_classes) ndarray
        Of each image, by the model of the outer fold that has not seen its group.
    decisions : (n,) ndarray
        Labels called by the same model, at the threshold chosen inside its fold.
    fold : (n,) int ndarray
        The outer fold that tested the image.
    folds : DataFrame
        One row per outer fold: n_train, n_test, groups_train, groups_test, threshold, inner_score, outer_score,
        best_params.
    scores : dict
        Of all images together. Two classes: as `binary_scores`, "accuracy" to "balanced_accuracy" from `decisions`.
        More: as `multiclass_scores`. Bootstrap intervals resample groups.
    estimator : TunedClassifier or None
        Fitted to everything by the same recipe; the fitted pipeline is its ``estimator_``.
    """

    classes: np.ndarray
    pos_label: object
    y: np.ndarray
    probabilities: np.ndarray
    decisions: np.ndarray
    fold: np.ndarray
    folds: pd.DataFrame
    scores: dict
    scoring: str
    estimator: TunedClassifier | None = None

    def __repr__(self):
        outer, inner = self.folds["outer_score"], self.folds["inner_score"]
        counts = ", ".join(f"{label} {np.sum(self.y == label)}" for label in self.classes)
        groups = self.folds["groups_test"].sum()
        lines = [f"Nested cross-validation of {len(self.y)} images ({counts}) in {groups} groups"]
        lines += [f"  {name:<18}{_with_interval(self.scores, name)}" for name in SHOWN if name in self.scores]
        lines += [f"{self.scoring} over the {len(outer)} outer folds: {outer.mean():.3f} ± {outer.std():.3f}"]
        if inner.notna().all():
            lines[-1] += f"; inner score, by which the best candidates were chosen: {inner.mean():.3f}"
        return "\n".join([*lines, self.folds.round(3).to_string()])


SHOWN = (
    "auc", "macro_auc", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "macro_f1", "average_precision",
    "brier",
)  # fmt: skip


def nested_cv(
    estimator,
    X,
    y,
    groups,
    *,
    param_grid=None,
    search="grid",
    n_iter=20,
    outer=5,
    inner=3,
    scoring="roc_auc",
    pos_label=None,
    calibration=None,
    threshold=None,
    n_jobs=None,
    random_state=0,
    refit=True,
    n_resamples=1000,
):
    """Judge a whole recipe (tuning, sampler, calibration, threshold) on groups that no part of it has seen.

    For each outer fold a `TunedClassifier` is fitted to the training groups: it tunes on inner folds that keep groups
    together too, calibrates and chooses its threshold on inner out-of-fold predictions. Then it predicts the test
    groups, once.

    Parameters
    ----------
    estimator : classifier with `predict_proba`, a `LesionPipeline` say
        Samplers and augmentation belong inside it.
    X : sequence of image references, table or array
    y : (n,) sequence of labels
        Two classes or more.
    groups : (n,) sequence, or several of them, or DataFrame
        Ids of lesions, patients, copies; of several columns, images that share an id in any of them stay together. A
        missing id is an error.
    param_grid, search, n_iter, scoring, pos_label, calibration, threshold
        As for `TunedClassifier`.
    inner : int or splitter, default=3
        Inner folds, of a part of the images; a number means `GroupedCV`.
    outer : int, splitter or list of (train, test), default=5
        Outer folds; a number means `GroupedCV`. Each image is tested once.
    n_jobs : int, optional
        Processes: for the inner fits where something is tuned, else for the outer folds.
    random_state : int, RandomState instance or None, default=0
        Of folds and random search.
    refit : bool, default=True
        Fit the recipe to everything as well.
    n_resamples : int, default=1000
        Resamples of groups for the intervals.

    Returns
    -------
    NestedResult

    Raises
    ------
    ValueError
        If groups or labels are missing, a class has too few groups, the estimator has no `predict_proba`, or options
        do not go together: before the first fit.

    Notes
    -----
    Pooled scores compare probabilities of the models of different folds; calibration makes that fairer. Their
    intervals resample the predictions and not the fitting: those of the pooled AUC lean narrow on small sets. Wilson
    intervals (accuracy, sensitivity, specificity, recall) take each image for a case of its own and are too narrow
    with several photos of a lesion.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from dermfeat.evaluation.nested import nested_cv
    >>> X, y = make_classification(120, n_informative=5, random_state=0)
    >>> lesion = [i // 2 for i in range(120)]
    >>> result = nested_cv(
    ...     LogisticRegression(), X, y, lesion, param_grid={"C": [0.01, 1]}, threshold="balanced_accuracy"
    ... )
    >>> result.probabilities.shape, len(result.folds)
    ((120, 2), 5)
    >>> result.estimator.predict(X[:3]).shape
    (3,)
    """
    y = checked_labels(y)
    check_consistent_length(X, y)
    ids = group_ids(groups, len(y))
    recipe = TunedClassifier(
        estimator,
        param_grid=param_grid,
        search=search,
        n_iter=n_iter,
        inner=inner,
        scoring=scoring,
        pos_label=pos_label,
        calibration=calibration,
        threshold=threshold,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    classes, positive = _checked(recipe, y)
    folds = grouped_folds(outer, X, y, ids, random_state)
    _check_folds(folds, y, ids, inner)
    results = Parallel(n_jobs=None if recipe.tunes else n_jobs)(
        delayed(_one_fold)(clone(recipe), X, y, ids, train, test) for train, test in folds
    )
    probabilities, decisions, number = np.empty((len(y), len(classes))), np.empty_like(y), np.empty(len(y), int)
    for place, ((_, test), (predicted, called, _)) in enumerate(zip(folds, results, strict=True)):
        probabilities[test], decisions[test], number[test] = predicted, called, place
    return NestedResult(
        classes=classes,
        pos_label=positive,
        y=y,
        probabilities=probabilities,
        decisions=decisions,
        fold=number,
        folds=pd.DataFrame([row for *_, row in results]).rename_axis("fold"),
        scores=_scores(y, probabilities, decisions, classes, positive, ids, n_resamples),
        scoring=scoring if isinstance(scoring, str) else "score",
        estimator=clone(recipe).fit(X, y, groups=ids) if refit else None,
    )


def _checked(recipe, y):
    """Return the classes and, of two, the positive one, after a look at the options."""
    looked_at = clone(recipe)
    looked_at.classes_ = np.unique(y)
    looked_at.check_options()
    classes = looked_at.classes_
    return classes, classes.tolist()[looked_at.positive_index()] if len(classes) == 2 else None


def _check_folds(folds, y, ids, inner):
    tested = np.bincount(np.concatenate([test for _, test in folds]), minlength=len(y))
    if (tested != 1).any():
        i = np.flatnonzero(tested != 1)[0]
        raise ValueError(f"the outer folds test image {i} {tested[i]} times; each image must be tested once")
    if not isinstance(inner, Integral) and (not hasattr(inner, "split") or getattr(inner, "groups", None) is not None):
        raise ValueError("inner folds are of a part of the images: give a number, or a splitter without bound groups")
    for train, _ in folds:
        if isinstance(inner, Integral):
            require_groups(y[train], ids[train], inner, "inner folds")


def _one_fold(model, X, y, ids, train, test):
    model.fit(_safe_indexing(X, train), y[train], groups=ids[train])
    X_test = _safe_indexing(X, test)
    probabilities = model.predict_proba(X_test)
    row = {
        "n_train": len(train),
        "n_test": len(test),
        "groups_train": len(np.unique(ids[train])),
        "groups_test": len(np.unique(ids[test])),
        "threshold": np.nan if model.threshold_ is None else model.threshold_,
        "inner_score": model.best_score_,
        "outer_score": float(model.scorer(model, X_test, y[test])),
        "best_params": model.best_params_,
    }
    return probabilities, model.decide(probabilities), row


def _scores(y, probabilities, decisions, classes, positive, ids, n_resamples):
    if len(classes) > 2:
        return multiclass_scores(y, probabilities, classes=classes, groups=ids, n_resamples=n_resamples)
    options = {"pos_label": positive, "groups": ids}
    scores = binary_scores(y, probabilities[:, classes == positive][:, 0], n_resamples=n_resamples, **options)
    called = binary_scores(y, (decisions == positive).astype(float), n_resamples=1, **options)
    return scores | {name: called[name] for name in called if not name.startswith(SCORES_OF_PROBABILITY)}


SCORES_OF_PROBABILITY = ("auc", "average_precision", "brier", "partial_auc")


def _with_interval(scores, name):
    low, high = scores.get(f"{name}_interval", (None, None))
    return f"{scores[name]:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
