"""A of the ABCD rule: how far the halves of a lesion differ in shape, colour and structure."""

from functools import cache

import cv2
import numpy as np

from dermfeat.lesion import CLOSE_UP_MARGIN, CLOSE_UP_SIDE

AXES = np.arange(0, 90, 5)  # degrees; with their perpendiculars 36 axes
SHAPE_SIDE, COLOR_SIDE = 64, 48  # pixels of the grids that are folded
SYMMETRIC = 140 / 180  # share of mirrored pairs of radii from which an axis counts as one of symmetry
LEAST_OVERLAP = 0.25  # share of the lesion that must lie on itself for its colours to be compared
DETAIL = 3  # cells of the colour grid over which the local deviation of L* is taken


def asymmetry(lesion, *, shape_threshold=0.15, color_threshold=8.0, structure_threshold=2.0):
    """Measure how far the halves of a lesion differ in shape, colour and structure.

    The lesion is folded about 36 axes through its centroid, 5 degrees apart, on small grids taken from
    `lesion.close_up`, so that neither scale nor position count. For each kind of difference ``best`` is the axis with
    the least of it and ``perpendicular`` the axis across that one. Turns by 90 degrees and flips change nothing but
    rounding; where two axes tie for the best, rounding decides which one's ``perpendicular`` it is. Parts whose mirror
    image lies beyond the frame or the field of view count as matched. Hair is taken as the prepared image shows it.

    Parameters
    ----------
    lesion : Lesion
    shape_threshold : float
        Share of `shape_asymmetry` above which contours differ (0.10 to 0.15 in use).
    color_threshold : float
        ΔE of `color_asymmetry` above which colours differ.
    structure_threshold : float
        L* of `structure_asymmetry` above which structures differ.

    Returns
    -------
    dict of str to float
        ``shape_asymmetry_{best,perpendicular}`` : [0, 2] -
            ``|M xor fold(M)| / |M|``, both differing sides counted.
        ``color_asymmetry_{best,perpendicular,mean}`` : [0, 300] ΔE
            Mean distance in CIELAB (CIE 1976) between mirrored cells of the lesion, a cell being about
            6 % of the equivalent radius wide; ``mean`` over all axes. An axis about which less than a quarter
            of the lesion falls on itself takes the largest value of the others.
        ``chroma_asymmetry_{best,perpendicular,mean}`` : [0, 300] ΔE
            The same without lightness, in a* and b*.
        ``structure_asymmetry_{best,perpendicular,mean}`` : [0, 50] L*
            The same for the local standard deviation of L*, in a window of 3 x 3 cells.
        ``symmetric_radii_best`` : [0, 1] share
            SFA of Kasmi and Mokrani: share of the 180 mirrored pairs of 360 radii whose lengths differ by at
            most 10 % of the longer, about the axis (1 degree apart) with the most such pairs.
        ``symmetric_radii_both`` : [0, 1] share
            The same share reached about both axes of the best perpendicular pair.
        ``symmetric_radii_score`` : [0, 2] -
            Axes with fewer than 140 of 180 such pairs, in the perpendicular pair with the fewest such axes.
        ``asymmetry_score`` : [0, 2] -
            A of the ABCD rule: axes about which contour, colour or structure differ, in the perpendicular
            pair with the fewest such axes.
        ``axis_ratio`` : [0, 1] -
            Minor by major axis of the ellipse with the same second moments; 1 for a disc.
        ``pigment_offset`` : [0, inf] equivalent diameters
            Distance from the centroid to the centre of gravity of pigment, weighed by how far L*
            lies below the lesion's 90th percentile.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    R. Kasmi, K. Mokrani, "Classification of malignant melanoma and benign skin lesions: implementation of
    automatic ABCD rule", IET Image Processing 10:448-455, 2016.
    """
    shape, color, chroma, structure = lesion.once(find_folds)
    pairs = _symmetric_pairs(lesion.radii)
    differs = (shape > shape_threshold) | (color > color_threshold) | (structure > structure_threshold)
    measured = {
        **_about_axes("shape_asymmetry", shape),
        **_about_axes("color_asymmetry", color, mean=True),
        **_about_axes("chroma_asymmetry", chroma, mean=True),
        **_about_axes("structure_asymmetry", structure, mean=True),
        "symmetric_radii_best": pairs.max(),
        "symmetric_radii_both": np.minimum(pairs, np.roll(pairs, 90)).max(),
        "symmetric_radii_score": _least_count(pairs < SYMMETRIC),
        "asymmetry_score": _least_count(differs),
        **_moments(lesion.close_up),
    }
    return {name: float(value) for name, value in measured.items()}


