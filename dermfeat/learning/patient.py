"""PatientRelativeFeatures: how much a lesion differs from the other lesions of its patient ("ugly duckling")."""

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from dermfeat._errors import LesionImageError
from dermfeat.extraction import LesionFeatures
from dermfeat.learning.metadata import as_table, id_numbers, require_columns

OUTPUTS = ("z", "rank", "distance", "log_lesions")


class PatientRelativeFeatures(TransformerMixin, BaseEstimator):
    """z-scores and ranks of a lesion's features among the other lesions of the same patient, without labels.

    Parameters
    ----------
    features : transformer of images, "passthrough" or None
        What is compared: `LesionFeatures()` by default, read from the column `image`; with "passthrough" the numeric
        columns of the table itself.
    image, patient_id : str
        Columns of the table. A missing id (None, NaN, "", "unknown") is a patient of its own.
    lesion_id : str, optional
        A column. Photos of one lesion are averaged and count as one lesion, so that they are never compared with
        each other; a missing id is a lesion of its own. By default every row is a lesion.
    columns : list of str, optional
        The features that are compared; all by default.
    outputs : sequence of str, default=("z", "rank", "distance")
        ``<feature>_z``, ``<feature>_rank``, ``distance`` and ``log_lesions``, the natural logarithm of the patient's
        number of lesions. That number is left out by default: how many images there are of a patient tells of the
        way in which a data set was collected, not of the lesion.
    shrinkage : float, default=2
        How many lesions the spread within the patients of the training rows counts as.

    Attributes
    ----------
    columns_ : list of str
        The features that are compared.
    scale_ : (n_columns,) ndarray
        Their standard deviation among the lesions of one patient, pooled over the patients of the training rows; of
        all lesions, where no patient has two that differ.

    Notes
    -----
    Only lesions in the same call are compared: give `transform` all lesions of a patient at once, and split training
    from test rows by patient. The rows of other patients change nothing, nor does the order of rows.

    With d the difference from the mean of the patient's n - 1 other lesions, ss their sum of squares about that mean,
    k the `shrinkage` and s the `scale_`, z = d / sqrt(v n / (n - 1)) with v = (k s² + ss) / (k + n - 2). The factor
    n / (n - 1) is the uncertainty of the mean, and v a spread between that of the patient and that of all: z has
    about the same spread in patients with two lesions and with a hundred. The rank is
    (mid-rank - 1/2) / n, in (0, 1). The distance is the mean of |z| over the columns. A patient with one
    lesion has z = 0, rank = 1/2 and distance = 0.

    A row that is wholly NaN, as `LesionFeatures` with ``on_error="nan"`` gives for an image that cannot be read,
    stays NaN and is nobody's other lesion.

    References
    ----------
    The "ugly duckling" sign: Grob and Bonerandi, Archives of Dermatology 134 (1998) 103-104.

    Examples
    --------
    >>> import pandas as pd
    >>> from dermfeat.learning import PatientRelativeFeatures
    >>> table = pd.DataFrame({"patient_id": ["a", "a", "a", "b"], "area": [1.0, 2.0, 9.0, 9.0]})
    >>> relative = PatientRelativeFeatures("passthrough", outputs=["rank"])
    >>> relative.fit_transform(table)[:, 0].astype(float).round(2).tolist()
    [0.17, 0.5, 0.83, 0.5]
    """

    def __init__(
        self,
        features=None,
        *,
        image="image",
        patient_id="patient_id",
        lesion_id=None,
        columns=None,
        outputs=OUTPUTS[:3],
        shrinkage=2,
    ):
        self.features = features
        self.image = image
        self.patient_id = patient_id
        self.lesion_id = lesion_id
        self.columns = columns
        self.outputs = outputs
        self.shrinkage = shrinkage

    def fit(self, X, y=None):
        """Learn how features spread within the patients of the table `X`; images are read, `y` is ignored."""
        self._fit(X)
        return self

    def fit_transform(self, X, y=None):
        """Fit and return the rows of `X`; every image is measured once."""
        return self._rows(*self._fit(X))

    def transform(self, X):
        """Return the (n, n_features_out) float32 array; the lesions of one patient in `X` are compared.

        Raises
        ------
        LesionImageError
            If a column is missing, an image cannot be used, or a feature is NaN or infinite.
        """
        check_is_fitted(self)
        table = self._table(X)
        return self._rows(table, self._measure(table))

    def get_feature_names_out(self, input_features=None):
        """Return the column names as an object ndarray; `input_features` is ignored."""
        check_is_fitted(self)
        names = [f"{name}_{kind}" for kind in ("z", "rank") if kind in self.outputs for name in self.columns_]
        return np.asarray(names + [kind for kind in OUTPUTS[2:] if kind in self.outputs], dtype=object)

    def _fit(self, X):
        self._check_parameters()
        table = self._table(X)
        self._fit_columns(table)
        values = self._measure(table)
        patients = Patients(values, *self._ids(table))
        self.scale_ = patients.spread()
        return table, values

    def _check_parameters(self):
        if not self.outputs or not set(self.outputs) <= set(OUTPUTS):
            raise ValueError(f"outputs={self.outputs!r}: choose from {OUTPUTS}")
        if not self.shrinkage > 0:
            raise ValueError(f"shrinkage={self.shrinkage}: give a number above 0")

    def _table(self, X):
        return as_table(require_columns(X, self._needed()))

    def _needed(self):
        image = [] if self._passes() else [self.image]
        return [*image, self.patient_id, *([] if self.lesion_id is None else [self.lesion_id])]

    def _passes(self):
        return isinstance(self.features, str) and self.features == "passthrough"

    def _fit_columns(self, table):
        if self._passes():
            kept = table.drop(columns=[self.image, *self._needed()], errors="ignore")
            offered = list(kept.select_dtypes("number").columns)
        else:
            features = LesionFeatures() if self.features is None else clone(self.features)
            self.features_ = features.fit(table[self.image])
            offered = list(features.get_feature_names_out())
        self.columns_ = offered if self.columns is None else list(self.columns)
        unknown = [name for name in self.columns_ if name not in offered]
        if unknown or not self.columns_:
            found = f"no such features: {unknown[:5]}" if unknown else "no numeric column to compare"
            raise LesionImageError("columns", found, f"To compare there are {offered[:12]}.")
        self._positions = [offered.index(name) for name in self.columns_]

    def _measure(self, table):
        """Return the (n, n_columns) float64 values to compare."""
        if self._passes():
            require_columns(table, self.columns_)
            values = table[self.columns_].to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = np.asarray(self.features_.transform(table[self.image]), np.float64)[:, self._positions]
        wrong = ~np.isfinite(values) & ~np.isnan(values).all(axis=1, keepdims=True)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            cure = "Fill it in first, or leave that feature out of columns=."
            raise LesionImageError(f"row {row}, {self.columns_[column]!r}", f"found {values[row, column]}", cure)
        return values

    def _ids(self, table):
        """Return the (n,) numbers of each row's patient and lesion."""
        lesion = np.arange(len(table)) if self.lesion_id is None else id_numbers(table[self.lesion_id])
        return id_numbers(table[self.patient_id]), lesion

    def _rows(self, table, values):
        patients = Patients(values, *self._ids(table))
        z = patients.z(self.scale_, self.shrinkage)
        blocks = {
            "z": lambda: z,
            "rank": patients.ranks,
            "distance": lambda: np.abs(z).mean(axis=1),
            "log_lesions": lambda: np.log(patients.count),
        }
        chosen = np.column_stack([blocks[kind]() for kind in OUTPUTS if kind in self.outputs])
        rows = np.full((len(table), chosen.shape[1]), np.nan, np.float32)
        rows[patients.measured] = chosen[patients.lesion]
        return rows


