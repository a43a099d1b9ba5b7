"""From images to rows of named numbers, in one pass."""

from dermfeat.extraction.base import LesionTransformer
from dermfeat.extraction.embedding import CNNEmbedding
from dermfeat.extraction.families import (
    ABCDFeatures,
    ColorFeatures,
    FunctionFeatures,
    MaskFeatures,
    TextureFeatures,
)
from dermfeat.extraction.partitions import Extracted, read_extracted
from dermfeat.extraction.reader import LesionReader
from dermfeat.extraction.union import LesionFeatures, default_families

__all__ = [
    "ABCDFeatures",
    "CNNEmbedding",
    "ColorFeatures",
    "Extracted",
    "FunctionFeatures",
    "LesionFeatures",
    "LesionReader",
    "LesionTransformer",
    "MaskFeatures",
    "TextureFeatures",
    "default_families",
    "read_extracted",
]
