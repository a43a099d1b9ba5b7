"""Lesion: one image with its mask, and the views that several measures share."""

from functools import cache, cached_property
from typing import NamedTuple

import cv2
import numpy as np

SKIN_RING = 0.25  # width of the ring of surrounding skin, as a share of the lesion's equivalent diameter
FALLBACK_AXES = 0.6  # axes of the stand-in ellipse, as a share of the frame's height and width
MIN_LESION, MAX_LESION = 0.001, 0.985  # shares of the frame between which a mask outlines something
CLOSE_UP_SIDE = 256  # pixels
CONTOUR_SMOOTHING = 0.02  # standard deviation of the smoothing of the close-up's mask, in equivalent radii
FINE = 160  # pixels of the equivalent diameter above which distances outside it are taken at half the size
RAY_STEP = 0.5  # pixels
SHARES = np.arange(256, dtype=np.float32) / 255  # of 8-bit values
CLOSE_UP_MARGIN = 0.5  # room round the lesion's farthest point in the close-up, in equivalent radii


class Colors(NamedTuple):
    """The colours of some pixels, each once: a lesion has far fewer of them than pixels."""

    rgb: np.ndarray  # (K, 3) uint8
    lab: np.ndarray  # (3, K) float32, CIELAB
    count: np.ndarray  # (K,) int64, pixels of each colour

    @property
    def share(self):
        """Share of the pixels that have each colour: (K,) float32."""
        return (self.count / self.count.sum()).astype(np.float32)


class CloseUp(NamedTuple):
    """The lesion at one fixed scale: centred on its centroid, its farthest point half a radius from the edge."""

    lab: np.ndarray  # (256, 256, 3) float32, CIELAB
    mask: np.ndarray  # (256, 256) bool, `shape_mask` with its outline smoothed by 2 % of the radius
    seen: np.ndarray  # (256, 256) bool, False beyond the frame and the field of view
    hair: np.ndarray  # (256, 256) bool
    radius: float  # equivalent radius in pixels of the close-up


