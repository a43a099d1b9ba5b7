"""derm7pt: 1011 cases with a dermoscopic and a clinical photo, and experts' labels of the seven-point checklist."""

from pathlib import Path

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.tables import find_table, numbers, read_table, words
from dermfeat.measures.checklist import LABELS, seven_point_from_labels

PARTS = {"train": "train_indexes.csv", "validation": "valid_indexes.csv", "test": "test_indexes.csv"}
NEVI = (
    *("blue nevus", "clark nevus", "combined nevus", "congenital nevus", "dermal nevus", "recurrent nevus"),
    "reed or spitz nevus",
)
MELANOMAS = (
    *("melanoma", "melanoma (in situ)", "melanoma (less than 0.76 mm)", "melanoma (0.76 to 1.5 mm)"),
    *("melanoma (more than 1.5 mm)", "melanoma metastasis"),
)
OTHERS = (
    *("basal cell carcinoma", "dermatofibroma", "lentigo", "melanosis", "miscellaneous", "seborrheic keratosis"),
    "vascular lesion",
)
DIAGNOSES = dict.fromkeys(NEVI, "nevus") | dict.fromkeys(MELANOMAS, "melanoma") | {name: name for name in OTHERS}
COLUMNS = (
    *("case_num", "diagnosis", "seven_point_score", *LABELS, "level_of_diagnostic_difficulty", "elevation"),
    *("location", "sex", "management", "clinic", "derm", "case_id", "notes"),
)
CARD = Card(
    title="derm7pt: the seven-point checklist dermatology data set",
    citation=(
        "J. Kawahara, S. Daneshvar, G. Argenziano, G. Hamarneh, Seven-point checklist and skin lesion classification "
        "using multitask multimodal neural nets, IEEE J Biomed Health Inform 23:538-546, 2019, "
        "doi:10.1109/JBHI.2018.2824327"
    ),
    licence="Terms of use of the makers (derm.cs.sfu.ca); photos from the Interactive Atlas of Dermoscopy",
    counts={"train": 413, "validation": 203, "test": 395},
    leaks={
        "management": "what was done about the lesion: excision, follow-up or nothing",
        "level_of_diagnostic_difficulty": "judged by experts who knew the diagnosis",
        "notes": "free text on the case",
        "published_diagnosis": "the diagnosis in full, one of 20",
    },
    notes=(
        "the seven columns of labels and seven_point_score are experts' judgements of the photo, not its diagnosis",
        'nevus and melanoma stand for seven and six published names each; target="melanoma" counts a metastasis',
        'miscellaneous is neither benign nor malignant by name: it has no label under target="malignant"',
    ),
)


