"""HAM10000: 10015 dermoscopic images of 7470 lesions in seven classes, with outlines."""

from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.tables import find_table, known, locate, locate_masks, numbers, read_table, words

TABLES = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")
DIAGNOSES = {
    "akiec": "actinic keratosis",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "nevus",
    "vasc": "vascular lesion",
}
CARD = Card(
    title="HAM10000: Human Against Machine with 10000 training images",
    citation=(
        "P. Tschandl, C. Rosendahl, H. Kittler, The HAM10000 dataset, a large collection of multi-source dermatoscopic "
        "images of common pigmented skin lesions, Sci Data 5:180161, 2018, doi:10.1038/sdata.2018.161. Outlines: "
        "P. Tschandl et al., Human-computer collaboration for skin cancer recognition, Nat Med 26:1229-1234, 2020, "
        "doi:10.1038/s41591-020-0942-0"
    ),
    licence="CC BY-NC 4.0",
    counts={"all": 10015},
    labels={
        "all": {
            "melanoma": 1113,
            "nevus": 6705,
            "basal cell carcinoma": 514,
            "actinic keratosis": 327,
            "benign keratosis": 1099,
            "dermatofibroma": 115,
            "vascular lesion": 142,
        }
    },
    leaks={"dx_type": 'how the diagnosis was made; "follow_up" is always a nevus'},
    notes=(
        "actinic keratosis stands for the class akiec, which holds intraepithelial carcinoma too",
        "lesions were photographed up to six times: split by groups",
    ),
)


def load_ham10000(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of HAM10000 with their diagnoses, lesions and outlines.

    Images and masks are looked for by name anywhere below the folder, as Dataverse, the ISIC archive and Kaggle unpack
    them: ``ISIC_0024306.jpg`` and ``ISIC_0024306_segmentation.png``. Images are not opened.

    Parameters
    ----------
    path : str or path-like
        The folder with HAM10000_metadata.csv, or one at most two above it.
    target : {"diagnosis", "malignant", "melanoma"}
        Seven classes, or two: malignant are actinic keratosis (akiec), basal cell carcinoma and melanoma.
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which.
    with_leaks : bool
        Keep ``dx_type`` and the diagnosis in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are lesions; ``masks`` are paths or None, so
        that ``list(zip(data.X, data.masks))`` are references with mask (None: segmented); ``metadata`` has image_id,
        lesion_id, age (years), sex and site.

    Raises
    ------
    LesionImageError
        If the table is not found or means nothing, or the copy is incomplete.
    """
    path = as_path(path)
    file = find_table(path, *TABLES)
    raw = read_table(file, ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
    images, notes = locate(path, raw["image_id"])
    table = raw[["image_id", "lesion_id", "dx_type"]].assign(
        age=numbers(raw["age"], file),
        sex=known(raw["sex"]),
        site=known(raw["localization"]),
        diagnosis=words(raw["dx"], DIAGNOSES, file),
        group=raw["lesion_id"],
        reference=images,
    )
    table["mask"], lacking = locate_masks(path, table)
    options = {"target": target, "allow_incomplete": allow_incomplete, "with_leaks": with_leaks}
    return assemble(CARD, path, table, notes=[*notes, *lacking], **options)
