"""The names of diagnoses, one for each in every data set, and which of them are malignant."""

MALIGNANT = (
    "actinic keratosis",
    "basal cell carcinoma",
    "melanoma",
    "melanoma metastasis",
    "squamous cell carcinoma",
)
"""Diagnoses that ``target="malignant"`` counts as malignant.

Actinic keratosis is among them: HAM10000 and ISIC 2018 hold it in one class with intraepithelial carcinoma (Bowen's
disease), and it is treated. Choose otherwise with ``target="diagnosis"`` and a mapping of your own.
"""

BENIGN = (
    "angioma",
    "atypical melanocytic proliferation",
    "atypical nevus",
    "benign keratosis",
    "cafe-au-lait macule",
    "common nevus",
    "dermatofibroma",
    "lentigo",
    "lentigo simplex",
    "lichenoid keratosis",
    "melanosis",
    "nevus",
    "pigmented benign keratosis",
    "seborrheic keratosis",
    "solar lentigo",
    "vascular lesion",
)
"""Diagnoses that ``target="malignant"`` counts as benign."""

_MALIGNANCY = dict.fromkeys(MALIGNANT, True) | dict.fromkeys(BENIGN, False)


def is_malignant(diagnosis):
    """Return whether a diagnosis is malignant: True, False, or None where the name does not decide it."""
    return _MALIGNANCY.get(diagnosis)
