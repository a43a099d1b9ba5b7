"""Blotches: dark areas without structure."""

import cv2
import numpy as np

from dermfeat.measures.detail import blurred, coarse, local_mean, with_disc
from dermfeat.measures.texture import bounding_box

FINENESS = 0.02  # blur, in equivalent diameters, above which lightness is an area's and not a structure's
DARKEST = 5  # percentile of the lesion's L* that stands for its darkest pigment
SMOOTHING = 0.02  # equivalent diameters: narrower bridges and holes are closed


def blotches(lesion, **detection):
    """Measure how much of the lesion blotches cover and whether they lie off its centre.

    Parameters
    ----------
    lesion : Lesion
    **detection : float
        See `dark_areas`.

    Returns
    -------
    dict of str to float
        ``blotch_share`` : [0, 1] share
            Share of the lesion.
        ``blotch_count`` : [0, inf] -
            Separate blotches.
        ``blotch_offset`` : [0, inf] equivalent diameters
            Distance from the lesion's centroid to that of all blotches: about 0 for regular, central ones; 0 for none.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    view = lesion.once(coarse)
    found = dark_areas(view, **detection)
    measured = {"blotch_share": 0.0, "blotch_count": 0.0, "blotch_offset": 0.0}
    if found.any():
        (count, center), lesion_center = _mass(found), _mass(view.mask)[1]
        measured["blotch_share"] = float(count / np.count_nonzero(view.mask))
        measured["blotch_count"] = float(cv2.connectedComponents(found)[0] - 1)
        measured["blotch_offset"] = float(np.hypot(*(center - lesion_center)) / view.diameter)
    return measured


def find_blotches(lesion, **detection):
    """Return the (H, W) bool map of a lesion's large dark areas without structure: its `dark_areas`."""
    view = lesion.once(coarse)
    return (view.paste(dark_areas(view, **detection), lesion.mask.shape) > 0) & lesion.shape_mask


def dark_areas(view, *, depth=0.5, darkness=0.3, structure=3.0, least=0.1):
    """Return where a lesion has large dark areas without structure.

    Parameters
    ----------
    view : Detail
        The lesion; half the size will do, see `coarse`.
    depth : float
        Share of the skin's median L* by which a blotch is darker than skin: about that of dark brown.
    darkness : float
        How far, on the way from the lesion's darkest pigment (5th percentile of L*) to the skin, a blotch may lie.
        A lesion that is equally dark all over is one blotch.
    structure : float
        Largest local deviation (root mean square) in L* of what is finer than 2 % of the equivalent diameter: lines,
        globules and the holes of a network exceed it.
    least : float
        Share of the lesion that each blotch covers at least; 10 % in the checklist.

    Returns
    -------
    (h, w) uint8 ndarray
        1 in blotches.
    """
    scale = max(FINENESS * view.diameter, 1)
    smooth = blurred(view.lightness, scale)
    inside = smooth[view.mask]
    rank = DARKEST * (len(inside) - 1) // 100
    darkest = np.partition(inside, rank)[rank]
    dark = view.mask & (smooth < min((1 - depth) * view.skin, darkest + darkness * max(view.skin - darkest, 0)))
    plain = np.zeros(dark.shape, np.uint8)
    if not dark.any():
        return plain
    near = bounding_box(dark, int(4 * scale) + 1)
    plain[near] = dark[near] & (_deviation(view.lightness[near], dark[near], scale) < structure)
    brush = max(round(SMOOTHING * view.diameter), 1)
    plain = with_disc(plain, brush, cv2.erode, cv2.dilate, cv2.dilate, cv2.erode)
    labels = cv2.connectedComponents(plain, connectivity=8)[1]
    large = np.bincount(labels.ravel()) >= least * np.count_nonzero(view.mask)
    large[0] = False
    return (large[labels] & view.mask).astype(np.uint8)


def _deviation(plane, mask, scale):
    """Return the local root mean square of what is finer than a scale, within a mask."""
    inside = mask.astype(np.float32)
    near = blurred(inside, scale)
    return np.sqrt(local_mean((plane - local_mean(plane, inside, scale, near)) ** 2, inside, scale, near))


def _mass(part):
    """Return the area of a part and its centre of gravity."""
    moments = cv2.moments(part.view(np.uint8), binaryImage=True)
    return moments["m00"], np.array([moments["m01"], moments["m10"]]) / moments["m00"]
