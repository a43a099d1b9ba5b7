"""What other cameras, skins and hands do to a dermoscopic image, applied to image and mask at random."""

import cv2
import numpy as np


def augment(image, mask, size, rng):
    """Return a randomly changed image and its mask, both square.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
    mask : (H, W) uint8 ndarray
        255 inside the lesion.
    size : int
        Side of the result in pixels.
    rng : numpy.random.Generator

    Returns
    -------
    image : (size, size, 3) uint8 ndarray
    mask : (size, size) float32 ndarray
        In [0, 1].
    """
    image, mask = _move(image, mask, size, rng)
    steps = ((_light, 0.9), (_ink, 0.08), (_hairs, 0.35), (_ruler, 0.08), (_dark_corners, 0.3), (_camera, 0.7))
    for step, share in steps:
        if rng.random() < share:
            image, mask = step(image, mask, rng)
    return image, mask.astype(np.float32) / 255


def _move(image, mask, size, rng):
    """Rotate, flip, scale, stretch and shift; what lies outside is mirrored, seldom black."""
    height, width = image.shape[:2]
    angle, zoom = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.6), np.log(1.5)))
    stretch = np.exp(rng.uniform(-0.15, 0.15))
    scale = np.array([size / width * zoom * stretch, size / height * zoom / stretch])
    flip = rng.choice([-1, 1], 2)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) * (scale * flip)
    shift = size / 2 * (1 + rng.uniform(-0.25, 0.25, 2)) - linear @ [width / 2, height / 2]
    matrix = np.column_stack([linear, shift])
    border = cv2.BORDER_CONSTANT if rng.random() < 0.1 else cv2.BORDER_REFLECT_101
    moved = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    return moved, cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def _light(image, mask, rng):
    """Change gain, gamma, saturation and colour cast, and let the light fall off to one side."""
    size = len(image)
    tones = (np.arange(256, dtype=np.float32) / 255) ** np.exp(rng.uniform(-0.4, 0.4))
    tones = (tones - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.1, 0.1)
    saturation, gains = rng.uniform(0.5, 1.5), np.exp(rng.uniform(-0.2, 0.2, 3))
    mix = gains[:, None] * (saturation * np.eye(3) + (1 - saturation) / 3)
    values = cv2.transform(tones.astype(np.float32)[image], mix)
    ramp = np.arange(size, dtype=np.float32) / size - 0.5
    slope = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
    values *= (1 + slope[0] * ramp + slope[1] * ramp[:, None])[..., None]
    if rng.random() < 0.05:
        values = values[..., ::-1]
    return cv2.convertScaleAbs(np.maximum(values, 0), alpha=255), mask


def _ink(image, mask, rng):
    """Draw a smear of a surgical marker."""
    size = len(image)
    points = rng.integers(0, size, (3, 1, 2)).astype(np.int32)
    layer = np.zeros(mask.shape, np.uint8)
    cv2.polylines(layer, [points], False, 255, int(rng.integers(3, max(4, size // 16))))
    alpha = cv2.GaussianBlur(layer, (0, 0), 1.5)[..., None] / 255 * rng.uniform(0.4, 0.9)
    color = np.array([rng.uniform(40, 110), rng.uniform(20, 90), rng.uniform(100, 170)])
    return (image * (1 - alpha) + color * alpha).astype(np.uint8), mask


def _hairs(image, mask, rng):
    """Draw some to many bent hairs, dark or seldom light."""
    size = len(image)
    image = image.copy()
    color = rng.uniform(150, 230, 3) if rng.random() < 0.15 else rng.uniform(10, 80) * np.array([1, 0.9, 0.85])
    for _ in range(int(rng.integers(1, 25))):
        start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
        bend = (start + end) / 2 + rng.normal(0, 0.12 * size, 2)
        t = np.linspace(0, 1, 14)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
        thickness = 1 + int(rng.random() < 0.4)
        cv2.polylines(image, [np.round(curve * 8).astype(np.int32)], False, color.tolist(), thickness, cv2.LINE_AA, 3)
    return image, mask


def _ruler(image, mask, rng):
    """Draw the ticks of a ruler along one side."""
    size = len(image)
    image = image.copy()
    side, step = int(rng.integers(4)), size / rng.uniform(8, 25)
    for i in range(int(size / step)):
        length = size * (0.1 if i % 5 == 0 else 0.05)
        position = i * step
        line = [(position, 0), (position, length)]
        if side % 2:
            line = [(size - a, size - b) for a, b in line]
        if side > 1:
            line = [(b, a) for a, b in line]
        cv2.line(image, *[tuple(int(v) for v in point) for point in line], (20, 20, 20), 1, cv2.LINE_AA)
    return image, mask


def _dark_corners(image, mask, rng):
    """Cut to a round field of view; what lies outside it is no lesion."""
    size = len(image)
    y, x = np.ogrid[:size, :size]
    centre = size / 2 + rng.normal(0, 0.04 * size, 2)
    radius = size * rng.uniform(0.48, 0.68)
    inside = 1 / (1 + np.exp((np.hypot(x - centre[0], y - centre[1]) - radius) / rng.uniform(0.5, 0.04 * size)))
    dark = rng.uniform(0, 35)
    image = image * inside[..., None] + dark * (1 - inside[..., None])
    return image.astype(np.uint8), np.where(inside > 0.5, mask, 0).astype(np.uint8)


def _camera(image, mask, rng):
    """Lose sharpness, add noise, compress."""
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    if rng.random() < 0.4:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(2, 12))
        image = cv2.convertScaleAbs(np.maximum(image + noise, 0))
    if rng.random() < 0.4:
        quality = int(rng.integers(30, 95))
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return image, mask
