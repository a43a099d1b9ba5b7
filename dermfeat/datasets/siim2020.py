"""SIIM-ISIC 2020: 33126 dermoscopic images of 2056 patients, 584 of melanomas, as JPEG, DICOM or TFRecord files."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dermfeat._errors import LesionImageError
from dermfeat.datasets._challenge import FLAGS, assemble_parts
from dermfeat.datasets.collection import Card
from dermfeat.datasets.folder import OWN, as_path
from dermfeat.datasets.tables import JPEG, by_key, find_files, find_table, known, match, numbers, read_table, words
from dermfeat.reading import tfrecord_table

ENDINGS = {"jpeg": JPEG, "dicom": (".dcm",), "tfrecord": (".tfrec", ".tfrecord", ".tfrecords")}
TABLES = {
    "train": ("ISIC_2020_Training_GroundTruth_v2.csv", "train.csv", "ISIC_2020_Training_GroundTruth.csv"),
    "test": ("test.csv", "ISIC_2020_Test_Metadata.csv"),
}
DUPLICATES = "ISIC_2020_Training_Duplicates.csv"
NAMES = {
    "image_name": "image_id",
    "image": "image_id",
    "patient": "patient_id",
    "age_approx": "age",
    "anatom_site_general_challenge": "site",
    "anatom_site_general": "site",
}
COLUMNS = ("image_id", "patient_id", "lesion_id", "sex", "age", "site", "diagnosis", "benign_malignant", "target")
DIAGNOSES = {
    "atypical melanocytic proliferation": "atypical melanocytic proliferation",
    "cafe-au-lait macule": "cafe-au-lait macule",
    "lentigo NOS": "lentigo",
    "lichenoid keratosis": "lichenoid keratosis",
    "melanoma": "melanoma",
    "nevus": "nevus",
    "seborrheic keratosis": "seborrheic keratosis",
    "solar lentigo": "solar lentigo",
    "unknown": None,
}
CARD = Card(
    title="SIIM-ISIC 2020: melanoma classification with other lesions of the same patient",
    citation=(
        "International Skin Imaging Collaboration, SIIM-ISIC 2020 challenge dataset, 2020, doi:10.34970/2020-ds01. "
        "V. Rotemberg et al., A patient-centric dataset of images and metadata for identifying melanomas using "
        "clinical context, Sci Data 8:34, 2021, doi:10.1038/s41597-021-00815-z"
    ),
    licence="CC BY-NC 4.0",
    counts={"train": 33126, "test": 10982},
    labels={"train": {"malignant": 584}},
    leaks={"benign_malignant": "the label in words"},
    notes=(
        "the diagnosis of most benign images is not known, and known diagnoses tell the label: all malignant images "
        "are melanomas",
        "a patient has some 16 lesions: split by groups",
    ),
)
CHANNELS = (
    "some TFRecord files of this set hold BGR as if it were RGB: blue is then brighter than red in nearly every image, "
    "and audit tells; in that case load them with channels='bgr'"
)
REVERSED = "channels='bgr': the images are read with their channels reversed"


def load_siim2020(path, *, target="malignant", images="auto", channels="rgb", allow_incomplete=False, with_leaks=False):
    """List the images of the SIIM-ISIC 2020 challenge with labels, patients, age, sex and site.

    The table is Kaggle's ``train.csv``, or ``ISIC_2020_Training_GroundTruth_v2.csv`` (which tells lesions too) or
    ``ISIC_2020_Training_GroundTruth.csv`` of the ISIC archive, in `path` or at most two folders below. The images lie
    anywhere below the folder that holds the tables, or, if there are none, below `path`: ``ISIC_2637011.jpg``,
    ``ISIC_2637011.dcm``, or TFRecord files with a feature image_name.
    They are not opened; of TFRecord files the names are read. The test images join where ``test.csv`` or
    ``ISIC_2020_Test_Metadata.csv`` lists them and some are here. Columns that others added to these tables, such as
    width and height, which tell the source, are passed over. Images that
    ``ISIC_2020_Training_Duplicates.csv`` pairs are put into one group, if that table is here.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the table, or one at most two above it.
    target : {"malignant", "melanoma", "diagnosis"}
        The first two part the images in the same way, since all malignant ones are melanomas. Diagnoses keep their
        words, "lentigo NOS" is lentigo, and of the "unknown", four fifths of all, y is None.
    images : {"auto", "jpeg", "dicom", "tfrecord"}
        Which files to take. "auto" takes those that are there, and is an error where there are several kinds, as
        their sizes differ.
    channels : {"rgb", "bgr"}
        "bgr" reverses the channels of images in TFRecord files, some of which hold BGR as if it were RGB. For other
        files it is an error: they are as they were published.
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which. Without it, the test part may be absent, but only
        wholly.
    with_leaks : bool
        Keep ``diagnosis`` and ``benign_malignant``, which are the label, in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are patients; ``metadata`` has image_id,
        patient_id, sex, age (years, rounded to 5), site, and lesion_id where the table has it; test images have y
        None. Images in TFRecord files are references ``path#ISIC_2637011``, with ``?channels=bgr`` behind it where
        that is asked for.

    Raises
    ------
    LesionImageError
        If the table is not found or means nothing, if the copy is incomplete, if `images` does not decide, or if
        `channels` is not known or does not go with the files.

    Notes
    -----
    Names and columns of the tables of the ISIC archive are as public code reads them; those data, the test images
    and the DICOM files were not at hand.
    """
    path = as_path(path)
    file = find_table(path, *TABLES["train"])
    test = find_table(file.parent, *TABLES["test"], required=False) or find_table(path, *TABLES["test"], required=False)
    home = Path(os.path.commonpath([file.parent, *([test.parent] if test else [])]))
    train = _train(file)
    tables = [train.assign(split="train")]
    if test is not None:
        tables.append(_read(test, ["image_id", "patient_id", "sex", "age", "site"]).assign(split="test"))
    table = pd.concat(tables, ignore_index=True)
    table["group"], notes = _patients(path, table)
    kind, files, repeated = _images((home, path), images, channels)
    table["reference"], found = match(table["image_id"], files, repeated)
    listed = f"the table lists {len(train)} training images, {train['malignant'].eq(True).sum()} of them malignant"
    notes = [listed, *notes, *found, *([REVERSED if channels == "bgr" else CHANNELS] if kind == "tfrecord" else [])]
    options = {"target": target, "allow_incomplete": allow_incomplete, "with_leaks": with_leaks}
    return assemble_parts(CARD, path, table, notes=notes, **options)


def _train(file):
    raw = _read(file, ["image_id", "patient_id", "sex", "age", "site", "diagnosis", "benign_malignant", "target"])
    malignant = words(raw["target"], FLAGS, file)
    diagnosis = words(raw["diagnosis"], DIAGNOSES, file)
    return raw.drop(columns="target").assign(malignant=malignant, melanoma=malignant, diagnosis=diagnosis)


def _read(file, columns):
    raw = read_table(file, columns, rename=NAMES, missing=("", "NA")).filter(COLUMNS)
    return raw.assign(age=numbers(known(raw["age"]), file), sex=known(raw["sex"]), site=known(raw["site"]))


def _patients(path, table):
    """Return the patient of each image, one name for all patients who share an image, and a note on that."""
    own = table["patient_id"].fillna(OWN + table["image_id"])
    file, columns = find_table(path, DUPLICATES, required=False), ["image_name_1", "image_name_2"]
    if file is None:
        return own, [f"425 images are copies of another; {DUPLICATES}, which is not here, pairs them; audit finds them"]
    codes, names = pd.factorize(own)
    code = dict(zip(table["image_id"], codes, strict=True))
    pairs = read_table(file, columns)[columns].apply(lambda ids: ids.map(code)).dropna().astype(int).to_numpy()
    links = coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(names), len(names)))
    parts = connected_components(links, directed=False)[1]
    first = np.unique(parts, return_index=True)[1]
    note = f"{len(pairs)} pairs of copies, which {DUPLICATES} lists, are in one group each"
    return pd.Series(names[first[parts[codes]]], table.index), [note]


def _images(places, images, channels):
    """Return the kind of files to take, ``{image_id: reference}`` of them, and references that are there twice.

    They are those in the first of the folders `places` that has any.
    """
    if images not in ("auto", *ENDINGS):
        raise LesionImageError("images", repr(images), f"Choose one of {['auto', *ENDINGS]}.")
    if channels not in ("rgb", "bgr"):
        raise LesionImageError("channels", repr(channels), "Choose one of ['rgb', 'bgr'].")
    kinds = list(ENDINGS) if images == "auto" else [images]
    found = next(filter(None, (_files(place, kinds) for place in places)), None)
    if not found:
        endings = ", ".join(ending for kind in kinds for ending in ENDINGS[kind])
        raise LesionImageError(str(places[-1]), f"no files that end in {endings}", "Put the images below the folder.")
    if len(found) > 1:
        counts = " and ".join(f"{len(files)} {kind} files" for kind, (files, _) in found.items())
        raise LesionImageError(str(places[-1]), counts, f"Choose images= one of {list(found)}.")
    kind, (files, repeated) = found.popitem()
    if kind == "tfrecord":
        given = channels if channels == "bgr" else None
        files, repeated = by_key(tfrecord_table([*files.values(), *repeated], channels=given)["reference"])
    elif channels == "bgr":
        cure = "Only TFRecord files hold BGR; leave channels= away, or choose images='tfrecord'."
        raise LesionImageError("channels", f"'bgr' for {kind} files", cure)
    return kind, files, repeated


def _files(place, kinds):
    """Return what `find_files` gives of each kind that is there."""
    return {kind: files for kind in kinds if (files := find_files(place, ENDINGS[kind]))[0]}
