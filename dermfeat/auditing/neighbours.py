"""Which images could be copies of each other: a few near ones for each, without comparing all with all."""

import numpy as np

TREES = 32
LEAF = 128
NEAREST = 3

_CHUNK = 256


def candidate_pairs(points):
    """Pair each point with points near to it.

    Random projection trees (Dasgupta & Freund 2008, DOI 10.1145/1374376.1374452) that split at the median: every
    leaf holds at most 128 points, so n points cost n log n even where all are alike. In each leaf of each of 32 trees
    every point meets its 3 nearest ones.

    Parameters
    ----------
    points : (n, d) float32 ndarray

    Returns
    -------
    (m, 2) int64 ndarray
        Pairs i < j, each once, sorted; m is at most 96 n.
    """
    n = len(points)
    rng = np.random.default_rng(0)
    codes = np.unique(np.concatenate([_in_leaves(points, _leaves(points, rng)) for _ in range(TREES)]))
    return np.stack(np.divmod(codes, n), 1) if n > 1 else np.empty((0, 2), np.int64)


def _leaves(points, rng):
    """Return the (leaves, size) positions of the points in each leaf of one tree."""
    n = len(points)
    levels = int(np.ceil(np.log2(max(n / LEAF, 1))))
    heights = points @ rng.standard_normal((points.shape[1], levels)).astype(np.float32)
    node, order = np.zeros(n, np.int64), np.arange(n)
    for level in range(levels):
        order = np.lexsort((heights[:, level], node))
        node[order] = np.arange(n) * 2 ** (level + 1) // n
    size = -(-n // 2**levels)
    starts = np.minimum(np.arange(2**levels) * n // 2**levels, n - size)
    return order[starts[:, None] + np.arange(size)]


def _in_leaves(points, leaves):
    """Return the pairs i < j, coded as i * n + j, of each point and its nearest ones in its leaf."""
    size = leaves.shape[1]
    if size < 2:
        return np.empty(0, np.int64)
    near = min(NEAREST, size - 1)
    codes = []
    for start in range(0, len(leaves), _CHUNK):
        leaf = leaves[start : start + _CHUNK]
        at = points[leaf]
        squares = np.einsum("lsd,lsd->ls", at, at)
        distance = squares[:, None] - 2 * at @ at.swapaxes(1, 2)
        distance[:, np.arange(size), np.arange(size)] = np.inf
        nearest = np.argpartition(distance, near - 1, axis=2)[..., :near]
        other = np.take_along_axis(leaf[:, :, None], nearest.reshape(len(leaf), -1, 1), 1).reshape(nearest.shape)
        one = np.broadcast_to(leaf[:, :, None], other.shape)
        codes.append((np.minimum(one, other) * len(points) + np.maximum(one, other)).ravel())
    return np.unique(np.concatenate(codes))
