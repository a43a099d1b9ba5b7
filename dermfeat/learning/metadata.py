"""MetadataFeatures: age, sex, site and the like as finite numbers, with an explicit missing level."""

from datetime import date, timedelta
from itertools import chain

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted

from dermfeat._errors import LesionImageError

MISSING = ("", "unknown", "nan", "none", "null", "na", "n/a", "<na>", "missing", "not available")
DATES = (date, timedelta, np.datetime64, np.timedelta64, pd.Period)
ID_ROWS, ID_SHARE = 50, 0.9  # a text column is an id if of more rows than that a larger share differ
LIMITS = {"age": (0, 120), "age_approx": (0, 120)}


class MetadataFeatures(TransformerMixin, BaseEstimator):
    """Columns of a table as finite float32 numbers: none is ever NaN, so that samplers can follow.

    A numeric column gives ``<column>``, with the median of the training rows where it is missing, and
    ``<column>_is_missing``. A text column gives 0 or 1 in ``<column>_<level>`` for each level of the training rows,
    sorted, in ``<column>_is_other`` for rare levels and for those first seen in `transform`, and in
    ``<column>_is_missing``; exactly one of them is 1.

    Parameters
    ----------
    numeric : list of str, optional
        The numeric columns; all others are text. By default a column is numeric if every value of the training
        rows that is not missing is a number or reads as one ("45"). Booleans are text, "true" and "false".
    missing_values : sequence of str
        Words that mean missing, in any case; None, NaN, NaT and pandas' NA always do.
    min_count : int, default=1
        A level that fewer training rows have is counted as other. With 1, ``<column>_is_other`` is 0 for all
        training rows, and so a classifier can learn nothing about it.
    limits : dict, optional
        ``{column: (lowest, highest)}`` of possible values; by default `LIMITS`, ages from 0 to 120 years in "age" and
        "age_approx". A value beyond them is an error.

    Attributes
    ----------
    columns_ : (n_columns,) object ndarray of str
        The columns of the training table. `transform` finds them by name: their order is free, others are ignored.
    fill_ : dict of str to float
        The median of each numeric column.
    levels_ : dict of str to list of str
        The levels of each text column, in lower case and with ``_`` for spaces.

    Notes
    -----
    A table without column names, a 2-D array, has the columns "x0", "x1" and so on.

    Examples
    --------
    >>> import pandas as pd
    >>> from dermfeat.learning import MetadataFeatures
    >>> table = pd.DataFrame({"age": [40, None, 60], "sex": ["male", "Female ", "unknown"]})
    >>> MetadataFeatures().set_output(transform="pandas").fit_transform(table).iloc[1].to_dict()
    {'age': 50.0, 'age_is_missing': 1.0, 'sex_female': 1.0, 'sex_male': 0.0, 'sex_is_other': 0.0, 'sex_is_missing': 0.0}
    """

    def __init__(self, numeric=None, *, missing_values=MISSING, min_count=1, limits=None):
        self.numeric = numeric
        self.missing_values = missing_values
        self.min_count = min_count
        self.limits = limits

    def fit(self, X, y=None):
        """Learn medians and levels of the (n, n_columns) table `X`; `y` is ignored.

        Raises
        ------
        LesionImageError
            If `X` is no table, a column has no value at all, holds dates, or is text whose values nearly all differ,
            an id; or a value is not a number or beyond its limits where it must be.
        """
        table = as_table(X)
        self.columns_ = self.feature_names_in_ = np.array(table.columns, dtype=object)
        self.n_features_in_ = len(self.columns_)
        unknown = sorted(set(self.numeric or ()) - set(self.columns_))
        if unknown:
            raise LesionImageError("numeric", f"no columns {unknown}", f"There are {list(self.columns_)}.")
        self.fill_, self.levels_ = {}, {}
        for name in self.columns_:
            values, missing = self._column(table, name)
            if missing.all():
                cure = "Leave the column out, or give rows that have one."
                raise LesionImageError(f"column {name!r}", f"no value in any of the {len(table)} rows", cure)
            _refuse_dates(name, values[~missing])
            if self._is_numeric(name, values[~missing]):
                self.fill_[name] = float(np.median(self._numbers(name, values, missing)[~missing]))
            else:
                counts = pd.Series([word(value) for value in values[~missing]]).value_counts()
                _refuse_ids(name, counts)
                self.levels_[name] = sorted(counts.index[counts >= self.min_count])
        self._check_names()
        return self

    def transform(self, X):
        """Return the (n, n_features_out) float32 array; all values are finite.

        Raises
        ------
        LesionImageError
            If a column of the training table is missing, or a value is not a number or beyond its limits where it
            must be.
        """
        check_is_fitted(self)
        table = as_table(X)
        if not isinstance(X, pd.DataFrame) and table.shape[1] != self.n_features_in_:
            expected = f"{type(self).__name__} is expecting {self.n_features_in_} features"
            found = f"X has {table.shape[1]} features, but {expected}"
            raise LesionImageError("X", found, "Give the columns of the training table, in their order.")
        require_columns(table, self.columns_)
        return np.column_stack([self._block(table, name) for name in self.columns_]).astype(np.float32)

    def get_feature_names_out(self, input_features=None):
        """Return the column names as an object ndarray; `input_features` is ignored."""
        check_is_fitted(self)
        names = []
        for name in self.columns_:
            levels = [*self.levels_[name], "is_other"] if name in self.levels_ else []
            names += [f"{name}_{level}" for level in levels] or [name]
            names.append(f"{name}_is_missing")
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _column(self, table, name):
        values = table[name].to_numpy(dtype=object)
        return values, is_missing(values, self.missing_values)

    def _is_numeric(self, name, present):
        if self.numeric is not None:
            return name in self.numeric
        if any(isinstance(value, (bool, np.bool_)) for value in present):
            return False
        return not np.isnan(_parsed(present)).any()

    def _block(self, table, name):
        values, missing = self._column(table, name)
        if name in self.fill_:
            return np.column_stack([np.where(missing, self.fill_[name], self._numbers(name, values, missing)), missing])
        words = np.array([None if gone else word(value) for value, gone in zip(values, missing, strict=True)], object)
        levels = np.array(self.levels_[name], dtype=object)
        known = words[:, None] == levels
        return np.column_stack([known, ~known.any(axis=1) & ~missing, missing])

    def _numbers(self, name, values, missing):
        numbers = _parsed(np.where(missing, 0, values))
        low, high = (LIMITS if self.limits is None else self.limits).get(name, (-np.inf, np.inf))
        wrong = ~(np.abs(numbers) <= np.finfo(np.float32).max)
        beyond = ~missing & ((numbers < low) | (numbers > high))
        for bad, found, cure, option in (
            (wrong, "not a finite number", "list the numeric columns in", "numeric"),
            (beyond, f"beyond {low} to {high}", "give", "limits"),
        ):
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                item, found = f"row {row}, column {name!r}", f"{values[row]!r} is {found}"
                cure = (
                    f"Correct it, leave it empty, or {cure} {option}=... (features__metadata__{option} of a pipeline)."
                )
                raise LesionImageError(item, found, cure)
        return numbers

    def _check_names(self):
        names = pd.Series(self.get_feature_names_out())
        twice = names[names.duplicated()].tolist()
        if twice:
            raise LesionImageError(f"column {twice[0]!r}", "would come out twice", "Rename a column or level.")


