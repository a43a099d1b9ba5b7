"""What the user gives to `audit`, checked and brought into one shape, and what one pass over the images found."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.auditing.copies import copy_clusters


@dataclass(frozen=True)
class Case:
    """All that findings are made of.

    Attributes
    ----------
    references : sequence of image references
    facts : DataFrame
        From `one_pass.look`.
    labels, groups, split : Series of str, None where one is missing; or None
    folds : list of (train, test) integer arrays
    metadata : DataFrame of as many rows, possibly without columns
    exact, near, shots : DataFrame
        Pairs of positions i < j: exact copies, each with the first of them; without those near copies, and like shots
        of one lesion, both with similarity and orientation.
    """

    references: object
    facts: pd.DataFrame
    labels: pd.Series | None
    groups: pd.Series | None
    split: pd.Series | None
    folds: list
    metadata: pd.DataFrame
    exact: pd.DataFrame
    near: pd.DataFrame
    shots: pd.DataFrame
    margin: float = 0.05
    random_state: int = 0
    names: list = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "names", self.facts["name"].tolist())

    def __len__(self):
        return len(self.facts)

    @cached_property
    def exact_clusters(self):
        """(n,) ndarray: exact copies of one another have the same number."""
        return self._clusters(self.exact)

    @cached_property
    def copy_clusters(self):
        """(n,) ndarray: exact and near copies of one another, and copies of copies, have the same number."""
        return self._clusters(self.exact, self.near)

    @cached_property
    def like_clusters(self):
        """(n,) ndarray: the same with like shots of one lesion."""
        return self._clusters(self.exact, self.near, self.shots)

    @cached_property
    def merged_groups(self):
        """(n,) str ndarray: groups, with those that share a copy or shot made one; images without one on their own."""
        pairs = [self.exact, self.near, self.shots]
        if self.groups is not None:
            known = self.groups.dropna()
            firsts = known.index.to_series().groupby(known, sort=False).transform("first")
            pairs.append(pd.DataFrame({"i": firsts, "j": known.index}))
        clusters = pd.Series(self._clusters(*pairs))
        own = pd.Series([f"image:{i}" for i in range(len(self))], dtype=object)
        names = own if self.groups is None else self.groups
        first = names.groupby(clusters).transform("first")  # "first" passes over missing ones
        return first.where(first.notna(), own.groupby(clusters).transform("first")).to_numpy(str)

    def _clusters(self, *tables):
        return copy_clusters(len(self), *(table[["i", "j"]].to_numpy(int) for table in tables))


def texts(values, item, length):
    """Return labels, ids or part names as a Series of str with None for missing ones; None stays None."""
    if values is None:
        return None
    values = values.to_numpy(object) if isinstance(values, pd.Series) else np.asarray(values, object)
    if values.shape != (length,):
        raise LesionImageError(item, f"found shape {values.shape} for {length} images", "Give one entry an image.")
    empty = [value is None or value is pd.NA or value != value or value == "" for value in values]
    return pd.Series([None if e else _text(v) for v, e in zip(values, empty, strict=True)], dtype=object)


def _text(value):
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def table(metadata, length):
    """Return the metadata as DataFrame with the positions in X as index."""
    if metadata is None:
        return pd.DataFrame(index=range(length))
    if not isinstance(metadata, pd.DataFrame):
        raise LesionImageError("metadata", f"found {type(metadata).__name__}", "Give a DataFrame, one row an image.")
    if len(metadata) != length:
        raise LesionImageError("metadata", f"found {len(metadata)} rows for {length} images", "Give one row an image.")
    if metadata.columns.has_duplicates:
        twice = metadata.columns[metadata.columns.duplicated()][0]
        raise LesionImageError("metadata", f"found the column {twice!r} twice", "Give each column its own name.")
    return metadata.reset_index(drop=True)


def fold_list(folds, labels, groups, length):
    """Return (train, test) integer arrays from such a list or from a scikit-learn splitter."""
    if folds is None:
        return []
    if not hasattr(folds, "split") and not np.iterable(folds):
        cure = "Give a list of (train, test) or a splitter such as StratifiedGroupKFold(5)."
        raise LesionImageError("folds", f"found {folds!r}", cure)
    if hasattr(folds, "split"):
        y = None if labels is None else labels.fillna("missing").to_numpy(str)
        ids = None if groups is None else groups.where(groups.notna(), [f"image:{i}" for i in range(length)])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The groups parameter is ignored", UserWarning)
            folds = list(folds.split(np.zeros(length), y, None if ids is None else ids.to_numpy(str)))
    return [_fold(fold, number, length) for number, fold in enumerate(folds)]


def _fold(fold, number, length):
    cure = "A fold is a pair (train, test) of positions in X."
    try:
        train, test = (np.asarray(part) for part in fold)
        train, test = (np.flatnonzero(p) if p.dtype == bool else p.astype(int, casting="safe") for p in (train, test))
    except (TypeError, ValueError) as error:
        raise LesionImageError(f"folds[{number}]", f"found {type(fold).__name__} ({error})", cure) from None
    both = np.concatenate([train, test])
    if both.ndim != 1 or len(both) == 0 or both.min() < 0 or both.max() >= length:
        raise LesionImageError(f"folds[{number}]", f"found positions outside 0 ... {length - 1}", cure)
    return train, test
