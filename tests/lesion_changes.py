"""What tests of several measures do to lesions."""

import re

import cv2
import numpy as np

from dermfeat import Lesion
from dermfeat.datasets import draw_lesion

TURNS = {"rot90": np.rot90, "flipud": np.flipud, "fliplr": np.fliplr}
AWKWARD = {  # masks in a frame of 64 x 64
    "pixels": np.s_[30:32, 30:32],
    "line": np.s_[20, 3:60],
    "corner": np.s_[:20, :20],
    "nearly all": np.s_[1:, :],
    "grid": np.s_[::8, ::8],
    "nothing": np.s_[:0, :0],
}


def gray(value):
    """Return the grey level whose L* is `value`."""
    y = ((value + 16) / 116) ** 3
    return 255 * (1.055 * y ** (1 / 2.4) - 0.055)


def changed(lesion, change):
    """Return the lesion with image and masks turned or flipped."""
    parts = (np.ascontiguousarray(change(part)) for part in (lesion.image, lesion.mask, lesion.field, lesion.hair))
    image, mask, field, hair = parts
    return Lesion(image, mask, field=field, hair=hair)


def dimmed(lesion, gain):
    """Return the lesion with each channel multiplied."""
    image = np.clip(lesion.image * gain + 0.5, 0, 255).astype(np.uint8)
    return Lesion(image, lesion.mask, field=lesion.field, hair=lesion.hair)


def resized(lesion, factor):
    """Return the lesion at another size."""
    size = [round(side * factor) for side in lesion.mask.shape[::-1]]
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    masks = (cv2.resize(mask * 1.0, size, interpolation=cv2.INTER_LINEAR) > 0.5 for mask in (lesion.mask, lesion.hair))
    mask, hair = masks
    return Lesion(cv2.resize(lesion.image, size, interpolation=way), mask, hair=hair)


def compare(measure, photos, change):
    """Return ``{key: (2, n) values}`` of photos before and after a change."""
    pairs = [(measure(photo), measure(change(photo))) for photo in photos]
    return {key: np.array([[one[key], other[key]] for one, other in pairs]).T for key in pairs[0][0]}


def spoilt(size, seed):
    """Yield a drawn lesion without structures: as it is, with noise, from a poor JPEG file."""
    image, mask, _ = draw_lesion(size, texture=0.0, random_state=seed)
    noise = np.random.default_rng(seed).normal(0, 6, image.shape)
    noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
    packed = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)
    for seen in (image, noisy, packed):
        yield Lesion(seen, mask)


def awkward(shape, content):
    """Return the lesion with one of the awkward masks on "constant", "noise" or "black"."""
    mask = np.zeros((64, 64), bool)
    mask[AWKWARD[shape]] = True
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Lesion({"noise": noise, "constant": np.full_like(noise, 128), "black": 0 * noise}[content], mask)


def documented(*measures):
    """Return ``{key pattern: (low, high)}`` from the docstrings of measures."""
    text = "".join(measure.__doc__ for measure in measures)
    found = re.findall(r"``([a-z_{},]+)`` : \[([-\d.]+), ([-\w.]+)\]", text)
    return {name: (float(low), float(high)) for name, low, high in found}
