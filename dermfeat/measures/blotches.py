"""Blotches: dark areas without structure."""

import cv2
import numpy as np

from dermfeat.measures.detail import blurred, detail, disc, local_mean
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
        See `find_blotches`.

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
    found = find_blotches(lesion, **detection) if detection else lesion.once(find_blotches)
    measured = {"blotch_share": 0.0, "blotch_count": 0.0, "blotch_offset": 0.0}
    if found.any():
        box = lesion.once(detail).box
        part = found[box].astype(np.uint8)
        moments = cv2.moments(part, binaryImage=True)
        centre = np.array([moments["m01"], moments["m10"]]) / moments["m00"] + [side.start for side in box]
        offset = np.hypot(*(centre - lesion.centroid))
        measured["blotch_share"] = float(moments["m00"] / lesion.area)
        measured["blotch_count"] = float(cv2.connectedComponents(part)[0] - 1)
        measured["blotch_offset"] = float(offset / lesion.equivalent_diameter)
    return measured


def find_blotches(lesion, *, depth=0.5, darkness=0.3, structure=3.0, least=0.1):
    """Return where the lesion has large dark areas without structure.

    Parameters
    ----------
    lesion : Lesion
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
    (H, W) bool ndarray
    """
    view = lesion.once(detail)
    scale = max(FINENESS * view.diameter, 1)
    smooth = blurred(view.lightness, scale)
    darkest = np.percentile(smooth[view.mask], DARKEST)
    dark = view.mask & (smooth < min((1 - depth) * view.skin, darkest + darkness * max(view.skin - darkest, 0)))
    if not dark.any():
        return np.zeros(lesion.mask.shape, bool)
    near = bounding_box(dark, int(4 * scale) + 1)
    plain = np.zeros(dark.shape, np.uint8)
    plain[near] = dark[near] & (_deviation(view.lightness[near], dark[near], scale) < structure)
    brush = disc(max(round(SMOOTHING * view.diameter), 1))
    for step in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        plain = cv2.morphologyEx(plain, step, brush)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= least * view.mask.sum()
    large[0] = False
    return (view.paste(large[labels].astype(np.uint8), lesion.mask.shape) > 0) & lesion.shape_mask


def _deviation(plane, mask, scale):
    """Return the local root mean square of what is finer than a scale, within a mask."""
    inside = mask.astype(np.float32)
    near = blurred(inside, scale)
    return np.sqrt(local_mean((plane - local_mean(plane, inside, scale, near)) ** 2, inside, scale, near))