class Patients:
    """The lesions of one call, sorted by patient: their mean values, and where each row's lesion stands.

    Attributes
    ----------
    measured : (n,) bool ndarray
        The rows that have values.
    lesion : (n_measured,) ndarray
        The number of each measured row's lesion.
    values : (n_lesions, n_columns) ndarray
    starts : (n_patients,) ndarray
        The first lesion of each patient.
    count : (n_lesions,) ndarray
        How many lesions the patient has.
    """

    def __init__(self, values, patient, lesion):
        self.measured = ~np.isnan(values).any(axis=1)
        pairs, self.lesion = np.unique(np.column_stack([patient, lesion])[self.measured], axis=0, return_inverse=True)
        self.lesion = self.lesion.ravel()
        self.values = np.zeros((len(pairs), values.shape[1]))
        np.add.at(self.values, self.lesion, values[self.measured])
        self.values /= np.bincount(self.lesion, minlength=len(pairs))[:, None]
        _, self.starts, self.sizes = np.unique(pairs[:, 0], return_index=True, return_counts=True)
        self.count = np.repeat(self.sizes, self.sizes)

    def spread(self):
        """Return the (n_columns,) standard deviation within patients, never 0."""
        freedom = len(self.values) - len(self.sizes)
        if not len(self.values):
            raise LesionImageError("X", "no row with values", "Give images that can be read.")
        within = np.sqrt((self._deviations() ** 2).sum(axis=0) / max(freedom, 1))
        total = self.values.std(axis=0)
        tiny = 1e-9 * (np.abs(self.values).max(axis=0) + 1e-300)
        within = np.where(within > tiny, within, total)
        return np.where(within > tiny, within, 1.0)

    def z(self, scale, shrinkage):
        """Return the (n_lesions, n_columns) z-scores."""
        count = self.count[:, None]
        deviations = self._deviations() / scale
        squares = deviations**2 * count / np.maximum(count - 1, 1)
        others = np.maximum(self._sum(deviations**2) - squares, 0)
        variance = (shrinkage + others) / (shrinkage + np.maximum(count - 2, 0))
        return np.where(count > 1, np.sign(deviations) * np.sqrt(squares / variance), 0)

    def ranks(self):
        """Return the (n_lesions, n_columns) ranks in (0, 1)."""
        ranks = np.full(self.values.shape, 0.5)
        for start, size in zip(self.starts, self.sizes, strict=True):
            if size > 1:
                part = slice(start, start + size)
                ranks[part] = (rankdata(self.values[part], axis=0) - 0.5) / size
        return ranks

    def _deviations(self):
        return self.values - self._sum(self.values) / self.count[:, None]

    def _sum(self, values):
        """Sum over the lesions of each patient, and repeat the sum for each of them."""
        return np.repeat(np.add.reduceat(values, self.starts, axis=0), self.sizes, axis=0)
