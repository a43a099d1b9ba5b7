"""Texture of a lesion from neighbouring grey levels: co-occurrence and local binary patterns."""

from functools import cache
from itertools import chain

import cv2
import numpy as np

from dermfeat.lesion import bounding_box

STEADY = "energy", "cluster_shade", "cluster_prominence"  # hardly change with distance (r > 0.999 in dermoscopy)
ROUNDING = 1e-3  # grey levels; what an interpolated value may lie below the centre and still count as equal


def histogram(image, mask, bins):
    """Return the share of the mask's pixels that have each of the values 0 to `bins` - 1 of a uint8 image."""
    counts = cv2.calcHist([image], [0], mask.view(np.uint8), [bins], [0, bins]).ravel().astype(np.float64)
    return counts / counts.sum()


def gray_shares(lesion):
    """Return the share of the lesion's pixels that have each of the 256 values of luma."""
    box = lesion.once(mask_box)
    return histogram(lesion.gray[box], lesion.mask[box], 256)


def mask_box(lesion):
    """Return the slices of rows and columns that hold the lesion's mask."""
    return bounding_box(lesion.mask)


def box_around(lesion, margin):
    """Return the slices of `mask_box` with a margin within the frame."""
    sides = zip(lesion.once(mask_box), lesion.mask.shape, strict=True)
    return tuple(slice(max(side.start - margin, 0), min(side.stop + margin, end)) for side, end in sides)


def glcm(lesion, *, levels=32, distances=(1, 3, 5)):
    """Measure Haralick's properties of the grey-level co-occurrence matrix inside the lesion.

    Only pairs with both pixels in the mask count. The pairs of the angles 0, 45, 90 and 135 degrees go, in both
    directions, into one matrix for each distance (as in scikit-image, a diagonal distance is rounded to whole pixels),
    which is then normalised to the sum 1. Energy and cluster properties, which hardly change with distance, are given
    for the first distance alone. The luma between the lesion's own 1st and 99th percentile is cut into equal levels, so
    that exposure and contrast of the photograph drop out. A mask without a pair counts as one flat level.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    levels : int
        Grey levels, 2 to 255.
    distances : sequence of int
        Distances between the two pixels of a pair, in pixels.

    Returns
    -------
    dict of str to float
        ``glcm_contrast_d{1,3,5}`` : [0, 961] level²
            ``sum p (i - j)²``.
        ``glcm_dissimilarity_d{1,3,5}`` : [0, 31] level
            ``sum p |i - j|``.
        ``glcm_homogeneity_d{1,3,5}`` : [0, 1] -
            ``sum p / (1 + (i - j)²)``.
        ``glcm_energy_d1`` : [0, 1] -
            ``sqrt(sum p²)``.
        ``glcm_correlation_d{1,3,5}`` : [-1, 1] -
            ``sum p (i - m)(j - m) / s²`` with mean m and variance s² of the marginal; 1 where that is flat.
        ``glcm_cluster_shade_d1`` : [-238328, 238328] level³
            ``sum p (i + j - 2m)³``.
        ``glcm_cluster_prominence_d1`` : [0, 14776336] level⁴
            ``sum p (i + j - 2m)⁴``.
        ``glcm_entropy_d{1,3,5}`` : [0, 10] bits
            ``-sum p log2 p``.
        ``glcm_difference_entropy_d{1,3,5}`` : [0, 5] bits
            Entropy of the distribution of ``|i - j|``.
        ``glcm_information_1_d{1,3,5}`` : [-1, 0] -
            First information measure of correlation, ``(H_xy - 2 H_x) / H_x``; 0 where flat.
        ``glcm_information_2_d{1,3,5}`` : [0, 1] -
            Second information measure of correlation, ``sqrt(1 - exp(-2 (2 H_x - H_xy)))`` with H in nats.

    References
    ----------
    Haralick, Shanmugam, Dinstein 1973, IEEE Transactions on Systems, Man, and Cybernetics 3:610, and for the cluster
    properties Conners, Trivedi, Harlow 1984, Computer Vision, Graphics, and Image Processing 25:273.
    """
    if not 2 <= levels <= 255:
        raise ValueError(f"glcm: levels is {levels}. Use 2 to 255")
    image, row = _quantised(lesion, levels), {}
    properties = haralick(np.stack([cooccurrence(image, d, levels) for d in distances]))
    for i, d in enumerate(distances):
        names = [name for name in properties if i == 0 or name not in STEADY]
        row |= {f"glcm_{name}_d{d}": properties[name][i] for name in names}
    return row


