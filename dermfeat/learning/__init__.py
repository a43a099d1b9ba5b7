"""Estimators that learn from labels or from other rows."""

from dermfeat.learning.classifier import LesionClassifier
from dermfeat.learning.labels import positive_index
from dermfeat.learning.metadata import MetadataFeatures, TableFeatures
from dermfeat.learning.novelty import LesionNovelty, NoveltyScore
from dermfeat.learning.patient import PatientRelativeFeatures

__all__ = [
    "LesionClassifier",
    "LesionNovelty",
    "MetadataFeatures",
    "NoveltyScore",
    "PatientRelativeFeatures",
    "TableFeatures",
    "positive_index",
]