class TableFeatures(ColumnTransformer):
    """scikit-learn's ColumnTransformer for columns given by name, which checks the table before any image is read."""

    def fit_transform(self, X, y=None, **params):
        """As for `sklearn.compose.ColumnTransformer`; `LesionImageError` if X is no table, lacks a column, or one of
        metadata is unfit."""
        _checked(X, self.transformers)
        for _, part, columns in self.transformers:
            if isinstance(part, MetadataFeatures):
                clone(part).fit(X[columns])
        return super().fit_transform(X, y, **params)

    def transform(self, X, **params):
        """As for `sklearn.compose.ColumnTransformer`; `LesionImageError` if X is no table or lacks a column."""
        kept = [entry for entry in self.transformers if entry[1] != "drop"]
        return super().transform(_checked(X, kept), **params)

    def set_params(self, **params):
        """Set parameters; an error says by which name a parameter of a part is reached."""
        try:
            return super().set_params(**params)
        except ValueError as error:
            there = self.get_params()
            names = [
                f"features__{part}__{name}"
                for part, *_ in self.transformers
                for name in params
                if name not in there and f"{part}__{name}" in there
            ]
            if not names:
                raise
            raise ValueError(f"{error} With metadata= or patient_id= it is {' and '.join(names)}.") from None


def _checked(X, parts):
    names = chain.from_iterable([columns] if isinstance(columns, str) else columns for _, _, columns in parts)
    return require_columns(X, list(dict.fromkeys(names)))


