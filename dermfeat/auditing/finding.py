"""Finding: one kind of fault, where it was found and what to do about it."""

from dataclasses import dataclass

import pandas as pd

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Attributes
    ----------
    code : str
        Its short name, such as "same_image_two_labels".
    severity : {"error", "warning", "note"}
        "error": a result on these data would be wrong. "warning": look at it before you trust a result. "note": worth
        knowing.
    sentence : str
        What was found.
    cure : str
        What to do.
    items : DataFrame
        One row for each image or column: ``index`` (position in X, missing for a column of metadata), ``name`` (of
        the image, column or class), ``what`` was found, and ``partner`` (position of the image it is a copy of or
        shares its lesion with, else missing).
    """

    code: str
    severity: str
    sentence: str
    cure: str
    items: pd.DataFrame

    def __str__(self):
        return f"{self.severity} {self.code}: {self.sentence} {self.cure}"


def item_table(index, name, what, partner=None):
    """Return the table of `Finding.items` from equally long lists (`index` and `partner` may be None)."""
    name = list(name)
    columns = {"index": index, "partner": partner}
    numbers = {key: pd.array([None] * len(name) if v is None else list(v), "Int64") for key, v in columns.items()}
    table = {"index": numbers["index"], "name": name, "what": list(what), "partner": numbers["partner"]}
    return pd.DataFrame(table).astype({"name": object, "what": object})


def image_items(case, index, what, partner=None):
    """Return the table of `Finding.items` for images at the positions `index`; `what` may be one text for all."""
    index = [int(i) for i in index]
    what = [what] * len(index) if isinstance(what, str) else what
    return item_table(index, [case.names[i] for i in index], what, partner)


def counted(number, noun, plural=None):
    """Return "1 image", "2 images"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
