"""The parts of a drawn lesion: outline, colours, structures."""

from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.measures.color_clinical import DERMOSCOPIC_COLORS as COLORS

SHAPES = ("ellipse", "rectangle", "diamond", "notched_ellipse")
MOST = {"dots": 300, "globules": 80, "streaks": 60}
ANGLES = 2048  # samples of the outline's radius
COARSE = 64  # pixels of the longer side of the grid on which smooth fields are computed
LOBES, WOBBLE = 0.5, 0.4  # largest relative change of the squared radius: by asymmetry, by irregularity
NOTCH_WIDTH, NOTCH_FLOOR = np.pi / 6, 0.35  # half-width in radians and inner radius of the notch
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
DARK = np.array([52, 26, 14], np.float32) / 255  # of dots, globules, streaks and network


class Place(NamedTuple):
    """Where a lesion lies in the frame."""

    size: tuple  # of the frame: rows, columns
    axes: tuple
    angle: float
    centre: tuple
    radius: np.ndarray  # of the outline in units of the half-axes, at ANGLES angles


def unit_vectors(angle):
    return np.array([np.cos(angle), np.sin(angle)])


def smoothstep(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


# Outline


def unit_radius(shape, angle):
    """Return the radius of a shape with half-axes 1 at each angle."""
    x, y = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    if shape == "rectangle":
        return 1 / np.maximum(x, y)
    if shape == "diamond":
        return 1 / (x + y)
    notch = (y < np.sin(NOTCH_WIDTH)) & (np.cos(angle) > 0)
    return np.where(notch & (shape == "notched_ellipse"), NOTCH_FLOOR, 1.0)


def outline_radius(shape, asymmetry, irregularity, rng):
    """Return the outline's radius at ANGLES angles, in units of the half-axes.

    The squared radius gets a wave of order 3, which mirrors about neither axis but leaves the area, centroid
    and principal axes of an ellipse where they are, and waves of even order 4 to 40, which mirror about both
    axes until asymmetry shifts their phases.
    """
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    quadrant = np.pi / 4 + np.pi / 2 * rng.integers(4)
    order = np.arange(4, 41, 2)[:, None]
    height = rng.standard_normal(order.shape) / order**0.8
    phase = asymmetry * rng.uniform(-np.pi / 2, np.pi / 2, order.shape)
    waves = (height * np.cos(order * angle - phase)).sum(axis=0)
    waves *= WOBBLE * irregularity / np.abs(waves).max()
    lobes = LOBES * asymmetry * np.cos(3 * angle - quadrant)
    return unit_radius(shape, angle) * np.sqrt(1 + lobes + waves)


def outline_truth(place):
    """Return what is known of the outline before it becomes pixels; folding is about the nominal axes."""
    radius = place.radius
    unit = unit_vectors(2 * np.pi * np.arange(ANGLES) / ANGLES)
    square = (radius**2).mean()
    area = float(np.pi * np.prod(place.axes) * square)
    points = to_pixels(radius * unit, place)
    x, y = to_pixels(2 / 3 * (radius**3 * unit).mean(axis=1) / square, place)
    folded = np.roll(radius[::-1], 1)  # at minus the angle
    swapped = np.roll(folded, ANGLES // 2)  # at pi minus the angle
    return {
        "area": area,
        "equivalent_diameter": float(np.sqrt(4 * area / np.pi)),
        "perimeter": float(np.hypot(*np.diff(points, axis=1, append=points[:, :1])).sum()),
        "centroid": (float(y), float(x)),
        "shape_asymmetry_major": float(np.abs(radius**2 - folded**2).mean() / square),
        "shape_asymmetry_minor": float(np.abs(radius**2 - swapped**2).mean() / square),
    }


def to_pixels(points, place):
    """Return x, y in pixels of points (2, ...) in units of the half-axes."""
    x, y = place.axes[0] * points[0], place.axes[1] * points[1]
    cosine, sine = unit_vectors(np.radians(place.angle))
    return np.array([place.centre[1] + x * cosine - y * sine, place.centre[0] + x * sine + y * cosine])


def lesion_frame(place, grid):
    """Return u, v in units of the half-axes for a grid (rows, columns) spread over the frame."""
    rows, columns = (
        (np.arange(count) + 0.5) * side / count - 0.5 - middle
        for count, side, middle in zip(grid, place.size, place.centre, strict=True)
    )
    columns, rows = columns.astype(np.float32), rows[:, None].astype(np.float32)
    a, b = np.array(place.axes, np.float32)
    cosine, sine = unit_vectors(np.radians(place.angle)).astype(np.float32)
    return cosine / a * columns + sine / a * rows, cosine / b * rows - sine / b * columns


def cropped(place, margin):
    """Return the slices of the frame that hold the outline and a margin in pixels, and the place in that crop."""
    unit = unit_vectors(2 * np.pi * np.arange(ANGLES) / ANGLES)
    points = to_pixels(place.radius * unit, place)[::-1]
    low = np.floor(points.min(axis=1) - margin).astype(int)
    high = np.ceil(points.max(axis=1) + margin).astype(int) + 1
    low, high = (np.clip(end, 0, place.size) for end in (low, high))
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return box, place._replace(size=tuple((high - low).tolist()), centre=tuple(np.array(place.centre) - low))


def field_maker(frame, box):
    """Return a function that draws a smooth random field over the lesion's crop.

    The field belongs to the lesion's own axes and is computed on a coarse grid over the whole frame, so that
    it depends neither on the crop nor on the resolution.
    """
    u, v = lesion_frame(frame, [max(round(side * COARSE / max(frame.size)), 16) for side in frame.size])

    def make(rng, asymmetry=1.0, count=8, pull=0.0):
        field = lesion_field(u, v, asymmetry, rng, count) - pull * (u**2 + v**2)
        return cv2.resize(field, frame.size[::-1], interpolation=cv2.INTER_LINEAR)[box]

    return make


def lesion_mask(place):
    """Return where the pixels' centres lie within the outline."""
    u, v = lesion_frame(place, place.size)
    at = np.rint(np.arctan2(v, u) * np.float32(ANGLES / (2 * np.pi))).astype(np.int16)
    return np.hypot(u, v) <= place.radius.astype(np.float32)[at]


def edge_opacity(mask, softness, ripple):
    """Return a logistic curve of the distance to the edge, one half on the edge but for the ripple."""
    within, beyond = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) for part in (mask, ~mask)
    )
    distance = within - beyond + np.where(mask, np.float32(-0.5), np.float32(0.5))
    return 1 / (1 + np.exp(np.clip(-distance / max(softness, 0.25) - ripple, -30, 30)))


