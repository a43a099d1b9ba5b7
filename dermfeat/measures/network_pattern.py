"""Pigment network: a mesh of brown lines round lighter holes."""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from dermfeat.lesion import pixels
from dermfeat.measures.detail import SIDE, curvatures, detail, disc

MOST_ZOOM = 3  # largest magnification of small lesions; the following lengths are in equivalent diameters
FINE, RIDGE, GROUND = 0.005, 0.008, 0.03  # standard deviations: of noise removal, of lines, of the local mean
BLURRED = 0.6, 0.8  # smallest standard deviations of the first two in pixels of the image
AROUND = 0.06  # standard deviation of the surroundings whose curvature a line must stand out from
CURVED = 0.2  # least curvature of a line, by the root mean square of those surroundings
NEIGHBORHOOD = 0.02  # standard deviation of the surroundings that a hole's lines are looked for in
NARROWEST, WIDEST = 0.012, 0.06  # diameters of holes
RESOLVED = 2  # smallest diameter of a hole in pixels of the image
SLIM, RAGGED = 0.2, 0.5  # least minor by major axis; least area by that of the ellipse with the same moments
CLOSING, RIM = 0.03, 0.005  # radii: of what closes the lines between holes, of what is added round them
NEAR, NEAREST, FARTHEST = 4.5, 0.06, 0.14  # what is near a hole, in its diameters, and within which lengths


class Network(NamedTuple):
    """A pigment network. Where there is none the maps are False, the arrays empty and the numbers 0."""

    area: np.ndarray  # (H, W) bool, covered by the network
    lines: np.ndarray  # (H, W) bool, its lines
    holes: np.ndarray  # (H, W) bool, its holes
    share: float  # of the lesion's area that is covered
    diameters: np.ndarray  # (N,) float64, of discs with the holes' areas, in equivalent diameters
    contrasts: np.ndarray  # (N,) float64, L* by which the holes are lighter than the lines near them
    line_width: float  # in equivalent diameters


