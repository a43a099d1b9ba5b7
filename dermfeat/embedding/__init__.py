"""Backbones for image embeddings."""

from dermfeat.embedding.backbones import BACKBONES, PREPROCESSINGS, Backbone, Preprocessing, find_backbone

__all__ = ["BACKBONES", "PREPROCESSINGS", "Backbone", "Preprocessing", "find_backbone"]
