"""A of the ABCD rule: how far the halves of a lesion differ in shape, colour and structure."""

from functools import cache

import cv2
import numpy as np

from dermfeat.lesion import CLOSE_UP_SIDE

AXES = np.arange(0, 90, 5)  # degrees; with their perpendiculars 36 axes
SHAPE_SIDE, COLOR_SIDE = 96, 48  # pixels of the grids that are folded
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
    lesion, skin = (_turned(layer) for layer in _shape_layers(view))
    color, detail = (_turned(layer) for layer in _color_layers(view))
    share = np.ascontiguousarray(color[..., 3])
    values = np.concatenate([color[..., :3], detail[..., None]], axis=3) / np.maximum(share, 1e-3)[..., None]
    shape = np.concatenate([_unmatched(lesion, skin[:, ::-1]), _unmatched(lesion, skin[..., ::-1])])
    table = [_differences(values, share), _differences(values.swapaxes(1, 2), share.swapaxes(1, 2))]
    *colors, overlap = np.concatenate(table, axis=1)
    enough = overlap >= LEAST_OVERLAP
    return [shape, *(np.where(enough, values, values[enough].max(initial=0)) for values in colors)]


def _shape_layers(view):
    return _shrink(view.mask, SHAPE_SIDE), _shrink(view.seen & ~view.mask, SHAPE_SIDE)


def _color_layers(view):
    """Return L*, a*, b* times the share of lesion and that share, and the local deviation of L* likewise."""
    share = _shrink(view.mask, COLOR_SIDE)
    lab = cv2.copyTo(view.lab, view.mask.view(np.uint8))
    lightness = cv2.extractChannel(lab, 0)
    means, squares = _shrink(lab, COLOR_SIDE), _shrink(lightness * lightness, COLOR_SIDE)
    near = cv2.blur(np.dstack([means[..., 0], squares, share]), (DETAIL, DETAIL))
    level, square = (near[..., k] / np.maximum(near[..., 2], 1e-3) for k in range(2))
    deviation = np.sqrt(np.maximum(square - level**2, 0))
    return np.dstack([means, share]), deviation * share


def _shrink(array, side):
    return cv2.resize(array.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)


def _turned(layer):
    """Return the (18, ...) layer turned so that each of the axes in turn, and the one across, lies along the grid."""
    middle = (layer.shape[0] - 1) / 2
    turned = np.empty((len(AXES), *layer.shape), np.float32)
    for angle, out in zip(AXES.tolist(), turned, strict=True):
        cv2.warpAffine(layer, cv2.getRotationMatrix2D((middle, middle), angle, 1), layer.shape[:2], dst=out)
    return turned


def _unmatched(lesion, skin):
    """Return |M xor fold(M)| / |M| where both halves are seen, from lesions and the mirrored skin."""
    return 2 * np.maximum(lesion + skin - 1, 0).sum(axis=(1, 2)) / lesion.sum(axis=(1, 2))


def _differences(values, share):
    """Return mean difference in colour, chroma and deviation between upper and lower halves, and their overlap."""
    half = share.shape[1] // 2
    both = np.minimum(share[:, :half], share[:, : -half - 1 : -1])
    squares = (values[:, :half] - values[:, : -half - 1 : -1]) ** 2
    chroma = squares[..., 1] + squares[..., 2]
    parts = np.sqrt([squares[..., 0] + chroma, chroma, squares[..., 3]])
    overlap = both.sum(axis=(1, 2))
    return *((parts * both).sum(axis=(2, 3)) / np.maximum(overlap, 1e-3)), 2 * overlap / share.sum(axis=(1, 2))


def _symmetric_pairs(radii):
    """Return, for 180 axes, the share of the 180 mirrored pairs of radii that differ by at most a tenth."""
    one, other = (radii[place] for place in _mirrored_pairs())
    return (np.abs(one - other) <= 0.1 * np.maximum(one, other)).mean(axis=1)


@cache
def _mirrored_pairs():
    axis, step = np.ogrid[:180, :180]
    return (axis + step) % 360, (axis - 1 - step) % 360


def _moments(view):
    moments = cv2.moments(view.mask.astype(np.uint8), binaryImage=True)
    spread = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]])
    minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0))
    place = np.flatnonzero(view.mask)
    lightness = cv2.extractChannel(view.lab, 0).ravel()[place]
    reference = np.partition(lightness, -1 - len(lightness) // 10)[-1 - len(lightness) // 10]
    pigment = np.maximum(reference - lightness, 0)
    weights = pigment / max(pigment.sum(), 1e-3) - np.float32(1 / len(pigment))
    offset = np.hypot(*(weights @ at for at in np.divmod(place, CLOSE_UP_SIDE))) if pigment.any() else 0.0
    return {"axis_ratio": minor / major, "pigment_offset": offset / (2 * view.radius)}
