"""Colour constancy: the same skin under any dermoscope's light."""

import cv2
import numpy as np


def shades_of_gray(rgb, *, p=6, field=None):
    """Divide out the colour of the light, estimated as the Minkowski mean of each channel.

    With ``e_c = (mean I_c^p)^(1/p)`` over the pixels and ``e`` scaled to unit length the result is
    ``I_c / (sqrt(3) e_c)``, rounded and clipped. It works on the sRGB values as they are (no linearisation),
    without the smoothing and derivatives of the general grey-edge family.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image.
    p : float
        Order of the mean, at least 1: 1 is the gray world, ``inf`` is max-RGB, 6 is customary.
    field : (H, W) bool ndarray, optional
        The pixels that the light is estimated from, for example the field of view, so that dark corners do
        not count. All by default, and also where it is empty.

    Returns
    -------
    (H, W, 3) uint8 ndarray
        A gray image, and one in which a channel is black throughout the field, come back as they are.

    Raises
    ------
    ValueError
        If p is below 1 or not a number.

    References
    ----------
    Finlayson & Trezzi 2004, Color and Imaging Conference 12:37; for dermoscopy Barata et al. 2015, IEEE
    JBHI 19:1146, doi:10.1109/JBHI.2014.2336473.
    """
    if not p >= 1:
        raise ValueError(f"p is {p!r}; the order of the mean is a number from 1 to inf (6 is customary)")
    light = _light(rgb, p, field)
    if light.min() <= 0:
        return rgb.copy()
    gains = np.linalg.norm(light) / (np.sqrt(3) * light)
    table = np.clip(np.rint(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)
    return cv2.LUT(rgb, table[None])


def _light(rgb, p, field):
    """Return each channel's Minkowski mean, from its histogram."""
    mask = None if field is None or not field.any() else field.astype(np.uint8)
    counts = [cv2.calcHist([rgb], [c], mask, [256], [0, 256]).ravel().astype(float) for c in range(3)]
    tops = np.array([np.flatnonzero(count)[-1] for count in counts], float)
    if np.isinf(p) or tops.min() == 0:
        return tops
    levels = np.arange(256) / tops[:, None]
    means = [
        count[: int(top) + 1] @ level[: int(top) + 1] ** p / count.sum()
        for count, level, top in zip(counts, levels, tops, strict=True)
    ]
    return tops * np.array(means) ** (1 / p)
