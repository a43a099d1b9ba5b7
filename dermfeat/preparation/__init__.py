"""From pixels to pixels, and from pixels to masks: colour constancy, field of view, hair, segmentation."""

from dermfeat.preparation.artefacts import field_of_view
from dermfeat.preparation.color_constancy import shades_of_gray
from dermfeat.preparation.hair import hair_mask, remove_hair
from dermfeat.preparation.segmentation import segment_lesion

__all__ = ["field_of_view", "hair_mask", "remove_hair", "segment_lesion", "shades_of_gray"]
