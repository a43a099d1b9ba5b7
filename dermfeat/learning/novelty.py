"""How strange a row is to the training rows: NoveltyScore for rows of numbers, LesionNovelty for images."""

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin, clone, is_classifier
from sklearn.covariance import LedoitWolf
from sklearn.exceptions import NotFittedError
from sklearn.metrics import pairwise_distances_chunked
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from dermfeat._errors import LesionImageError
from dermfeat.learning.metadata import id_numbers

FOLDS = 10
MEGABYTES = 128  # of distances at a time


class NoveltyScore(OutlierMixin, TransformerMixin, BaseEstimator):
    """Distance of a row to the training rows nearest to it, and how usual such a distance is among these.

    Columns are standardised and decorrelated with the covariance of Ledoit and Wolf, shrunk so that it holds with
    more columns than rows. The score is the mean Euclidean distance to the `n_neighbors` nearest training rows. What
    is usual is told by the training rows: each is scored by a model fitted without it and without its group.

    Parameters
    ----------
    n_neighbors : int, default=5
        How many near training rows count; fewer where there are not as many.
    contamination : float in (0, 0.5], default=0.05
        Share of the training rows that `predict` would call strange.
    max_rows : int, default=3000
        At most so many training rows are kept, drawn by whole groups; larger groups are left out.
    random_state : int, RandomState or None, default=0
        Draws them.

    Attributes
    ----------
    training_scores_ : (n_kept,) ndarray
        Scores of the kept training rows, sorted, each by a model without its group.
    threshold_ : float
        The highest score that `predict` takes for usual.

    Notes
    -----
    A column of two values, such as a missing age or one of the sites, counts as if both were equally common: taken by
    its own spread, the one row in a hundred whose age is missing would lie ten standard deviations off by that alone.
    A column that is constant in the training rows counts as 0 or 1.

    Strange means unlike the training rows, not malignant and not wrong; and what looks usual may still come from
    another camera or clinic.

    References
    ----------
    Ledoit and Wolf, Journal of Multivariate Analysis 88 (2004) 365-411, doi:10.1016/S0047-259X(03)00096-4.

    Examples
    --------
    >>> import numpy as np
    >>> from dermfeat.learning import NoveltyScore
    >>> rows = np.random.default_rng(0).normal(size=(100, 3))
    >>> NoveltyScore().fit(rows).predict([[0, 0, 0], [9, 9, 9]]).tolist()
    [1, -1]
    """

    def __init__(self, n_neighbors=5, *, contamination=0.05, max_rows=3000, random_state=0):
        self.n_neighbors = n_neighbors
        self.contamination = contamination
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X, y=None, *, groups=None):
        """Learn the training rows.

        Parameters
        ----------
        X : (n, n_columns) array of finite numbers, two rows or more
        y : ignored
        groups : (n,) sequence, optional
            Lesions or patients: rows of one group are not measured against each other. A row whose group is missing
            is a group of its own.

        Raises
        ------
        LesionImageError
            If a row holds NaN or infinity.
        ValueError
            If there is one group only, or a parameter is out of its range.
        """
        self._fit(X, y, groups)
        return self

    def fit_transform(self, X, y=None, *, groups=None):
        """Fit and return the (n, 1) scores of the training rows, each by a model without its group."""
        return self._fit(X, y, groups)[:, None]

    def fit_predict(self, X, y=None, *, groups=None):
        """Fit and return 1 or -1 for each training row, judged by a model without its group."""
        return np.where(self._fit(X, y, groups) <= self.threshold_, 1, -1)

    def score_samples(self, X):
        """Return the (n,) distances to the training rows: the higher, the stranger (scikit-learn's others: lower)."""
        check_is_fitted(self)
        return self._model.distances(self._rows(X), self.n_neighbors)

    def percentile(self, X):
        """Return the (n,) shares, 0 to 1, of training rows that are less strange to the others than the row is."""
        scores = self.score_samples(X)
        return np.searchsorted(self.training_scores_, scores) / len(self.training_scores_)

    def decision_function(self, X):
        """Return the (n,) differences threshold - score: negative where a row is strange, as in scikit-learn."""
        scores = self.score_samples(X)
        return self.threshold_ - scores

    def predict(self, X):
        """Return the (n,) int ndarray of 1 for usual rows and -1 for strange ones."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def transform(self, X):
        """Return the (n, 1) scores, a column called "novelty"."""
        return self.score_samples(X)[:, None]

    def get_feature_names_out(self, input_features=None):
        """Return the one column name; `input_features` is ignored."""
        return np.array(["novelty"], dtype=object)

    def _fit(self, X, y, groups):
        """Fit and return the scores of all training rows."""
        self._check_parameters()
        rows = self._rows(X, fitting=True)
        groups = np.arange(len(rows)) if groups is None else id_numbers(groups)
        check_consistent_length(rows, groups)
        kept = _draw_groups(groups, self.max_rows, check_random_state(self.random_state))
        count = len(np.unique(groups[kept]))
        if count < 2:
            raise ValueError(f"{kept.sum()} rows of {count} groups within max_rows: give rows of two groups or more")
        spread = _least_spread(rows[kept])
        self._model = _Neighbours(rows[kept], spread)
        scores = np.empty(len(rows))
        scores[~kept] = self._model.distances(rows[~kept], self.n_neighbors)
        scores[kept] = self._crossed(rows[kept], groups[kept], spread, min(FOLDS, count))
        self.training_scores_ = np.sort(scores[kept])
        self.threshold_ = float(np.quantile(self.training_scores_, 1 - self.contamination))
        return scores

    def _check_parameters(self):
        if not 0 < self.contamination <= 0.5:
            raise ValueError(f"contamination={self.contamination}: give a share above 0, at most 0.5")
        for name in ("n_neighbors", "max_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: give 1 or more")

    def _rows(self, X, fitting=False):
        rows = validate_data(
            self, X, reset=fitting, dtype=np.float64, ensure_all_finite=False, ensure_min_samples=2 if fitting else 1
        )
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            found = f"NaN or infinity, as in {len(bad)} of {len(rows)} rows"
            cure = "Leave such rows out, or put an imputer in front."
            raise LesionImageError(f"row {bad[0]}", found, cure)
        return rows

    def _crossed(self, rows, groups, spread, folds):
        scores = np.empty(len(rows))
        for others, left_out in GroupKFold(folds).split(rows, groups=groups):
            scores[left_out] = _Neighbours(rows[others], spread).distances(rows[left_out], self.n_neighbors)
        return scores


class LesionNovelty(NoveltyScore):
    """How strange an image is to the training images, as the features of a pipeline see it.

    Parameters
    ----------
    features : LesionPipeline, other pipeline or transformer of images
        Classifier and samplers are passed over. What is fitted is used as it is, so that the score speaks of the very
        model that predicts; what is not is fitted on a copy.
    n_neighbors, contamination, max_rows, random_state
        As for `NoveltyScore`, whose methods this has: `fit`, `score_samples`, `percentile`, `predict` and others take
        images, or a table where the pipeline does.

    Attributes
    ----------
    features_ : transformer
        From images to rows.

    Examples
    --------
    >>> from dermfeat import LesionPipeline, datasets, default_steps
    >>> from dermfeat.learning import LesionNovelty
    >>> data = datasets.make_lesions(40, size=(96, 128), random_state=0)
    >>> pipe = LesionPipeline(default_steps(["color"])).fit(data.X, data.y)
    >>> LesionNovelty(pipe).fit(data.X, groups=data.groups).predict(255 - data.X[:1]).tolist()
    [-1]
    """

    def __init__(self, features, *, n_neighbors=5, contamination=0.05, max_rows=3000, random_state=0):
        super().__init__(n_neighbors, contamination=contamination, max_rows=max_rows, random_state=random_state)
        self.features = features

    def _fit(self, X, y, groups):
        self.features_ = _measuring(self.features)
        try:
            check_is_fitted(self.features_)
        except NotFittedError:
            self.features_ = clone(self.features_).fit(X, y)
        return super()._fit(X, y, groups)

    def _rows(self, X, fitting=False):
        return super()._rows(np.asarray(self.features_.transform(X)), fitting)


class _Neighbours:
    """Training rows in coordinates in which distances are those of Mahalanobis.

    `spread`: the least standard deviation that each column counts with.
    """

    def __init__(self, rows, spread):
        self.scaler = StandardScaler().fit(rows)
        scaled = self.scaler.transform(rows)
        covariance = LedoitWolf(store_precision=False, assume_centered=True).fit(scaled).covariance_
        missing = np.square(spread / self.scaler.scale_) - np.diag(covariance)
        covariance += np.diag(np.maximum(missing, 1e-6))  # not below 1e-6: rows may be fewer than columns
        self.whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T
        self.known = scaled @ self.whitening

    def distances(self, rows, n_neighbors):
        """Return the (n,) mean distances to the nearest known rows."""
        nearest = min(n_neighbors, len(self.known))
        if not len(rows):
            return np.empty(0)
        white = self.scaler.transform(rows) @ self.whitening
        chunks = pairwise_distances_chunked(white, self.known, working_memory=MEGABYTES)
        nearby = [np.partition(chunk, nearest - 1, axis=1)[:, :nearest] for chunk in chunks]
        return np.concatenate(nearby).mean(axis=1)


def _least_spread(rows):
    """Return (n_columns,): half the range of a column of two values, 1/2 for a constant one, 0 for all others."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    two = ((rows == low) | (rows == high)).all(axis=0)
    return np.where(two, np.where(high > low, high - low, 1) / 2, 0)


def _draw_groups(groups, max_rows, random):
    """Return the (n,) bool ndarray of the rows to keep: whole groups in random order while they fit."""
    sizes = np.bincount(groups)
    order = random.permutation(len(sizes))
    order = order[sizes[order] <= max_rows]
    return np.isin(groups, order[np.cumsum(sizes[order]) <= max_rows])


def _measuring(model):
    """Return the part of a pipeline that turns images into rows; the steps are shared, not copied."""
    if not hasattr(model, "steps"):
        if not hasattr(model, "transform"):
            raise TypeError(f"features is a {type(model).__name__}: give a pipeline or a transformer of images")
        return model
    return Pipeline([(name, step) for name, step in model.steps if isinstance(step, str) or _measures(step)])


def _measures(step):
    return hasattr(step, "transform") and not hasattr(step, "fit_resample") and not is_classifier(step)