class Lesion:
    """One dermoscopic image, where the lesion is in it, and lazily computed views of both.

    Views are computed at first use and kept; a measure reads them and must not change them.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        The prepared sRGB image that colour and texture are measured on.
    mask : (H, W) bool ndarray
        True inside the lesion, which may go on outside the field of view. A mask that covers less than 0.1 % or
        more than 98.5 % of the field of view outlines nothing: a centred ellipse with 0.6 times the frame's height
        and width takes its place and `is_fallback` is True.
    raw : (H, W, 3) uint8 ndarray, optional
        The image before colour constancy and hair removal, which networks look at. `image` by default.
    field : (H, W) bool ndarray, optional
        The field of view: False in dark corners. The whole frame by default.
    hair : (H, W) bool ndarray, optional
        True on hair. None anywhere by default.
    is_fallback : bool
        True where the mask's maker had to give up; a mask that outlines nothing sets it too.
    confidence : float in [0, 1]
        How sure the mask's maker is of it; 1 for a mask that the user gave, 0 where it outlines nothing.

    Attributes
    ----------
    lab : (H, W, 3) float32 ndarray
        CIELAB (D65): L* in [0, 100], a* and b* about [-128, 128].
    hsv : (H, W, 3) float32 ndarray
        Hue in [0, 360) degrees, saturation and value in [0, 1].
    gray : (H, W) uint8 ndarray
        Luma of ITU-R BT.601.
    inside_colors, skin_colors : Colors
        Colours of the pixels of `mask` and of `skin`.
    shape_mask : (H, W) bool ndarray
        The largest connected component of the mask with its holes filled: what shape is measured on.
    skin : (H, W) bool ndarray
        Surrounding skin: a ring outside the lesion, without hair and dark corners. Never empty.
    is_one_piece : bool
        Whether the mask is connected and without holes.
    area : int
        Pixels of `shape_mask`.
    equivalent_diameter : float
        Diameter in pixels of the disc with that area, ``sqrt(4 area / pi)``: the unit of all lengths.
    centroid : (2,) float64 ndarray
        Row and column of the centre of gravity of `shape_mask`, in pixels.
    contour : (K, 2) int32 ndarray
        Closed outline of `shape_mask` as x, y of its boundary pixels, in order.
    signed_distance : (H, W) float32 ndarray
        Euclidean distance to the lesion's edge in pixels, positive inside, negative outside; minus the frame's
        longer side beyond a quarter of the equivalent diameter from the lesion's bounding box. Outside a lesion wider
        than 160 pixels it is taken at half the size, within a pixel or two.
    close_up : CloseUp
        Lesion, mask and surroundings on a grid of fixed size, for measures that must not depend on scale.
    radii : (360,) float64 ndarray
        Distance from the centroid to the farthest point of the lesion in the directions 0.5, 1.5 ... 359.5
        degrees (from x towards y), in equivalent radii; 0 where the ray misses the lesion.
    """

    def __init__(self, image, mask, *, raw=None, field=None, hair=None, is_fallback=False, confidence=1.0):
        shape = image.shape[:2]
        self.image = image
        self.raw = image if raw is None else raw
        self.field = np.ones(shape, bool) if field is None else field
        self.hair = np.zeros(shape, bool) if hair is None else hair
        share = np.count_nonzero(mask & self.field) / max(np.count_nonzero(self.field), 1)
        outlines_nothing = not MIN_LESION <= share <= MAX_LESION
        self.mask = centred_ellipse(shape) if outlines_nothing else mask
        self.is_fallback = bool(is_fallback or outlines_nothing)
        self.confidence = 0.0 if outlines_nothing else float(confidence)
        self._found = {}

    def once(self, function):
        """Return ``function(self)``, computed at the first call: what more than one measure looks at."""
        if function not in self._found:
            self._found[function] = function(self)
        return self._found[function]

    @cached_property
    def lab(self):
        return converted(self.image, cv2.COLOR_RGB2LAB)

    @cached_property
    def hsv(self):
        return converted(self.image, cv2.COLOR_RGB2HSV)

    @cached_property
    def gray(self):
        return cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)

    @cached_property
    def inside_colors(self):
        return colors_of(self.image, self.mask)

    @cached_property
    def skin_colors(self):
        return colors_of(self.image, self.skin)

    @cached_property
    def shape_mask(self):
        filled = np.zeros(self.mask.shape, np.uint8)
        return cv2.drawContours(filled, [self.contour], -1, 1, cv2.FILLED).view(bool)

    @cached_property
    def area(self):
        return cv2.countNonZero(self.shape_mask.view(np.uint8))

    @cached_property
    def equivalent_diameter(self):
        return float(np.sqrt(4 * self.area / np.pi))

    @cached_property
    def centroid(self):
        box = self._box(0)
        moments = cv2.moments(self.shape_mask[box].view(np.uint8))
        return np.array([moments["m01"], moments["m10"]]) / moments["m00"] + [side.start for side in box]

    @cached_property
    def contour(self):
        outlines = self._all_outlines
        if not self.is_one_piece:
            outlines = _outlines(largest_component(self.mask), cv2.RETR_EXTERNAL)
        return max(outlines, key=len).reshape(-1, 2)

    @cached_property
    def _all_outlines(self):
        return _outlines(self.mask, cv2.RETR_LIST)

    @property
    def is_one_piece(self):
        return len(self._all_outlines) == 1

    def _box(self, margin):
        """Return the slices of rows and columns that hold the shape and a margin within the frame."""
        return _slices(cv2.boundingRect(self.contour), margin, self.mask.shape)

    @cached_property
    def signed_distance(self):
        distance = np.full(self.mask.shape, -max(self.mask.shape), np.float32)
        around, box = self._box(int(SKIN_RING * self.equivalent_diameter) + 4), self._box(1)
        far = _far if self.equivalent_diameter > FINE else _distance
        distance[around] = -far(~self.shape_mask[around])
        cv2.copyTo(_distance(self.shape_mask[box]), self.shape_mask[box].view(np.uint8), distance[box])
        return distance

    @cached_property
    def close_up(self):
        radius = self.equivalent_diameter / 2
        centre = self.centroid[::-1]
        reach = np.linalg.norm(self.contour - centre, axis=1).max() + CLOSE_UP_MARGIN * radius + 0.5
        zoom = CLOSE_UP_SIDE / (2 * reach)
        shape = self.shape_mask * np.uint8(255)
        soft = _cut_out(shape, centre, zoom)
        if not soft.any():  # thinner than what the close-up's pixels look at
            soft = _cut_out(cv2.dilate(shape, np.ones((3, 3)), iterations=int(1 / zoom)), centre, zoom)
        masks = (mask.view(np.uint8) for mask in (self.field, self.hair))
        seen, hair = (_cut_out(mask, centre, zoom, cv2.INTER_NEAREST) for mask in masks)
        soft = cv2.GaussianBlur(soft, (0, 0), CONTOUR_SMOOTHING * zoom * radius)
        size = 2 * max(int(1 / zoom), 1) - 1  # of a blur before the image is reduced
        pixels = self.image
        if size > 1:
            pixels = cv2.GaussianBlur(pixels, (size, size), 0, borderType=cv2.BORDER_REPLICATE)
        pixels = _cut_out(pixels, centre, zoom, border=cv2.BORDER_REPLICATE)
        return CloseUp(
            lab=converted(pixels, cv2.COLOR_RGB2LAB),
            mask=soft > min(127, soft.max() // 2),
            seen=seen.view(bool),
            hair=hair.view(bool),
            radius=zoom * radius,
        )

    @cached_property
    def radii(self):
        reach = int((CLOSE_UP_SIDE / 2 - CLOSE_UP_MARGIN * self.close_up.radius) / RAY_STEP) + 4
        x, y = (np.ascontiguousarray(place[:, :reach]) for place in _rays())
        hit = cv2.remap(self.close_up.mask.astype(np.float32), x, y, cv2.INTER_LINEAR) >= 0.5
        farthest = hit.shape[1] - np.argmax(hit[:, ::-1], axis=1)
        return np.where(hit.any(axis=1), farthest * RAY_STEP, 0) / self.close_up.radius

    @cached_property
    def skin(self):
        ring = max(SKIN_RING * self.equivalent_diameter, 4)
        gap = max(0.03 * self.equivalent_diameter, 1)
        outside = ~self.mask & self.field
        near = outside & (self.signed_distance < -gap) & (self.signed_distance > -ring)
        enough = max(16, 0.02 * self.area)
        for candidate in (near & ~self.hair, outside & ~self.hair, outside, ~self.mask):
            if np.count_nonzero(candidate) >= enough:
                return candidate
        return ~self.mask if (~self.mask).any() else self.mask


def colors_of(image, mask):
    """Return the `Colors` of the pixels of an (H, W, 3) uint8 image where a mask is True."""
    box = bounding_box(mask)
    ordered = np.sort(cv2.cvtColor(image[box], cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0][mask[box]])
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), ordered.size - 1)
    rgb = np.ascontiguousarray(ordered[last].view(np.uint8).reshape(-1, 4)[:, :3])
    return Colors(rgb, channels(rgb, cv2.COLOR_RGB2LAB), np.diff(last, prepend=-1).astype(np.int64))


