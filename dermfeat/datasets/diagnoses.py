"""The names of diagnoses, one for each in every data set, and which of them are malignant."""

MALIGNANT = (
    "actinic keratosis",
    "basal cell carcinoma",
    "melanoma",
    "squamous cell carcinoma",
)
"""Diagnoses that ``target="malignant"`` counts as malignant.

Actinic keratosis is among them: HAM10000 and ISIC 2018 hold it in one class with intraepithelial carcinoma (Bowen's
disease), and it is treated. Choose otherwise with ``target="diagnosis"`` and a mapping of your own.
"""

BENIGN = (
    "atypical melanocytic proliferation",
    "atypical nevus",
    "benign keratosis",
    "cafe-au-lait macule",
    "common nevus",
    "dermatofibroma",
    "lentigo",
    "lichenoid keratosis",
    "melanosis",
    "nevus",
    "pigmented benign keratosis",
    "seborrheic keratosis",
    "solar lentigo",
    "vascular lesion",
)
"""Diagnoses that ``target="malignant"`` counts as benign."""

UNDECIDED = ("miscellaneous", "none of the others")
"""Diagnoses that have no label under ``target="malignant"``."""

_MALIGNANCY = dict.fromkeys(MALIGNANT, True) | dict.fromkeys(BENIGN, False) | dict.fromkeys(UNDECIDED)


def is_malignant(diagnosis):
    """Return whether a diagnosis, which must be one of those above, is malignant: True, False, or None if undecided."""
    return _MALIGNANCY[diagnosis]