def load_derm7pt(path, *, image="derm", target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the cases of derm7pt with diagnosis, the published parts and the labels of the seven-point checklist.

    Its makers hand it out on request (derm.cs.sfu.ca). Unpacked, it looks like this, and this is what is read::

        release_v0/meta/meta.csv, train_indexes.csv, valid_indexes.csv, test_indexes.csv
        release_v0/images/NEL/Nel026.jpg

    The indexes count the table's rows from 0. Images are not opened; a file name may differ from the table's in case.
    (The tests of this function draw a folder of this layout; they do not have the data. That the seven labels give
    the published score was found for all 1011 cases elsewhere, and is checked on loading.)

    Parameters
    ----------
    path : str or path-like
        The folder release_v0, or the one it lies in.
    image : {"derm", "clinic"}
        The dermoscopic or the clinical photo of each case.
    target : {"diagnosis", "malignant", "melanoma"}
        Nine diagnoses, or two classes; malignant are basal cell carcinoma and melanoma. A metastasis of melanoma
        counts as melanoma, as its makers have it.
    allow_incomplete : bool
        Go on where images are missing; `DESCR` says which.
    with_leaks : bool
        Keep management, level_of_diagnostic_difficulty, notes and the diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are cases: each has one photo of a kind, so
        they matter where photos of both kinds are put together. ``metadata`` has image_id (the case's number), site,
        sex, elevation, seven_point_score (float, missing where it is), and as words the seven columns of labels that
        `dermfeat.measures.seven_point_from_labels` takes.

    Raises
    ------
    LesionImageError
        If a table is not found or means nothing, the copy is incomplete, the parts overlap, or the labels of a case
        do not give its score.
    """
    if image not in ("derm", "clinic"):
        raise LesionImageError("image", f"{image!r}", "Choose 'derm' or 'clinic'.")
    file = find_table(path, "meta/meta.csv")
    root = file.parent.parent
    raw = read_table(file, COLUMNS)
    if raw["case_num"].duplicated().any():
        found = f"case {raw['case_num'][raw['case_num'].duplicated()].iloc[0]} is listed twice"
        raise LesionImageError(str(file), found, "Use the published table as it is.")
    images, notes = _located(root / "images", raw[image])
    table = raw[["elevation", "sex", "management", "level_of_diagnostic_difficulty", "notes"]].assign(
        image_id=raw["case_num"],
        site=raw["location"],
        split=_parts(file.parent, len(raw)),
        group="case " + raw["case_id"].fillna(raw["case_num"]),
        diagnosis=words(raw["diagnosis"].str.strip(), DIAGNOSES, file),
        published_diagnosis=raw["diagnosis"],
        **_checklist(raw, file),
        reference=images,
    )
    table.insert(0, "image_id", table.pop("image_id"))
    return assemble(
        CARD, root, table, target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks, notes=notes
    )


def _located(folder, names):
    """Return the path of each name below a folder, missing where there is no file, and notes."""
    found = {file.relative_to(folder).as_posix().lower(): str(file) for file in sorted(Path(folder).rglob("*.*"))}
    shared = int(names[names.notna()].str.lower().duplicated().sum())
    notes = [f"{shared} cases share their photo with a case before them"] if shared else []
    return names.str.strip().str.lower().map(found), notes


def _parts(folder, count):
    """Return the part of each of the table's rows, missing where no part lists it."""
    parts = np.full(count, None, object)
    for part, name in PARTS.items():
        file = folder / name
        if not file.is_file():
            raise LesionImageError(str(file), "there is no such file", "Unpack the data set again.")
        rows = numbers(read_table(file, ["indexes"])["indexes"], file)
        wrong = rows[rows.isna() | ~rows.isin(range(count))]
        if len(wrong):
            raise LesionImageError(str(file), f"{wrong.iloc[0]} is no row of meta.csv", "Unpack the data set again.")
        rows = rows.astype(int).to_numpy()
        taken = [row for row in rows if parts[row] is not None]
        if taken or len(set(rows)) < len(rows):
            raise LesionImageError(
                str(file), f"row {(taken or list(rows))[0]} is listed twice", "Take it from one part."
            )
        parts[rows] = part
    left = [row for row, part in enumerate(parts) if part is None]
    if left:
        raise LesionImageError(str(folder), f"{len(left)} rows of meta.csv in no part, such as {left[0]}", "Add them.")
    return parts


def _checklist(raw, file):
    """Return the columns of the seven labels and their score, and refuse cases where one belies the other."""
    known = {column: sorted(regular | irregular) for column, (_, irregular, regular) in LABELS.items()}
    told = {column: words(raw[column].str.strip(), {name: name for name in known[column]}, file) for column in known}
    told["seven_point_score"] = numbers(raw["seven_point_score"], file)
    complete = pd.DataFrame(told).dropna()
    wrong = complete.index[seven_point_from_labels(complete[list(LABELS)]) != complete["seven_point_score"]]
    if len(wrong):
        case, score = raw.loc[wrong[0], ["case_num", "seven_point_score"]]
        found = f"the labels of case {case} do not give its score of {score}"
        raise LesionImageError(str(file), found, "Use the published table as it is.")
    return told
