"""ISIC 2018, task 3: HAM10000 for training, with validation and test images, in seven classes."""

from functools import partial

from dermfeat.datasets import ham10000
from dermfeat.datasets._challenge import Part, assemble_parts, one_hot_labels, read_parts
from dermfeat.datasets.collection import Card
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.tables import read_table

PARTS = {
    part: Part(
        (f"ISIC2018_Task3_{name}_GroundTruth.csv",),
        f"ISIC2018_Task3_{name}_Input",
        ("ISIC2018_Task3_Training_LesionGroupings.csv",) if part == "train" else (),
    )
    for part, name in {"train": "Training", "validation": "Validation", "test": "Test"}.items()
}
DIAGNOSES = {code: ham10000.DIAGNOSES[code.lower()] for code in ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")}
CARD = Card(
    title="ISIC 2018: skin lesion analysis toward melanoma detection, task 3",
    citation=(
        "N. Codella et al., Skin lesion analysis toward melanoma detection 2018: a challenge hosted by the "
        "International Skin Imaging Collaboration (ISIC), arXiv:1902.03368, 2019. P. Tschandl, C. Rosendahl, "
        "H. Kittler, The HAM10000 dataset, a large collection of multi-source dermatoscopic images of common pigmented "
        "skin lesions, Sci Data 5:180161, 2018, doi:10.1038/sdata.2018.161"
    ),
    licence="CC BY-NC 4.0",
    counts={"train": 10015, "validation": 193, "test": 1512},
    labels={"train": ham10000.CARD.labels["all"]},
    leaks={"diagnosis_confirm_type": 'how the diagnosis was made; "serial imaging showing no change" is a nevus'},
    notes=(
        "the training images are those of HAM10000, and among those of ISIC 2019: do not judge on one what learned "
        "from another",
        "actinic keratosis stands for the class AKIEC, which holds intraepithelial carcinoma too",
        "lesions of the training images were photographed up to six times: split by groups; those of validation and "
        "test are not told, each image is a group of its own",
    ),
)


def load_isic2018(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of the ISIC 2018 challenge, task 3, with diagnoses and lesions.

    Read are, as the archives unpack, ``ISIC2018_Task3_Training_Input``, ``ISIC2018_Task3_Training_GroundTruth.csv`` and
    ``ISIC2018_Task3_Training_LesionGroupings.csv``, and of Validation and Test what is there (labels of both were
    published later); tables lie in `path` or at most two folders below, images anywhere. Images are not opened.

    MEL is melanoma, NV nevus, BCC basal cell carcinoma, AKIEC actinic keratosis, BKL benign keratosis, DF
    dermatofibroma, VASC vascular lesion. The tests of this function draw folders of this layout; checked with the
    data are the diagnoses of HAM10000. How many images of validation and test have which diagnosis is not checked.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the tables, or one at most two above it.
    target : {"diagnosis", "malignant", "melanoma"}
        Seven classes, or two: malignant are actinic keratosis (AKIEC), basal cell carcinoma and melanoma.
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which. Without it, validation or test may be absent, but
        only wholly.
    with_leaks : bool
        Keep ``diagnosis_confirm_type`` and the diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are lesions; ``metadata`` has image_id and
        lesion_id; images whose label is not here have y None.

    Raises
    ------
    LesionImageError
        If no table is found, one means nothing, or the copy is incomplete.
    """
    path = as_path(path)
    table, notes = read_parts(path, PARTS, partial(one_hot_labels, codes=DIAGNOSES), _lesions)
    if "lesion_id" in table:
        table["group"] = table["lesion_id"]
    options = {"target": target, "allow_incomplete": allow_incomplete, "with_leaks": with_leaks}
    return assemble_parts(CARD, path, table, notes=notes, **options)


def _lesions(file):
    return read_table(file, ["image_id", "lesion_id"], rename={"image": "image_id"})
