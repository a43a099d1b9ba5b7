"""B of the ABCD rule: how irregular a lesion's outline is, and how abruptly its pigment ends there."""

from functools import cache

import cv2
import numpy as np

from dermfeat.lesion import CLOSE_UP_SIDE, bounding_box

DIRECTIONS = 72  # steps of 5 degrees; nine of them are one sector of 45
RING = 0.025  # width of a ring along the edge, in equivalent radii
RINGS = 16  # rings on either side of the edge
INSIDE, OUTSIDE = slice(12, 14), slice(18, 20)  # the rings 5-10 % of the equivalent radius from the edge
FINENESS = 0.04  # standard deviation, in equivalent radii, of the blur by which the perimeter is measured
DRIFT = 8  # rings by which the steepest step may lie beside the mask's edge
BOXES = (0.025, 0.05, 0.1, 0.2, 0.4)  # equivalent radii
WAVES = {"low": (3, 6), "middle": (7, 15), "high": (16, 40)}  # per turn
NO_CONTRAST = 3.0  # L* between inside and outside below which an edge has no width


def border(lesion, *, step_threshold=12.0, brush=0.15):
    """Measure how irregular the outline is and how abruptly the pigment ends there.

    Everything is measured on `lesion.close_up`: the largest component of the mask without holes, centred on
    its centroid and brought to one scale, so nothing depends on the size of the image beyond the
    resolution of the mask. Turns by 90 degrees and flips change nothing but rounding.

    Abruptness is measured in sectors of 45 degrees round the centroid. Where eight fixed sectors lie is
    arbitrary, so a window of that width slides in steps of 5 degrees, and the score is eight times the share
    of the 72 windows that end abruptly: eight sectors, averaged over their placement. Windows in which half of
    either ring is hidden by the frame, the field of view or hair, or lies nowhere, are left out; with
    none left the steps, the widths and the score are 0.

    Parameters
    ----------
    lesion : Lesion
    step_threshold : float
        Step in L* above which pigment ends abruptly. The rule leaves this to the eye; the default
        separated melanoma from nevus best on development images.
    brush : float
        Radius, in equivalent radii, of the disc that protrusions and indentations are too narrow for.

    Returns
    -------
    dict of str to float
        ``compactness`` : [0.5, inf] -
            P² / (4 π A); 1 for a disc. P is the total variation (coarea formula) of the mask blurred by 4 % of
            the equivalent radius, at half the close-up's size: the same in all directions, corners rounded (a
            square gives 1.22, not 4/π).
        ``solidity`` : [0, 1] share
            Area by that of the convex hull.
        ``convexity`` : [0, 1.2] -
            Perimeter of the convex hull by the perimeter, both measured like that; 1 for convex outlines.
        ``radial_variation`` : [0, inf] -
            Standard deviation by mean of the 360 radii from the centroid.
        ``outline_fractal_dimension`` : [0, 2] -
            Box-counting dimension of the outline: slope over boxes of 2.5, 5, 10, 20 and 40 % of the
            equivalent radius, laid out from the centroid.
        ``contour_waves_{low,middle,high}`` : [0, inf] -
            Root mean square of the radius function's Fourier harmonics 3-6, 7-15 and 16-40, by the mean
            radius: lobes, notches, roughness. Harmonic 2, elongation, is left to asymmetry.
        ``protrusion_share`` : [0, 1] share
            Area that an opening with the brush removes, of the lesion's.
        ``indentation_share`` : [0, inf] share
            Area that a closing with the brush adds, of the lesion's.
        ``border_score`` : [0, 8] -
            B of the ABCD rule: sectors in which L* rises by more than the threshold from the ring 5-10 % of
            the equivalent radius inside the edge to the ring as far outside.
        ``sectors_seen`` : [0, 1] share
            Windows that could be judged.
        ``edge_step_l_{mean,std,min,max}`` : [-100, 100] L*
            That step over the windows; positive where skin is lighter.
        ``edge_step_color_{mean,std,min,max}`` : [0, 300] ΔE
            The same as distance in CIELAB.
        ``edge_steepest_l_{mean,std,max}`` : [-100, 100] L*
            The largest such step within 20 % of the equivalent radius from the mask's edge: for masks
            that are drawn too wide or too narrow.
        ``edge_width_{mean,std,min}`` : [0, 0.4] equivalent diameters
            Distance over which L* covers 10 to 90 % of the way from the level 30-40 % of the equivalent
            radius inside to that outside; 0.4, the whole range, where the levels differ by less than 3 L*.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    view = lesion.close_up
    depth, points = _depth(view), _edge_points(view.mask)
    lab, clear, every = _rings(view, depth / view.radius)
    measured = {
        **_outline(view.mask, points, FINENESS * view.radius),
        "outline_fractal_dimension": _box_dimension(points, view.radius),
        **_radial(lesion.radii),
        **_brushed(view.mask, depth, brush * view.radius),
        **_abruptness(lab, clear, every, step_threshold),
    }
    return {name: float(value) for name, value in measured.items()}


def abrupt_directions(lesion, *, step_threshold=12.0):
    """Find where pigment ends abruptly, for each of the 72 windows that `border` averages for B.

    Parameters
    ----------
    lesion : Lesion
    step_threshold : float
        See `border`.

    Returns
    -------
    abrupt, seen : (72,) bool ndarray
        For the windows of 45 degrees about the directions 0, 5 ... 355 degrees from the centroid (from x towards
        y): whether pigment ends abruptly there, and whether that could be judged.
    """
    view = lesion.close_up
    seen, inside, outside = _edge_colors(*_rings(view, _depth(view) / view.radius))
    abrupt = np.zeros(DIRECTIONS, bool)
    abrupt[seen] = (outside - inside)[0] > step_threshold
    return abrupt, seen


def _outline(mask, points, fineness):
    hull = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), cv2.convexHull(points), 1)
    length, area = _perimeter(mask, fineness), np.count_nonzero(mask)
    return {
        "compactness": length**2 / (4 * np.pi * area),
        "solidity": area / np.count_nonzero(hull),
        "convexity": _perimeter(hull, fineness) / length,
    }


def _edge_points(mask):
    """Return the (N, 2) columns and rows of the mask's pixels beside others."""
    pixels = mask.view(np.uint8)
    return cv2.findNonZero(pixels - cv2.erode(pixels, np.ones((3, 3), np.uint8))).reshape(-1, 2)


