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
COARSER = 0.1  # weight of a scale in the filling, relative to the next finer one


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

    A hidden pixel becomes the mean of the visible ones around it at all scales of a Gaussian pyramid, each scale
    weighing a tenth of the next finer one, so that the nearest decide (in one sum what Gortler et al. 1996, The
    Lumigraph, doi:10.1145/237170.237200, do in two passes). At no more than 256 pixels along the longest side,
    smoothed, then scaled up; pixels that are no hair stay as they are.

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
        cv2.copyTo(_filled(rgb[part], mask[part]), mask[part].astype(np.uint8), filled[part])
    return filled, mask


def _around(mask, margin):
    """Return the slices of the mask's bounding box with a margin."""
    spans = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return tuple(slice(max(span[0] - margin, 0), span[-1] + margin + 1) for span in spans)


def _filled(rgb, mask):
    """Return the image smoothed, in the mask from what is outside it."""
    hair = cv2.dilate(mask.astype(np.uint8) * 255, np.ones((3, 3), np.uint8))
    seen = (shrink(hair, FILL_SIDE) == 0).view(np.uint8)
    if not seen.any():
        return rgb
    opaque = cv2.cvtColor(shrink(rgb, FILL_SIDE), cv2.COLOR_RGB2RGBA)
    scales = [cv2.copyTo(opaque, seen).astype(np.float32)]
    while max(scales[-1].shape[:2]) > 1:
        scales.append(cv2.pyrDown(scales[-1]))
    total = scales.pop()
    while scales:
        finer = scales.pop()
        total = cv2.scaleAdd(cv2.pyrUp(total, dstsize=finer.shape[1::-1]), COARSER, finer, dst=finer)
    *colors, opacity = cv2.split(total)
    filled = cv2.merge([cv2.convertScaleAbs(cv2.divide(color, opacity, scale=255)) for color in colors])
    return cv2.resize(cv2.blur(filled, (3, 3)), hair.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _thin(rgb, side, threshold):
    """Return as 0-1 where something dark is narrow in one direction and not in another."""
    size = _odd(WIDTH * side)
    padded = cv2.copyMakeBorder(rgb, size, size, size, size, cv2.BORDER_REPLICATE)
    highest, lowest, closing = np.zeros_like(padded), np.full_like(padded, 255), None
    for line in _lines(size, ANGLES):
        closing = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, line, dst=closing)
        cv2.max(highest, closing, dst=highest)
        cv2.min(lowest, closing, dst=lowest)
    bridged = _above(cv2.subtract(highest, padded, dst=closing), threshold)
    directed = _above(cv2.subtract(highest, lowest, dst=highest), 0.6 * threshold)
    found = cv2.bitwise_and(bridged, directed, dst=lowest)[size:-size, size:-size]
    return _above(cv2.cvtColor(found, cv2.COLOR_RGB2GRAY), 0, 1)


def _above(plane, threshold, value=255):
    """Write the value where an 8-bit array is above a threshold, and 0 elsewhere."""
    return cv2.threshold(plane, threshold, value, cv2.THRESH_BINARY, dst=plane)[1]


def _long(thin, side):
    """Return the parts of a 0-1 mask that have long straight runs, with what touches them."""
    size = _odd(LENGTH * side)
    around = cv2.boxFilter(thin, cv2.CV_16U, (size, size), normalize=False)
    thin = cv2.copyTo(thin, (around <= CROWDED * size**2).view(np.uint8))
    bridged = _extended(cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), EXTENT * side)
    hair = np.zeros_like(thin)
    if bridged.any():
        part = _around(bridged, 1)
        bridged = bridged[part]
        runs = np.zeros_like(bridged)
        for line in _lines(size, RUNS):
            runs |= cv2.morphologyEx(bridged, cv2.MORPH_OPEN, line, borderValue=0)
        near = cv2.dilate(runs, np.ones((_odd(0.02 * side),) * 2, np.uint8))
        hair[part] = _slender(cv2.dilate(bridged & near, np.ones((3, 3), np.uint8)), EXTENT * side)
    return hair


def _extended(mask, extent):
    """Return a 0-1 mask without what is less than `extent` long once grown by a pixel; seen at half the size."""
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8))[::2, ::2]
    labels, spans, _ = _components(np.ascontiguousarray(grown))
    kept = _chosen(labels, 2 * spans + 1 >= extent)
    return mask & cv2.resize(kept, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)


def _slender(hair, extent):
    """Return the components of a 0-1 mask that extend far and cover little of the square they span."""
    labels, spans, areas = _components(hair)
    return _chosen(labels, (spans >= extent) & (areas <= COVER * spans**2))


def _components(mask):
    """Return the labels of a 0-1 mask's components, and of each its larger side and area; the background's are 0."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_16U)
    stats[0] = 0
    return labels, stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1), stats[:, cv2.CC_STAT_AREA]


def _chosen(labels, which):
    """Return as 0-1 where the labels of components lie for which a bool array says so."""
    if len(which) > 256:
        return which.view(np.uint8).take(labels)
    table = np.zeros(256, np.uint8)
    table[: len(which)] = which
    return cv2.LUT(labels.astype(np.uint8), table)


def _odd(length):
    return max(2 * int(length / 2) + 1, 3)


def _lines(size, count):
    """Return kernels with a line through the middle at evenly spaced angles, just large enough for it."""
    kernels = []
    for angle in np.pi * np.arange(count) / count:
        x, y = round(size // 2 * np.cos(angle)), round(size // 2 * np.sin(angle))
        kernel = np.zeros((2 * abs(y) + 1, 2 * abs(x) + 1), np.uint8)
        kernels.append(cv2.line(kernel, (abs(x) - x, 0), (abs(x) + x, 2 * y), 1))
    return kernels
