"""What is known of an image without looking at the lesion, as columns that a model can learn from."""

import os
import re
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import pandas as pd

MAX_LEVELS = 50  # a text column with more is taken for an id
CLINICAL = re.compile(
    r"^(age|sex|gender|site|localization|location|anatom|body_?(site|part|location)|skin_?type|fitz)", re.I
)
LABEL_NAMES = re.compile(
    r"^(label|class|target|diagnos|dx|benign_malignant|malignan|melanoma|y)($|_\d|is|[^a-z]*$)", re.I
)
MISSING = "(missing)"


@dataclass(frozen=True)
class Column:
    """One column: its name, its values (numbers as float, levels as text), and where it comes from.

    Attributes
    ----------
    name : str
    values : (n,) Series
        float64, or object with a str for each image.
    kind : {"image", "name", "metadata", "clinical"}
        "image" is size and file size, "name" what the path says.
    """

    name: str
    values: pd.Series
    kind: str

    @property
    def is_numeric(self):
        return self.values.dtype.kind == "f"

    @property
    def levels(self):
        """The values as text, of numbers only whether they are missing."""
        return self.values.isna().map({True: MISSING, False: "(known)"}) if self.is_numeric else self.values

    def codes(self):
        """Return the values as float: levels numbered, missing numbers above all others."""
        if not self.is_numeric:
            return pd.factorize(self.values, sort=True)[0].astype(float)
        return self.values.fillna(np.nextafter(self.values.max(), np.inf) + 1).to_numpy()


def columns(case):
    """Return the columns of a case that vary; of those with the same texts, or numbers in the same order, one."""
    names = [value if isinstance(value, (str, os.PathLike)) else None for value in _images(case.references)]
    found = [found for name, column in case.metadata.items() for found in _metadata_columns(str(name), column)]
    found += [*_image_columns(case.facts), *_name_columns(names)]
    different = {}
    for column in sorted(found, key=lambda column: (column.kind in ("image", "name"), len(column.name))):
        if column.values.nunique(dropna=False) > 1:
            same = np.unique(column.codes(), return_inverse=True)[1] if column.is_numeric else column.values
            different.setdefault(tuple(same), column)
    return list(different.values())


def _images(references):
    return (reference[0] if isinstance(reference, tuple) else reference for reference in references)


def _image_columns(facts):
    width, height, size = (facts[key].astype(float) for key in ("width", "height", "bytes"))
    values = {
        "width": width,
        "height": height,
        "aspect ratio": width / height,
        "file size": size,
        "file size per pixel": size / (width * height),
    }
    return [Column(name, column, "image") for name, column in values.items()]


def _name_columns(names):
    paths = [PurePath("" if name is None else os.fspath(name).rpartition("#")[2] or name) for name in names]
    folders = [PurePath("" if name is None else os.fspath(name).rpartition("#")[0] or name) for name in names]
    found = _id_columns(pd.Series([path.stem for path in paths], dtype=object), "the file name", "name")
    found.append(Column("ending of the file name", pd.Series([p.suffix.lower() for p in paths], dtype=object), "name"))
    folder = pd.Series([path.parent.name for path in folders], dtype=object)
    return found + ([Column("folder", folder, "name")] if folder.nunique() <= MAX_LEVELS else [])


def _id_columns(texts, name, kind):
    """Return the last number within ids, and their pattern with # for each digit."""
    digits = texts.str.findall(r"\d+")
    number = pd.Series([float(found[-1]) if found else np.nan for found in digits])
    pattern = texts.str.replace(r"\d", "#", regex=True)
    found = [Column(f"number in {name}", number.where(np.isfinite(number)), kind)]
    return found + ([Column(f"pattern of {name}", pattern, kind)] if pattern.nunique() <= MAX_LEVELS else [])


def _metadata_columns(name, column):
    kind = "clinical" if CLINICAL.match(name) else "metadata"
    if pd.api.types.is_datetime64_any_dtype(column):
        seconds = (column - column.min()).dt.total_seconds()
        return [Column(name, seconds.astype(float), kind)]
    if column.dtype.kind in "iuf":
        values = pd.Series(column.to_numpy(float, na_value=np.nan))
        return [Column(name, values.where(np.isfinite(values)), kind)]
    texts = pd.Series([MISSING if _missing(v) else str(v) for v in column], dtype=object)
    if texts.nunique() <= MAX_LEVELS:
        return [Column(name, texts, kind)]
    return _id_columns(texts.map(lambda text: PurePath(text).stem), name, kind)


def _missing(value):
    return pd.api.types.is_scalar(value) and pd.isna(value)
