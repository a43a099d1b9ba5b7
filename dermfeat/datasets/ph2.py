"""PH2: 200 dermoscopic images with experts' outlines, diagnoses and clinical criteria."""

import csv
import io
import re
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat._optional import require
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.folder import EXTENSIONS, as_path
from dermfeat.measures.color_clinical import DERMOSCOPIC_COLORS

FOLDER, IMAGES, TABLE = "PH2Dataset", "PH2 Dataset images", "PH2_dataset"
DIAGNOSES = ("common_nevus", "atypical_nevus", "melanoma")
MARK = {"x": True, "": False}
PRESENCE = {"a": False, "p": True}
CODES = {  # column: what each of its entries means
    "asymmetry": {"0": 0, "1": 1, "2": 2},
    "pigment_network": {"t": "typical", "at": "atypical"},
    "dots_globules": {"a": "absent", "t": "typical", "at": "atypical"},
    "streaks": PRESENCE,
    "regression_areas": PRESENCE,
    "blue_whitish_veil": PRESENCE,
}
CODED = {"clinical_diagnosis": (0, DIAGNOSES), "colors": (1, DERMOSCOPIC_COLORS)}  # of the text table: first number
COLUMNS = ("histological_diagnosis", *DIAGNOSES, *CODES, *DERMOSCOPIC_COLORS)
CARD = Card(
    title="PH2: dermoscopic images with experts' outlines, diagnoses and clinical criteria",
    citation=(
        "T. Mendonça, P. M. Ferreira, J. S. Marques, A. R. S. Marcal, J. Rozeira, PH² - a dermoscopic image database "
        "for research and benchmarking, IEEE EMBC 2013, doi:10.1109/EMBC.2013.6610779"
    ),
    licence="Handed out on request by its makers, for research and education; not to be passed on",
    counts={"all": 200},
    labels={"all": {"common nevus": 80, "atypical nevus": 80, "melanoma": 40}},
    leaks={"histological_diagnosis": "it is the diagnosis, where there was a biopsy"},
    notes=(
        "nevi were mostly not excised: without a histological diagnosis the label is the dermatologists' own",
        "the criteria were graded by the dermatologists who made the diagnosis",
        "the table names no patients: there are no groups",
    ),
)


