"""Data sets: drawn lesions that need no download, and folders of images. One call, one Bunch."""

from dermfeat.datasets.folder import load_folder
from dermfeat.datasets.ph2 import load_ph2
from dermfeat.datasets.synthetic import draw_lesion, make_lesions

__all__ = ["draw_lesion", "load_folder", "load_ph2", "make_lesions"]
