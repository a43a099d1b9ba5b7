"""How alike two images are once one is shifted and stretched a little onto the other."""

import numpy as np

_BATCH = 128
_ROUNDS = 4
_HOPELESS = 0.55
_FURTHEST = 0.12
_DAMPING = 0.01


def similarity(first, second):
    """Correlate pairs of images after the best small shift and stretch along each axis.

    Forward-additive Gauss-Newton (Lucas & Kanade 1981) over four numbers a pair: stretch and shift of rows and of
    columns, each at most 12 % of half a side, as a crop needs. Pairs that are still below 0.55 after the first of four
    rounds are given up.

    Parameters
    ----------
    first, second : (n, s, s) float32 ndarray
        With mean about 0; 0 where there is nothing to compare.

    Returns
    -------
    (n,) float32 ndarray
        The highest normalised correlation met, over the part that both images show; -1 to 1.
    """
    result = np.zeros(len(first), np.float32)
    for start in range(0, len(first), _BATCH):
        part = slice(start, start + _BATCH)
        result[part] = _similarity(first[part], second[part])
    return result


def _similarity(first, second):
    place = np.zeros((len(first), 4), np.float32)
    best = np.full(len(first), -1, np.float32)
    alive = np.arange(len(first))
    for round_ in range(_ROUNDS + 1):
        moved, shared = _move(first[alive], place[alive])
        fixed = shared * second[alive]
        product, energy = _dot(moved, fixed), _dot(fixed, fixed)
        score = product / np.sqrt(_dot(moved, moved) * energy + 1e-6)
        best[alive] = np.maximum(best[alive], score)
        if round_ == _ROUNDS:
            break
        going = (score > _HOPELESS) if round_ == 1 else np.ones(len(alive), bool)
        gain = (product / (energy + 1e-6))[:, None, None]
        place[alive[going]] += _step(moved[going], (gain * fixed - moved)[going])
        np.clip(place, -_FURTHEST, _FURTHEST, out=place)
        alive = alive[going]
    return best


def _dot(a, b):
    return np.einsum("nij,nij->n", a, b)


def _grid(side):
    """Return the pixels' centres, from -1 to 1 over the image."""
    return ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)


def _move(images, place):
    """Sample each image at stretched and shifted rows and columns; 0 outside of it. Return also how far inside."""
    side = images.shape[1]
    rows, columns = (_sampling(stretch, shift, side) for stretch, shift in (place[:, :2].T, place[:, 2:].T))
    shared = rows.sum(2)[:, :, None] * columns.sum(2)[:, None]
    return rows @ images @ columns.swapaxes(1, 2), shared


def _sampling(stretch, shift, side):
    """Return the (n, side, side) matrices of linear interpolation along one axis."""
    position = (1 + stretch)[:, None] * _grid(side) + shift[:, None]
    pixel = (position + 1) * (side / 2) - 0.5
    return np.maximum(0, 1 - np.abs(pixel[:, :, None] - np.arange(side, dtype=np.float32)))


def _step(moved, residual):
    """Solve the damped normal equations of the four numbers."""
    side = moved.shape[1]
    down, right = (slope * (side / 2) for slope in np.gradient(moved, axis=(1, 2)))
    grid = _grid(side)
    slopes = np.stack([down * grid[:, None], down, right * grid, right], 1).reshape(len(moved), 4, side * side)
    normal = slopes @ slopes.swapaxes(1, 2)
    normal += _DAMPING * np.eye(4, dtype=np.float32) * (1 + np.trace(normal, axis1=1, axis2=2)[:, None, None] / 4)
    return np.linalg.solve(normal, slopes @ residual.reshape(len(moved), side * side, 1))[..., 0]
