"""Structureless areas: parts of a lesion without dots, lines, network or mottling."""

import cv2
import numpy as np

from dermfeat.measures.detail import coarse, local_mean, median, with_disc

RIM = 0.04  # width along the lesion's edge that is not judged: pigment fades there; lengths in equivalent diameters
FINE, COARSE = 0.005, 0.015  # standard deviations of the blurs between whose scales structure is looked for
BLURRED = 0.5  # smallest standard deviation of the first in pixels
WINDOW = 0.02  # standard deviation of the window that the local deviation is taken over


def structureless_area(lesion, **detection):
    """Measure how much of the lesion shows no structure.

    Shares are of the judged area: what lies within the field of view, is free of hair and at least 4 % of the
    equivalent diameter inside the lesion's edge, where pigment fades. A lesion without such a place has 0.

    Parameters
    ----------
    lesion : Lesion
    **detection : float
        See `bare_areas`.

    Returns
    -------
    dict of str to float
        ``structureless_share`` : [0, 1] share
            Structureless area of the judged area.
        ``structureless_largest_share`` : [0, 1] share
            The largest connected part of it, of the judged area: high for one large area, low for many small ones.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    view = lesion.once(coarse)
    bare = bare_areas(view, **detection)
    share = largest = 0.0
    if bare.any():
        areas = np.bincount(cv2.connectedComponents(bare, connectivity=8)[1].ravel())[1:]
        share, largest = (area / np.count_nonzero(_judged(view)) for area in (areas.sum(), areas.max()))
    return {"structureless_share": float(share), "structureless_largest_share": float(largest)}


def find_structureless(lesion, **detection):
    """Return the (H, W) bool map of where the lesion has no structure: its `bare_areas`."""
    return lesion.once(coarse).paste(bare_areas(lesion.once(coarse), **detection), lesion.mask.shape) > 0


def bare_areas(view, *, deviation=0.01, over_skin=1.25, extent=0.03):
    """Find where a lesion has no structure.

    The local deviation of L* is taken between two scales: noise finer than 0.5 % of the equivalent diameter
    and shading and patches coarser than 1.5 % are left out. It is the root mean square over a window of 2 %. Where
    it stays below the limit, in areas of some extent, the lesion is structureless. An image that is out of focus, or
    small, has no structure anywhere.

    Parameters
    ----------
    view : Detail
        The lesion; half the size will do, see `coarse`.
    deviation : float
        Limit of the local deviation, by the local L* + 16, so that it is the same at any exposure. 0.01 is 0.6 L* in
        a brown lesion; faint pigment networks show 0.012 and more.
    over_skin : float
        The limit is at least this many times the median of the surrounding skin, whose pores, furrows and noise
        do not count as structure of the lesion.
    extent : float
        Smallest radius of an area, in equivalent diameters; narrower places are gaps between structures.

    Returns
    -------
    (h, w) uint8 ndarray
        1 in structureless areas.
    """
    judged, skin = _judged(view), view.around & ~view.hair
    local, ground = local_deviation(view.lightness, judged | skin, view.diameter)
    noise = over_skin * median(local[skin]) if skin.any() else 0
    bare = judged & (local < np.maximum(deviation * (ground + 16), noise))
    return with_disc(bare.view(np.uint8), max(round(extent * view.diameter), 1), cv2.erode, cv2.dilate)


def local_deviation(lightness, area, diameter):
    """Return the local deviation of an (h, w) L* between two scales, and the local mean, of what lies in an area."""
    weights = area.astype(np.float32)
    fine = cv2.GaussianBlur(lightness, (0, 0), max(FINE * diameter, BLURRED))
    ground = local_mean(fine, weights, max(COARSE * diameter, BLURRED))
    return cv2.sqrt(local_mean((fine - ground) ** 2, weights, max(WINDOW * diameter, BLURRED))), ground


def _judged(view):
    return (view.depth > RIM * view.diameter) & ~view.hair & view.field
