"""Outlines to choose from, and what each of them promises."""

from functools import lru_cache

import cv2
import numpy as np

LIKELY = (0.2, 0.35, 0.5, 0.65, 0.8, 0.92)  # thresholds of lesion probability
SHARES = (0.2, 0.33, 0.46, 0.6)  # thresholds of skin distance and of missing blue, shares of the maximum
FAINT = 2.5  # ΔE*76 up to which a difference from skin means nothing
SMALLEST = 0.001  # share of the frame below which an outline is no lesion
CENTRALITY = 0.3  # standard deviation of the Gaussian that prefers central components, in frame sides
RING = 0.03  # width of the ring around an outline, as a share of the longest side

# Ridge regression of the Jaccard index that candidates reach with experts' masks, same 1800 images.
# Fitted by `python -m dermfeat.training.classical_segmenter`; see weights/classical_segmenter.md.
WEIGHTS = {
    "agreement": 0.9434,
    "around": -0.2222,
    "solidity": 0.4092,
    "off_centre": -0.1587,
    "constant": -0.2262,
}


def outlines(view, probability):
    """Return candidate outlines of the lesion.

    Lesion probability, distance from skin colour and the lack of blue light are thresholded at several
    levels; of each the most central component is kept and its holes are filled.

    Parameters
    ----------
    view : likelihood.SkinRelative
        Planes of one image.
    probability : (H, W) float32 ndarray
        Lesion probability.

    Returns
    -------
    list of (H, W) bool ndarray
        Different masks, each at least 0.1 % of the frame.
    """
    weight = centrality(probability.shape)
    likely, probable = weight * (probability + np.float32(0.1)), weight * probability
    masks = [central(probability > level, probable) for level in LIKELY]
    for plane in (view.distance, -view.planes[..., 3]):
        plane = scaled(plane * view.usable)
        masks += [central(plane > level, likely) for level in SHARES]
    return [mask for mask in masks if np.count_nonzero(mask) >= max(SMALLEST * mask.size, 4)]


def scaled(plane):
    """Return a plane divided by its 99.5th percentile (at least `FAINT`) and clipped to [0, 1]."""
    return np.clip(plane / np.float32(max(quantile(plane, 0.995), FAINT)), 0, 1)


def quantile(values, share):
    """Return the quantile of an array as `np.quantile` does, faster."""
    place = share * (values.size - 1)
    low = int(place)
    part = np.partition(values, low, axis=None)
    above = part[low + 1 :].min() if low + 1 < part.size else part[low]
    return float(part[low] + (place - low) * (above - part[low]))


@lru_cache(8)
def centrality(shape):
    """Return a Gaussian over the frame, 1 in the middle, (H, W) float32; read only."""
    rows, columns = (np.linspace(-0.5, 0.5, size) ** 2 for size in shape)
    plane = np.exp(-(rows[:, None] + columns) / (2 * CENTRALITY**2)).astype(np.float32)
    plane.flags.writeable = False
    return plane


def central(mask, weight):
    """Return the component of a bool mask with the greatest sum of weights, its holes filled."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    chosen = 1
    if count > 2:
        sums = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
        chosen += np.argmax(sums[1:])
    return filled(labels == chosen)


def filled(mask, *, largest=False):
    """Return a bool mask without its holes, on request the largest component alone."""
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    contours = [max(contours, key=cv2.contourArea)] if largest and contours else contours
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), contours, -1, 1, cv2.FILLED).astype(bool)


def promises(masks, others, probability):
    """Return for each mask the Jaccard index that it can be expected to reach with an expert's mask.

    Parameters
    ----------
    masks : list of (H, W) bool ndarray
        None of them empty.
    others : list of (H, W) bool ndarray
        The candidates that they are compared with.
    probability : (H, W) float32 ndarray
        Lesion probability.

    Returns
    -------
    (len(masks),) float64 ndarray
        Values about [0, 1]; not clipped, so that the best of several stays the best.
    """
    traits = describe(masks, others, probability)
    return sum(WEIGHTS[name] * trait for name, trait in traits.items()) + WEIGHTS["constant"]


def describe(masks, others, probability):
    """Return the named traits that `promises` weighs, each a (len(masks),) ndarray.

    ``agreement``: mean Jaccard index with the others; ``around``: mean lesion probability in a ring
    outside; ``solidity``: share of its convex hull; ``off_centre``: of its middle, in half frames.
    """
    stack = np.stack(masks).view(np.uint8)
    planes = stack.astype(np.float32)
    return {
        "agreement": _agreement(planes, planes if others is masks else np.stack(others).astype(np.float32)),
        "around": _around(stack, probability),
        "solidity": np.array([_solidity(mask) for mask in stack]),
        "off_centre": _off_centre(planes),
    }


def _agreement(masks, others):
    """Return each mask's mean Jaccard index with the others."""
    masks, others = (planes.reshape(len(planes), -1) for planes in (masks, others))
    shared = masks @ others.T
    return (shared / (masks.sum(axis=1)[:, None] + others.sum(axis=1) - shared)).mean(axis=1)


def _around(masks, probability):
    """Return the mean lesion probability in a ring outside each mask, 0 where there is no outside."""
    kernel = np.ones((2 * max(round(RING * max(probability.shape)), 1) + 1,) * 2, np.uint8)
    rings = [cv2.subtract(cv2.dilate(mask, kernel), mask) for mask in masks]
    return np.array([cv2.mean(probability, ring)[0] for ring in rings])


def _solidity(mask):
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    hull = cv2.convexHull(np.concatenate(contours))
    drawn = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    return cv2.countNonZero(mask) / cv2.countNonZero(drawn)


def _off_centre(masks):
    """Return the distance of each mask's centre of gravity from the frame's middle, in half frames."""
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in masks.shape[1:])
    right, pixels = np.moveaxis(masks @ np.stack([columns, np.ones_like(columns)], axis=1), 2, 0)
    return np.hypot(right.sum(axis=1), pixels @ rows) / pixels.sum(axis=1)
