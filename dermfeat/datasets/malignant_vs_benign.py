"""Kaggle's "Skin Cancer: Malignant vs. Benign": 3297 images at 224 x 224 of the ISIC archive, in two classes."""

from dermfeat._errors import LesionImageError
from dermfeat.datasets._class_folders import class_folders
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.folder import OWN
from dermfeat.datasets.tables import read_table

TABLE = "lesions.csv"
CARD = Card(
    title="Skin Cancer: Malignant vs. Benign (Kaggle)",
    citation="C. Fanconi, Skin Cancer: Malignant vs. Benign, Kaggle, 2019; images of the ISIC archive",
    licence="Images of the ISIC archive, mixed CC-0, CC BY and CC BY-NC: treat them as CC BY-NC",
    counts={"train": 2637, "test": 660},
    labels={"train": {"malignant": 1197}, "test": {"malignant": 300}},
    leaks={
        "in_ham10000": "every benign image is of HAM10000, of the malignant ones a part",
        "isic_id": "known for images of HAM10000 only, which tells as much",
        "lesion_id": "known for images of HAM10000 only, which tells as much",
    },
    notes=(
        "benign and malignant images come from different sources: a model may learn the source (see dermfeat.audit)",
        "the published parts were not divided by lesion: of the 660 test images 97 show a lesion of the train part",
        "most images are HAM10000's too: do not train on one and test on the other",
    ),
)


def load_malignant_vs_benign(path, *, target="malignant", allow_incomplete=False, with_leaks=False):
    """List the images of Kaggle's malignant against benign lesions, with the lesions where they are known.

    The layout is ``train/benign/*.jpg`` and so on; Kaggle's archive holds it twice, once below the folder ``data``,
    of which one is read. A table ``lesions.csv`` beside train and test, with the columns file (``train/benign/1.jpg``),
    isic_id and lesion_id, is not part of the download; where there is one it gives the groups. Images are not opened.

    Parameters
    ----------
    path : str or path-like
        The folder that holds train and test, or the one above it, which may hold other sets too.
    target : {"malignant"}
        The data set tells no diagnosis.
    allow_incomplete : bool
        Go on where images or the test part are missing; `DESCR` says what.
    with_leaks : bool
        Keep the label and what lesions.csv tells in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``y`` is "malignant" or "benign"; ``groups`` are the
        lesions of lesions.csv, an image that it does not know being a group of its own, or None. ``metadata`` has
        image_id, the file's name, which images of different folders share.

    Raises
    ------
    LesionImageError
        If the folders are not found, the copy is incomplete or lesions.csv fits no image.
    """
    root, table = class_folders(path, ("benign", "malignant"), allow_incomplete=allow_incomplete)
    table["malignant"] = table.pop("class") == "malignant"
    file = root / TABLE
    if file.is_file():
        table = table.join(_lesions(file, table["file"]), on="file")
        table["in_ham10000"] = table["lesion_id"].notna()
        table["group"] = table["lesion_id"].fillna(OWN + table["file"])
    return assemble(
        CARD, root, table.drop(columns="file"), target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks
    )


def _lesions(file, files):
    known = read_table(file, ["file", "isic_id", "lesion_id"]).set_index("file")[["isic_id", "lesion_id"]]
    if known.index.has_duplicates:
        twice = known.index[known.index.duplicated()][0]
        raise LesionImageError(str(file), f"{twice} is listed twice", "Keep one row for each image.")
    if not known.index.isin(files).any():
        raise LesionImageError(
            str(file), f"none of its files is here, such as {known.index[0]}", "Correct or remove it."
        )
    return known
