"""The 8 orientations of an image, and what cosine coefficients say about them."""

import numpy as np

ORIENTATIONS = (
    "upright",
    "flipped top to bottom",
    "flipped left to right",
    "rotated by 180°",
    "flipped along the diagonal",
    "rotated by 90° to the left",
    "rotated by 90° to the right",
    "flipped along the other diagonal",
)
INVERSE = np.array([0, 1, 2, 3, 4, 6, 5, 7])


def oriented(image, orientation, axes=(0, 1)):
    """Turn an image.

    Parameters
    ----------
    image : ndarray
    orientation : int
        Position in `ORIENTATIONS`; 4 swaps rows and columns, then 1 reverses the rows and 2 the columns.
    axes : (int, int)
        Those of rows and columns.

    Returns
    -------
    ndarray
        A view.
    """
    image = np.swapaxes(image, *axes) if orientation & 4 else image
    return np.flip(image, [axis for axis, bit in zip(axes, (1, 2), strict=True) if orientation & bit])


def oriented_coefficients(low, orientation):
    """Return what (n, k, k) cosine coefficients of images become when the images are turned."""
    sign = (-1.0) ** np.arange(low.shape[1], dtype=low.dtype)
    low = low.swapaxes(1, 2) if orientation & 4 else low
    low = low * sign[:, None] if orientation & 1 else low
    return low * sign if orientation & 2 else low


def invariants(low):
    """Describe cosine coefficients by numbers that all 8 orientations leave as they are.

    Flips change the sign of odd orders, the diagonal swaps rows with columns. So: sum and difference of each
    coefficient and the one across the diagonal, without the signs that may change.

    Parameters
    ----------
    low : (n, k, k) float32 ndarray

    Returns
    -------
    (n, k * k) float32 ndarray
    """
    odd = np.arange(low.shape[1]) % 2 == 1
    values = np.where(odd[:, None] != odd, np.abs(low), low)
    across = values.swapaxes(1, 2)
    total = np.where(odd[:, None] & odd, np.abs(values + across), values + across)
    upper, strict = np.triu_indices(low.shape[1]), np.triu_indices(low.shape[1], 1)
    parts = [total[:, *upper], np.abs(values - across)[:, *strict]]
    return np.concatenate(parts, 1) / np.float32(np.sqrt(2))


def best_orientation(first, second):
    """Find how each image has to be turned to be most like its partner.

    Parameters
    ----------
    first, second : (n, k, k) float32 ndarray
        Cosine coefficients.

    Returns
    -------
    correlation : (n,) float32 ndarray
        Of the coefficients, in the best orientation.
    orientation : (n,) int8 ndarray
        What to turn the first by.
    """
    scores = np.stack([np.einsum("nuv,nuv->n", oriented_coefficients(first, o), second) for o in range(8)])
    energy = np.einsum("nuv,nuv->n", first, first) * np.einsum("nuv,nuv->n", second, second)
    return scores.max(0) / np.sqrt(energy + 1e-12), scores.argmax(0).astype(np.int8)
