"""What the holes of a pigment network are looked for among: closed parts between dark lines."""

from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.measures.detail import SIDE, blurred, curvatures, detail, median
from dermfeat.measures.texture import bounding_box

MOST_ZOOM = 3  # largest magnification of small lesions; the following lengths are in equivalent diameters
FINE, RIDGE, GROUND = 0.005, 0.008, 0.03  # standard deviations: of noise removal, of lines, of the local mean
BLURRED = 0.6, 0.8  # smallest standard deviations of the first two in pixels of the image
AROUND, CURVED = 0.2, 0.2  # width of the window over which a line's curvature is at least that of its root mean square
NARROWEST, WIDEST = 0.012, 0.06  # diameters of holes
OUTSIDE = 0.1  # distance from the lesion beyond which there is no hole that lies in it for the most part
RESOLVED = 2  # smallest diameter of a hole in pixels of the image
SLIM, RAGGED = 0.2, 0.5  # least minor by major axis; least area by that of the ellipse with the same moments
RAYS = 16  # directions in which a hole is left
RAY = np.arange(0.6, 2.7, 0.2, dtype=np.float32)  # places on the way, in its radii


class Grid(NamedTuple):
    """What holes are looked for on."""

    light: np.ndarray  # (h, w) float32, L* without noise
    band: np.ndarray  # (h, w) float32, L* above the local mean
    dark: np.ndarray  # (h, w) bool, where lines run, in the lesion or near it
    mask: np.ndarray  # (h, w) bool, the lesion within the field of view
    noise: float  # standard deviation of the band in the surrounding skin
    unit: float  # equivalent diameter in pixels
    pixel: float  # width of a pixel of the image
    box: tuple  # slices of the whole view, magnified, that the grid covers
    shape: tuple  # of that view


class Parts(NamedTuple):
    """Parts of the grid between lines."""

    places: np.ndarray  # (M,) intp, pixels of all parts as indices of the flattened grid
    number: np.ndarray  # (M,) intp, the part that each is in, from 0
    centres: np.ndarray  # (N, 2) float64, rows and columns
    diameters: np.ndarray  # (N,) float64, equivalent diameters


def mesh_grid(lesion):
    view = lesion.once(detail)
    zoom = float(np.clip(SIDE / view.diameter, 1, MOST_ZOOM))
    size = np.rint(np.array(view.mask.shape[::-1]) * zoom).astype(int).tolist()
    light = view.lightness if zoom == 1 else cv2.resize(view.lightness, size)
    mask, near, skin = (
        part if zoom == 1 else cv2.resize(part * np.uint8(254), size) > 127
        for part in (view.mask & view.field, view.depth > -OUTSIDE * view.diameter, view.around)
    )
    unit, pixel = view.diameter * zoom, zoom / view.pace.mean()
    fine, ridge = (max(part * unit, least * pixel) for part, least in zip((FINE, RIDGE), BLURRED, strict=True))
    smooth = cv2.GaussianBlur(light, (0, 0), fine)
    band = smooth - blurred(light, max(GROUND * unit, fine))
    box = bounding_box(near)
    dark = _lines(dark_ridges(light[box], ridge), unit) & near[box]
    ground = np.abs(band[skin])
    noise = 1.4826 * median(ground) if ground.size else 0
    smooth, band, mask = (np.ascontiguousarray(plane[box]) for plane in (smooth, band, mask))
    return Grid(smooth, band, dark, mask, noise, unit, pixel, box, light.shape)


def _lines(across, unit):
    """Return where the curvature upwards is a share, at least, of the root mean square of that round the place."""
    power, window = across * across, 2 * round(AROUND * unit / 2) + 1
    return (across > 0) & (power > CURVED**2 * cv2.blur(power, (window, window)))


def dark_ridges(plane, scale):
    """Return the larger eigenvalue of the Hessian of a plane blurred by `scale`, times the scale squared."""
    mean, *apart = curvatures(cv2.GaussianBlur(plane, (0, 0), scale), scale)
    return mean + cv2.magnitude(*apart)


def closed_parts(grid):
    """Return the parts between lines that are as wide as holes and for the most part in the lesion."""
    _, labels, stats, centres = cv2.connectedComponentsWithStats((~grid.dark).view(np.uint8), connectivity=4)
    low, high = stats[:, :2], stats[:, :2] + stats[:, 2:4]
    uncut = (low > 0).all(axis=1) & (high < grid.dark.shape[::-1]).all(axis=1)
    diameters = np.sqrt(4 * stats[:, cv2.CC_STAT_AREA] / np.pi) / grid.unit
    narrowest = max(NARROWEST, RESOLVED * grid.pixel / grid.unit)
    fits = uncut & (diameters >= narrowest) & (diameters <= WIDEST)
    fits[0] = False
    places = np.flatnonzero(fits.take(labels))
    number = (np.cumsum(fits) - 1).take(labels.ravel().take(places))
    parts = Parts(places, number, centres[fits, ::-1], diameters[fits])
    (inside,) = means(parts, grid.mask)
    return chosen(parts, np.flatnonzero(inside > 0.5))


def chosen(parts, numbers):
    """Return some of the parts, numbered anew."""
    new = np.full(len(parts.diameters), -1)
    new[numbers] = np.arange(len(numbers))
    number = new[parts.number]
    on = number >= 0
    return Parts(parts.places[on], number[on], parts.centres[numbers], parts.diameters[numbers])


def means(parts, *planes):
    """Return the mean of planes over the pixels of each part."""
    count = len(parts.diameters)
    size = np.bincount(parts.number, minlength=count)
    return [np.bincount(parts.number, plane.ravel().take(parts.places), minlength=count) / size for plane in planes]


def roundish(parts, width):
    """Return which parts are neither slim nor ragged, from their second moments."""
    number, rows = parts.number, parts.places // width
    columns = parts.places - rows * width
    area = np.bincount(number, minlength=len(parts.diameters))
    y, x = rows - parts.centres[number, 0], columns - parts.centres[number, 1]
    yy, xx, xy = (np.bincount(number, product, minlength=len(area)) / area for product in (y * y, x * x, x * y))
    yy, xx = yy + 1 / 12, xx + 1 / 12  # a pixel is a square
    axes = np.sqrt(yy * xx - xy**2)
    major = (yy + xx) / 2 + np.hypot((yy - xx) / 2, xy)
    return (axes / major > SLIM) & (area / (4 * np.pi * axes) > RAGGED)


def heights(grid, parts):
    """Return how far each hole lies above the lines round it: in the mean, and above the third quartile of them.

    So a hole may have a gap.
    """
    (level,) = means(parts, grid.band)
    if not len(level):
        return level, level
    angle = 2 * np.pi * (np.arange(RAYS, dtype=np.float32)[:, None] + 0.5) / RAYS
    reach = np.float32(0.5 * grid.unit) * RAY[:, None, None] * np.float32(parts.diameters)
    y, x = (
        (np.float32(centre) + reach * way).reshape(-1, len(level))
        for centre, way in zip(parts.centres.T, (np.sin(angle), np.cos(angle)), strict=True)
    )
    along = cv2.remap(grid.band, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    line = along.reshape(len(RAY), RAYS, -1).min(axis=0)
    lighter = np.sort(line, axis=0)[-RAYS // 4 - 1 :]
    return level - line.mean(axis=0), level - (3 * lighter[0] + lighter[1]) / 4  # the third quartile
