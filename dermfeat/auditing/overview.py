"""Is it dermoscopy? How sure the outline of the lesion is, and how much the light changes around it."""

import cv2
import numpy as np

from dermfeat.extraction.reader import MIN_CONFIDENCE
from dermfeat.preparation import field_of_view, segment_lesion
from dermfeat.preparation.learned import lesion_maps

SIDE = 256  # longest side in pixels at which the lesion is looked for
MARGIN = 0.04  # of the longest side: room round the lesion that does not belong to the surroundings
DOUBT, BACKDROP, STRONG = 0.7, 11, 25


def overview_facts(images):
    """Return what the packaged segmenter says of images.

    Parameters
    ----------
    images : list of (H, W, 3) uint8 ndarray

    Returns
    -------
    list of dict
        ``confidence`` in [0, 1] of the outline, 0 where none was found; ``lesion_share`` of the frame;
        ``backdrop``, the standard deviation of CIELAB L* outside the lesion, within the field of view.

    Raises
    ------
    ImportError
        If OpenVINO is not installed.
    """
    images = [_reduced(rgb) for rgb in images]
    maps = lesion_maps(images) if images else []
    return [_facts(rgb, probability) for rgb, probability in zip(images, maps, strict=True)]


def overviews(facts):
    """Return which images show no lesion, and which look like a clinical overview, as two bool Series.

    A lesion counts as not found where `LesionReader` takes its outline for a fallback. An overview shows a limb or a
    face before a backdrop: the outline is doubtful and the lightness outside it varies, or varies very much.
    Clinical close-ups of even skin are not told from dermoscopy; fingers, pen marks and bright reflexes are
    sometimes taken for an overview.
    """
    overview = (facts["confidence"] < DOUBT) & (facts["backdrop"] > BACKDROP) | (facts["backdrop"] > STRONG)
    return (facts["confidence"] < MIN_CONFIDENCE) & ~overview, overview


def _reduced(rgb):
    scale = SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _facts(rgb, probability):
    field = field_of_view(rgb)
    mask, confidence = segment_lesion(rgb, field=field, probability=probability, return_confidence=True)
    reach = 2 * max(round(MARGIN * max(rgb.shape[:2])), 1) + 1
    around = field & (cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) == 0)
    lightness = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]
    backdrop = float(lightness[around].std()) if around.any() else 0.0
    return {"confidence": float(confidence), "lesion_share": float(mask.mean()), "backdrop": backdrop}
