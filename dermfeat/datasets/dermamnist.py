"""DermaMNIST: the images of HAM10000 at 28 to 224 pixels in one NPZ file, as part of MedMNIST."""

from numbers import Integral

from dermfeat._errors import LesionImageError
from dermfeat.datasets import ham10000
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.folder import as_path
from dermfeat.reading.npz import npz_table

FILES = {28: "dermamnist.npz", 64: "dermamnist_64.npz", 128: "dermamnist_128.npz", 224: "dermamnist_224.npz"}
DIAGNOSES = tuple(ham10000.DIAGNOSES.values())  # in the order of MedMNIST's numbers
COUNTS = {  # of each diagnosis
    "train": (228, 359, 769, 80, 779, 4693, 99),
    "validation": (33, 52, 110, 12, 111, 671, 14),
    "test": (66, 103, 220, 23, 223, 1341, 29),
}
CARD = Card(
    title="DermaMNIST (MedMNIST)",
    citation=(
        "J. Yang et al., MedMNIST v2, a large-scale lightweight benchmark for 2D and 3D biomedical image "
        "classification, Sci Data 10:41, 2023, doi:10.1038/s41597-022-01721-8; files: doi:10.5281/zenodo.10519652. "
        f"Images: {ham10000.CARD.citation}"
    ),
    licence="CC BY-NC 4.0",
    counts={part: sum(counts) for part, counts in COUNTS.items()},
    labels={part: dict(zip(DIAGNOSES, counts, strict=True)) for part, counts in COUNTS.items()},
    notes=(
        "known leak: MedMNIST divided the images, not the lesions, of HAM10000, and tells no lesions: photos of one "
        "lesion lie in several parts, and figures on its test part are too good. DermaMNIST-C and DermaMNIST-E "
        "correct this (K. Abhishek, A. Jain, G. Hamarneh, Sci Data 12:196, 2025, doi:10.1038/s41597-025-04382-5); "
        "load_ham10000 has the lesions as groups",
        "these are images of HAM10000: do not train on one and test on the other",
    ),
)


def load_dermamnist(path, *, size=None, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of DermaMNIST as references into its file.

    Parameters
    ----------
    path : str or path-like
        The file dermamnist.npz (28 pixels), dermamnist_64.npz, dermamnist_128.npz or dermamnist_224.npz, under any
        name that ends in .npz, or the folder it lies in. `dermfeat.datasets.fetch_dermamnist` downloads it.
    size : {28, 64, 128, 224}, optional
        Which of several files in a folder, by height and width of its images.
    target : {"diagnosis", "malignant", "melanoma"}
        Seven classes, or two, as for `load_ham10000`.
    allow_incomplete : bool
        Go on where a part has another number of images, or of images with a diagnosis, than published.
    with_leaks : bool
        Keep the diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``X`` holds strings such as
        "dermamnist.npz#train_images/17"; ``groups`` is None, as the lesions are not told; ``metadata`` has image_id
        ("train/17").

    Raises
    ------
    LesionImageError
        If the file is not found, damaged or lacks a part, a label means nothing, or the copy is incomplete.
    """
    file = _file(as_path(path), size)
    table = npz_table(file)
    codes = dict(enumerate(DIAGNOSES))
    wrong = table["label"][~table["label"].map(lambda code: isinstance(code, Integral) and code in codes)]
    if len(wrong):
        found = f"the label {wrong.iloc[0]} of {table['reference'][wrong.index[0]].rpartition('#')[2]}"
        raise LesionImageError(str(file), found, f"Labels must be {list(codes)}; download it again.")
    keys = table["reference"].str.rpartition("#")[2]
    table = table.assign(image_id=keys.str.replace("_images", ""), diagnosis=table["label"].map(codes))
    table = table[["image_id", "split", "diagnosis", "reference"]]
    return assemble(CARD, file, table, target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks)


def _file(path, size):
    if size is not None and size not in FILES:
        raise LesionImageError("size", f"{size!r}", f"Choose one of {list(FILES)}.")
    if path.is_file():
        return path
    names = list(FILES.values()) if size is None else [FILES[size]]
    found = [path / name for name in names if (path / name).is_file()]
    if len(found) > 1:
        there = f"{len(found)} of the files {names} in it"
        raise LesionImageError(str(path), there, "Give the file itself, or its folder and size=.")
    if not found:
        there = f"none of the files {names} in it" if path.is_dir() else "there is no such file"
        raise LesionImageError(str(path), there, "Check the path; dermfeat.datasets.fetch_dermamnist downloads it.")
    return found[0]
