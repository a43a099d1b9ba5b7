"""Pigment network: a mesh of brown lines round lighter holes."""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from dermfeat.lesion import pixels
from dermfeat.measures.detail import detail, halved, with_disc
from dermfeat.measures.network_holes import chosen, closed_parts, heights, means, mesh_grid, roundish
from dermfeat.measures.texture import bounding_box

EVEN = 0.55  # least height above the line there by the mean height: between dots and globules the rim varies more
NEAR, NEAREST, FARTHEST = 4.5, 0.06, 0.14  # what is near a hole, in its diameters, and within which lengths
CLOSING, RIM, CHAIN = 0.035, 0.005, 0.03  # radii: of lines closed over, of the outer rim, of rows of single holes
BESIDE = 0.07  # width of the window over which the levels are taken that a line's half depth lies between


class Network(NamedTuple):
    """A pigment network. Where there is none the maps are False, the arrays empty and the numbers 0."""

    area: np.ndarray  # (H, W) bool, covered by the network
    lines: np.ndarray  # (H, W) bool, its lines
    holes: np.ndarray  # (H, W) bool, its holes
    share: float  # of the lesion's area that is covered
    diameters: np.ndarray  # (N,) float64, of discs with the holes' areas, in equivalent diameters
    contrasts: np.ndarray  # (N,) float64, L* by which the holes are lighter than the lines round them
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
            Mean over the holes of how much lighter they are than the lines round them, at an exposure that gives the
            skin's median 70.
        ``network_hole_size`` : [0, 0.06] equivalent diameters
            Mean diameter of the holes, as discs with their area.
        ``network_hole_irregularity`` : [0, 2] -
            Standard deviation by mean of these diameters.
        ``network_line_width`` : [0, 1] equivalent diameters
            Mean width of the lines at half their depth, ``2 area / perimeter``: with the nodes where they meet, and
            with the blur of what is barely resolved.
        ``network_color_variation`` : [0, 300] ΔE
            Root mean square distance in CIELAB (CIE 1976) of the pixels of the lines from their mean.

    References
    ----------
    G. Argenziano et al., "Epiluminescence microscopy for the diagnosis of doubtful melanocytic skin lesions", Arch
    Dermatol 134:1563-1570, 1998.
    """
    network = find_network(lesion, **detection) if detection else lesion.once(find_network)
    present = len(network.diameters) > 0 and network.lines.any()
    sizes, contrasts = (values if present else np.ones(1) for values in (network.diameters, network.contrasts))
    colors = pixels(lesion.image, network.lines, cv2.COLOR_RGB2LAB) if present else np.zeros((3, 1))
    measured = {
        "network_share": network.share,
        "network_contrast": contrasts.mean(),
        "network_hole_size": sizes.mean(),
        "network_hole_irregularity": sizes.std() / sizes.mean(),
        "network_line_width": network.line_width,
        "network_color_variation": np.sqrt(colors.var(axis=1).sum()),
    }
    return {name: float(value) if present else 0.0 for name, value in measured.items()}


def find_network(lesion, *, contrast=0.014, over_skin=2.0, neighbors=4, holes=8):
    """Find the pigment network: lighter holes closed by darker lines, many of them side by side.

    Lines are where L* is curved upwards across (larger eigenvalue of the Hessian of blurred L*). A gap where a line
    fades is still curved like that, so meshes stay closed. Holes are the 4-connected parts between lines that are
    1.2 to 6 % of the equivalent diameter wide and neither slim nor ragged. A hole is left in 16 directions; what
    counts is how far it lies above the darkest place on the way, in all but the lightest quarter of the directions. As
    in the graph of Sadeghi et al. (2011) only holes with enough others near them count, and of the areas that they and
    the lines between them cover those of some breadth: beside hair, furrows and scratches holes lie in a row.

    The grid is 256 pixels to the equivalent diameter, lesions being magnified at most three times. Holes less than
    two pixels wide in the image cannot be seen, so small or blurred images have no network. Meshes of blood
    vessels and dense globules whose rims touch may be taken for one; no colour is asked for.

    Parameters
    ----------
    lesion : Lesion
    contrast : float
        Smallest height of a hole above its line in L*, by the hole's L* + 16, which is the same at any exposure.
        0.014 is about 1 L* in a brown lesion; holes of faint but visible networks have twice that.
    over_skin : float
        Smallest height by the deviation of the surrounding skin in the same band of scales (from the median of
        absolute values): twice that deviation leaves noise, JPEG artefacts, pores and furrows below.
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
    grid = mesh_grid(lesion)
    parts = closed_parts(grid)
    mean, least = heights(grid, parts)
    (light,) = means(parts, grid.light)
    clear = least > np.maximum(contrast * (light + 16), over_skin * grid.noise)
    kept = np.flatnonzero(clear & (least > EVEN * mean))
    kept = kept[roundish(chosen(parts, kept), grid.mask.shape[1])]
    kept = kept[_crowded(parts.centres[kept], parts.diameters[kept], grid.unit, neighbors)]
    if len(kept) < max(holes, 1):
        return Network(*[np.zeros(lesion.mask.shape, bool)] * 3, 0, np.zeros(0), np.zeros(0), 0)
    area, box, kept = _fields(grid, chosen(parts, kept), kept, holes)
    return _network(lesion, grid, area, box, chosen(parts, kept), mean[kept])


