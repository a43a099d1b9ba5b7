"""Which images show the same lesion or patient, and whether that is known of all."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dermfeat.learning.labels import require_labels
from dermfeat.learning.metadata import id_codes


def merge_groups(*columns):
    """Return one id per image, such that images that share an id in any of the columns have the same one.

    Parameters
    ----------
    *columns : (n,) sequence
        Ids of lesions, patients, clusters of copies ... 7 and "7" are the same. A missing id (None, NaN, an empty
        text, or a word of `dermfeat.learning.metadata.MISSING`, such as "nan" and "unknown") ties an image to no other.

    Returns
    -------
    (n,) int ndarray
        The connected components, numbered in the order of their first images.

    Raises
    ------
    ValueError
        If there is no column, one is not 1-D, or their lengths differ.

    Examples
    --------
    >>> from dermfeat.evaluation.groups import merge_groups
    >>> lesion = ["a", "a", "b", "c", None, None]
    >>> patient = ["p", None, "p", "q", "q", None]
    >>> merge_groups(lesion, patient)
    array([0, 0, 0, 1, 1, 2])
    """
    coded = [id_codes(column) for column in columns]
    lengths = [len(codes) for codes in coded]
    if len(set(lengths)) != 1:
        raise ValueError(f"the columns hold {lengths} ids; give one or more, each with one id per image")
    nodes, ends = lengths[0], []
    for codes in coded:
        known = np.flatnonzero(codes >= 0)
        ends.append((known, nodes + codes[known]))
        nodes += codes.max(initial=-1) + 1
    rows, cols = np.concatenate(ends, axis=1)
    graph = coo_matrix((np.ones(len(rows), bool), (rows, cols)), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    return pd.factorize(component[: lengths[0]])[0]


def group_ids(groups, n):
    """Return (n,) int codes of `groups`, one column or several; refuse missing ones and other numbers than `n`."""
    if groups is None:
        raise ValueError(
            "groups is None, so photos of one lesion could be trained on and tested. Give the lesion or patient id of "
            "each image; range(len(X)) says that every image shows a lesion of its own"
        )
    coded = [id_codes(column) for column in _columns(groups)]
    for codes in coded:
        if len(codes) != n:
            raise LengthError(f"there are {len(codes)} groups and {n} images")
        missing = np.flatnonzero(codes < 0)
        if len(missing):
            raise ValueError(
                f"the group of image {missing[0]} is missing ({len(missing)} of {n} are). If each of them shows a "
                "lesion of its own, pass merge_groups(...) of the columns; else fill them in or leave the images out"
            )
    return merge_groups(*coded)


def checked_labels(y):
    """Return the labels as (n,) ndarray; refuse none, missing ones, and a single class."""
    if y is None:
        raise ValueError("y is None; folds with like shares of the classes need the labels")
    require_labels(y)
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"y has the shape {y.shape}; give one label per image")
    y = pd.Series(y).infer_objects().to_numpy() if y.dtype == object else y  # numbers and booleans as objects
    if len(np.unique(y)) < 2:
        raise ValueError(f"y holds {np.unique(y).tolist()} only; a classifier needs two classes or more")
    return y


def require_groups(y, ids, needed, what):
    """Refuse classes with fewer groups than there are `what`, parts or folds."""
    counts = pd.Series(ids).groupby(y).nunique()
    if counts.min() < needed:
        raise ValueError(
            f"class {counts.idxmin()!r} has {counts.min()} groups, too few for {needed} {what}; ask for fewer {what}, "
            "or leave the class out or merge it with another"
        )


class LengthError(ValueError):
    """There are not as many groups as images."""


def _columns(groups):
    if isinstance(groups, pd.DataFrame):
        return [groups[name] for name in groups]
    if isinstance(groups, np.ndarray) and groups.ndim == 2:
        return list(groups.T)
    if isinstance(groups, (list, tuple)) and all(isinstance(c, (list, tuple, np.ndarray, pd.Series)) for c in groups):
        return list(groups)
    return [groups]