def load_ph2(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of the PH2 data set with expert masks, diagnoses and the dermatologists' criteria.

    PH2 holds 80 common nevi, 80 atypical nevi and 40 melanomas, 8-bit RGB at about 768 x 560 pixels, 20-fold
    magnified. Its makers hand it out on request; it is not part of this package and is not downloaded. (The tests of
    this function draw a folder of its layout; they do not have the data.) Unpacked, it looks like this, and this is
    what is read::

        PH2Dataset/PH2_dataset.xlsx
        PH2Dataset/PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp
        PH2Dataset/PH2 Dataset images/IMD003/IMD003_lesion/IMD003_lesion.bmp

    The table is ``PH2_dataset.csv`` (saved from the workbook) where there is one, else ``.xlsx``, which needs openpyxl
    (``pip install 'dermfeat[ph2]'``), else ``.txt``. Its header may lie some rows down. Images are not opened.

    Parameters
    ----------
    path : str or path-like
        The folder PH2Dataset, the one it lies in, or "PH2 Dataset images" within it.
    target : {"diagnosis", "malignant", "melanoma"}
        Common nevus, atypical nevus and melanoma, or melanoma against both nevi.
    allow_incomplete : bool
        Go on where images, masks or rows are missing; `DESCR` says which.
    with_leaks : bool
        Keep the diagnosis and histological_diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it, sorted by image_id. ``masks`` are the paths of the expert
        masks, so that ``list(zip(data.X, data.masks))`` are references with mask (None: segmented); ``groups`` and
        ``split`` are None.

        The columns of ``metadata``: image_id; asymmetry (Int64: axes of asymmetry, 0 to 2); pigment_network
        (category: typical, atypical); dots_globules (category: absent, typical, atypical); streaks,
        regression_areas, blue_whitish_veil (boolean: present); color_white, color_red, color_light_brown,
        color_dark_brown, color_blue_gray, color_black (bool: present). An empty entry of a criterion is missing.

    Raises
    ------
    LesionImageError
        If folder, table or one of its columns is not found; if the copy is incomplete; if a folder of images is not
        in the table; if an entry means nothing, or a lesion has not exactly one diagnosis.
    ImportError
        If the table is a workbook and openpyxl is not installed.

    References
    ----------
    T. Mendonça, P. M. Ferreira, J. S. Marques, A. R. S. Marcal, J. Rozeira, "PH² - a dermoscopic image database for
    research and benchmarking", IEEE EMBC 2013, doi:10.1109/EMBC.2013.6610779.
    """
    root = _root(as_path(path))
    file = _table_file(root)
    cells = _cells(_rows(file), file.name)
    _refuse_unlisted(root / IMAGES, cells.index, file.name)
    table = _decoded(cells, file.name)
    table["reference"] = [_file(root / IMAGES, name, "_Dermoscopic_Image", "") for name in table["image_id"]]
    table["mask"] = [_file(root / IMAGES, name, "_lesion", "_lesion") for name in table["image_id"]]
    notes = [f"{name}: no entry for {count} images" for name, count in table[list(CODES)].isna().sum().items() if count]
    without = table["image_id"][table["mask"].isna() & table["reference"].notna()]
    if len(without):
        notes.append(f"{len(without)} images have no mask here, such as {without.iloc[0]}")
        if not allow_incomplete:
            raise LesionImageError(str(root), notes[-1], "Unpack it again, or pass allow_incomplete=True.")
    return assemble(
        CARD, root, table, target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks, notes=notes
    )


def _root(path):
    """Return the folder that holds the folder of images."""
    for root in (path.parent if path.name == IMAGES else path, path / FOLDER):
        if (root / IMAGES).is_dir():
            return root
    found = f"no folder {IMAGES!r} in it" if path.is_dir() else "no such folder"
    raise LesionImageError(str(path), found, f"Give the folder {FOLDER!r} as it was unpacked.")


def _table_file(root):
    known = [root / f"{TABLE}{ending}" for ending in (".csv", ".xlsx", ".txt")]
    table = next((file for file in known if file.is_file()), None)
    if table is None:
        cure = f"Put {TABLE}.xlsx, or that table saved as {TABLE}.csv, beside {IMAGES!r}."
        raise LesionImageError(str(root), "no table of the lesions", cure)
    return table


def _rows(file):
    """Return the cells of a table, as it is written, as lists of str."""
    if file.suffix == ".xlsx":
        openpyxl = require("openpyxl", "ph2")
        try:
            sheets = openpyxl.load_workbook(file, data_only=True).worksheets
        except (BadZipFile, OSError, KeyError, ValueError) as error:
            raise LesionImageError(file.name, f"no workbook ({error})", "Unpack the data set again.") from error
        return [[_text(cell) for cell in row] for sheet in sheets for row in sheet.iter_rows(values_only=True)]
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if file.suffix == ".txt":
        return [[cell.strip() for cell in line.split("||")] for line in text.splitlines()]
    delimiter = max(",;\t", key=text.count)
    return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]


def _text(cell):
    if cell is None:
        return ""
    return f"{cell:g}" if isinstance(cell, float) else str(cell).strip()


def _cells(rows, table):
    """Return the entries of COLUMNS as a DataFrame of str with the image names as index."""
    place = next(((i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if _is_name(cell)), None)
    if place is None:
        raise LesionImageError(table, "no header with 'Image Name'", "Use the table of the data set as it is.")
    top, column = place
    lesions = [row for row in rows[top:] if len(row) > column and re.fullmatch(r"IMD\d+", row[column])]
    if not lesions:
        raise LesionImageError(table, "no image (IMD003, say) below 'Image Name'", "Use the data set's own table.")
    headings = rows[top : rows.index(lesions[0])]  # a heading may stand in two rows
    width = max(map(len, headings + lesions))
    full = [row + [""] * (width - len(row)) for row in headings + lesions]
    names = [_words(" ".join(column)) for column in zip(*full[: len(headings)], strict=True)]
    body = pd.DataFrame(full[len(headings) :], dtype=object).set_index(column)
    if body.index.has_duplicates:
        twice = body.index[body.index.duplicated()][0]
        raise LesionImageError(table, f"{twice} is listed twice", "Keep one row for each image.")
    found = {name: body[i] for name in (*COLUMNS, *CODED) for i in body if set(name.split("_")) <= names[i]}
    return _in_known_columns(found, table).sort_index()


def _is_name(cell):
    return _words(cell) in ({"image", "name"}, {"name"})


def _words(text):
    return set(re.findall("[a-z]+", text.lower()))


def _in_known_columns(found, table):
    for name, (first, meanings) in CODED.items():
        if name in found and not found.keys() & set(meanings):
            found |= _marks(found[name], meanings, first, f"{table}, column {name!r}")
    lacking = [name for name in COLUMNS if name not in found]
    if lacking:
        raise LesionImageError(table, f"no columns {lacking}", "Use the table of the data set as it is.")
    return pd.DataFrame({name: found[name] for name in COLUMNS})


def _marks(numbers, meanings, first, item):
    """Return numbers such as "3 4", counted from `first`, as one column of marks for each meaning."""
    listed = numbers.map(lambda text: set(re.findall(r"\w+", text)))
    known = {str(first + i): name for i, name in enumerate(meanings)}
    for name, codes in listed.items():
        if codes - known.keys():
            raise _unknown(item, name, numbers[name], known)
    return {name: listed.map(lambda codes, code=code: "x" if code in codes else "") for code, name in known.items()}


def _unknown(item, name, entry, known):
    expected = ", ".join(repr(code) for code in known if code)
    return LesionImageError(item, f"{entry!r} for {name}", f"Known are {expected.upper()}; correct the table.")


def _file(images, name, folder, ending):
    """Return the path of an image or mask as str, None where there is none."""
    stem = images / name / f"{name}{folder}" / f"{name}{ending}"
    files = [Path(f"{stem}{end}") for end in (".bmp", *EXTENSIONS)]
    return next((str(file) for file in files if file.is_file()), None)


def _refuse_unlisted(images, listed, table):
    folders = {folder.name for folder in images.iterdir() if folder.is_dir() and not folder.name.startswith((".", "_"))}
    unlisted = sorted(folders - set(listed))
    if unlisted:
        found = f"no row for {len(unlisted)} folders of images, such as {unlisted[0]}"
        raise LesionImageError(table, found, "Use the table that belongs to these images.")


def _decoded(cells, table):
    """Return the columns of COLUMNS with what their entries mean, and the diagnosis."""

    def decoded(name, codes):
        entries = cells[name].str.lower()
        unknown = entries[~entries.isin([*codes, ""])]
        if len(unknown):
            raise _unknown(f"{table}, column {name!r}", unknown.index[0], cells[name][unknown.index[0]], codes)
        return entries.map(codes)

    marks = pd.DataFrame({name: decoded(name, MARK) for name in DIAGNOSES}).astype(bool)
    for name, count in marks.sum(axis=1).items():
        if count != 1:
            raise LesionImageError(table, f"{count} diagnoses for {name}", f"Mark one of {', '.join(DIAGNOSES)}.")
    columns = {
        "diagnosis": marks.idxmax(axis=1).str.replace("_", " ").astype(object),
        "histological_diagnosis": cells["histological_diagnosis"].replace("", pd.NA).astype("string"),
    }
    columns |= {name: decoded(name, codes).astype(_dtype(codes)) for name, codes in CODES.items()}
    columns |= {f"color_{name}": decoded(name, MARK).astype(bool) for name in DERMOSCOPIC_COLORS}
    return pd.DataFrame(columns, index=cells.index).rename_axis("image_id").reset_index()


def _dtype(codes):
    meanings = list(codes.values())
    if isinstance(meanings[0], str):
        return pd.CategoricalDtype(meanings)
    return "boolean" if isinstance(meanings[0], bool) else "Int64"
