"""The lesion at the scale at which fine structures are looked for."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.lesion import converted

SIDE = 256  # pixels of the equivalent diameter above which a lesion is reduced: dots are some four pixels wide then
MARGIN = 0.2  # room round the lesion, in equivalent diameters
SKIN = 70.0  # L* that the skin's median is brought to
EXPOSURE = 0.7, 1.4  # within these factors
WIDE = 5  # pixels: standard deviation from which a blur works on the plane at half the size
FINE = 192  # pixels of the equivalent diameter from which half the size is enough for what is wider than dots
SECOND = np.float32(
    [
        [[0, 0.5, 0], [0.5, -2, 0.5], [0, 0.5, 0]],
        [[0, 0.5, 0], [-0.5, 0, -0.5], [0, 0.5, 0]],
        [[0.25, 0, -0.25], [0, 0, 0], [-0.25, 0, 0.25]],
    ]
)  # differences that give (yy + xx) / 2, (yy - xx) / 2 and xy


class Detail(NamedTuple):
    """The lesion and its surroundings at the scale at which fine structures are looked for."""

    lightness: np.ndarray  # (h, w) float32, L* at an exposure that gives the skin's median 70
    mask: np.ndarray  # (h, w) bool, `shape_mask`
    field: np.ndarray  # (h, w) bool, field of view
    around: np.ndarray  # (h, w) bool, surrounding skin
    depth: np.ndarray  # (h, w) float32, distance to the edge in pixels of this grid, positive inside
    hair: np.ndarray  # (h, w) bool, one pixel wider
    box: tuple  # slices of the image that the grid covers
    diameter: float  # equivalent diameter in pixels of this grid
    halfway: float  # L* halfway from the lesion's median to the skin's
    exposure: float  # what L* + 16 has been multiplied by
    skin: float  # the skin's median L*, 70 unless the image is very dark or bright

    def to_image(self, points):
        """Return (N, 2) rows and columns of the image for those of this grid."""
        corner = [side.start for side in self.box]
        return (points + 0.5) * self.pace - 0.5 + corner

    def from_image(self, points):
        """Return (N, 2) rows and columns of this grid for those of the image."""
        corner = [side.start for side in self.box]
        return (points - corner + 0.5) / self.pace - 0.5

    def paste(self, part, shape):
        """Return an array of the image's shape that is `part` where this grid lies and 0 elsewhere."""
        whole = np.zeros(shape, part.dtype)
        size = [side.stop - side.start for side in self.box[::-1]]
        whole[self.box] = cv2.resize(part, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return whole

    @property
    def pace(self):
        """Pixels of the image by pixels of this grid, for rows and columns."""
        return np.array([(s.stop - s.start) / cells for s, cells in zip(self.box, self.mask.shape, strict=True)])


def detail(lesion):
    """Return the `Detail` of a lesion: its surroundings, reduced where its diameter is above 256 pixels."""
    margin = MARGIN * lesion.equivalent_diameter + 2
    low = np.maximum(np.floor(lesion.contour.min(axis=0)[::-1] - margin).astype(int), 0)
    high = np.minimum(np.ceil(lesion.contour.max(axis=0)[::-1] + margin).astype(int) + 1, lesion.mask.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    zoom = min(1, SIDE / lesion.equivalent_diameter)
    way = cv2.INTER_LINEAR if zoom > 0.5 else cv2.INTER_AREA  # the first would skip pixels
    size = np.maximum(np.rint((high - low) * zoom), 1).astype(int)[::-1].tolist()

    def reduced(plane, way=way):
        return plane if zoom == 1 else cv2.resize(plane, size, interpolation=way)

    share, field, around, hair = (
        reduced(mask[box] * np.uint8(254)) for mask in (lesion.shape_mask, lesion.field, lesion.skin, lesion.hair)
    )
    skin, inside = (_median_lightness(colors) for colors in (lesion.skin_colors, lesion.inside_colors))
    exposure = float(np.clip((SKIN + 16) / (skin + 16), *EXPOSURE))  # L* + 16 goes with the cube root of luminance
    lightness = cv2.extractChannel(converted(lesion.image[box], cv2.COLOR_RGB2LAB), 0)
    lightness = reduced(lightness, cv2.INTER_AREA)
    lightness += 16
    lightness *= exposure
    lightness -= 16
    return Detail(
        lightness=lightness,
        mask=share > min(127, share.max() / 2),
        field=field > 127,
        around=around > 127,
        depth=reduced(lesion.signed_distance[box]) * np.float32(zoom),
        hair=cv2.dilate(hair, np.ones((3, 3))) > 0,
        box=box,
        diameter=lesion.equivalent_diameter * zoom,
        halfway=((skin + inside) / 2 + 16) * exposure - 16,
        exposure=exposure,
        skin=(skin + 16) * exposure - 16,
    )


def _median_lightness(colors):
    """Return the median L* of the pixels that have some colours."""
    level = colors.lab[0].astype(np.intp)
    below = np.bincount(level, colors.count).cumsum()
    middle = below.searchsorted(below[-1] / 2)
    near = np.flatnonzero(level == middle)
    near = near[np.argsort(colors.lab[0, near])]
    count = colors.count[near].cumsum()
    return float(colors.lab[0, near[(count + below[middle] - count[-1]).searchsorted(below[-1] / 2)]])


def coarse(lesion):
    """Return the `Detail` at half the size where its diameter is 192 pixels or more: for what is wider than dots."""
    view = lesion.once(detail)
    if view.diameter < FINE:
        return view
    lightness, depth = (halved(plane) for plane in (view.lightness, view.depth))
    masks = (view.mask, view.field, view.around, view.hair)
    mask, field, around, hair = (halved(part * np.uint8(254)) for part in masks)
    return view._replace(
        lightness=lightness,
        mask=mask > min(127, mask.max() / 2),
        field=field > 127,
        around=around > 127,
        depth=depth / 2,
        hair=hair > 0,
        diameter=view.diameter / 2,
    )


def median(values):
    """Return the median of a 1-D array by one partition of it."""
    half = len(values) // 2
    ordered = np.partition(values, half)
    return ordered[half] if len(values) % 2 else (ordered[:half].max() + ordered[half]) / 2


def blurred(plane, scale):
    """Return a float32 plane blurred by a Gaussian; a wide one works on the plane at half the size, and so on.

    Halving and doubling blur by a variance of one pixel each, which the Gaussian leaves out.
    """
    if scale < WIDE:
        return cv2.GaussianBlur(plane, (0, 0), scale)
    room = 2 * int(scale)  # the half-size plane's own borders are not the same at all four sides
    wide = cv2.copyMakeBorder(plane, room, room, room, room, cv2.BORDER_REFLECT_101)
    half = blurred(cv2.pyrDown(wide), np.sqrt(scale**2 - 2) / 2)
    return cv2.pyrUp(half, dstsize=wide.shape[::-1])[room:-room, room:-room]


def gaussian(plane, scale):
    """Return a plane blurred by a Gaussian that ends at three standard deviations."""
    window = 2 * int(np.ceil(3 * scale)) + 1
    return cv2.GaussianBlur(plane, (window, window), scale)


def halved(plane):
    """Return a plane with half the rows and columns, rounded up."""
    return cv2.resize(plane, [(side + 1) // 2 for side in plane.shape[::-1]])


def curvatures(soft, scale):
    """Return ``(yy + xx) / 2``, ``(yy - xx) / 2`` and xy of the second derivatives, times the square of a scale."""
    return [cv2.filter2D(soft, -1, kernel * np.float32(scale**2)) for kernel in SECOND]


def local_mean(plane, weights, scale, near=None):
    """Return the mean of a plane weighed by a Gaussian and by float32 weights, of which `near` is the blur."""
    near = blurred(weights, scale) if near is None else near
    return blurred(plane * weights, scale) / np.maximum(near, 1e-6)


def disc(radius):
    """Return a round structuring element that turns and flips do not change."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps**2 <= (radius + 0.5) ** 2).astype(np.uint8)


def with_disc(plane, radius, *steps):
    """Return a uint8 plane after `cv2.dilate` or `cv2.erode` by a disc, one after the other.

    With a radius above 6 some pixels at the plane's border may differ; a margin helps.
    """
    for step in steps:
        for brush in _brushes(radius):
            plane = step(plane, brush)
    return plane


@cache
def _brushes(radius):
    """Return two structuring elements that are `disc` one after the other and have far fewer places: dots, a square."""
    whole = disc(radius)
    side = np.count_nonzero(whole[0])  # the disc is a union of squares of that size
    outside = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    centres = cv2.erode(whole, np.ones((side, side)), **outside)
    inner = cv2.erode(centres, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), **outside)
    inner[radius % side :: side, radius % side :: side] = 0  # squares there cover what the outer ones leave
    return centres - inner, np.ones((side, side), np.uint8)
