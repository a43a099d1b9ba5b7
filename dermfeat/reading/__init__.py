"""References to pixels: each image is decoded once, and known by a digest of its content."""

from dermfeat.reading.references import MAX_PIXELS, Source, as_references, sources

__all__ = ["MAX_PIXELS", "Source", "as_references", "sources"]
