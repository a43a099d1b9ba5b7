"""Streaks: dark lines that run radially at the lesion's rim."""

import cv2
import numpy as np
from scipy import ndimage

from dermfeat.measures.detail import blurred, coarse, curvatures, detail, gaussian, with_disc

RING = 0.15  # equivalent diameters
SCALES = (0.008, 0.013)  # equivalent diameters; a line is about two to three of these wide
RESOLVED = 1.2  # pixels: the smallest scale that noise and JPEG artefacts leave
BAR = 0.4  # curvature, times the scale squared, by the contrast of a dark bar at its own scale
STRAIGHT = 0.035  # half-length of the piece of the normal that is averaged over, in equivalent diameters
STEPS = np.float32([-1, -0.5, 0.5, 1])  # points on it besides its middle, in half-lengths
STRONGEST = 10.0  # L* that a point counts at most, so that a dark node of a network cannot stand for a line
APART = 85  # pixels of the diameter by pixels between those that are looked at first: lines are wider
LIKELY = 0.25  # share of `contrast` from which on their neighbours are looked at, too
ROW = 256  # of them are looked at side by side, as a column may not be longer than 32767
SMOOTHING = 0.04  # of the distance to the edge, in equivalent diameters: normals follow the outline's course
FAINTEST = 0.5  # share of `contrast` down to which a line is followed
BEYOND = 0.06  # equivalent diameters outside the lesion at which what goes on is a hair
SLENDER = 2.0  # least length squared by area
LEAST_LENGTH = 6  # pixels
BESIDE = 0.025  # equivalent diameters from a line's middle to what is beside it
HAIRY = 0.2  # share of a line's pixels on hair above which it is hair
WINDOWS = 72  # steps of 5 degrees; nine of them are one sector of 45
SECTOR = 9
SURROUNDINGS = 0.02  # equivalent diameters round a streak that its contrast is taken to


def streaks(lesion, *, ring=RING, **detection):
    """Measure how many streaks there are, how much of the rim they take and how evenly they lie round it.

    Streaks, radial streaming and pseudopods are found by `streak_lines`. A regular starburst has them all round the
    rim, irregular streaks (seven-point checklist) lie in parts of it. Networks drawn out towards the edge count
    as well.

    Parameters
    ----------
    lesion : Lesion
    ring : float
        Width of the ring along the edge in which streaks are looked for, in equivalent diameters.
    **detection : float
        See `streak_lines`.

    Returns
    -------
    dict of str to float
        ``streaks_count`` : [0, inf] -
            Streaks.
        ``streaks_share`` : [0, 1] share
            Their share of the ring.
        ``streaks_sectors`` : [0, 1] share
            Share of the sectors of 45 degrees round the centroid in which a streak's centre lies, averaged over 72
            placements of the sectors.
        ``streaks_irregularity`` : [0, 0.875] -
            How unevenly they lie round the centroid: half the sum of absolute differences between the sectors'
            shares of all streaks, by area, and equal shares. About 0 for a starburst, 0.875 for one streak, 0 for none.
        ``streaks_contrast`` : [-100, 100] L*
            Mean L* within 2 % of the equivalent diameter round the streaks less that on them; 0 without any.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    view = lesion.once(detail)
    labels = streak_lines(lesion, ring=ring, **detection)
    names = ("count", "share", "sectors", "irregularity", "contrast")
    values = np.zeros(5)
    if labels.any():
        rim = view.mask & (view.depth < ring * view.diameter)
        sectors = _sectors(labels, view.from_image(lesion.centroid))
        values = (
            labels.max(),
            np.count_nonzero(rim & (labels > 0)) / max(np.count_nonzero(rim), 1),
            (sectors > 0).mean(),
            np.abs(sectors / sectors.sum() - 1 / WINDOWS).sum() / 2,
            _contrast(view.lightness, labels > 0, view.diameter) / view.exposure,
        )
    return {f"streaks_{name}": float(value) for name, value in zip(names, values, strict=True)}


def find_streaks(lesion, **detection):
    """Return the (H, W) int32 map of a lesion's streaks: its `streak_lines`."""
    return lesion.once(detail).paste(streak_lines(lesion, **detection), lesion.mask.shape)


def streak_lines(lesion, *, ring=RING, length=0.06, contrast=4.0):
    """Return where dark lines run across the lesion's rim.

    Across the rim means along the normal of the smoothed outline. Where L*, blurred at two scales, curves along the
    outline and not along the normal, a dark line runs along the normal; the difference of these two
    curvatures is averaged along a piece of the normal as long as a streak. So the cords of a network, which turn after
    a fraction of that, cancel out, as do lines more than about 20 degrees off the normal. Lines on hair, lines that
    go on outside the lesion, as hair does, lines that are darker than one of their sides only, and lines lighter than
    halfway from the lesion's median L* to the skin's are no streaks.

    Parameters
    ----------
    lesion : Lesion
    ring : float
        Width of the ring along the edge that streaks lie in, in equivalent diameters. 15 % is the outer quarter to
        third of the radius, with what masks are drawn too wide.
    length : float
        Least extent of a streak across the rim, in equivalent diameters: twice the cord between two nodes of a
        network.
    contrast : float
        Least contrast of a line to what is beside it, averaged along it, in L* at an exposure that gives the skin a
        median of 70; it is followed down to half of that.

    Returns
    -------
    (h, w) int32 ndarray
        On the grid of `detail`: 0 where there is none, else the number of the streak from 1.
    """
    view = lesion.once(detail)
    normals = [cv2.resize(part, view.mask.shape[::-1]) for part in _normals(lesion.once(coarse))]
    near = (view.depth < ring * view.diameter) & (view.depth > -2 * BEYOND * view.diameter)
    strength = _along_normals(_radial_lines(view, normals), normals, view.diameter, near, LIKELY * contrast)
    lines = strength > FAINTEST * contrast
    count, labels = cv2.connectedComponents(lines.view(np.uint8), connectivity=8)
    place = np.flatnonzero(lines)
    shaped = _have_shape_of_streaks(view, place, labels.ravel()[place], count, length)
    place = place[shaped[labels.ravel()[place]]]
    line = labels.ravel()[place]
    dark = _are_dark_lines(view, place, line, count, normals, strength, contrast)
    found = np.zeros(lines.shape, np.int32)
    found.ravel()[place] = np.where(dark, np.cumsum(dark), 0)[line]
    return found