def pixels(image, mask, conversion=None):
    """Return the (3, N) values of an (H, W, 3) uint8 image where a mask is True, or what OpenCV converts them to."""
    return channels(_gathered(image, np.flatnonzero(mask)), conversion)


def channels(values, conversion=None):
    """Return (N, 3) uint8 values as (3, N) channels, or what OpenCV converts them to."""
    return np.ascontiguousarray((values if conversion is None else converted(values[None], conversion)[0]).T)


def converted(image, conversion):
    """Return what OpenCV converts an (H, W, 3) uint8 image to, as float32."""
    return cv2.cvtColor(cv2.LUT(image, SHARES), conversion)


def bounding_box(mask, margin=0):
    """Return the slices of rows and columns that hold all that is True in a mask, and a margin within the frame."""
    return _slices(cv2.boundingRect(mask.view(np.uint8)), margin, mask.shape)


def centred_ellipse(shape):
    """Return the (H, W) bool mask that stands in where no lesion was outlined."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    y = (rows - (shape[0] - 1) / 2) / (FALLBACK_AXES * shape[0] / 2)
    x = (columns - (shape[1] - 1) / 2) / (FALLBACK_AXES * shape[1] / 2)
    return x**2 + y**2 <= 1


def largest_component(mask):
    """Return the largest 8-connected component of a bool mask, of equal ones the most central, as a bool mask."""
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    middle = (np.array(mask.shape[::-1]) - 1) / 2
    off_centre = np.linalg.norm(centroids[1:] - middle, axis=1) / sum(mask.shape)
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA] - off_centre))


def _slices(rectangle, margin, shape):
    x, y, width, height = rectangle
    rows = slice(max(y - margin, 0), min(y + height + margin, shape[0]))
    return rows, slice(max(x - margin, 0), min(x + width + margin, shape[1]))


def _gathered(image, positions):
    return image.reshape(-1, 3).take(positions, axis=0)


def _outlines(mask, mode):
    return cv2.findContours(mask.astype(np.uint8), mode, cv2.CHAIN_APPROX_NONE)[0]


def _distance(mask):
    return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _far(mask):
    """Return the distance to the nearest pixel outside a mask, taken at half the size and at least 1."""
    size = mask.shape[::-1]
    half = cv2.resize(mask * np.uint8(254), [(side + 1) // 2 for side in size]) > 126
    return cv2.max(cv2.resize(_distance(half) * 2 - np.float32(0.5), size), 1)


def _cut_out(array, centre, zoom, way=cv2.INTER_LINEAR, border=cv2.BORDER_CONSTANT):
    """Return a square of an array round `centre` (x, y) at the close-up's size."""
    matrix = np.column_stack([np.eye(2) * zoom, (CLOSE_UP_SIDE - 1) / 2 - zoom * centre])
    return cv2.warpAffine(array, matrix, (CLOSE_UP_SIDE,) * 2, flags=way, borderMode=border)


@cache
def _rays():
    """Return x and y in the close-up of the points of 360 rays from its centre."""
    angle = np.radians(np.arange(360) + 0.5)[:, None]
    distance = np.arange(RAY_STEP / 2, CLOSE_UP_SIDE / 2, RAY_STEP)
    middle = (CLOSE_UP_SIDE - 1) / 2
    x, y = middle + np.cos(angle) * distance, middle + np.sin(angle) * distance
    return x.astype(np.float32), y.astype(np.float32)
