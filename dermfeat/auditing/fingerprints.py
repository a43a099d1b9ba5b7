"""What is kept of an image to find its copies: under 2 kB of fine structure, and a digest of the pixels."""

import hashlib

import cv2
import numpy as np

SIDE = 40
LOW = 8
SMALLEST_SIDE = 16
FINGERPRINT = np.dtype([("digest", "S32"), ("detail", "i1", (SIDE, SIDE)), ("low", "f4", (LOW, LOW))])

_FLAT = 2.0
_STEPS = 32
_DARK = 0.5
_OUTER = np.hypot(*np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)) > 0.6


def fingerprint(rgb):
    """Describe an image so that its copies can be found.

    The image is squashed to 40 x 40 pixels of its green channel, which swapped red and blue leave as it is. What
    lies between two Gaussian blurs is divided by its local standard deviation plus 2 grey levels: fine structure
    counts wherever it is, brightness and contrast do not. Dark corners and frames (below half the median, connected
    to a corner and outside the ellipse of 0.6 times the image's size) and the pixels next to them count as empty.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray

    Returns
    -------
    numpy.void of dtype `FINGERPRINT`
        ``digest`` : 128-bit BLAKE2b of shape and pixels, as hexadecimal; ``detail`` : (40, 40) int8, fine
        structure in 1/32 of the local standard deviation; ``low`` : (8, 8) float32, low cosine coefficients of the
        coarser structure. The last two are 0 where a side of the image is below 16 pixels.
    """
    record = np.zeros((), FINGERPRINT)
    record["digest"] = _digest(rgb)
    if min(rgb.shape[:2]) >= SMALLEST_SIDE:
        green = cv2.resize(np.ascontiguousarray(rgb[..., 1]), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        lit = _lit(green)
        green = green.astype(np.float32)
        fine = _detail(_blur(green, lit, 0.6), lit, 0.04 * SIDE)
        record["detail"] = np.clip(np.round(fine * _STEPS), -127, 127)
        record["low"] = _low(_detail(green, lit, 0.1 * SIDE))
    return record[()]


def _digest(rgb):
    hasher = hashlib.blake2b(str(rgb.shape).encode(), digest_size=16)
    hasher.update(np.ascontiguousarray(rgb))
    return hasher.hexdigest()


def _lit(green):
    """Return 0 for dark regions around the corners and the pixels next to them, else 1."""
    dark = ((green < _DARK * np.median(green)) & _OUTER).astype(np.uint8)
    for corner in ((0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)):
        if dark[corner] == 1:
            cv2.floodFill(dark, None, corner[::-1], 2)
    corners = cv2.dilate((dark == 2).astype(np.uint8), np.ones((3, 3), np.uint8))
    return 1 - corners.astype(np.float32)


def _blur(values, weights, sigma):
    """Blur with a Gaussian; pixels of weight 0 have no part in it."""
    blur = [cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) for x in (values * weights, weights)]
    return blur[0] / np.maximum(blur[1], 1e-3)


def _detail(green, lit, sigma):
    high = lit * (green - _blur(green, lit, sigma))
    return high / (np.sqrt(_blur(high * high, lit, sigma)) + _FLAT)


def _low(detail):
    """Return the low cosine coefficients, without the mean and the highest of both directions."""
    order = np.add.outer(np.arange(LOW), np.arange(LOW))
    return cv2.dct(detail)[:LOW, :LOW] * ((order > 0) & (order <= LOW + 2))
