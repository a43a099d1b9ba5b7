"""Estimators that learn from labels."""

from dermfeat.learning.classifier import LesionClassifier
from dermfeat.learning.labels import positive_index

__all__ = ["LesionClassifier", "positive_index"]