def _quantised(lesion, levels):
    """Return the levels in the mask's bounding box, with `levels` outside the mask."""
    box = lesion.once(mask_box)
    low, high = np.searchsorted(np.cumsum(lesion.once(gray_shares)), (0.01, 0.99))
    table = np.clip((np.arange(256) - low) * (levels / max(high - low, 1)), 0, levels - 1).astype(np.uint8)
    return np.maximum(cv2.LUT(lesion.gray[box], table), ~lesion.mask[box] * np.uint8(levels))


def cooccurrence(image, distance, levels):
    """Return the symmetric, normalised co-occurrence matrix of an image whose value `levels` means "not there".

    Parameters
    ----------
    image : (H, W) uint8 ndarray
        Grey levels in [0, levels].
    distance : int
        Distance in pixels.
    levels : int
        Number of grey levels.

    Returns
    -------
    (levels, levels) float64 ndarray
        Sum 1; a single 1 at (0, 0) where there is no pair.
    """
    height, width = image.shape
    room = cv2.copyMakeBorder(image, *[distance] * 4, cv2.BORDER_CONSTANT, value=levels)
    diagonal = round(distance / np.sqrt(2))
    counts = np.zeros((levels, levels))
    for down, right in ((0, distance), (diagonal, diagonal), (distance, 0), (diagonal, -diagonal)):
        y, x = distance + down, distance + right
        pair = [image, room[y : y + height, x : x + width]]
        counts += cv2.calcHist(pair, [0, 1], None, [levels] * 2, [0, levels] * 2)
    if not counts.any():
        counts[0, 0] = 1
    return (counts + counts.T) / (2 * counts.sum())


def haralick(p):
    """Return the properties that `glcm` lists of (..., levels, levels) symmetric matrices with sum 1."""
    position = np.arange(p.shape[-1])
    difference = np.abs(position[:, None] - position).ravel()
    apart = np.reshape([np.bincount(difference, q) for q in p.reshape(-1, difference.size)], p.shape[:-1])
    marginal = p.sum(axis=-1)
    mean = marginal @ position
    variance = (marginal * (position - mean[..., None]) ** 2).sum(axis=-1)
    sums = position[:, None] + position - 2 * mean[..., None, None]
    cubes = p * sums * sums * sums
    joint, single = _entropy(p, axis=(-2, -1)), _entropy(marginal)
    shared = np.maximum(2 * single - joint, 0)
    contrast = apart @ position**2
    return {
        "contrast": contrast,
        "dissimilarity": apart @ position,
        "homogeneity": apart @ (1 / (1 + position**2)),
        "energy": np.sqrt((p**2).sum(axis=(-2, -1))),
        "correlation": np.where(variance > 1e-12, 1 - contrast / np.maximum(2 * variance, 1e-12), 1),
        "cluster_shade": cubes.sum(axis=(-2, -1)),
        "cluster_prominence": (cubes * sums).sum(axis=(-2, -1)),
        "entropy": joint,
        "difference_entropy": _entropy(apart),
        "information_1": np.where(single > 1e-12, -shared / np.maximum(single, 1e-12), 0),
        "information_2": np.sqrt(1 - np.exp(-2 * np.log(2) * shared)),
    }


