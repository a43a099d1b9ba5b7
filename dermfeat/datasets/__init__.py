"""Data sets: drawn lesions that need no download, folders of images, published sets. One call, one Bunch."""

from dermfeat.datasets.derm7pt import load_derm7pt
from dermfeat.datasets.dermamnist import load_dermamnist
from dermfeat.datasets.fetch import fetch_dermamnist, fetch_ham10000, fetch_isic
from dermfeat.datasets.folder import load_folder
from dermfeat.datasets.ham10000 import load_ham10000
from dermfeat.datasets.isic2017 import load_isic2017
from dermfeat.datasets.isic2018 import load_isic2018
from dermfeat.datasets.isic2019 import load_isic2019
from dermfeat.datasets.isic2024 import load_isic2024
from dermfeat.datasets.isic_9class import load_isic_9class
from dermfeat.datasets.malignant_vs_benign import load_malignant_vs_benign
from dermfeat.datasets.ph2 import load_ph2
from dermfeat.datasets.siim2020 import load_siim2020
from dermfeat.datasets.synthetic import draw_lesion, make_lesions

__all__ = [
    "draw_lesion",
    "fetch_dermamnist",
    "fetch_ham10000",
    "fetch_isic",
    "load_derm7pt",
    "load_dermamnist",
    "load_folder",
    "load_ham10000",
    "load_isic2017",
    "load_isic2018",
    "load_isic2019",
    "load_isic2024",
    "load_isic_9class",
    "load_malignant_vs_benign",
    "load_ph2",
    "load_siim2020",
    "make_lesions",
]