def pigment_network(lesion, **detection):
    """Measure how much of the lesion a pigment network covers, and how regular it is.

    A typical network has thin lines and holes of much the same size; an atypical one irregular meshes, thick lines and
    several shades (Argenziano et al. 1998). Where no network is found, all values are 0.

    Parameters
    ----------
    lesion : Lesion
    **detection : float
        See `find_network`.

    Returns
    -------
    dict of str to float
        ``network_share`` : [0, 1] share
            Area covered by network, of the lesion's.
        ``network_contrast`` : [0, 150] L*
            Mean over the holes of how much lighter they are than the lines near them.
        ``network_hole_size`` : [0, 0.06] equivalent diameters
            Mean diameter of the holes, as discs with their area.
        ``network_hole_irregularity`` : [0, 2] -
            Standard deviation by mean of these diameters.
        ``network_line_width`` : [0, 1] equivalent diameters
            Mean width of the lines at half their depth: ``2 area / perimeter``.
        ``network_color_variation`` : [0, 300] ΔE
            Root mean square distance in CIELAB (CIE 1976) of the pixels of the lines from their mean.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    network = find_network(lesion, **detection) if detection else lesion.once(find_network)
    present = len(network.diameters) > 0
    sizes, colors = network.diameters, pixels(lesion.image, network.lines, cv2.COLOR_RGB2LAB) if present else None
    measured = {
        "network_share": network.share,
        "network_contrast": network.contrasts.mean() if present else 0,
        "network_hole_size": sizes.mean() if present else 0,
        "network_hole_irregularity": sizes.std() / sizes.mean() if present else 0,
        "network_line_width": network.line_width,
        "network_color_variation": np.sqrt(colors.var(axis=1).sum()) if present and colors.size else 0,
    }
    return {name: float(value) for name, value in measured.items()}


def find_network(lesion, *, contrast=0.022, over_skin=2.5, neighbors=4, holes=8):
    """Find the pigment network: lighter holes closed by darker lines, many of them side by side.

    Lines are where L* is curved upwards across (larger eigenvalue of the Hessian of blurred L*). A gap where a line
    fades or meets another is curved like that too, so meshes stay closed. Holes are the 4-connected parts between
    lines that are 1.2 to 6 % of the equivalent diameter wide, neither slim nor ragged, and lighter than the lines near
    them. As in the graph of Sadeghi et al. (2011) only holes with enough others near them count. Between dots and
    globules the ground is not closed; beside hair and skin lines, holes lie in a row. Lesions so small in
    the image that holes are less than two pixels wide have no network.

    Parameters
    ----------
    lesion : Lesion
    contrast : float
        Smallest difference in L* between a hole and its lines, by the hole's L* + 16, which is the same at any
        exposure. 0.03 is 2 L* in a brown lesion, about the least that the eye takes for a line.
    over_skin : float
        Smallest such difference by the deviation of the surrounding skin in the same band of scales (from the median of
        absolute values): noise, JPEG artefacts, pores and furrows stay below.
    neighbors : int
        Other holes there must be near a hole: within 4.5 of its diameters, where a regular mesh has about 18.
    holes : int
        Holes that make a network; fewer side by side come about by chance.

    Returns
    -------
    Network

    References
    ----------
    M. Sadeghi et al., "A novel method for detection of pigment network in dermoscopic images using graphs",
    Computerized Medical Imaging and Graphics 35:137-143, 2011.
    """
    grid = _grid(lesion)
    parts = _closed_parts(grid.dark, grid.unit, max(NARROWEST, RESOLVED / lesion.equivalent_diameter))
    height = _height(grid, parts)
    rows, columns = np.rint(parts.centres).astype(int).T
    skin = np.abs(grid.band[grid.skin])
    deviation = 1.4826 * np.median(skin) if skin.size else 0
    clear = height > np.maximum(contrast * (grid.light[rows, columns] + 16), over_skin * deviation)
    kept = np.flatnonzero(grid.mask[rows, columns] & clear)
    kept = kept[_crowded(parts.centres[kept], parts.diameters[kept] * grid.unit, grid.unit, neighbors)]
    area, kept = _fields(grid, parts, kept, holes)
    return _network(lesion, grid, area, _chosen(parts, kept), height[kept])


class _Grid(NamedTuple):
    """What holes are looked for on: the lesion some 256 pixels wide."""

    light: np.ndarray  # (h, w) float32, L* without noise
    band: np.ndarray  # (h, w) float32, L* above the local mean
    dark: np.ndarray  # (h, w) bool, where dark lines run
    mask: np.ndarray  # (h, w) bool, the lesion within the field of view
    skin: np.ndarray  # (h, w) bool
    unit: float  # equivalent diameter in pixels


class _Parts(NamedTuple):
    labels: np.ndarray  # (h, w) int32, 1 and more in the parts, 0 elsewhere
    centres: np.ndarray  # (N, 2) float64, rows and columns
    diameters: np.ndarray  # (N,) float64, equivalent diameters


def _grid(lesion):
    view = lesion.once(detail)
    zoom = float(np.clip(SIDE / view.diameter, 1, MOST_ZOOM))
    size = np.rint(np.array(view.mask.shape[::-1]) * zoom).astype(int).tolist()
    planes = (view.lightness, lesion.shape_mask[view.box] & lesion.field[view.box], lesion.skin[view.box])
    light, mask, skin = (cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for plane in planes)
    unit, pixel = view.diameter * zoom, zoom / view.pace.mean()
    fine, ridge = (max(part * unit, least * pixel) for part, least in zip((FINE, RIDGE), BLURRED, strict=True))
    _, yy, xx, xy = curvatures(light, ridge)
    across = (yy + xx) / 2 + cv2.magnitude((yy - xx) / 2, xy)
    dark = across > CURVED * np.sqrt(cv2.GaussianBlur(across**2, (0, 0), AROUND * unit))
    smooth = cv2.GaussianBlur(light, (0, 0), fine)
    band = smooth - cv2.GaussianBlur(light, (0, 0), GROUND * unit)
    return _Grid(smooth, band, dark, mask > 0.5, skin > 0.5, unit)


def _closed_parts(dark, unit, narrowest):
    """Return the parts between lines that are as wide as holes and roundish."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats((~dark).astype(np.uint8), connectivity=4)
    low, high = stats[:, :2], stats[:, :2] + stats[:, 2:4]
    diameters = np.sqrt(4 * stats[:, cv2.CC_STAT_AREA] / np.pi) / unit
    fits = (diameters >= narrowest) & (diameters <= WIDEST)
    fits &= (low > 0).all(axis=1) & (high < dark.shape[::-1]).all(axis=1)  # not cut by the frame
    fits[0] = False
    parts = _chosen(_Parts(labels, centres[1:, ::-1], diameters[1:]), np.flatnonzero(fits[1:]))
    return _chosen(parts, np.flatnonzero(_roundish(parts)))


