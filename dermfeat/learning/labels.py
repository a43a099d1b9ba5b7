"""Labels: whether all are there, and which class is the positive one."""

import numpy as np
import pandas as pd


def require_labels(y):
    """Raise `ValueError` where a label is missing: None, NaN, NaT or NA."""
    missing = np.flatnonzero(pd.isna(np.asarray(y, dtype=object)))
    if len(missing):
        raise ValueError(f"y[{missing[0]}] is missing ({len(missing)} of {len(y)}); leave such images out")


def positive_index(classes, pos_label=None):
    """Return the position of the positive class among the sorted `classes`.

    Without a `pos_label` only 0/1, -1/1 and False/True are clear; sorted words are not, "melanoma" comes before
    "nevus".

    Raises
    ------
    ValueError
        If `pos_label` is none of the classes, or missing where it is needed.
    """
    classes = np.asarray(classes)
    if pos_label is not None:
        found = np.flatnonzero(classes == pos_label)
        if len(found) == 0:
            raise ValueError(f"pos_label={pos_label!r} is none of the classes {classes.tolist()}")
        return int(found[0])
    if len(classes) == 2 and classes.dtype.kind in "biuf" and classes[1] == 1 and classes[0] in (0, -1):
        return 1
    raise ValueError(f"which of {classes.tolist()} is the positive class? Say so with pos_label=...")
