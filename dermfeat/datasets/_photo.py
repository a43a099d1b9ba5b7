"""What surrounds a drawn lesion: skin, hairs, light and camera."""

import cv2
import numpy as np

from dermfeat.datasets._drawing import blend, smoothstep, unit_vectors

MOST_HAIRS = 200
HAIR = np.array([38, 27, 24], np.float32) / 255


def skin_color(ita, rng):
    """Return the sRGB colour in [0, 1] whose individual typology angle is `ita` degrees."""
    angle = np.radians(ita)
    lab = [50 + 24 * np.sin(angle), rng.uniform(8, 20), 24 * np.cos(angle)]
    return cv2.cvtColor(np.array([[lab]], np.float32), cv2.COLOR_LAB2RGB)[0, 0]


def noise_field(size, grain, rng):
    """Return unit noise of the given grain (height and width in pixels)."""
    grid = [int(np.ceil(side / step)) + 3 for side, step in zip(size, grain, strict=True)]
    whole = [round(count * step) for count, step in zip(grid, grain, strict=True)]
    noise = cv2.resize(rng.standard_normal(grid, np.float32), whole[::-1], interpolation=cv2.INTER_LINEAR)
    return noise[: size[0], : size[1]]


def skin_texture(size, rng):
    """Return grain of about 3 pixels, brightness of blotches and crossing furrows, and redness."""
    unit = max(size) / 320
    grain = noise_field(size, (2 * unit, 2 * unit), rng)
    blotches = noise_field(size, (30 * unit, 30 * unit), rng) + 0.6 * noise_field(size, (9 * unit, 9 * unit), rng)
    redness = noise_field(size, (45 * unit, 45 * unit), rng) + 0.5 * noise_field(size, (7 * unit, 7 * unit), rng)
    turn = rng.uniform(0, 180)
    furrows = furrow(size, turn, unit, rng) + furrow(size, turn + rng.uniform(50, 90), unit, rng)
    return grain, 0.02 * blotches - 0.035 * furrows, 0.025 * redness


def furrow(size, turn, unit, rng):
    """Return fine broken lines in one direction: the zero lines of stretched noise."""
    half = int(np.hypot(*size) / 2) // 2 + 2
    ridges = noise_field((2 * half, 2 * half), (2.5 * unit, 20 * unit), rng)
    matrix = cv2.getRotationMatrix2D((half, half), turn, 2.0)
    matrix[:, 2] += size[1] / 2 - half, size[0] / 2 - half
    return np.exp(-((6 * cv2.warpAffine(ridges, matrix, size[::-1])) ** 2))


def skin_layer(color, relief, redness):
    """Return skin (3, H, W); redness takes away green and blue."""
    return np.stack([value * (1 + relief - part * redness) for value, part in zip(color, (0, 1, 0.8), strict=True)])


def hair_cover(count, size, rng):
    """Cover tapered, curved hairs that mostly run one way."""
    if not count:
        return np.zeros(size, np.float32)
    cover = np.zeros((2 * size[0], 2 * size[1]), np.uint8)
    main = rng.uniform(0, 2 * np.pi)
    t = np.linspace(0, 1, 24)
    for draw in rng.random((MOST_HAIRS, 8))[:count]:
        middle = (1.3 * draw[:2] - 0.15) * size[::-1]
        ribbon = 32 * (middle + np.hypot(*size) * hair_outline(*draw[2:7], main, t))
        cv2.fillPoly(cover, [np.rint(ribbon).astype(np.int32)], int(180 + 75 * draw[7]), cv2.LINE_AA, 4)
    return cv2.resize(cover, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def hair_outline(spread, length, bend, twist, width, main, t):
    """Return x, y of a ribbon round the origin in units of the frame's diagonal, from numbers in [0, 1]."""
    heading = main + 1.4 * (spread - 0.5) + 2.2 * (bend - 0.5) * t + 2 * (twist - 0.5) * t**2
    path = np.cumsum((0.25 + 0.75 * length) / t.size * unit_vectors(heading), axis=1)
    path -= path[:, [t.size // 2]]
    across = (0.0009 + 0.0011 * width) * (1 - 0.8 * t) * unit_vectors(heading + np.pi / 2)
    return np.hstack([path + across, (path - across)[:, ::-1]]).T


def shade(size, strength, rng):
    """Return brightness that falls off to one side and to the edges."""
    if not strength:
        return np.float32(1)
    down, right = (0.1 * unit_vectors(rng.uniform(0, 2 * np.pi))).tolist()
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in size)
    fall = (0.1 * y**2 + down * y + 0.15)[:, None] + (0.1 * x**2 + right * x)
    return 1 - strength * fall


def field_of_view(size, dark_corners):
    """Return the brightness of a circular field of view and where it is open.

    At 0 the circle goes round the frame, at 1 it touches the two longer sides from within.
    """
    if not dark_corners:
        return np.float32(1), np.ones(size, bool)
    rows, columns = (np.arange(side, dtype=np.float32) - (side - 1) / 2 for side in size)
    far = np.hypot(rows[:, None], columns)
    widest, narrowest = float(np.hypot(*size)) / 2, min(size) / 2
    rim = 0.02 * min(size)
    radius = widest + rim + dark_corners * (narrowest - widest - rim)
    light = smoothstep((radius - far) / rim + 0.5)
    return light, far <= radius


def photograph(scene, p, rng):
    """Return the scene (3, H, W) behind hairs as (H, W, 3) uint8, seen through light, lens and sensor."""
    size = scene.shape[1:]
    hair = hair_cover(p["hairs"], size, rng["hairs"])
    if p["hairs"]:
        blend(scene, hair, HAIR)
    view, field = field_of_view(size, p["dark_corners"])
    light = view * shade(size, p["shading"], rng["shading"])
    planes = [plane * light * (255 * gain) for plane, gain in zip(scene, p["color_cast"], strict=True)]
    image = cv2.merge(planes)
    if p["blur"]:
        image = cv2.GaussianBlur(image, (0, 0), p["blur"])
    if p["noise"]:
        image += p["noise"] * rng["noise"].standard_normal(image.shape, np.float32)
    image = np.clip(image + 0.5, 0, 255.5).astype(np.uint8)
    return image, {"hair_mask": hair > 0.3, "field": field}
