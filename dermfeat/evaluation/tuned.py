"""A classifier that tunes, calibrates and chooses its threshold on inner folds that keep groups together."""

from functools import partial

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    get_scorer,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler, RandomizedSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from dermfeat.evaluation.calibration import calibrator
from dermfeat.evaluation.groups import checked_labels
from dermfeat.evaluation.thresholds import choose_threshold, is_number
from dermfeat.evaluation.validation import grouped_folds
from dermfeat.learning import positive_index

NEED_POSITIVE = {  # scikit-learn's scorers of these names take 1 for the positive class
    "average_precision": {"score_func": average_precision_score, "response_method": "predict_proba"},
    "neg_brier_score": {
        "score_func": brier_score_loss, "response_method": "predict_proba", "greater_is_better": False
    },
    "f1": {"score_func": f1_score},
    "jaccard": {"score_func": jaccard_score},
    "precision": {"score_func": precision_score},
    "recall": {"score_func": recall_score},
}  # fmt: skip


class TunedClassifier(ClassifierMixin, BaseEstimator):
    """An estimator with its tuning, calibration and threshold, fitted in one go with groups kept together.

    1. The search scores each candidate on the inner folds and fits the best one to everything it is given.
    2. The best one, fitted to inner training folds, predicts the inner validation folds: out-of-fold probabilities.
    3. On these the calibration is learned, and then the threshold chosen.

    Samplers belong into `estimator`, as a step of a `LesionPipeline`: then each of these fits balances its own
    training fold.

    Parameters
    ----------
    estimator : classifier with `predict_proba`
    param_grid : dict or list of dict, optional
        What to try; distributions for ``search="random"``. Without it nothing is tuned.
    search : {"grid", "random"}, search object or callable, default="grid"
        A search object of scikit-learn's kind is cloned and given `estimator` and the inner folds as ``cv``; its own
        parameters and scoring stay. A callable gets ``(estimator, cv)``, the folds being a list of index arrays, and
        returns such an object.
    n_iter : int, default=20
        Candidates of the random search.
    inner : int, splitter or list of (train, test), default=3
        Inner folds; a number means `GroupedCV`.
    scoring : str or callable, default="roc_auc"
        As in scikit-learn; "roc_auc" of more than two classes is the mean of each class against the rest.
    pos_label : str or int, optional
        The positive class of two. By default that of the estimator's last step.
    calibration : {"sigmoid", "isotonic", "temperature"}, optional
        Sigmoid and temperature act on the log-odds. "temperature" needs scikit-learn 1.8.
    threshold : float, "balanced_accuracy", {"sensitivity": float}, {"specificity": float} or callable, optional
        Rule for the probability from which a case is called positive, see `choose_threshold`. Two classes only. By
        default the most probable class is called.
    n_jobs : int, optional
        Processes for inner fits.
    random_state : int, RandomState instance or None, default=0
        Of inner folds and random search.

    Attributes
    ----------
    estimator_ : the best estimator, fitted to everything
    classes_ : (n_classes,) ndarray
        Sorted labels, the columns of `predict_proba`.
    best_params_ : dict
        Empty where nothing was tuned.
    best_score_ : float
        Inner score of the best candidate, flattered by the choice; NaN where nothing was tuned.
    threshold_ : float or None
    search_, calibrator_ : the fitted search and calibration, or None

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from dermfeat.evaluation.tuned import TunedClassifier
    >>> X, y = make_classification(90, random_state=0)
    >>> lesion = [i // 2 for i in range(90)]
    >>> model = TunedClassifier(
    ...     LogisticRegression(), param_grid={"C": [0.1, 1]}, calibration="sigmoid", threshold={"sensitivity": 0.95}
    ... )
    >>> model.fit(X, y, groups=lesion).predict(X[:4]).shape
    (4,)
    >>> 0 < model.threshold_ < 1
    True
    """

    def __init__(
        self,
        estimator,
        *,
        param_grid=None,
        search="grid",
        n_iter=20,
        inner=3,
        scoring="roc_auc",
        pos_label=None,
        calibration=None,
        threshold=None,
        n_jobs=None,
        random_state=0,
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.search = search
        self.n_iter = n_iter
        self.inner = inner
        self.scoring = scoring
        self.pos_label = pos_label
        self.calibration = calibration
        self.threshold = threshold
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, *, groups=None):
        """Tune, fit, calibrate and choose the threshold.

        Parameters
        ----------
        X : sequence of image references, table or array
        y : (n,) sequence of labels
        groups : (n,) sequence, or several of them, or DataFrame
            Ids of lesions, patients ...; needed.

        Raises
        ------
        ValueError
            If groups, labels or options are unfit, always before the first fit.
        """
        y = checked_labels(y)
        self.classes_ = np.unique(y)
        self.check_options()
        folds = grouped_folds(self.inner, X, y, groups, self.random_state)
        if self.tunes:
            self.search_ = self._search(folds).fit(X, y)
            self.estimator_, self.best_params_ = self.search_.best_estimator_, self.search_.best_params_
            self.best_score_ = float(self.search_.best_score_)
        else:
            self.search_, self.best_params_, self.best_score_ = None, {}, np.nan
            self.estimator_ = clone(self.estimator).fit(X, y)
        self.calibrator_ = self.threshold_ = None
        if self.calibration is not None or not (self.threshold is None or is_number(self.threshold)):
            self._learn_from_left_out(self._left_out(X, y, folds), y)
        elif self.threshold is not None:
            self.threshold_ = float(self.threshold)
        return self

    def predict_proba(self, X):
        """Return the (n, n_classes) probabilities, calibrated if asked for."""
        check_is_fitted(self)
        probabilities = _probabilities(self.estimator_, X, self.classes_)
        return probabilities if self.calibrator_ is None else self.calibrator_.predict_proba(probabilities)

    def predict(self, X):
        """Return the (n,) labels called, by the threshold where there is one."""
        return self.decide(self.predict_proba(X))

    def decide(self, probabilities):
        """Return the labels that `predict` calls at these (n, n_classes) probabilities."""
        if self.threshold_ is None:
            return self.classes_[np.argmax(probabilities, axis=1)]
        positive = self.positive_index()
        return self.classes_[np.where(probabilities[:, positive] >= self.threshold_, positive, 1 - positive)]

    def positive_proba(self, X):
        """Return the (n,) probabilities of the positive class."""
        return self.predict_proba(X)[:, self.positive_index()]

    def positive_index(self):
        """Return the column of the positive class; an error where it is unclear."""
        stated = getattr(_last_step(self.estimator), "pos_label", None) if self.pos_label is None else self.pos_label
        return positive_index(self.classes_, stated)

    @property
    def tunes(self):
        """Whether there is anything to search."""
        return self.param_grid is not None or not isinstance(self.search, str)

    @property
    def scorer(self):
        """`scoring` as a callable ``(estimator, X, y)``."""
        if self.scoring == "roc_auc" and len(self.classes_) > 2:
            return get_scorer("roc_auc_ovr")
        if isinstance(self.scoring, str) and self.scoring in NEED_POSITIVE and len(self.classes_) == 2:
            return make_scorer(**NEED_POSITIVE[self.scoring], pos_label=self.classes_[self.positive_index()])
        return get_scorer(self.scoring)

    def check_options(self):
        """Refuse options that are unknown or do not go together, by trying them, given `classes_`."""
        if not isinstance(self.search, str) and self.param_grid is not None:
            raise ValueError("a search object or callable brings its own candidates; leave param_grid out")
        if not getattr(self.search, "refit", True):
            raise ValueError("the search object has refit=False, so there is no best estimator; leave refit as it is")
        if isinstance(self.search, str) and self.search not in ("grid", "random"):
            raise ValueError(f"search={self.search!r}; give 'grid', 'random', a search object or a callable")
        self._check_probabilities()
        if self.calibration is not None:
            calibrator(np.array([[0.7, 0.3], [0.4, 0.6]] * 2), np.array([0, 1] * 2), self.calibration)
        if self.threshold is not None:
            if len(self.classes_) != 2:
                raise ValueError(f"a threshold is for two classes, and there are {self.classes_.tolist()}")
            self.positive_index()
            choose_threshold([False, True], [0.4, 0.6], self.threshold)
        _ = self.scorer

    def _check_probabilities(self):
        """Refuse an estimator without `predict_proba`, unless it is one of the candidates that brings it."""
        if isinstance(self.search, str) and not any(map(_has_probabilities, self._candidates())):
            last = type(_last_step(self.estimator)).__name__
            cure = f"give a classifier that has it, CalibratedClassifierCV({last}()) say"
            raise ValueError(f"{last} has no predict_proba; {cure}")

    def _candidates(self):
        yield self.estimator
        if self.tunes:
            drawn = {"n_iter": self.n_iter, "random_state": 0}
            grid = ParameterGrid if self.search == "grid" else partial(ParameterSampler, **drawn)
            yield from (clone(self.estimator).set_params(**candidate) for candidate in grid(self.param_grid))

    def _search(self, folds):
        estimator = clone(self.estimator)
        if not isinstance(self.search, str):
            if hasattr(self.search, "fit"):
                return clone(self.search).set_params(estimator=estimator, cv=folds)
            return self.search(estimator, folds)
        common = {"scoring": self.scorer, "cv": folds, "n_jobs": self.n_jobs, "error_score": "raise"}
        if self.search == "grid":
            return GridSearchCV(estimator, self.param_grid, **common)
        return RandomizedSearchCV(
            estimator, self.param_grid, n_iter=self.n_iter, random_state=self.random_state, **common
        )

    def _left_out(self, X, y, folds):
        """Return the (n, n_classes) probabilities of each image by the model that was not fitted to its fold."""
        parts = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_and_predict)(clone(self.estimator_), X, y, train, test, self.classes_) for train, test in folds
        )
        probabilities = np.full((len(y), len(self.classes_)), np.nan)
        for (_, test), part in zip(folds, parts, strict=True):
            probabilities[test] = part
        if np.isnan(probabilities).any():
            raise ValueError("the inner folds leave images out; calibration and threshold need each of them once")
        return probabilities

    def _learn_from_left_out(self, probabilities, y):
        if self.calibration is not None:
            self.calibrator_ = calibrator(probabilities, y, self.calibration)
            probabilities = self.calibrator_.predict_proba(probabilities)
        if self.threshold is not None:
            positive = self.positive_index()
            self.threshold_ = choose_threshold(y == self.classes_[positive], probabilities[:, positive], self.threshold)


def _last_step(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _has_probabilities(estimator):
    last = _last_step(estimator)  # a StackingClassifier without final_estimator shows predict_proba once it is fitted
    return hasattr(estimator, "predict_proba") or getattr(last, "final_estimator", "none") is None


def _fit_and_predict(estimator, X, y, train, test, classes):
    estimator.fit(_safe_indexing(X, train), y[train])
    return _probabilities(estimator, _safe_indexing(X, test), classes)


def _probabilities(estimator, X, classes):
    if not np.array_equal(estimator.classes_, classes):
        raise ValueError(f"the estimator knows the classes {list(estimator.classes_)}, the data have {list(classes)}")
    return np.asarray(estimator.predict_proba(X), float)
