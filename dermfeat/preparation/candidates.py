"""Outlines to choose from, and what each of them promises."""

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
    likely = weight * (probability + np.float32(0.1))
    masks = [central(probability > level, weight * probability) for level in LIKELY]
    for plane in (view.distance, -view.planes[..., 3]):
        plane = scaled(plane * view.usable)
        masks += [central(plane > level, likely) for level in SHARES]
    return [mask for mask in masks if mask.sum() >= max(SMALLEST * mask.size, 4)]


def scaled(plane):
    """Return a plane divided by its 99.5th percentile (at least `FAINT`) and clipped to [0, 1]."""
    return np.clip(plane / max(np.percentile(plane, 99.5), FAINT), 0, 1)


def centrality(shape):
    """Return a Gaussian over the frame, 1 in the middle, (H, W) float32."""
    rows, columns = (np.linspace(-0.5, 0.5, size) ** 2 for size in shape)
    return np.exp(-(rows[:, None] + columns) / (2 * CENTRALITY**2)).astype(np.float32)


def central(mask, weight):
    """Return the component of a bool mask with the greatest sum of weights, its holes filled."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    sums = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
    chosen = (labels == 1 + np.argmax(sums[1:])).astype(np.uint8)
    contours = cv2.findContours(chosen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
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
    flat = np.stack(masks).reshape(len(masks), -1).astype(np.float32)
    area = flat.sum(axis=1)
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) for size in probability.shape)
    places = np.stack([np.repeat(rows, columns.size), np.tile(columns, rows.size)], axis=1)
    return {
        "agreement": _agreement(flat, np.stack(others).reshape(len(others), -1).astype(np.float32)),
        "around": np.array([_around(mask, probability) for mask in masks]),
        "solidity": np.array([_solidity(mask) for mask in masks]),
        "off_centre": np.linalg.norm(flat @ places / area[:, None], axis=1),
    }


def _agreement(masks, others):
    """Return each mask's mean Jaccard index with the others."""
    shared = masks @ others.T
    return (shared / (masks.sum(axis=1)[:, None] + others.sum(axis=1) - shared)).mean(axis=1)


def _around(mask, probability):
    size = 2 * max(round(RING * max(mask.shape)), 1) + 1
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool) & ~mask
    return probability[ring].mean() if ring.any() else 0.0


def _solidity(mask):
    contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    hull = cv2.convexHull(np.concatenate(contours))
    drawn = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    return mask.sum() / drawn.sum()
