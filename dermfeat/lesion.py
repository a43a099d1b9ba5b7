"""Lesion: one image with its mask, and the views that several measures share."""

from functools import cached_property

import cv2
import numpy as np
from scipy import ndimage

SKIN_RING = 0.25  # width of the ring of surrounding skin, as a share of the lesion's equivalent diameter
FALLBACK_AXES = 0.6  # axes of the stand-in ellipse, as a share of the frame's height and width
MIN_LESION, MAX_LESION = 0.001, 0.985  # shares of the frame between which a mask outlines something


class Lesion:
    """One dermoscopic image, where the lesion is in it, and lazily computed views of both.

    Views are computed at first use and kept; a measure reads them and must not change them.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        The prepared sRGB image that colour and texture are measured on.
    mask : (H, W) bool ndarray
        True inside the lesion. A mask that covers less than 0.1 % or more than 98.5 % of the field of view
        outlines nothing: a centred ellipse with 0.6 times the frame's height and width takes its place
        and `is_fallback` is True.
    raw : (H, W, 3) uint8 ndarray, optional
        The image before colour constancy and hair removal, which networks look at. `image` by default.
    field : (H, W) bool ndarray, optional
        The field of view: False in dark corners. The whole frame by default.
    hair : (H, W) bool ndarray, optional
        True on hair. None anywhere by default.
    is_fallback : bool
        True where the mask's maker had to give up; a mask that outlines nothing sets it too.

    Attributes
    ----------
    lab : (H, W, 3) float32 ndarray
        CIELAB (D65): L* in [0, 100], a* and b* about [-128, 128].
    hsv : (H, W, 3) float32 ndarray
        Hue in [0, 360) degrees, saturation and value in [0, 1].
    gray : (H, W) uint8 ndarray
        Luma of ITU-R BT.601.
    shape_mask : (H, W) bool ndarray
        The largest connected component of the mask with its holes filled: what shape is measured on.
    skin : (H, W) bool ndarray
        Surrounding skin: a ring outside the lesion, without hair and dark corners. Never empty.
    area : int
        Pixels of `shape_mask`.
    equivalent_diameter : float
        Diameter in pixels of the disc with that area, ``sqrt(4 area / pi)``: the unit of all lengths.
    centroid : (2,) float64 ndarray
        Row and column of the centre of gravity of `shape_mask`, in pixels.
    contour : (K, 2) int32 ndarray
        Closed outline of `shape_mask` as x, y of its boundary pixels, in order.
    signed_distance : (H, W) float32 ndarray
        Euclidean distance to the lesion's edge in pixels, positive inside, negative outside.
    """

    def __init__(self, image, mask, *, raw=None, field=None, hair=None, is_fallback=False):
        shape = image.shape[:2]
        self.image = image
        self.raw = image if raw is None else raw
        self.field = np.ones(shape, bool) if field is None else field
        self.hair = np.zeros(shape, bool) if hair is None else hair
        share = (mask & self.field).sum() / max(self.field.sum(), 1)
        outlines_nothing = not MIN_LESION <= share <= MAX_LESION
        self.mask = centred_ellipse(shape) if outlines_nothing else mask
        self.is_fallback = bool(is_fallback or outlines_nothing)

    @cached_property
    def lab(self):
        return cv2.cvtColor(self.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    @cached_property
    def hsv(self):
        return cv2.cvtColor(self.image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)

    @cached_property
    def gray(self):
        return cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)

    @cached_property
    def shape_mask(self):
        return ndimage.binary_fill_holes(largest_component(self.mask))

    @cached_property
    def area(self):
        return int(self.shape_mask.sum())

    @cached_property
    def equivalent_diameter(self):
        return float(np.sqrt(4 * self.area / np.pi))

    @cached_property
    def centroid(self):
        return np.argwhere(self.shape_mask).mean(axis=0)

    @cached_property
    def contour(self):
        outlines, _ = cv2.findContours(
            self.shape_mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        return max(outlines, key=len).reshape(-1, 2)

    @cached_property
    def signed_distance(self):
        inside = cv2.distanceTransform(self.shape_mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        outside = cv2.distanceTransform((~self.shape_mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return inside - outside

    @cached_property
    def skin(self):
        ring = max(SKIN_RING * self.equivalent_diameter, 4)
        gap = max(0.03 * self.equivalent_diameter, 1)
        outside = ~self.mask & self.field
        near = outside & (self.signed_distance < -gap) & (self.signed_distance > -ring)
        enough = max(16, 0.02 * self.area)
        for candidate in (near & ~self.hair, outside & ~self.hair, outside, ~self.mask):
            if candidate.sum() >= enough:
                return candidate
        return ~self.mask if (~self.mask).any() else self.mask


def centred_ellipse(shape):
    """Return the (H, W) bool mask that stands in where no lesion was outlined."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    y = (rows - (shape[0] - 1) / 2) / (FALLBACK_AXES * shape[0] / 2)
    x = (columns - (shape[1] - 1) / 2) / (FALLBACK_AXES * shape[1] / 2)
    return x**2 + y**2 <= 1


def largest_component(mask):
    """Return the largest 8-connected component of a bool mask as a bool mask of the same shape."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
