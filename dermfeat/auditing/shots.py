"""A second, finer look at pairs of like images: the same photo changed, or the next shot of the same lesion?"""

from dataclasses import replace

import cv2
import numpy as np
from joblib import Parallel, delayed

from dermfeat._errors import LesionImageError
from dermfeat.auditing.orientation import oriented
from dermfeat.reading import sources

SIDE = 128
CERTAIN = 0.985  # similarity from which a pair is not looked at again
TURN = 0.015  # rotation and shear; what cropping, resizing and turning by 90° leave is below
MISFIT = 0.015  # share of the common view whose fine structure differs

_UNLIKE = 0.7
_NOISE = 1.5
_BRIGHT = 250
_WINDOW = 6 / 128
_LEAST = 0.3
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-5)
_INTO = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def other_shots(references, pairs, *, n_jobs=None):
    """Say which pairs of like images are two shots of a lesion and not one photo.

    Both images are read again. A pair that cannot be compared counts as one photo. Hair that was removed or a text
    that was written into a copy makes it another shot.

    The limits were set on one half, by lesion, of 16 631 dermoscopic images. On the other half 99.7 % of copies
    cropped, resized, turned, lightened and encoded at quality 60, alone and together, stayed copies, 98 % of those
    cropped, halved and encoded; shots from the same place without hairs, bubbles or a turn are not told from copies.

    Parameters
    ----------
    references : sequence of image references
    pairs : DataFrame
        Columns i, j (positions), similarity and orientation, as `near_copies` finds them.
    n_jobs : int, optional
        Worker processes (joblib).

    Returns
    -------
    (m,) bool ndarray
    """
    shot = np.zeros(len(pairs), bool)
    doubtful = np.flatnonzero(pairs["similarity"] < CERTAIN)
    chosen = pairs.iloc[doubtful][["i", "j", "orientation"]].to_numpy(int).tolist()
    look = delayed(_is_other_shot)
    shot[doubtful] = Parallel(n_jobs=n_jobs)(look(references[i], references[j], turn) for i, j, turn in chosen)
    return shot


def _is_other_shot(first, second, orientation):
    try:
        first, second = (replace(source, mask=None).read()[0] for source in sources([first, second]))
    except LesionImageError:
        return False
    turn, misfit = differences(oriented(first, orientation), second)
    return turn > TURN or misfit > MISFIT


def differences(first, second):
    """Measure what tells two shots of a lesion from one photo that was changed.

    The green channels, squashed to the same square of at most 128 pixels a side, are laid onto each other by an
    affine map (enhanced correlation coefficient, Evangelidis & Psarakis 2008, DOI 10.1109/TPAMI.2008.113). A hand
    that holds a dermoscope turns it a little; a photo that is cropped, resized or encoded anew has no turn. Between
    two shots hairs, bubbles and reflexes move: there fine structure differs, by more than noise, in one place and
    not in others. Places where either image is overexposed do not count.

    Parameters
    ----------
    first, second : (H, W, 3) uint8 ndarray
        In the same orientation.

    Returns
    -------
    turn : float
        The larger of the two numbers of the map that rotate or shear: the sine of a small rotation.
    misfit : float
        Share of the common view, 0 to 1, where the fine structure around a pixel correlates by less than 0.7 and
        differs by more than 1.5 grey levels. Both are 0 for images that no map lays onto each other.
    """
    side = min(SIDE, *first.shape[:2], *second.shape[:2])
    greens = [
        cv2.resize(np.ascontiguousarray(x[..., 1]), (side, side), interpolation=cv2.INTER_AREA) for x in (first, second)
    ]
    one, other = (green.astype(np.float32) for green in greens)
    place = _place(one, other)
    if place is None:
        return 0.0, 0.0
    moved = cv2.warpAffine(one, place, (side, side), flags=_INTO, borderMode=cv2.BORDER_REFLECT)
    shown = cv2.warpAffine((greens[0] < _BRIGHT).astype(np.float32), place, (side, side), flags=_INTO)
    shared = ((shown > 0.99) & (greens[1] < _BRIGHT)).astype(np.float32)
    shared = cv2.erode(shared, np.ones((3, 3)), borderValue=0)
    return float(max(abs(place[0, 1]), abs(place[1, 0]))), _misfit(_band(moved, 4), _band(other, 4), shared)


def _band(green, coarse):
    return cv2.GaussianBlur(green, (0, 0), coarse / 4) - cv2.GaussianBlur(green, (0, 0), coarse)


def _place(one, other):
    """Return the (2, 3) map from pixels of the other to those of the one; None where there is none."""
    place = np.eye(2, 3, dtype=np.float32)
    try:
        for coarse, blur in ((8, 5), (6, 1)):
            images = _band(other, coarse), _band(one, coarse)
            place = cv2.findTransformECC(*images, place, cv2.MOTION_AFFINE, _STEPS, None, blur)[1]
    except cv2.error:  # it does not converge
        return None
    return place


def _misfit(one, other, shared):
    one = one * (np.sum(one * other * shared) / max(np.sum(one * one * shared), 1e-6))
    weight = np.maximum(_local(shared), 1e-3)
    product, *energies, rest = (
        _local(x * shared) / weight for x in (one * other, one * one, other * other, np.square(one - other))
    )
    correlation = product / np.sqrt(energies[0] * energies[1] + 1e-3)
    there = (shared > 0) & (weight > _LEAST)
    return float(np.mean(((correlation < _UNLIKE) & (rest > _NOISE**2))[there])) if there.any() else 0.0


def _local(values):
    return cv2.GaussianBlur(values, (0, 0), _WINDOW * len(values), borderType=cv2.BORDER_CONSTANT)