def _refuse_dates(name, values):
    if any(isinstance(value, DATES) for value in values):
        cure = "Convert it to a number, years since a day say, or leave it out."
        raise LesionImageError(f"column {name!r}", "found dates", cure)


def _refuse_ids(name, counts):
    rows = counts.sum()
    if rows > ID_ROWS and len(counts) > ID_SHARE * rows:
        found = f"found {len(counts)} different texts in {rows} rows, so it is an id, not metadata"
        raise LesionImageError(f"column {name!r}", found, "Take it out or convert it.")


def as_table(X):
    """Return X as a DataFrame with text as column names: "x0", "x1" ... for a 2-D array.

    Raises
    ------
    LesionImageError
        If X is no table, or a column name is no text or there twice.
    """
    if not isinstance(X, pd.DataFrame):
        found = f"found a {type(X).__name__}"
        X = X if isinstance(X, pd.Series) else np.asarray(X, dtype=object)
        if X.ndim != 2:
            raise LesionImageError("X", f"{found} of {X.ndim} dimensions", 'Give a table, for one column X[["age"]].')
        X = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    if not X.shape[1]:
        raise LesionImageError("X", f"0 feature(s) (shape={X.shape})", "Give a table with columns.")
    if not X.columns.is_unique or not all(isinstance(name, str) for name in X.columns):
        raise LesionImageError("X", f"column names {list(X.columns)[:8]}", "Name each column by a text of its own.")
    return X


def require_columns(table, names):
    """Return the table; raise `LesionImageError` unless it is a DataFrame with all the columns `names`."""
    if not isinstance(table, pd.DataFrame):
        found = f"found a {type(table).__name__} where a table is expected"
        raise LesionImageError("X", found, f"Give a DataFrame with the columns {list(names)}.")
    lacking = [name for name in names if name not in table.columns]
    if lacking:
        cure = f"Give a table with them; it has {[str(name) for name in table.columns[:12]]}."
        raise LesionImageError("X", f"no column {', '.join(map(repr, lacking))}", cure)
    return table


def is_missing(values, words=MISSING):
    """Return the (n,) bool ndarray of values that are None, NaN, NA, NaT or one of the `words` in any case."""
    words = {word(entry) for entry in words}
    return np.array([pd.isna(value) or (isinstance(value, str) and word(value) in words) for value in values], bool)


def id_codes(ids):
    """Return the (n,) int ndarray that numbers the ids of patients, lesions ... from 0; -1 where one is missing.

    7, 7.0, "7" and " 7" are the same id: pandas reads parts of a long column as numbers and others as text.

    Raises
    ------
    ValueError
        If `ids` is not 1-D.
    """
    ids = np.asarray(ids if hasattr(ids, "__array__") else list(ids), dtype=object)
    if ids.ndim != 1:
        raise ValueError(f"found ids of the shape {ids.shape}; give columns with one id per image")
    return pd.factorize(np.where(is_missing(ids), None, np.array([_text(entry) for entry in ids], dtype=object)))[0]


def id_numbers(ids):
    """Return the (n,) int ndarray that numbers the ids as `id_codes` does, each missing one anew."""
    codes = id_codes(ids)
    alone = codes < 0
    codes[alone] = len(codes) + np.arange(alone.sum())
    return pd.factorize(codes)[0]


def word(value):
    """Return a level as text in lower case, with ``_`` for spaces; 1, 1.0 and "1" are the same."""
    return "_".join(_text(value).casefold().replace("_", " ").split())


def _text(value):
    whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value) if whole else value).strip()


def _parsed(values):
    """Return the (n,) float64 ndarray of numbers, NaN where a value is none."""
    return np.asarray(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce"), dtype=np.float64)