def least_asymmetric_axes(lesion, *, shape_threshold=0.15, color_threshold=8.0, structure_threshold=2.0):
    """Find the perpendicular pair of axes that `asymmetry` counts for A, and what differs about each.

    Of several pairs with equally few differing axes the one with the fewest differing parts is taken, then the
    one whose halves differ least, each part measured by its threshold.

    Parameters
    ----------
    lesion : Lesion
    shape_threshold, color_threshold, structure_threshold : float
        See `asymmetry`.

    Returns
    -------
    angle : float
        Direction of the first axis in degrees from x (columns) towards y (rows), in [0, 90); the second lies 90
        degrees on. Both go through `lesion.centroid`.
    differs : (2, 3) bool ndarray
        For both axes, whether shape, colour and structure differ about it.
    """
    shape, color, _, structure = lesion.once(find_folds)
    folds, limits = np.array([shape, color, structure]), (shape_threshold, color_threshold, structure_threshold)
    parts = np.array([values > limit for values, limit in zip(folds, limits, strict=True)])
    excess = (folds / np.maximum(np.reshape(limits, (3, 1)), 1e-9)).sum(axis=0)
    pairs = np.reshape([parts.any(axis=0), parts.sum(axis=0), excess], (3, 2, -1)).sum(axis=1)
    best = np.lexsort(pairs[::-1])[0]
    return float(AXES[best]), parts.reshape(3, 2, -1)[..., best].T


