"""Measures: pure functions from a Lesion to ``{name: finite number}``."""

from dermfeat.measures.asymmetry import asymmetry
from dermfeat.measures.border import border
from dermfeat.measures.color import color_histogram, color_moments
from dermfeat.measures.color_clinical import blue_white_veil, color_variegation, dermoscopic_colors, skin_tone
from dermfeat.measures.mask import mask_quality
from dermfeat.measures.texture import glcm, lbp
from dermfeat.measures.texture_spectral import fractal, gabor, wavelet

__all__ = [
    "asymmetry",
    "blue_white_veil",
    "border",
    "color_histogram",
    "color_moments",
    "color_variegation",
    "dermoscopic_colors",
    "fractal",
    "gabor",
    "glcm",
    "lbp",
    "mask_quality",
    "skin_tone",
    "wavelet",
]