def _perimeter(mask, fineness):
    """Return the length of the outline in pixels: the total variation of the blurred mask, at half the size."""
    half = cv2.resize(mask.astype(np.float32), (CLOSE_UP_SIDE // 2,) * 2, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(half, (0, 0), np.sqrt(max(fineness**2 - 0.25, 0.25)) / 2)  # halving adds 1/4
    slopes = [cv2.Sobel(soft, cv2.CV_32F, *axis, ksize=1) for axis in ((1, 0), (0, 1))]
    return cv2.magnitude(*slopes).sum()


def _box_dimension(points, radius):
    columns, rows = points.T - CLOSE_UP_SIDE // 2
    sizes = np.maximum(np.round(np.array(BOXES) * radius), 1).astype(int)
    boxes = (rows // size * CLOSE_UP_SIDE + columns // size for size in sizes)
    counts = [np.count_nonzero(np.bincount(box - box.min())) for box in boxes]
    x, y = np.log(sizes) - np.log(sizes).mean(), np.log(counts)
    return np.clip(-(x @ y) / max(x @ x, 1e-9), 0, 2)


def _radial(radii):
    mean = max(radii.mean(), 1e-6)
    power = 2 * np.abs(np.fft.rfft(radii / mean) / len(radii)) ** 2
    waves = {f"contour_waves_{name}": np.sqrt(power[a : b + 1].sum()) for name, (a, b) in WAVES.items()}
    return {"radial_variation": radii.std() / mean, **waves}


def _brushed(mask, depth, brush):
    """Return what a round brush cannot reach from within and from without, as shares of the mask."""
    near = bounding_box(mask, int(brush) + 4)
    mask, depth = mask[near], depth[near]
    opened = _distance(depth <= brush) <= brush + 1  # one pixel of tolerance: a disc loses nothing
    closed = _distance(depth >= -brush) > brush + 1
    area = np.count_nonzero(mask)
    return {
        "protrusion_share": np.count_nonzero(mask & ~opened) / area,
        "indentation_share": np.count_nonzero(closed & ~mask) / area,
    }


def _depth(view):
    """Return the distance to the edge in pixels, positive inside, negative outside and as far as the rings go there."""
    depth, mask = np.full(view.mask.shape, -CLOSE_UP_SIDE, np.float32), view.mask
    near, box = bounding_box(mask, int(RING * RINGS * view.radius) + 4), bounding_box(mask, 1)
    depth[near] = 0.5 - _distance(~mask[near])
    depth[box] += _distance(mask[box]) - mask[box]
    return depth


def _distance(region):
    """Return the distance to the nearest pixel outside the region, to 2 %."""
    return cv2.distanceTransform(region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


@cache
def _directions():
    """Return for each pixel of the close-up the number of its direction from the centre."""
    offset = np.arange(CLOSE_UP_SIDE) - (CLOSE_UP_SIDE - 1) / 2
    angle = np.degrees(np.arctan2(offset[:, None], offset))
    return np.round(angle * DIRECTIONS / 360).astype(np.intp) % DIRECTIONS


def _rings(view, depth):
    """Return sums of CIELAB (3, 72, 32), clear pixels and all pixels (72, 32) by window and ring, inside first."""
    near = np.flatnonzero(np.abs(depth) < RING * RINGS)
    ring = np.floor(depth.take(near) * np.float32(-1 / RING)).astype(np.intp) + RINGS
    cells = _directions().take(near) * (2 * RINGS) + ring
    sums = [np.bincount(cells, minlength=DIRECTIONS * 2 * RINGS)]
    clear = (view.seen & ~view.hair).take(near)
    if not clear.all():
        near, cells = near[clear], cells[clear]
    colors = view.lab.reshape(-1, 3).take(near, axis=0)
    sums += [np.bincount(cells, weights, len(sums[0])) for weights in (None, *colors.T)]
    every, clear, *lab = _windows() @ np.reshape(sums, (5, DIRECTIONS, -1))
    return lab, clear, every


@cache
def _windows():
    """Return a (72, 72) matrix that is 1 where a direction (column) lies in the window about another one."""
    away = np.arange(DIRECTIONS) - np.arange(DIRECTIONS)[:, None] + DIRECTIONS // 16
    return np.float64(away % DIRECTIONS < DIRECTIONS // 8)


def _abruptness(lab, clear, every, threshold):
    seen, inside, outside = _edge_colors(lab, clear, every)
    profile = _profile(lab[0][seen], clear[seen])
    step = (outside - inside)[0]
    return {
        "border_score": 8 * (step > threshold).mean() if seen.any() else 0,
        "sectors_seen": seen.mean(),
        **_summary("edge_step_l", step, "mean", "std", "min", "max"),
        **_summary("edge_step_color", np.linalg.norm(outside - inside, axis=0), "mean", "std", "min", "max"),
        **_summary("edge_steepest_l", _steepest(profile), "mean", "std", "max"),
        **_summary("edge_width", _width(profile), "mean", "std", "min"),
    }


def _edge_colors(lab, clear, every):
    """Return which windows can be judged, and the (3, N) mean CIELAB of their rings inside and outside."""
    pair = [INSIDE, OUTSIDE]
    seen = np.all([clear[:, k].sum(axis=1) > every[:, k].sum(axis=1) / 2 for k in pair], axis=0)
    lab, clear = np.array(lab)[:, seen], clear[seen]
    inside, outside = (lab[..., k].sum(axis=-1) / clear[:, k].sum(axis=1) for k in pair)
    return seen, inside, outside


def _summary(name, values, *kinds):
    values = values if len(values) else np.zeros(1)
    return {f"{name}_{kind}": getattr(values, kind)() for kind in kinds}


def _profile(sums, counts):
    """Return mean L* by window and ring; a ring without pixels takes its inner, else its outer neighbour."""
    filled = counts > 0
    source = np.maximum.accumulate(np.where(filled, np.arange(2 * RINGS), -1), axis=1)
    source = np.where(source < 0, filled.argmax(axis=1)[:, None], source)
    return np.take_along_axis(sums / np.maximum(counts, 1), source, axis=1)


def _steepest(profile):
    pairs = (profile[:, 1:] + profile[:, :-1]) / 2
    steps = pairs[:, OUTSIDE.start - INSIDE.start :] - pairs[:, : INSIDE.start - OUTSIDE.start]
    return steps[:, INSIDE.start - DRIFT : INSIDE.start + DRIFT + 1].max(axis=1)


def _width(profile):
    low, high = profile[:, :4].mean(axis=1), profile[:, -4:].mean(axis=1)
    contrast = high - low
    flat = np.abs(contrast) < NO_CONTRAST
    share = (profile - low[:, None]) / np.where(flat, 1, contrast)[:, None]
    rise = np.maximum.accumulate(np.clip(share, 0, 1), axis=1)
    return np.where(flat, RINGS * RING, (_reached(rise, 0.9) - _reached(rise, 0.1)) * RING / 2)


def _reached(rise, level):
    """Return the place, in rings, at which each rising row reaches the level."""
    return np.clip((level - rise[:, :-1]) / np.maximum(np.diff(rise), 1e-9), 0, 1).sum(axis=1)