# Colours


def lesion_field(u, v, asymmetry, rng, count):
    """Return a smooth random field of about unit spread that mirrors about both axes at asymmetry 0."""
    wave = np.pi * np.geomspace(0.5, 5, count)[:, None, None].astype(np.float32)
    turn, phase = rng.uniform(0, 2 * np.pi, (2, count, 1, 1)).astype(np.float32)
    height = rng.standard_normal((count, 1, 1)).astype(np.float32) / wave
    height /= np.sqrt((height**2).sum())
    a, b = wave * np.cos(turn) * u, wave * np.sin(turn) * v
    mirrored = (height * np.cos(a) * np.cos(b)).sum(axis=0)
    free = (height * np.cos(a + b + phase)).sum(axis=0)
    return 1.4 * ((1 - asymmetry) ** 0.5 * mirrored + asymmetry**0.5 * free)


def highest(field, candidates, count, softness=0.3):
    """Return the `count` candidate pixels where the field is highest, and how fully each pixel is so high."""
    values = field[candidates]
    if not 0 < count < values.size:
        return candidates & (count > 0), np.float32(count > 0)
    level = np.partition(values, -count)[-count]
    return candidates & (field >= level), smoothstep((field - level) / max(softness, 1e-3) + 0.5)


def paint_colors(p, mask, field_of, rng):
    """Return the lesion's colours (3, H, W) in [0, 1] and the map of the colour drawn at each pixel.

    The first colour is the ground. Each further one takes, of what is left of the ground, the pixels where
    a random field of its own is highest, as many as its share; the field favours the centre.
    """
    drawn = mask.astype(np.uint8)
    reference = np.array([COLORS[name] for name in p["colors"]])
    palette = ((reference + rng.uniform(-3, 3, reference.shape)) / 255).astype(np.float32)
    weights = []
    for number, share in enumerate(p["color_shares"][1:], start=2):
        field = field_of(rng, p["asymmetry"], count=12, pull=0.7)
        taken, weight = highest(field, drawn == 1, round(share * mask.sum()), p["color_softness"])
        drawn[taken] = number
        weights.append(weight)
    paint = np.empty((3, *mask.shape), np.float32)
    paint[:] = palette[0][:, None, None]
    for color, weight in zip(palette[:0:-1], weights[::-1], strict=True):
        blend(paint, weight, color)
    return paint, drawn


