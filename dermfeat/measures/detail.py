"""The lesion at the scale at which fine structures are looked for."""

from typing import NamedTuple

import cv2
import numpy as np

SIDE = 256  # pixels of the equivalent diameter above which a lesion is reduced: dots are some four pixels wide then
MARGIN = 0.2  # room round the lesion, in equivalent diameters
SKIN = 70.0  # L* that the skin's median is brought to
EXPOSURE = 0.7, 1.4  # within these factors
WIDE = 5  # pixels: standard deviation from which a blur works on the plane at half the size
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
    depth: np.ndarray  # (h, w) float32, distance to the edge in pixels of this grid, positive inside
    hair: np.ndarray  # (h, w) bool, one pixel wider
    box: tuple  # slices of the image that the grid covers
    diameter: float  # equivalent diameter in pixels of this grid
    halfway: float  # L* halfway from the lesion's median to the skin's
    skin: float  # the skin's median L*, 70 unless the image is very dark or bright

    def to_image(self, points):
        """Return (N, 2) rows and columns of the image for those of this grid."""
        corner = [side.start for side in self.box]
        return (points + 0.5) * self.pace - 0.5 + corner

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
    size = np.maximum(np.rint((high - low) * zoom), 1).astype(int)[::-1].tolist()

    def reduced(plane, interpolation=cv2.INTER_AREA):
        return plane if zoom == 1 else cv2.resize(plane, size, interpolation=interpolation)

    share = reduced(lesion.shape_mask[box] * np.uint8(254))
    skin, inside = (median(lightness) for lightness in (lesion.lab_skin[0], lesion.lab_inside[0]))
    exposure = np.clip((SKIN + 16) / (skin + 16), *EXPOSURE)  # L* + 16 is proportional to the cube root of luminance
    return Detail(
        lightness=(reduced(cv2.extractChannel(lesion.lab[box], 0)) + 16) * np.float32(exposure) - 16,
        mask=share > min(127, share.max() / 2),
        depth=reduced(lesion.signed_distance[box], cv2.INTER_LINEAR) * np.float32(zoom),
        hair=cv2.dilate(reduced(lesion.hair[box] * np.uint8(254)), np.ones((3, 3))) > 0,
        box=box,
        diameter=lesion.equivalent_diameter * zoom,
        halfway=((skin + inside) / 2 + 16) * exposure - 16,
        skin=(skin + 16) * exposure - 16,
    )


def median(values):
    """Return the median of a 1-D array by one partition of it."""
    half = len(values) // 2
    ordered = np.partition(values, half)
    return ordered[half] if len(values) % 2 else (ordered[:half].max() + ordered[half]) / 2


def blurred(plane, scale):
    """Return a float32 plane blurred by a Gaussian; a wide one works on the plane at half the size.

    Halving and doubling blur by a variance of one pixel each, which the Gaussian leaves out.
    """
    if scale < WIDE:
        return cv2.GaussianBlur(plane, (0, 0), scale)
    room = 2 * int(1.5 * scale)  # the half-size plane's own borders are not the same at all four sides
    wide = cv2.copyMakeBorder(plane, room, room, room, room, cv2.BORDER_REFLECT_101)
    half = cv2.GaussianBlur(cv2.pyrDown(wide), (0, 0), np.sqrt(scale**2 - 2) / 2)
    return cv2.pyrUp(half, dstsize=wide.shape[::-1])[room:-room, room:-room]


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
