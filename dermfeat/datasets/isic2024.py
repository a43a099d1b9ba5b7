"""ISIC 2024 (SLICE-3D): 401059 lesions cut from total body photos of 1042 patients, 393 of them malignant."""

from dermfeat._errors import LesionImageError
from dermfeat.datasets.collection import Card, assemble
from dermfeat.datasets.folder import as_path
from dermfeat.datasets.tables import by_key, find_files, find_table, known, match, numbers, read_table, words
from dermfeat.reading import hdf5_references

TABLE, IMAGES = "train-metadata.csv", "train-image.hdf5"
NAMES = {"isic_id": "image_id", "age_approx": "age", "anatom_site_general": "site"}
LATER = "known after the diagnosis only, and not for the test images"
CARD = Card(
    title="ISIC 2024: SLICE-3D, skin lesions cut from 3D total body photos",
    citation=(
        "International Skin Imaging Collaboration, SLICE-3D 2024 challenge dataset, 2024, "
        "doi:10.34970/2024-slice-3d. N. R. Kurtansky et al., The SLICE-3D dataset: 400,000 skin lesion image crops "
        "extracted from 3D TBP for skin cancer detection, Sci Data 11:884, 2024, doi:10.1038/s41597-024-03743-w"
    ),
    licence="CC BY-NC 4.0; for single images the column copyright_license",
    counts={"all": 401059},
    labels={"all": {"malignant": 393}},
    leaks={
        "lesion_id": "given to lesions that were biopsied or looked at again, all malignant ones among them",
        **dict.fromkeys(("iddx_full", *(f"iddx_{level}" for level in range(1, 6))), "the diagnosis"),
        **dict.fromkeys(("mel_mitotic_index", "mel_thick_mm"), f"measured in melanomas; {LATER}"),
        "tbp_lv_dnn_lesion_confidence": "a score that the test images lack",
    },
    notes=(
        "these are no dermoscopic images but crops of total body photos, some 15 mm wide",
        "attribution and copyright_license name the clinic, and clinics differ in what they photographed: such a "
        "column tells the label without a look at the lesion",
        "lesions that are neither benign nor malignant for sure, actinic keratoses too, count as benign, as in the "
        "challenge; in other data sets actinic keratosis is malignant",
        "a patient has some 385 lesions: split by groups",
    ),
)


def load_isic2024(path, *, target="malignant", images="auto", allow_incomplete=False, with_leaks=False):
    """List the images of the ISIC 2024 challenge with labels, patients and the measures of the camera.

    Read are, as Kaggle unpacks them, ``train-metadata.csv`` and the images: ``train-image.hdf5``, one JPEG for each
    id, or ``train-image/image/ISIC_0015670.jpg``. Images are not opened.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the table, or one at most two above it.
    target : {"malignant", "melanoma"}
        Malignant are melanoma, basal cell and squamous cell carcinoma, in the table ``target`` is 1; unlike in
        `dermfeat.datasets.diagnoses` actinic keratosis is not. Melanoma is what ``iddx_full`` files under melanoma,
        where the table has that column.
    images : {"auto", "hdf5", "jpeg"}
        Which files to take, they hold the same images. "auto" takes the HDF5 file where there is one.
    allow_incomplete : bool
        Go on where images or rows are missing; `DESCR` says which.
    with_leaks : bool
        Keep the columns that the test images lack, and so tell the label, in the metadata: ``lesion_id``,
        ``iddx_full``, ``iddx_1`` to ``iddx_5``, ``mel_mitotic_index``, ``mel_thick_mm`` and
        ``tbp_lv_dnn_lesion_confidence``.

    Returns
    -------
    sklearn.utils.Bunch
        As `dermfeat.datasets.collection.assemble` gives it. ``groups`` are patients; ``metadata`` has image_id,
        patient_id, age (years, rounded to 5), sex, site, and the other columns under their published names. Images in
        the HDF5 file are references ``path#ISIC_0015670``.

    Raises
    ------
    LesionImageError
        If the table is not found or means nothing, or the copy is incomplete.

    Notes
    -----
    Names and columns are as public code reads them; the tests of this function draw folders of this layout, they do
    not have the data.
    """
    path = as_path(path)
    file = find_table(path, TABLE)
    required = ["image_id", "target", "patient_id", "age", "sex", "site"]
    raw = read_table(file, required, rename=NAMES, missing=("", "NA"), typed=True)
    files, repeated = _images(path, images)
    references, notes = match(raw["image_id"], files, repeated)
    table = raw.drop(columns="target").assign(
        age=numbers(raw["age"], file),
        sex=known(raw["sex"]),
        site=known(raw["site"]),
        malignant=words(raw["target"], {0: False, 1: True}, file),
        group=raw["patient_id"],
        reference=references,
    )
    if "iddx_full" in raw:
        table["melanoma"] = raw["iddx_full"].str.contains("(Melanoma)", regex=False)
    return assemble(
        CARD, path, table, target=target, allow_incomplete=allow_incomplete, with_leaks=with_leaks, notes=notes
    )


def _images(path, images):
    """Return ``{image_id: reference}``, and the references that are there twice."""
    if images not in ("auto", "hdf5", "jpeg"):
        raise LesionImageError("images", repr(images), "Choose one of ['auto', 'hdf5', 'jpeg'].")
    file = find_table(path, IMAGES, required=images == "hdf5")
    if file is None or images == "jpeg":
        return find_files(path)
    return by_key(hdf5_references(file))