def _entropy(p, axis=-1):
    """Return the Shannon entropy in bits of shares that sum to 1 along an axis."""
    return np.maximum(-(p * np.log2(np.where(p > 0, p, 1))).sum(axis=axis), 0)


def lbp(lesion, *, rings=((8, 1), (16, 2))):
    """Measure the histograms of rotation-invariant uniform local binary patterns inside the lesion.

    The neighbours on the circle are interpolated bilinearly and count as one where they are not darker than the centre;
    equality holds up to rounding. A pattern with at most two changes round the circle is uniform and counted by its
    number of ones. Ojala, Pietikäinen, Mäenpää 2002, IEEE Transactions on Pattern Analysis and Machine Intelligence
    24:971 (LBP^riu2), as ``method="uniform"`` of scikit-image. Beyond the frame everything is black.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    rings : sequence of (int, float)
        Number of neighbours and radius in pixels of each circle.

    Returns
    -------
    dict of str to float
        ``lbp_r1_ones_{0,1,2,3,4,5,6,7,8}`` : [0, 1] share
            Pixels whose 8 neighbours at radius 1 form a uniform pattern with that many ones.
        ``lbp_r2_ones_{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}`` : [0, 1] share
            Pixels whose 16 neighbours at radius 2 form a uniform pattern with that many ones.
        ``lbp_r{1,2}_nonuniform`` : [0, 1] share
            All other pixels.
    """
    box, row = box_around(lesion, int(np.ceil(max(radius for _, radius in rings)))), {}
    gray, mask = lesion.gray[box], lesion.mask[box]
    for neighbours, radius in rings:
        shares = histogram(uniform_patterns(gray, neighbours, radius), mask, neighbours + 2)
        names = [*(f"ones_{i}" for i in range(neighbours + 1)), "nonuniform"]
        row |= {f"lbp_r{radius}_{name}": share for name, share in zip(names, shares, strict=True)}
    return row


def uniform_patterns(image, neighbours, radius):
    """Return the (H, W) uint8 uniform pattern of each pixel of a uint8 image: its ones, or neighbours + 1."""
    ones, changes = np.zeros((2, *image.shape), np.uint8)
    bits = _neighbours_not_darker(image, neighbours, radius)
    first = last = next(bits)
    for bit in chain(bits, [first]):
        ones += bit
        changes += bit ^ last
        last = bit
    return np.maximum(ones, (changes > 2) * np.uint8(neighbours + 1))


def _neighbours_not_darker(image, neighbours, radius):
    """Yield for each neighbour on the circle 1 where it, interpolated, is not darker than the centre."""
    (height, width), reach = image.shape, int(np.ceil(radius))
    room, plane = cv2.copyMakeBorder(image, *[reach] * 4, cv2.BORDER_CONSTANT), image.astype(np.float32)
    higher = np.empty_like(plane)
    for (y, x), difference in _circle(neighbours, radius):
        if difference is None:
            bit = room[y : y + height, x : x + width] >= image
        else:
            cv2.filter2D(plane, -1, difference, dst=higher, borderType=cv2.BORDER_CONSTANT)
            bit = higher > -ROUNDING
        yield bit.view(np.uint8)


@cache
def _circle(neighbours, radius):
    """Return where the neighbours lie and the filters that take the centre from them; None for those on a pixel."""
    reach, angle = int(np.ceil(radius)), 2 * np.pi * np.arange(neighbours) / neighbours
    places = (reach + radius * np.column_stack([-np.sin(angle), np.cos(angle)])).round(5)
    near = np.maximum(1 - np.abs(np.arange(2 * reach + 1) - places[..., None]), 0)
    filters = np.einsum("ni,nj->nij", near[:, 0], near[:, 1])
    filters[:, reach, reach] -= 1
    return [
        (place.astype(int), None if (place % 1 == 0).all() else filter_)
        for place, filter_ in zip(places, filters, strict=True)
    ]
