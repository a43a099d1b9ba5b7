"""What a mask says of itself: how much it covers, and whether it rather shows the skin than the lesion."""

import cv2
import numpy as np

SIZE = (128, 96)  # width and height in pixels at which a mask is judged
REACH = 9  # pixels: side of the square that the bands along the outline are made with
EDGE, CENTRE, LIGHTNESS = 16.5, -13.3, 0.304


def mask_facts(rgb, mask):
    """Return size, share and inversion score of a mask as a dict.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
    mask : (H', W') bool ndarray

    Returns
    -------
    dict
        ``mask_height``, ``mask_width`` in pixels; ``mask_share`` of the frame in [0, 1]; ``mask_inversion``, see
        `inversion`.
    """
    return {
        "mask_height": mask.shape[0],
        "mask_width": mask.shape[1],
        "mask_share": float(mask.mean()),
        "mask_inversion": inversion(rgb, mask),
    }


def inversion(rgb, mask):
    """Return the log odds that a mask shows the skin and not the lesion; 0 for an empty or full one.

    Skin lies along the frame, a lesion in its middle, and a lesion is darker than the skin beside it. The three weights
    are a logistic regression on 7337 masks of HAM10000 and their inverses, which errs in 1 of them. The score
    changes its sign with the mask.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
    mask : (H', W') bool ndarray
    """
    mask = cv2.resize(mask.astype(np.uint8) * 255, SIZE, interpolation=cv2.INTER_AREA) > 127
    if mask.all() or not mask.any():
        return 0.0
    edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()
    weights = _centrality()
    centre = (weights * mask).sum() / weights.sum()
    return float(EDGE * (edge - 0.5) + CENTRE * (centre - 0.5) + LIGHTNESS * _step(rgb, mask))


def _centrality():
    rows, columns = (np.exp(-0.5 * ((np.arange(n) - n / 2) / (n / 4)) ** 2) for n in SIZE[::-1])
    return np.outer(rows, columns)


def _step(rgb, mask):
    """Return how much lighter (CIELAB L*) the mask is than what lies beside it."""
    small = cv2.resize(rgb, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lightness = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0]
    square = np.ones((REACH, REACH), np.uint8)
    inside = mask & (cv2.erode(mask.astype(np.uint8), square, borderValue=1) == 0)
    outside = ~mask & (cv2.dilate(mask.astype(np.uint8), square) > 0)
    return float(lightness[inside].mean() - lightness[outside].mean())
