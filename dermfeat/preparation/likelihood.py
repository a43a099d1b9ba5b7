"""How likely each pixel is lesion: colour relative to skin, twice weighed with fitted weights."""

from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.preparation.candidates import quantile

BLUR = 0.012  # standard deviation of the blur, as a share of the longest side
FRAME = 0.1  # width of the strip in which skin is looked for, as a share of the shortest side
FLAT = 4.0  # smallest spread (in units of CIELAB) that a plane is scaled by

# Logistic regressions on pixels of 1800 HAM10000 images (Tschandl et al. 2018, 2020) with their experts' masks.
# Fitted by `python -m dermfeat.training.classical_segmenter`; see weights/classical_segmenter.md.
FIRST = {
    "r2": -1.19,
    "r": -3.619,
    "centre": -2.088,
    "distance": 0.1404,
    "distance_relative": -4.609,
    "distance_relative_r2": -1.158,
    "mahalanobis": -0.07355,
    "mahalanobis_relative": 8.701,
    "mahalanobis_relative_r2": -3.83,
    "dark": -0.1759,
    "dark_relative": 1.705,
    "dark_relative_r2": -2.145,
    "red": 0.1649,
    "red_relative": -0.5765,
    "red_relative_r2": 0.14,
    "blue": 0.2056,
    "blue_relative": -1.306,
    "blue_relative_r2": 1.806,
    "constant": 0.3461,
}
SECOND = {
    "first": 0.4254,
    "around": 3.099,
    "fisher": 0.7747,
    "fisher_away": -0.2338,
    "away": -0.867,
    "parted": -0.2444,
    "share": 4.831,
    "constant": -1.473,
}


class SkinRelative(NamedTuple):
    """Colour relative to the surrounding skin: L*, a*, b* of CIELAB and the blue channel (0 to 100).

    `planes` (H, W, 4) are blurred, `distance` (H, W) is the colour difference ΔE*76, `frame` (H, W) bool the
    strip along the edge of `usable` (H, W) bool, `spread` (3, 3) the covariance of CIELAB in skin.
    """

    planes: np.ndarray
    distance: np.ndarray
    frame: np.ndarray
    usable: np.ndarray
    spread: np.ndarray


def relative_to_skin(rgb, usable):
    """Return the `SkinRelative` planes of a small image.

    Skin is the median of the brighter half of the frame: lesions that reach the frame are mostly dark.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image, already reduced.
    usable : (H, W) bool ndarray
        False in dark corners.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    planes = cv2.merge([*cv2.split(lab), rgb[..., 2] / np.float32(2.55)])
    planes = _blur(planes, usable, BLUR * max(rgb.shape[:2]))
    frame = _frame(usable)
    around = planes.reshape(-1, 4).take(np.flatnonzero(frame), axis=0)
    lit = around[around[:, 0] >= np.median(around[:, 0])]
    skin = np.median(lit, axis=0)
    off = (lit - skin)[:, :3]
    spread = off.T @ off / len(off) + FLAT * np.eye(3, dtype=np.float32)
    planes = cv2.subtract(planes, (*map(float, skin),))
    return SkinRelative(planes, _length(planes, np.eye(3)), frame, usable, spread)


def _length(planes, whiten):
    """Return the length of each pixel's CIELAB vector after a linear map, transposed."""
    vectors = cv2.transform(planes, np.column_stack([whiten.T, np.zeros(3)]))
    return np.sqrt(sum(np.square(plane) for plane in cv2.split(vectors)))


def _blur(planes, usable, sigma):
    """Gaussian blur that only looks at usable pixels."""
    if usable.all():
        return cv2.GaussianBlur(planes, (0, 0), sigma)
    weight = usable.astype(np.float32)
    total = cv2.GaussianBlur(planes * weight[..., None], (0, 0), sigma)
    return total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)[..., None]


