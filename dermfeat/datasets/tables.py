"""Find and read the tables and files of a published data set."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import ParserWarning

from dermfeat._errors import LesionImageError
from dermfeat.datasets.folder import HIDDEN, as_path, require_folder

JPEG = (".jpg", ".jpeg")


def locate(path, ids, *, endings=JPEG, suffix="", kind="images"):
    """Return the path of each id's file below a folder, and what a user must know of the others.

    Parameters
    ----------
    path : Path
    ids : Series of str
        Stems of the files without `suffix`.
    endings, suffix
        As for `find_files`.
    kind : str
        What the notes call the files.

    Returns
    -------
    paths : Series of str
        With the index of `ids`, missing where there is no file.
    notes : list of str
        How many files lie there twice, and how many are of no id.
    """
    return match(ids, *find_files(path, endings, suffix), kind=kind)


def match(ids, files, repeated=(), *, kind="images"):
    """Return what `locate` does, of files that are known already.

    Parameters
    ----------
    ids : Series of str
    files, repeated
        As `find_files` and `by_key` return them.
    kind : str
        What the notes call the files.
    """
    notes = []
    if repeated:
        notes.append(f"{len(repeated)} {kind} lie there twice, such as {repeated[0]}; the first is taken")
    unlisted = sorted(set(files) - set(ids))
    if unlisted:
        notes.append(f"{len(unlisted)} {kind} that the table does not list, such as {unlisted[0]}, are passed over")
    return ids.map(files), notes


def find_files(folder, endings=JPEG, suffix=""):
    """Return ``{stem without suffix: path}`` of the files below a folder, hidden ones left out, and those seen twice.

    Links to folders are followed, each folder being read once.

    Parameters
    ----------
    folder : Path
    endings : tuple of str
        Lower-case endings; files in any case are found.
    suffix : str
        What the stem ends with, "_segmentation" say; files without it are passed over.

    Returns
    -------
    files : dict of str to str
        The first path, in sorted order, of each stem.
    repeated : list of str
        Further paths of the same stems.
    """
    files, repeated, seen = {}, [], set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
        for name in sorted(names):
            stem, _, ending = name.rpartition(".")
            if name.startswith(".") or f".{ending.lower()}" not in endings or not stem.endswith(suffix):
                continue
            stem, path = stem.removesuffix(suffix), str(Path(parent, name))
            if stem in files:
                repeated.append(path)
            else:
                files[stem] = path
    return files, repeated


def locate_masks(path, table):
    """Return the path of each image's mask, ``<image_id>_segmentation.png``, missing where there is none, and notes."""
    masks, _ = locate(path, table["image_id"], endings=(".png",), suffix="_segmentation", kind="masks")
    without = int((masks.isna() & table["reference"].notna()).sum())
    return masks, [f"{without} images have no mask here"] * bool(without)


def by_key(references):
    """Return ``{key: reference}`` of strings ``path#key`` into containers, and those whose key was seen before.

    Options behind a key, ``path#key?channels=bgr``, are not part of it.
    """
    found, repeated = {}, []
    for reference in references:
        key = reference.rpartition("#")[2].partition("?")[0]
        if found.setdefault(key, reference) is not reference:
            repeated.append(reference)
    return found, repeated


def find_table(path, *names, required=True):
    """Return the path of the first of the tables `names` that is among its `places`.

    Without any, None if it is not `required`.

    Raises
    ------
    LesionImageError
        If there is no such folder, or none of the tables.
    """
    path = as_path(path)
    require_folder(path, f"Give the folder that holds {names[0]}.")
    file = next((place for name in names for place in places(path, name) if place.is_file()), None)
    if file is None and required:
        raise LesionImageError(str(path), f"none of the tables {list(names)}", "Give the folder that holds it.")
    return file


def places(path, name):
    """Yield where a name is in a folder or at most two folders below it, nearest first, hidden folders left out."""
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        for place in sorted(path.glob(pattern)):
            if not any(part.startswith(HIDDEN) for part in place.relative_to(path).parts):
                yield place


def read_table(file, columns, *, rename=None, missing=("",), typed=False):
    """Read a table with commas, semicolons or tabs as strings; refuse one that lacks a column or has no rows.

    Parameters
    ----------
    file : path
    columns : sequence of str
        Columns that must be there, by their new names.
    rename : dict, optional
        New names of published columns.
    missing : sequence of str
        Cells that are missing.
    typed : bool
        Read columns of numbers as numbers, for tables of some million cells.
    """
    types = {"low_memory": False} if typed else {"dtype": str}
    with open(file, encoding="utf-8", errors="replace") as lines:
        header = lines.readline()
    options = {"sep": max(",;\t", key=header.count), "index_col": False, "keep_default_na": False}
    try:
        with warnings.catch_warnings(action="error", category=ParserWarning):  # rows that are longer than the header
            table = pd.read_csv(file, na_values=list(missing), **options, **types).rename(columns=rename or {})
    except (ValueError, ParserWarning) as error:
        raise LesionImageError(str(file), f"not a csv table ({error})", "Copy or download it again.") from None
    lacking = [name for name in columns if name not in table]
    if lacking:
        raise LesionImageError(str(file), f"no columns {lacking} among {list(table)}", "Give the published table.")
    if table.empty:
        raise LesionImageError(str(file), "a table without rows", "Copy or download it again.")
    return table


def numbers(column, file):
    """Return a column of strings as float64, missing as NaN; refuse what is no number.

    Raises
    ------
    LesionImageError
        That names the table, the row and the entry.
    """
    values = pd.to_numeric(column, errors="coerce")
    wrong = column[values.isna() & column.notna()]
    if len(wrong):
        raise _wrong_entry(wrong, file, "Correct it or leave it empty.")
    return values.astype(float)


def words(column, codes, file):
    """Return a column of codes as words, missing stays missing; refuse an unknown code.

    Parameters
    ----------
    column : Series of str
    codes : dict
        What each code means; None for one that says that it is not known.
    file : path
    """
    unknown = column[column.notna() & ~column.isin(list(codes))]
    if len(unknown):
        raise _wrong_entry(unknown, file, f"Known are {list(codes)}.")
    places, found = pd.factorize(column)
    meanings = np.array([*(codes[code] for code in found), None], dtype=object)
    return pd.Series(meanings[places], column.index, dtype=object, name=column.name)


def known(column, unknown=("unknown",)):
    """Return a column of strings in which the entries `unknown` are missing."""
    return column.mask(column.isin(unknown))


def _wrong_entry(wrong, file, cure):
    found = f"{wrong.name} of row {wrong.index[0] + 2} is {wrong.iloc[0]!r}"
    return LesionImageError(str(file), found, cure)
