"""LesionReader: everything that happens between decoded pixels and a Lesion, as one tunable object."""

from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.base import BaseEstimator

from dermfeat._errors import LesionImageError
from dermfeat.lesion import Lesion
from dermfeat.preparation import field_of_view, hair_mask, remove_hair, segment_lesion, shades_of_gray
from dermfeat.preparation.learned import StartedMap, finished_map, is_network, network_digest, start_map
from dermfeat.reading import MAX_PIXELS

MIN_SIDE = 64  # below it filters of 5 px radius see mostly their own border
MASK_ASPECT_TOLERANCE = 0.02
MIN_CONFIDENCE = 0.5  # promised Jaccard index below which a mask is kept but flagged as fallback

installed = cache(version)


class Draft(NamedTuple):
    """An image on its way to a `Lesion`: all but the outline, unless the user gave one."""

    raw: np.ndarray
    image: np.ndarray
    field: np.ndarray
    hair: np.ndarray
    mask: np.ndarray | None
    started: StartedMap | None


class LesionReader(BaseEstimator):
    """Bring an image to working size, even out its light, remove hair, find the lesion.

    Parameters
    ----------
    working_size : int, default=512
        Longest side in pixels that measures are taken at. Larger images are reduced (area average), smaller
        ones are kept, except that the shortest side is enlarged to 64.
    color_constancy : "shades_of_gray", callable or None, default=None
        Correction of the illuminant; a callable maps (H, W, 3) uint8 to the same.
    hair_removal : bool, default=True
        Whether hair is replaced by what lies beside it.
    segmenter : str or callable, default="unet"
        A method of `dermfeat.preparation.segment_lesion`, or a function from (H, W, 3) uint8 to (H, W) bool. Images
        given with a mask are not segmented.
    segmenter_flips : bool, default=False
        Whether a network also looks at the image's mirror images: four times the work, slightly better outlines.
    max_pixels : int, default=64_000_000
        Images with more pixels are refused before they are decoded.

    Notes
    -----
    Rows of a callable are kept in the store only if it has an attribute ``version``. A subclass overrides `draft`
    or `lesion`; extraction calls these, `prepare` is for single images.
    """

    def __init__(
        self,
        *,
        working_size=512,
        color_constancy=None,
        hair_removal=True,
        segmenter="unet",
        segmenter_flips=False,
        max_pixels=MAX_PIXELS,
    ):
        self.working_size = working_size
        self.color_constancy = color_constancy
        self.hair_removal = hair_removal
        self.segmenter = segmenter
        self.segmenter_flips = segmenter_flips
        self.max_pixels = max_pixels

    def prepare(self, rgb, mask=None, name="image"):
        """Return the `Lesion` of decoded pixels.

        Parameters
        ----------
        rgb : (H, W, 3) uint8 ndarray
        mask : (H', W') bool ndarray, optional
            The user's outline, of the same aspect ratio within 2 %; what lies outside the field of view is left out.
        name : str
            What error messages call the image.
        """
        return self.lesion(self.draft(rgb, mask, name))

    def draft(self, rgb, mask=None, name="image"):
        """Return the image of `prepare` at working size as a `Draft`; where a network segments, it is at work on it."""
        raw = self._resize(rgb)
        started = None
        if mask is None and is_network(self.segmenter):
            started = start_map(raw, method=self.segmenter, flips=self.segmenter_flips)
        field = field_of_view(raw)
        image = self._even_light(raw, field, name)
        hair = hair_mask(image)
        if self.hair_removal:
            image, _ = remove_hair(image, hair)
        if mask is not None:
            mask = _fit_mask(mask, rgb.shape[:2], image.shape[:2], name) & field
        return Draft(raw, image, field, hair, mask, started)

    def lesion(self, draft):
        """Return the `Lesion` of a `Draft`."""
        raw, image, field, hair, mask, started = draft
        confidence = 1.0
        if mask is None:
            mask, confidence = segment_lesion(
                image,
                method=self.segmenter,
                field=field,
                hair=None if self.hair_removal else hair,
                probability=started and finished_map(started),
                return_confidence=True,
            )
        unsure = confidence < MIN_CONFIDENCE
        return Lesion(image, mask, raw=raw, field=field, hair=hair, is_fallback=unsure, confidence=confidence)

    def store_identity(self):
        """Return the parameters that a lesion depends on, a network by its digest."""
        params = self.get_params() | {"max_pixels": None}  # refuses, changes nothing
        if is_network(self.segmenter):
            return params | {"segmenter": [network_digest(self.segmenter), installed("openvino")]}
        return params | {"segmenter_flips": None}

    def _resize(self, rgb):
        if self.working_size < MIN_SIDE:
            raise ValueError(f"working_size={self.working_size}: give {MIN_SIDE} pixels or more")
        height, width = rgb.shape[:2]
        scale = min(1, self.working_size / max(height, width))
        scale = max(scale, MIN_SIDE / min(height, width))
        if scale == 1:
            return rgb
        size = (max(round(width * scale), MIN_SIDE), max(round(height * scale), MIN_SIDE))
        return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

    def _even_light(self, rgb, field, name):
        if self.color_constancy is None:
            return rgb
        if self.color_constancy == "shades_of_gray":
            return shades_of_gray(rgb, field=field)
        if not callable(self.color_constancy):
            raise ValueError(f"color_constancy={self.color_constancy!r}: use 'shades_of_gray', a function or None")
        result = self.color_constancy(rgb)
        if getattr(result, "shape", None) != rgb.shape or result.dtype != np.uint8:
            raise LesionImageError(
                name,
                f"color_constancy returned {getattr(result, 'shape', type(result))}",
                f"It must return uint8 of shape {rgb.shape}.",
            )
        return result


def _fit_mask(mask, original, working, name):
    """Bring the user's mask to the working size."""
    if abs(np.log(mask.shape[0] * original[1] / (mask.shape[1] * original[0]))) > MASK_ASPECT_TOLERANCE:
        raise LesionImageError(
            name,
            f"the image is {original[1]} x {original[0]}, its mask {mask.shape[1]} x {mask.shape[0]}",
            "Give the mask of this image.",
        )
    if mask.shape == working:
        return mask
    resized = cv2.resize(mask.astype(np.uint8) * 255, working[::-1], interpolation=cv2.INTER_AREA)
    return resized > 127
