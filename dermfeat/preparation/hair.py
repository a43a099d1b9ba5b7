"""Hair: where it is, and the image without it."""

import cv2
import numpy as np

from dermfeat.preparation.artefacts import shrink

SIDE = 512  # longest side at which hair is looked for
FILL_SIDE = 256  # longest side at which what is under the hair is filled in
ANGLES = 4  # directions of the closings
RUNS = 12  # directions in which hair is followed
WIDTH = 0.022  # length of the closing's line: wider than a hair is thick, as a share of the longest side
CROWDED = 0.4  # share of narrow dark pixels around one above which it belongs to a texture
LENGTH = 0.07  # shortest straight run of a hair, as a share of the longest side
EXTENT = 0.11  # smallest width or height of a hair, likewise
COVER = 0.3  # largest area of a hair, as a share of the square over its extent


def hair_mask(rgb, *, threshold=18, light=False):
    """Return where hair lies over skin and lesion, after DullRazor.

    Each channel is closed along lines in four directions (DullRazor: three). Where the largest of the closings
    exceeds the image, something dark and narrow is bridged; where it also exceeds the smallest of them, that thing
    is longer in one direction than in the others, as dots and globules are not. Of the pixels where both
    hold in some channel, straight runs of at least 7 % of the longest side are kept, with what touches them:
    a pigment network's cords are shorter. Textures, where more than 40 % of the surroundings look like hair, are
    left out, and so is hair that dense. Hairs side by side within 2 % of the longest side count as one thing
    too broad for a hair.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image.
    threshold : float
        Smallest difference in grey levels, above 0.
    light : bool
        Whether to look for hair lighter than its surroundings as well. Reflections may then count as hair.

    Returns
    -------
    (H, W) bool ndarray
        True on hair, one pixel of its edge included.

    References
    ----------
    Lee et al. 1997, DullRazor, Computers in Biology and Medicine 27:533,
    doi:10.1016/S0010-4825(97)00020-6.
    """
    small = shrink(rgb, SIDE)
    side = max(small.shape[:2])
    thin = _thin(small, side, threshold)
    if light:
        thin |= _thin(255 - small, side, threshold)
    hair = _long(thin, side)
    if hair.shape != rgb.shape[:2]:
        hair = cv2.resize(hair, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return hair.astype(bool)


def remove_hair(rgb, mask=None, *, threshold=18, light=False):
    """Fill in what lies under hair from what is beside it.

    Fast marching (Telea 2004, doi:10.1080/10867651.2004.10487596) from the hair's surroundings at no more than 256
    pixels along the longest side, smoothed, then scaled up; pixels that are no hair stay as they are.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image.
    mask : (H, W) bool ndarray, optional
        Where the hair is; found by `hair_mask` by default.
    threshold, light
        See `hair_mask`; unused where a mask is given.

    Returns
    -------
    rgb : (H, W, 3) uint8 ndarray
        The image without hair: a copy, equal to the input outside the mask.
    mask : (H, W) bool ndarray
        The mask used.
    """
    mask = hair_mask(rgb, threshold=threshold, light=light) if mask is None else mask
    filled = rgb.copy()
    if mask.any() and not mask.all():
        part = _around(mask, round(0.03 * max(mask.shape)) + 2)
        filled[part] = _filled(rgb[part], mask[part])
    return filled, mask


def _around(mask, margin):
    """Return the slices of the mask's bounding box with a margin."""
    spans = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return tuple(slice(max(span[0] - margin, 0), span[-1] + margin + 1) for span in spans)


def _filled(rgb, mask):
    hair = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    small, holes = shrink(rgb, FILL_SIDE), shrink(hair * 255, FILL_SIDE)
    filled = cv2.inpaint(small, (holes > 0).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(cv2.blur(filled, (3, 3)), hair.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(mask[..., None], filled, rgb)


def _thin(rgb, side, threshold):
    """Return as 0-1 where something dark is narrow in one direction and not in another."""
    size = _odd(WIDTH * side)
    padded = cv2.copyMakeBorder(rgb, size, size, size, size, cv2.BORDER_REPLICATE)
    closings = [cv2.morphologyEx(padded, cv2.MORPH_CLOSE, line) for line in _lines(size, ANGLES)]
    highest, lowest = closings[0], closings[0]
    for closing in closings[1:]:
        highest, lowest = cv2.max(highest, closing), cv2.min(lowest, closing)
    bridged = cv2.threshold(cv2.subtract(highest, padded), threshold, 1, cv2.THRESH_BINARY)[1]
    directed = cv2.threshold(cv2.subtract(highest, lowest), 0.6 * threshold, 1, cv2.THRESH_BINARY)[1]
    red, green, blue = cv2.split((bridged & directed)[size:-size, size:-size])
    return red | green | blue


def _long(thin, side):
    """Return the parts of a 0-1 mask that have long straight runs, with what touches them."""
    size = _odd(LENGTH * side)
    crowded = cv2.blur(thin.astype(np.float32), (size, size)) > CROWDED
    thin = np.where(crowded, 0, thin).astype(np.uint8)
    if not thin.any():
        return thin
    bridged = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    runs = np.zeros_like(thin)
    for line in _lines(size, RUNS):
        runs |= cv2.morphologyEx(bridged, cv2.MORPH_OPEN, line, borderValue=0)
    near = cv2.dilate(runs, np.ones((_odd(0.02 * side),) * 2, np.uint8))
    return _slender(cv2.dilate(bridged & near, np.ones((3, 3), np.uint8)), EXTENT * side)


def _slender(hair, extent):
    """Return the components of a 0-1 mask that extend far and cover little of the square they span."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(hair, connectivity=8)
    spans = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    kept = (spans >= extent) & (stats[:, cv2.CC_STAT_AREA] <= COVER * spans**2)
    kept[0] = False
    return kept[labels].astype(np.uint8)


def _odd(length):
    return max(2 * int(length / 2) + 1, 3)


def _lines(size, count):
    """Return kernels with a line through the middle at evenly spaced angles."""
    kernels = []
    middle = size // 2
    for angle in np.pi * np.arange(count) / count:
        x, y = round(middle * np.cos(angle)), round(middle * np.sin(angle))
        kernel = np.zeros((size, size), np.uint8)
        kernels.append(cv2.line(kernel, (middle - x, middle - y), (middle + x, middle + y), 1))
    return kernels
