"""Measures: pure functions from a Lesion to ``{name: finite number}``, and the scores made of their numbers."""

from dermfeat.measures.asymmetry import asymmetry
from dermfeat.measures.blotches import blotches
from dermfeat.measures.border import border
from dermfeat.measures.checklist import seven_point, seven_point_from_labels
from dermfeat.measures.color import color_histogram, color_moments
from dermfeat.measures.color_clinical import (
    blue_white_veil,
    color_variegation,
    dermoscopic_colors,
    regression,
    skin_tone,
    skin_tone_name,
)
from dermfeat.measures.dots_globules import dots_and_globules
from dermfeat.measures.mask import mask_quality
from dermfeat.measures.network_pattern import pigment_network
from dermfeat.measures.scores import abcd_score, structure_count, structures_present, tds_band, total_dermoscopy_score
from dermfeat.measures.streaks import streaks
from dermfeat.measures.structureless import structureless_area
from dermfeat.measures.texture import glcm, lbp
from dermfeat.measures.texture_spectral import fractal, gabor, wavelet

__all__ = [
    "abcd_score",
    "asymmetry",
    "blotches",
    "blue_white_veil",
    "border",
    "color_histogram",
    "color_moments",
    "color_variegation",
    "dermoscopic_colors",
    "dots_and_globules",
    "fractal",
    "gabor",
    "glcm",
    "lbp",
    "mask_quality",
    "pigment_network",
    "regression",
    "seven_point",
    "seven_point_from_labels",
    "skin_tone",
    "skin_tone_name",
    "streaks",
    "structure_count",
    "structureless_area",
    "structures_present",
    "tds_band",
    "total_dermoscopy_score",
    "wavelet",
]