def blend(image, cover, color):
    """Lay a colour or image over planes (3, H, W) in place, as far as `cover` (H, W) in [0, 1] says."""
    for plane, value in zip(image, color, strict=True):
        plane += cover * (value - plane)


# Structures: each returns how far it covers every pixel, 0 to 1


def structureless_area(share, mask, field_of, rng):
    """Return the mask and the soft cover of the area without network and texture."""
    if not share:
        return np.zeros_like(mask), np.float32(0)
    return highest(field_of(rng, count=6), mask, round(share * mask.sum()))


def spots(kind, count, diameter, place, rng):
    """Cover the first sites of a shuffled sunflower lattice inside the lesion with round spots."""
    sites = rng.permutation(MOST[kind])
    width = diameter * rng.uniform(0.8, 1.2, sites.size)
    angle = sites * GOLDEN_ANGLE
    points = 0.9 * np.sqrt((sites + 0.5) / sites.size) * outline_at(angle, place) * unit_vectors(angle)
    cover = np.zeros(place.size, np.uint8)
    for (x, y), radius in zip(sixteenths(points, place)[:count], 8 * width, strict=False):
        cv2.circle(cover, (int(x), int(y)), max(round(radius), 12), 255, cv2.FILLED, cv2.LINE_AA, 4)
    return cover.astype(np.float32) / 255


def radial_streaks(count, place, rng):
    """Cover tapered strokes that run through the outer quarter of the lesion to its edge."""
    sites = rng.permutation(MOST["streaks"])
    pitch = 2 * np.pi / sites.size
    angle = pitch * (sites + rng.uniform(-0.15, 0.15, sites.size))
    reach = outline_at(angle, place) * np.array([rng.uniform(0.68, 0.8, sites.size)] * 2 + [np.ones(sites.size)])
    corners = reach * unit_vectors(angle + 0.25 * pitch * np.array([[-1], [1], [0]]))
    cover = np.zeros(place.size, np.uint8)
    for corner in sixteenths(corners, place).swapaxes(0, 1)[:count]:
        cv2.fillPoly(cover, [corner], 255, cv2.LINE_AA, 4)
    return cover.astype(np.float32) / 255


def outline_at(angle, place):
    return place.radius[(angle * ANGLES / (2 * np.pi)).astype(int) % ANGLES]


def sixteenths(points, place):
    """Return points in units of the half-axes as x, y on the last axis, in sixteenths of a pixel."""
    return np.moveaxis(np.rint(16 * to_pixels(points, place)).astype(np.int32), 0, -1)


def network_lines(spacing, place, field_of, rng):
    """Return a warped honeycomb, 1 on its lines and 0 in its holes, stronger in some places."""
    u, v = lesion_frame(place, place.size)
    x, y = (place.axes[i] * (w + 0.14 * field_of(rng)) for i, w in enumerate((u, v)))
    patches = smoothstep(field_of(rng, count=6) / 2 + 0.7)
    ways = unit_vectors(rng.uniform(0, np.pi) + np.array([0, 2, 4]) * np.pi / 3) * 4 * np.pi / np.sqrt(3)
    waves = sum(np.cos(np.float32(a / spacing) * x + np.float32(b / spacing) * y) for a, b in ways.T)
    return patches * smoothstep((0.4 - waves) / 1.6)


def paint_lesion(p, place, mask, mottle, field_of, rng):
    """Return the lesion's colours with its structures (3, H, W) and what was drawn."""
    diameter = 2 * float(np.sqrt(np.prod(place.axes) * (place.radius**2).mean()))
    paint, drawn = paint_colors(p, mask, field_of, rng["colors"])
    bare_mask, bare = structureless_area(p["structureless"], mask, field_of, rng["structureless"])
    paint *= 1 + mottle * (1 - bare)
    if p["network"]:
        lines = network_lines(max(0.045 * diameter, 5), place, field_of, rng["network"])
        paint *= 1 - 0.5 * p["network"] * lines * (1 - bare)
    for kind, width in (("dots", 0.022), ("globules", 0.05)):
        if p[kind]:
            blend(paint, 0.9 * spots(kind, p[kind], width * diameter, place, rng[kind]), DARK)
    if p["streaks"]:
        blend(paint, 0.9 * radial_streaks(p["streaks"], place, rng["streaks"]), DARK)
    counts = np.bincount(drawn[mask], minlength=len(p["colors"]) + 1)[1:]
    return paint, {
        "color_shares": {name: float(n / mask.sum()) for name, n in zip(p["colors"], counts, strict=True)},
        "color_map": drawn,
        "structureless_share": float(bare_mask.sum() / mask.sum()),
        "structureless_mask": bare_mask,
    }
