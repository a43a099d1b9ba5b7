"""What the ISIC challenges of 2017 to 2019 share: parts, each with a table of labels and a folder of images."""

from dataclasses import replace
from functools import partial, reduce
from typing import NamedTuple

import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.datasets.collection import assemble
from dermfeat.datasets.tables import find_files, find_table, locate, numbers, places, read_table

FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True}


class Part(NamedTuple):
    """Names that a part of a challenge was published under."""

    labels: tuple
    """Tables of its labels, the first that is there is read."""
    folder: str
    """Of its images."""
    metadata: tuple = ()
    """Of its table of ages, lesions and the like, where one was published."""


def read_parts(path, parts, read_labels, read_metadata):
    """Return a row for each image of the parts that are there, with its file.

    Parameters
    ----------
    path : Path
    parts : dict
        "train", "validation", "test": `Part`.
    read_labels, read_metadata : callable
        From a file to a table with image_id.

    Returns
    -------
    table : DataFrame
        What the tables tell, ``split`` and ``reference``. A part without tables lists the images of its folder.
    notes : list of str

    Raises
    ------
    LesionImageError
        If no part has a table of labels.
    """
    find_table(path, *(name for part in parts.values() for name in part.labels))
    tables, notes = [], []
    for name, part in parts.items():
        rows, lacking = _read_part(path, part, read_labels, read_metadata)
        if len(rows):
            tables.append(rows.assign(split=name))
            notes += [f"no table of {what} of the part {name!r} here" for what in lacking]
    table = pd.concat(tables, ignore_index=True)
    references, found = locate(path, table["image_id"])
    return table.assign(reference=references), [*notes, *found]


def _read_part(path, part, read_labels, read_metadata):
    wanted = {"labels": (part.labels, read_labels), "metadata": (part.metadata, read_metadata)}
    files = {what: find_table(path, *names, required=False) for what, (names, _) in wanted.items() if names}
    tables = [wanted[what][1](file) for what, file in files.items() if file]
    if not tables:
        folder = next((place for place in places(path, part.folder) if place.is_dir()), None)
        tables = [pd.DataFrame({"image_id": sorted(find_files(folder)[0]) if folder else []}, dtype=object)]
    table = reduce(partial(pd.merge, how="left", on="image_id"), tables)
    return table, [what for what, file in files.items() if not file]


def assemble_parts(card, path, table, *, notes=(), **options):
    """Return the Bunch of a challenge; a part other than train of which no image is here is left out, and said."""
    here = {*table["split"][table["reference"].notna()], "train"}
    notes = [
        *notes,
        *(f"the part {name!r} is not here, {n} images" for name, n in card.counts.items() if name not in here),
    ]
    card = replace(card, counts={name: n for name, n in card.counts.items() if name in here})
    return assemble(card, path, table[table["split"].isin(here)].reset_index(drop=True), notes=notes, **options)


def one_hot(table, codes, file):
    """Return the word of the one column that each row marks with 1; refuse a row that marks none or several.

    Parameters
    ----------
    table : DataFrame
        With image_id and the columns of `codes`, as strings.
    codes : dict
        What each column means.
    file : path
    """
    marks = table[list(codes)].apply(numbers, args=(file,))
    right = marks.isin([0, 1]).all(axis=1) & (marks.sum(axis=1) == 1)
    if not right.all():
        wrong = table.loc[~right, "image_id"].iloc[0]
        raise LesionImageError(
            str(file), f"{wrong} does not mark one of {list(codes)} with 1", "Mark one, the others with 0."
        )
    return marks.idxmax(axis=1).map(codes).astype(object)


def one_hot_labels(file, codes):
    """Return a table of labels whose columns `codes` are marked with 1 as one with image_id and diagnosis."""
    raw = read_table(file, ["image_id", *codes], rename={"image": "image_id"})
    return raw.drop(columns=list(codes)).assign(diagnosis=one_hot(raw, codes, file))
