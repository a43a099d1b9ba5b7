"""Kaggle's "Skin Cancer ISIC": 2357 images of the ISIC archive in nine classes, some of them in two."""

from dermfeat.datasets._class_folders import class_folders
from dermfeat.datasets.collection import Card, assemble

TRAIN = {
    "actinic keratosis": 114,
    "basal cell carcinoma": 376,
    "dermatofibroma": 95,
    "melanoma": 438,
    "nevus": 357,
    "pigmented benign keratosis": 462,
    "seborrheic keratosis": 77,
    "squamous cell carcinoma": 181,
    "vascular lesion": 139,
}
TEST = dict.fromkeys(TRAIN, 16) | {"seborrheic keratosis": 3, "vascular lesion": 3}
CARD = Card(
    title="Skin cancer ISIC: The International Skin Imaging Collaboration (Kaggle, nine classes)",
    citation="A. Katanskiy, Skin Cancer ISIC, Kaggle, 2019; images of the ISIC archive",
    licence="Images of the ISIC archive, mixed CC-0, CC BY and CC BY-NC: treat them as CC BY-NC",
    counts={"train": sum(TRAIN.values()), "test": sum(TEST.values())},
    labels={"train": TRAIN, "test": TEST},
    notes=(
        "not fit for a benchmark as it is: dermfeat.audit lists the images that lie under two class names",
        "lesions are not known: photos of one lesion may lie in both parts",
        "most images are of HAM10000 or ISIC 2017 too: do not train on one and test on the other",
    ),
)


def load_isic_9class(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of Kaggle's nine classes of the ISIC archive.

    The layout is ``Train/<class>/ISIC_0025780.jpg`` and ``Test/<class>/...``. Many files lie under two class names,
    above all melanoma and seborrheic keratosis: `DESCR` counts those that share their name, `dermfeat.audit` finds
    further copies. Images are not opened.

    Parameters
    ----------
    path : str or path-like
        The folder that holds Train and Test, or the one above it, which may hold other sets too.
    target : {"diagnosis", "malignant", "melanoma"}
        Nine classes, or two: malignant are actinic keratosis, basal cell carcinoma, melanoma and squamous cell
        carcinoma.
    allow_incomplete : bool
        Go on where images or the test part are missing; `DESCR` says what.
    with_leaks : bool
        Keep the diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are names of photos, so that a photo that lies
        under two classes stays in one part; they are not lesions. ``metadata`` has image_id, that name, which images of
        different folders share.

    Raises
    ------
    LesionImageError
        If the folders are not found or the copy is incomplete.
    """
    root, table = class_folders(path, TRAIN, allow_incomplete=allow_incomplete)
    table = table.rename(columns={"class": "diagnosis"}).drop(columns="file").assign(group=table["image_id"])
    classes, parts = table.groupby("image_id")[["diagnosis", "split"]].nunique().T.to_numpy()
    notes = [f"{(classes > 1).sum()} file names lie under two classes or more, {(parts > 1).sum()} in both parts"]
    return assemble(
        CARD, root, table, target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks, notes=notes
    )
