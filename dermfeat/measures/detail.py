"""The lesion at the scale at which fine structures are looked for."""

from typing import NamedTuple

import cv2
import numpy as np

SIDE = 256  # pixels of the equivalent diameter above which a lesion is reduced: dots are some four pixels wide then
MARGIN = 0.2  # room round the lesion, in equivalent diameters
SKIN = 70.0  # L* that the skin's median is brought to
EXPOSURE = 0.7, 1.4  # within these factors


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

    def reduced(plane):
        plane = np.ascontiguousarray(plane[box], np.float32)
        return plane if zoom == 1 else cv2.resize(plane, size, interpolation=cv2.INTER_AREA)

    share = reduced(lesion.shape_mask)
    skin, inside = (np.median(lightness) for lightness in (lesion.lab_skin[0], lesion.lab_inside[0]))
    exposure = np.clip((SKIN + 16) / (skin + 16), *EXPOSURE)  # L* + 16 is proportional to the cube root of luminance
    return Detail(
        lightness=(reduced(lesion.lab[..., 0]) + 16) * np.float32(exposure) - 16,
        mask=share > min(0.5, share.max() / 2),
        depth=reduced(lesion.signed_distance) * zoom,
        hair=cv2.dilate(reduced(lesion.hair), np.ones((3, 3))) > 0,
        box=box,
        diameter=lesion.equivalent_diameter * zoom,
        halfway=((skin + inside) / 2 + 16) * exposure - 16,
        skin=(skin + 16) * exposure - 16,
    )


def curvatures(plane, scale):
    """Return a plane blurred by `scale` and its second derivatives yy, xx, xy, times the scale squared."""
    soft = cv2.GaussianBlur(plane, (0, 0), scale)
    across = [cv2.Sobel(soft, cv2.CV_32F, *order, ksize=1, scale=scale**2) for order in ((0, 2), (2, 0))]
    return soft, *across, cv2.Sobel(soft, cv2.CV_32F, 1, 1, ksize=3, scale=scale**2 / 4)


def local_mean(plane, weights, scale):
    """Return the mean of a plane weighed by a Gaussian and by float32 weights."""
    near = cv2.GaussianBlur(weights, (0, 0), scale)
    return cv2.GaussianBlur(plane * weights, (0, 0), scale) / np.maximum(near, 1e-6)


def disc(radius):
    """Return a round structuring element that turns and flips do not change."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps**2 <= (radius + 0.5) ** 2).astype(np.uint8)