def _chosen(parts, numbers):
    """Return some of the parts, numbered anew."""
    new = np.zeros(len(parts.diameters) + 1, np.int32)
    new[numbers + 1] = np.arange(1, len(numbers) + 1)
    return _Parts(new[parts.labels], parts.centres[numbers], parts.diameters[numbers])


def _means(parts, values_at):
    """Return the mean over the pixels of each part of what a function gives for their rows, columns and parts."""
    places = np.flatnonzero(parts.labels)
    number = parts.labels.ravel()[places] - 1
    count = len(parts.diameters)
    size = np.bincount(number, minlength=count)
    values = values_at(*np.divmod(places, parts.labels.shape[1]), number)
    return [np.bincount(number, value, minlength=count) / size for value in values]


def _roundish(parts):
    def moments(rows, columns, number):
        y, x = rows - parts.centres[number, 0], columns - parts.centres[number, 1]
        return y * y, x * x, x * y

    yy, xx, xy = _means(parts, moments)
    yy, xx = yy + 1 / 12, xx + 1 / 12  # a pixel is a square
    root = np.sqrt(np.maximum(yy * xx - xy**2, 1e-9))
    major = (yy + xx) / 2 + np.hypot((yy - xx) / 2, xy)
    area = np.bincount(parts.labels.ravel(), minlength=len(root) + 1)[1:]
    return (root / major > SLIM) & (area / (4 * np.pi * root) > RAGGED)


def _height(grid, parts):
    """Return how far each part lies above the lines near it."""
    weights = grid.dark.astype(np.float32)
    lines = _near(grid.band, weights, grid.unit)

    def above(rows, columns, number):
        return (grid.band[rows, columns] - lines[rows, columns],)

    return _means(parts, above)[0]


def _near(values, weights, unit):
    """Return the weighted mean of values in each pixel's neighbourhood."""
    sigma = NEIGHBORHOOD * unit
    total = cv2.GaussianBlur(values * weights, (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weights, (0, 0), sigma), 1e-6)


def _crowded(centres, widths, unit, neighbors):
    """Return which of the holes have enough others near them."""
    if not len(centres):
        return np.zeros(0, bool)
    reach = np.clip(NEAR * widths, NEAREST * unit, FARTHEST * unit)
    counts = cKDTree(centres).query_ball_point(centres, reach, return_length=True)
    return counts > neighbors


def _fields(grid, parts, kept, holes):
    """Return the area covered by holes side by side with the lines between them, and the holes in it."""
    radius = max(round(CLOSING * grid.unit), 1)
    cover = np.isin(parts.labels, kept + 1).astype(np.uint8)
    cover = cv2.copyMakeBorder(cover, *[radius] * 4, cv2.BORDER_CONSTANT)
    cover = cv2.morphologyEx(cover, cv2.MORPH_CLOSE, disc(radius))
    cover = cv2.dilate(cover, disc(max(round(RIM * grid.unit), 1)))[radius:-radius, radius:-radius]
    count, fields = cv2.connectedComponents(cover & grid.mask)
    rows, columns = np.rint(parts.centres[kept]).astype(int).T
    field = fields[rows, columns]
    large = np.bincount(field, minlength=count) >= holes
    large[0] = False
    return large[fields], kept[large[field]]


def _network(lesion, grid, area, parts, contrasts):
    """Return the network with its lines at half their depth."""
    holes = parts.labels > 0
    if not len(contrasts):
        lines, width = np.zeros_like(area), 0
    else:
        levels = (_near(grid.band, (area & part).astype(np.float32), grid.unit) for part in (holes, grid.dark))
        lines = area & (grid.band < sum(levels) / 2)
        width = _width(lines, area) / grid.unit
    maps = (lesion.once(detail).paste(part.astype(np.uint8), lesion.mask.shape) > 0 for part in (area, lines, holes))
    return Network(*maps, area.sum() / max(grid.mask.sum(), 1), parts.diameters, contrasts, width)


def _width(lines, area):
    """Return the mean width of lines, 2 area / perimeter, with Crofton's formula for the perimeter."""
    crossings = sum(
        (np.diff(lines, axis=axis) & np.delete(area, 0, axis) & np.delete(area, -1, axis)).sum() for axis in (0, 1)
    )
    return 2 * lines.sum() / max(np.pi / 4 * crossings, 1)
