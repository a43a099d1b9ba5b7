"""ISIC 2017: 2750 dermoscopic images of melanoma, nevus and seborrheic keratosis, with outlines."""

from dermfeat.datasets._challenge import FLAGS, Part, assemble_parts, one_hot, read_parts
from dermfeat.datasets.collection import Card
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.tables import known, locate_masks, numbers, read_table, words

PARTS = {
    part: Part(
        (f"ISIC-2017_{name}_Part3_GroundTruth.csv", f"ISIC-2017_{name}_Classes.csv"),
        f"ISIC-2017_{name}_Data",
        (f"ISIC-2017_{name}_Data_metadata.csv",),
    )
    for part, name in {"train": "Training", "validation": "Validation", "test": "Test_v2"}.items()
}
DIAGNOSES = {"melanoma": "melanoma", "seborrheic_keratosis": "seborrheic keratosis", "nevus": "nevus"}
CARD = Card(
    title="ISIC 2017: skin lesion analysis toward melanoma detection",
    citation=(
        "N. C. F. Codella et al., Skin lesion analysis toward melanoma detection: a challenge at the 2017 "
        "International Symposium on Biomedical Imaging (ISBI), hosted by the International Skin Imaging "
        "Collaboration (ISIC), arXiv:1710.05006, 2017"
    ),
    licence="CC-0",
    counts={"train": 2000, "validation": 150, "test": 600},
    labels={
        "train": {"melanoma": 374, "seborrheic keratosis": 254, "nevus": 1372},
        "validation": {"melanoma": 30, "seborrheic keratosis": 42, "nevus": 78},
        "test": {"melanoma": 117, "seborrheic keratosis": 90, "nevus": 393},
    },
    notes=("the tables name neither lesions nor patients: nothing keeps two photos of one lesion together",),
)


def load_isic2017(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of the ISIC 2017 challenge, part 3, with labels and the outlines of part 1.

    Read are, as the archives unpack, ``ISIC-2017_Training_Data`` with its metadata table,
    ``ISIC-2017_Training_Part3_GroundTruth.csv`` and ``ISIC-2017_Training_Part1_GroundTruth`` with the masks, the same
    of Validation and Test_v2; tables lie in `path` or at most two folders below, images and masks anywhere. In place
    of Part3 a table ``ISIC-2017_Training_Classes.csv``, which tells melanoma only, will do. Superpixels are passed
    over. Images are not opened.

    A nevus is what is marked neither as melanoma nor as seborrheic keratosis.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the tables, or one at most two above it.
    target : {"diagnosis", "malignant", "melanoma"}
        Three classes, or two. Malignant are the melanomas only; so a table of classes answers all but "diagnosis".
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which. Without it, validation or test may be absent, but
        only wholly.
    with_leaks : bool
        Keep the labels in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` is None; ``masks``, where there are any, are
        paths or None, so that ``list(zip(data.X, data.masks))`` are references with mask (None: segmented);
        ``metadata`` has image_id, age (years, rounded to 5) and sex; images whose label is not here have y None.

    Raises
    ------
    LesionImageError
        If no table is found, one means nothing, the copy is incomplete, or its tables do not tell the target.
    """
    path = as_path(path)
    table, notes = read_parts(path, PARTS, _labels, _metadata)
    table["malignant"] = table["melanoma"]
    masks, lacking = locate_masks(path, table)
    if masks.notna().any():
        table["mask"], notes = masks, [*notes, *lacking]
    options = {"target": target, "allow_incomplete": allow_incomplete, "with_leaks": with_leaks}
    return assemble_parts(CARD, path, table, notes=notes, **options)


def _labels(file):
    raw = read_table(file, ["image_id", "melanoma"])
    table = raw[["image_id"]].assign(melanoma=words(raw["melanoma"], FLAGS, file))
    if "seborrheic_keratosis" in raw:
        marked = [numbers(raw[name], file) for name in ("melanoma", "seborrheic_keratosis")]
        table["diagnosis"] = one_hot(raw.assign(nevus=1 - sum(marked)), DIAGNOSES, file)
    return table


def _metadata(file):
    raw = read_table(file, ["image_id", "age", "sex"], rename={"age_approximate": "age"})
    return raw[["image_id"]].assign(age=numbers(known(raw["age"]), file), sex=known(raw["sex"]))