def _frame(usable):
    """Return the strip along the edge of the usable field."""
    padded = cv2.copyMakeBorder(usable.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    return usable & (depth <= max(2, FRAME * min(usable.shape)))


def lesion_probability(view):
    """Return how likely each pixel is lesion.

    Two logistic regressions in turn. The first sees each pixel's colour relative to skin and its place in
    the frame; the second sees what the first made of the pixel and its surroundings, and the colour on the
    line (Fisher's discriminant) that best parts lesion from skin in this very image.

    Parameters
    ----------
    view : SkinRelative
        Planes of one image.

    Returns
    -------
    (H, W) float32 ndarray
        Values in [0, 1]; 0 where the image is not usable.
    """
    first = _logit(first_features(view), FIRST)
    second = _logit(second_features(view, first), SECOND)
    return sigmoid(second) * view.usable


def _logit(features, weights):
    return sum(weights[name] * plane for name, plane in features.items()) + weights["constant"]


def sigmoid(x):
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def first_features(view):
    """Return the named (H, W) planes that the first regression weighs."""
    height, width = view.usable.shape
    r2 = np.linspace(-1, 1, height)[:, None] ** 2 + np.linspace(-1, 1, width) ** 2
    r2 = r2.astype(np.float32)
    features = {"r2": r2, "r": np.sqrt(r2), "centre": np.exp(-2 * r2)}
    frame, usable = np.flatnonzero(view.frame), np.flatnonzero(view.usable)
    for name, plane in _quantities(view).items():
        skin = quantile(plane.take(frame), 0.5)
        scale = max(quantile(plane.take(usable), 0.97) - skin, FLAT)
        relative = (plane - np.float32(skin)) * np.float32(1 / scale)
        features[name] = plane
        features[f"{name}_relative"] = relative
        features[f"{name}_relative_r2"] = relative * r2
    return features


def _quantities(view):
    """Return what is looked at in each colour: larger is more like a lesion."""
    lightness, red, _, blue = cv2.split(view.planes)
    return {
        "distance": view.distance,
        "mahalanobis": _length(view.planes, np.linalg.inv(np.linalg.cholesky(view.spread)).T),
        "dark": -lightness,
        "red": red,
        "blue": -blue,
    }


def second_features(view, first):
    """Return the named (H, W) planes that the second regression weighs, from the logit of the first."""
    lesion = sigmoid(first) * view.usable
    share = lesion.sum() / view.usable.sum()
    line, parted = _fisher(view.planes, lesion, (1 - lesion) * view.usable)
    away = _radius(lesion)
    return {
        "first": first,
        "around": cv2.GaussianBlur(lesion, (0, 0), 0.04 * max(lesion.shape)),
        "fisher": line,
        "fisher_away": line * away,
        "away": away,
        "parted": np.float32(parted),
        "share": np.float32(share),
    }


def _fisher(planes, lesion, skin):
    """Return the colour on Fisher's line, 0 at skin and 1 at lesion, and how far the two are apart on it."""
    pixels = np.stack(cv2.split(planes)).reshape(planes.shape[2], -1)
    means, within = [], FLAT * np.eye(len(pixels))
    for weight in (lesion.ravel(), skin.ravel()):
        weight = weight / max(weight.sum(), 1e-6)
        mean = pixels @ weight
        within = within + (pixels * weight) @ pixels.T - np.outer(mean, mean) * weight.sum()
        means.append(mean)
    step = means[0] - means[1]
    direction = np.linalg.solve(within, step)
    apart = float(step @ direction)
    scaled = direction / max(apart, 0.05)
    line = cv2.transform(planes, np.append(scaled, -scaled @ means[1])[None])
    return line, min(apart, 25.0)


def _radius(lesion):
    """Return each pixel's distance to the likely lesion's middle, in its radii, at most 4."""
    moments = cv2.moments(lesion**2)
    total = max(moments["m00"], 1e-6)
    rows, columns = (np.arange(size, dtype=np.float32) for size in lesion.shape)
    down, right = np.meshgrid(rows - moments["m01"] / total, columns - moments["m10"] / total, indexing="ij")
    radius = np.sqrt(max(float(lesion.sum()) / np.pi, 4))
    return np.minimum(cv2.magnitude(down, right) / np.float32(radius), 4)