def _crowded(centres, diameters, unit, neighbors):
    """Return which of the holes have enough others near them."""
    if not len(centres):
        return np.zeros(0, bool)
    reach = unit * np.clip(NEAR * diameters, NEAREST, FARTHEST)
    return cKDTree(centres).query_ball_point(centres, reach, return_length=True) > neighbors


def _fields(grid, parts, kept, holes):
    """Return the area that holes side by side cover with the lines between them, its box, and the holes in it."""
    near, rim, chain = (max(round(radius * grid.unit), 1) for radius in (CLOSING, RIM, CHAIN))
    margin = 2 * near + 1
    cover = _painted(parts, grid.mask.shape)
    box = bounding_box(cover, margin)
    part = cv2.copyMakeBorder(cover[box], margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    part = with_disc(with_disc(part, near, cv2.dilate, cv2.erode), rim, cv2.dilate)
    part = with_disc(part, chain, cv2.erode, cv2.dilate)[margin:-margin, margin:-margin]
    fields = np.zeros(cover.shape, np.int32)
    count, fields[box] = cv2.connectedComponents(part & grid.mask[box])
    field = np.zeros(len(kept), int)
    of_places = fields.ravel().take(parts.places)
    field[parts.number[of_places > 0]] = of_places[of_places > 0]
    large = np.bincount(field, minlength=count) >= holes
    large[0] = False
    return large[fields[box]], box, kept[large[field]]


def _painted(parts, shape):
    plane = np.zeros(shape, np.uint8)
    plane.ravel()[parts.places] = 1
    return plane


def _network(lesion, grid, area, box, parts, contrasts):
    """Return the network on the image's grid, its lines at half their depth."""
    band, holes = grid.band[box], _painted(parts, grid.mask.shape)[box] > 0
    lines = area & grid.dark[box]
    holes_level = _local_mean(band, area & holes, BESIDE * grid.unit)
    for _ in range(2):  # once with all that is curved, once with what is dark
        lines = area & ~holes & (band < (holes_level + _local_mean(band, lines, BESIDE * grid.unit)) / 2)
    kinds = np.zeros(grid.shape, np.uint8)
    kinds[grid.box][box] = area * np.uint8(1) + lines * np.uint8(2) + holes * np.uint8(4)
    kinds = lesion.once(detail).paste(kinds, lesion.mask.shape)
    share = area.sum() / max(grid.mask.sum(), 1)
    width = min(_width(lines, area) / grid.unit, 1)
    return Network(*((kinds & kind) > 0 for kind in (1, 2, 4)), share, parts.diameters, contrasts, width)


def _local_mean(values, area, width):
    """Return the mean of values in an area over a window, from a quarter of the pixels."""
    window = (2 * round(width / 4) + 1,) * 2
    weights = area.astype(np.float32)
    total, weight = (cv2.blur(halved(plane), window) for plane in (values * weights, weights))
    return cv2.resize(total / np.maximum(weight, 1e-6), values.shape[::-1])


def _width(lines, area):
    """Return the mean width of lines, 2 area / perimeter; the perimeter by Crofton's formula in two directions."""
    steps = [
        (lines[1:] ^ lines[:-1]) & area[1:] & area[:-1],
        (lines[:, 1:] ^ lines[:, :-1]) & area[:, 1:] & area[:, :-1],
    ]
    crossings = sum(int(step.sum()) for step in steps)
    return 2 * lines.sum() / max(np.pi / 4 * crossings, 1)
