"""What the benchmarks share: families in which nothing was fitted to the images that they are judged on."""

from dermfeat import ABCDFeatures, CNNEmbedding, ColorFeatures, FunctionFeatures, TextureFeatures
from dermfeat.measures import mask_quality

FITTED = ("is_fallback", "confidence")  # of every segmenter rest on a regression that was fitted to HAM10000


def mask_seen(lesion):
    """Return the columns of the mask in which nothing is fitted."""
    return {name: value for name, value in mask_quality(lesion).items() if name not in FITTED}


def unfitted_families():
    """Return the classical families without the columns that rest on a fitted regression."""
    families = [("mask", FunctionFeatures(mask_seen, version="1"))]
    return [*families, ("color", ColorFeatures()), ("texture", TextureFeatures()), ("abcd", ABCDFeatures())]


def backbone(name, alpha):
    """Return the `CNNEmbedding` that the command line asks for, None for 'none'."""
    return None if name == "none" else CNNEmbedding(name, alpha=alpha if "mobilenet" in name else None)