def _normals(view):
    """Return x and y of the unit vectors across the outline."""
    depth = blurred(view.depth, max(SMOOTHING * view.diameter, 1))
    x, y = (cv2.Sobel(depth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    size = np.maximum(cv2.magnitude(x, y), 1e-6)
    return x / size, y / size


def _radial_lines(view, normals):
    """Return the contrast of dark lines along the normals of the outline."""
    x, y = normals
    turned, slanted = x * x - y * y, -2 * x * y

    def at_scale(scale):
        mean, apart, xy = curvatures(gaussian(view.lightness, scale), scale)
        apart *= turned
        xy *= slanted
        apart += xy
        return cv2.min(mean, apart, dst=mean)  # no more than without a curvature upwards along the normal

    strength = cv2.max(*(at_scale(max(scale * view.diameter, RESOLVED)) for scale in SCALES))
    strength *= 2 / BAR
    return cv2.min(strength, STRONGEST, dst=strength)


def _along_normals(strength, normals, diameter, near, likely):
    """Return the mean along a piece of the normals, near the edge, where it may be high; elsewhere 0.

    Where it may be is seen at one pixel of some.
    """
    apart, (height, width) = max(int(diameter / APART), 1), strength.shape
    found = np.zeros_like(strength)
    if not near.any():
        return found

    def mean(place):
        at = np.resize(place, (-(-place.size // ROW), ROW))
        rows = at // width  # `np.divmod` is slow
        rows, columns = rows.astype(np.float32), (at - rows * width).astype(np.float32)
        total, x, y = (plane.ravel().take(at) for plane in (strength, *normals))
        for t in np.float32(STRAIGHT * diameter) * STEPS:
            points = columns + t * x, rows + t * y
            total += cv2.remap(strength, *points, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return total.ravel()[: place.size] / (len(STEPS) + 1)

    if apart > 1:
        around = cv2.dilate(near.view(np.uint8), np.ones((4 * apart - 1,) * 2))[::apart, ::apart]
        rows, columns = np.nonzero(around)
        high = np.zeros(around.shape, np.uint8)
        high[rows, columns] = mean(apart * (rows * width + columns)) > likely
        high = cv2.resize(cv2.dilate(high, np.ones((3, 3))), None, fx=apart, fy=apart, interpolation=cv2.INTER_NEAREST)
        near = near & high.view(bool)[:height, :width]
    place = np.flatnonzero(near)
    if place.size:
        found.ravel()[place] = mean(place)
    return found


def _have_shape_of_streaks(view, place, line, count, length):
    """Return whether each line is long and slender, reaches into the lesion and ends near its edge."""
    depth = view.depth.ravel()[place]
    deepest, shallowest = np.full(count, -np.inf, np.float32), np.full(count, np.inf, np.float32)
    np.maximum.at(deepest, line, depth)
    np.minimum.at(shallowest, line, depth)
    extent = deepest - shallowest + 1
    long = (extent >= max(length * view.diameter, LEAST_LENGTH)) & (deepest > length / 2 * view.diameter)
    slender = extent**2 > SLENDER * np.bincount(line, minlength=count)
    return long & slender & (shallowest > -BEYOND * view.diameter)


def _are_dark_lines(view, place, line, count, normals, strength, contrast):
    """Return whether each line is pigment and no hair, strong enough somewhere and darker than both its sides."""
    rows, columns = np.divmod(place, view.mask.shape[1])
    aside = max(BESIDE * view.diameter, 2 * RESOLVED)
    x, y = (aside * part[rows, columns] for part in normals)
    sides = (
        ndimage.map_coordinates(view.lightness, (rows + t * x, columns - t * y), order=1, mode="nearest")
        for t in (1, -1)
    )
    size = np.maximum(np.bincount(line, minlength=count), 1)
    on = view.lightness[rows, columns], view.hair[rows, columns], *sides
    lightness, hair, *beside = (np.bincount(line, values, minlength=count) / size for values in on)
    strongest = np.zeros(count)
    np.maximum.at(strongest, line, strength[rows, columns])
    dark = (lightness < view.halfway) & (np.minimum(*beside) - lightness > FAINTEST * contrast)
    return dark & (hair < HAIRY) & (strongest > contrast)


def _sectors(labels, centre):
    """Return the area of the streaks whose centres lie in each of 72 windows of 45 degrees."""
    place = np.flatnonzero(labels > 0)
    streak = labels.ravel()[place]
    area = np.bincount(streak)[1:]
    y, x = (np.bincount(streak, part)[1:] / area for part in np.divmod(place, labels.shape[1]))
    angle = np.degrees(np.arctan2(y - centre[0], x - centre[1]))
    window = (angle // (360 / WINDOWS)).astype(int) % WINDOWS
    area = np.bincount(window, area, minlength=WINDOWS)
    return sum(np.roll(area, step) for step in range(SECTOR))


def _contrast(plane, streaks, diameter):
    near = with_disc(streaks.view(np.uint8), max(round(SURROUNDINGS * diameter), 1), cv2.dilate)
    beside = near.view(bool) & ~streaks
    return plane[beside].mean() - plane[streaks].mean()
