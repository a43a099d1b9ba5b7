"""ISIC 2019: 25331 dermoscopic images in eight classes, and 8238 test images with a ninth."""

from functools import partial

from dermfeat.datasets._challenge import Part, assemble_parts, one_hot_labels, read_parts
from dermfeat.datasets.collection import Card
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.tables import known, numbers, read_table

PARTS = {
    part: Part((f"ISIC_2019_{name}_GroundTruth.csv",), f"ISIC_2019_{name}_Input", (f"ISIC_2019_{name}_Metadata.csv",))
    for part, name in {"train": "Training", "test": "Test"}.items()
}
DIAGNOSES = {
    "MEL": "melanoma",
    "NV": "nevus",
    "BCC": "basal cell carcinoma",
    "AK": "actinic keratosis",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
    "SCC": "squamous cell carcinoma",
    "UNK": "none of the others",
}
CARD = Card(
    title="ISIC 2019: skin lesion analysis toward melanoma detection",
    citation=(
        "P. Tschandl, C. Rosendahl, H. Kittler, The HAM10000 dataset, a large collection of multi-source dermatoscopic "
        "images of common pigmented skin lesions, Sci Data 5:180161, 2018, doi:10.1038/sdata.2018.161. "
        "N. C. F. Codella et al., Skin lesion analysis toward melanoma detection: a challenge at the 2017 "
        "International Symposium on Biomedical Imaging (ISBI), hosted by the International Skin Imaging "
        "Collaboration (ISIC), arXiv:1710.05006, 2017. M. Combalia et al., BCN20000: dermoscopic lesions in the wild, "
        "arXiv:1908.02288, 2019"
    ),
    licence="CC BY-NC 4.0",
    counts={"train": 25331, "test": 8238},
    labels={
        "train": {
            "melanoma": 4522,
            "nevus": 12875,
            "basal cell carcinoma": 3323,
            "actinic keratosis": 867,
            "benign keratosis": 2624,
            "dermatofibroma": 239,
            "vascular lesion": 253,
            "squamous cell carcinoma": 628,
        }
    },
    leaks=dict.fromkeys(("score_weight", "validation_weight"), "from the test images' table of labels"),
    notes=(
        "training images come from HAM10000, BCN20000 and the MSK sets, which differ in size and in diagnoses: size "
        "and source tell the label in part",
        "HAM10000, so ISIC 2018, and much of ISIC 2017 are among the training images: do not judge on one what learned "
        "from another",
        "lesions were photographed several times: split by groups; images without a lesion_id, all test images among "
        "them, are groups of their own",
    ),
)


def load_isic2019(path, *, target="diagnosis", allow_incomplete=False, with_leaks=False):
    """List the images of the ISIC 2019 challenge with diagnoses, lesions, age, sex and site.

    Read are, as the archives unpack, ``ISIC_2019_Training_Input``, ``ISIC_2019_Training_GroundTruth.csv`` and
    ``ISIC_2019_Training_Metadata.csv``, and the same of Test, where they are there (its labels were published later);
    tables lie in `path` or at most two folders below, images anywhere. The ids of some images end in ``_downsampled``,
    and stay so. Images are not opened.

    MEL is melanoma, NV nevus, BCC basal cell carcinoma, AK actinic keratosis, BKL benign keratosis, DF dermatofibroma,
    VASC vascular lesion, SCC squamous cell carcinoma, UNK "none of the others", which only test images have. The tests
    of this function draw folders of this layout, they do not have the data; the columns of the test tables, and how
    many test images have which diagnosis, could not be checked.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the tables, or one at most two above it.
    target : {"diagnosis", "malignant", "melanoma"}
        Eight classes, nine with the test images, or two: malignant are actinic keratosis, basal cell carcinoma,
        melanoma and squamous cell carcinoma. Of "none of the others" it is not told: y is None.
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which. Without it, the test part may be absent, but only
        wholly.
    with_leaks : bool
        Keep the diagnosis, and score_weight and validation_weight of the test images, in the metadata.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are lesions; ``metadata`` has image_id,
        lesion_id, age (years, rounded to 5), sex and site; images whose label is not here have y None.

    Raises
    ------
    LesionImageError
        If no table is found, one means nothing, or the copy is incomplete.
    """
    path = as_path(path)
    table, notes = read_parts(path, PARTS, partial(one_hot_labels, codes=DIAGNOSES), _metadata)
    if "lesion_id" in table:
        table["group"] = table["lesion_id"]
    options = {"target": target, "allow_incomplete": allow_incomplete, "with_leaks": with_leaks}
    return assemble_parts(CARD, path, table, notes=notes, **options)


def _metadata(file):
    names = {"image": "image_id", "age_approx": "age", "anatom_site_general": "site"}
    raw = read_table(file, ["image_id", "age", "sex", "site"], rename=names)
    return raw.assign(age=numbers(known(raw["age"]), file), sex=known(raw["sex"]), site=known(raw["site"]))
