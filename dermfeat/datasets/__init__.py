"""Data sets: drawn lesions that need no download, and folders of images. One call, one Bunch."""

from dermfeat.datasets.folder import load_folder
from dermfeat.datasets.synthetic import draw_lesion, make_lesions

__all__ = ["draw_lesion", "load_folder", "make_lesions"]