def _about_axes(name, values, *, mean=False):
    best = values.argmin()
    across = np.roll(values, len(values) // 2)[best]
    average = {f"{name}_mean": values.mean()} if mean else {}
    return {f"{name}_best": values[best], f"{name}_perpendicular": across, **average}


def _least_count(differs):
    """Count the axes of a perpendicular pair about which halves differ, for the pair with the fewest."""
    return (differs.astype(int) + np.roll(differs, len(differs) // 2)).min()


def find_folds(lesion):
    """Return (4, 36) differences in shape, colour, chroma and structure between halves, per axis."""
    view = lesion.close_up
    lesion, skin = _shapes(view)
    colors, deviation = (_turned(layer) for layer in _color_layers(view))
    *colors, share = np.ascontiguousarray(np.moveaxis(colors, -1, 0))
    values = np.array([*colors, deviation]) / np.maximum(share, 1e-3)
    shape = np.concatenate([_unmatched(lesion, np.flip(skin, axis)) for axis in (1, 2)])
    table = [_differences(*_halves(values, axis), *_halves(share, axis)) for axis in (-2, -1)]
    *colors, overlap = np.concatenate(table, axis=1)
    enough = overlap >= LEAST_OVERLAP / 2 * np.tile(share.sum(axis=(1, 2)), 2)
    return [shape, *(np.where(enough, values, values[enough].max(initial=0)) for values in colors)]


def _shapes(view):
    """Return the turned (18, 64, 64) uint8 shares, of 255, of lesion and of skin that is seen."""
    lesion = _turned(_shrink(view.mask * np.uint8(255), SHAPE_SIDE))
    if _off_centre()[~view.seen].min(initial=CLOSE_UP_SIDE) > CLOSE_UP_SIDE / 2 - CLOSE_UP_MARGIN * view.radius + 4:
        return lesion, ~lesion
    return lesion, _turned(_shrink((view.seen & ~view.mask) * np.uint8(255), SHAPE_SIDE))


@cache
def _off_centre():
    """Return the distance of the close-up's pixels from its centre: no lesion is within half a radius of its sides."""
    offset = np.arange(CLOSE_UP_SIDE, dtype=np.float32) - (CLOSE_UP_SIDE - 1) / 2
    return np.hypot(offset, offset[:, None])


def _color_layers(view):
    """Return L*, a*, b* times the share of lesion and that share, and the local deviation of L* likewise."""
    lab = cv2.copyTo(view.lab, view.mask.view(np.uint8))
    lightness = cv2.extractChannel(lab, 0)
    *means, share = cv2.split(_shrink(cv2.merge([lab, view.mask.astype(np.float32)]), COLOR_SIDE))
    near = share, means[0], _shrink(lightness * lightness, COLOR_SIDE)
    weight, level, square = (cv2.blur(plane, (DETAIL, DETAIL)) for plane in near)
    weight = np.maximum(weight, 1e-3)
    deviation = np.sqrt(np.maximum(square / weight - (level / weight) ** 2, 0))
    return cv2.merge([*means, share]), deviation * share


def _shrink(array, side):
    return cv2.resize(array, (side, side), interpolation=cv2.INTER_AREA)


def _turned(layer):
    """Return the (18, S, S) layer turned so that each of the axes in turn, and the one across, lies along the grid."""
    return cv2.remap(layer, *_turns(len(layer)), cv2.INTER_LINEAR).reshape(len(AXES), *layer.shape)


@cache
def _turns(side):
    """Return x and y, (18 S, S) float32, of the cells of a grid that is turned by each of the angles."""
    angle = np.radians(AXES)[:, None, None]
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    turned = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    return [np.float32(place + (side - 1) / 2).reshape(-1, side) for place in turned]


def _unmatched(lesion, skin):
    """Return |M xor fold(M)| / |M| where both halves are seen, from lesions and the mirrored skin."""
    unmatched = lesion - np.minimum(lesion, ~skin)
    return 2 * unmatched.sum(axis=(1, 2), dtype=np.uint32) / lesion.sum(axis=(1, 2), dtype=np.uint32)


def _halves(planes, axis):
    """Return the half before the middle, and the mirrored half behind it."""
    return (np.split(way, 2, axis)[0] for way in (planes, np.flip(planes, axis)))


def _differences(one, other, share, mirrored):
    """Return mean difference in colour, chroma and deviation between the halves, and their overlap in cells."""
    both = np.minimum(share, mirrored)
    lightness, a, b, deviation = (one - other) ** 2
    chroma, overlap = a + b, both.sum(axis=(1, 2))
    means = [(np.sqrt(square) * both).sum(axis=(1, 2)) for square in (lightness + chroma, chroma, deviation)]
    return [*(means / np.maximum(overlap, 1e-3)), overlap]


def _symmetric_pairs(radii):
    """Return, for 180 axes, the share of the 180 mirrored pairs of radii that differ by at most a tenth."""
    onwards = np.lib.stride_tricks.sliding_window_view(np.tile(np.float32(radii), 2), 180)
    one, other = onwards[:180], onwards[180:360, ::-1]  # from an axis on, and back from it
    return (np.minimum(one, other) >= np.float32(0.9 - 1e-6) * np.maximum(one, other)).mean(axis=1)


def _moments(view):
    mask = view.mask.view(np.uint8)
    shape = cv2.moments(mask)
    mean, spread = shape["mu20"] + shape["mu02"], np.hypot(shape["mu20"] - shape["mu02"], 2 * shape["mu11"])
    lightness = cv2.extractChannel(view.lab, 0)
    inside = lightness[view.mask]
    reference = np.partition(inside, -1 - len(inside) // 10)[-1 - len(inside) // 10]
    pigment = cv2.copyTo(cv2.max(reference - lightness, 0), mask)
    pigment, offset = cv2.moments(pigment), 0.0
    if pigment["m00"] > 0:
        offset = np.hypot(*(pigment[k] / pigment["m00"] - shape[k] / shape["m00"] for k in ("m10", "m01")))
    return {
        "axis_ratio": np.sqrt(max(mean - spread, 0) / (mean + spread)),
        "pigment_offset": offset / (2 * view.radius),
    }
