"""Texture of a lesion from neighbouring grey levels: co-occurrence and local binary patterns."""

import cv2
import numpy as np

STEADY = "energy", "cluster_shade", "cluster_prominence"  # hardly change with distance (r > 0.999 in dermoscopy)
ROUNDING = 1e-3  # grey levels; what an interpolated value may lie below the centre and still count as equal


def bounding_box(mask, margin=0):
    """Return the slices of a mask's bounding box, widened by `margin` pixels and cut at the frame."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return np.s_[max(y - margin, 0) : y + height + margin, max(x - margin, 0) : x + width + margin]


def histogram(image, mask, bins):
    """Return the share of the mask's pixels that have each of the values 0 to `bins` - 1 of a uint8 image."""
    counts = cv2.calcHist([image], [0], mask.astype(np.uint8), [bins], [0, bins]).ravel().astype(np.float64)
    return counts / counts.sum()


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
    image, row = _quantised(lesion, levels, max(distances)), {}
    for d in distances:
        properties = haralick(cooccurrence(image, d, levels))
        names = [name for name in properties if d == distances[0] or name not in STEADY]
        row |= {f"glcm_{name}_d{d}": properties[name] for name in names}
    return row


def _quantised(lesion, levels, border):
    """Return the levels in the mask's bounding box, with `levels` outside the mask and in a border all round."""
    box = bounding_box(lesion.mask)
    low, high = np.searchsorted(np.cumsum(histogram(lesion.gray, lesion.mask, 256)), (0.01, 0.99))
    table = np.clip((np.arange(256) - low) * (levels / max(high - low, 1)), 0, levels - 1).astype(np.uint8)
    image = np.where(lesion.mask[box], cv2.LUT(lesion.gray[box], table), np.uint8(levels))
    return cv2.copyMakeBorder(image, *[border] * 4, cv2.BORDER_CONSTANT, value=int(levels))


def cooccurrence(image, distance, levels):
    """Return the symmetric, normalised co-occurrence matrix of an image whose value `levels` means "not there".

    Parameters
    ----------
    image : (H, W) uint8 ndarray
        Grey levels in [0, levels]; both sides longer than `distance`.
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
    diagonal = round(distance / np.sqrt(2))
    counts = np.zeros((levels, levels))
    for down, right in ((0, distance), (diagonal, diagonal), (distance, 0), (diagonal, -diagonal)):
        first = image[: height - down, max(-right, 0) : width - max(right, 0)]
        second = image[down:, max(right, 0) : width + min(right, 0)]
        pairs = cv2.calcHist([first, second], [0, 1], None, [levels + 1] * 2, [0, levels + 1] * 2)
        counts += pairs[:levels, :levels]
    if not counts.any():
        counts[0, 0] = 1
    return (counts + counts.T) / (2 * counts.sum())


def haralick(p):
    """Return the properties that `glcm` lists of a symmetric matrix with sum 1."""
    position = np.arange(len(p))
    difference = np.abs(position[:, None] - position)
    marginal = p.sum(axis=0)
    mean = marginal @ position
    variance = marginal @ (position - mean) ** 2
    contrast = (p * difference**2).sum()
    sums = position[:, None] + position - 2 * mean
    cubes = p * sums**3
    joint, single = _entropy(p), _entropy(marginal)
    shared = max(2 * single - joint, 0)
    return {
        "contrast": contrast,
        "dissimilarity": (p * difference).sum(),
        "homogeneity": (p / (1 + difference**2)).sum(),
        "energy": np.sqrt((p**2).sum()),
        "correlation": 1 - contrast / (2 * variance) if variance > 1e-12 else 1.0,
        "cluster_shade": cubes.sum(),
        "cluster_prominence": (cubes * sums).sum(),
        "entropy": joint,
        "difference_entropy": _entropy(np.bincount(difference.ravel(), p.ravel())),
        "information_1": -shared / single if single > 1e-12 else 0.0,
        "information_2": np.sqrt(1 - np.exp(-2 * np.log(2) * shared)),
    }


def _entropy(p):
    """Return the Shannon entropy in bits of shares that sum to 1."""
    p = p[p > 0]
    return float(max(-(p * np.log2(p)).sum(), 0))


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
    row = {}
    for neighbours, radius in rings:
        box = bounding_box(lesion.mask, int(np.ceil(radius)))
        patterns = uniform_patterns(lesion.gray[box], neighbours, radius)
        shares = histogram(patterns, lesion.mask[box], neighbours + 2)
        names = [*(f"ones_{i}" for i in range(neighbours + 1)), "nonuniform"]
        row |= {f"lbp_r{radius}_{name}": share for name, share in zip(names, shares, strict=True)}
    return row


def uniform_patterns(image, neighbours, radius):
    """Return the (H, W) uint8 uniform pattern of each pixel of a uint8 image: its ones, or neighbours + 1."""
    bits = list(_neighbours_not_darker(image, neighbours, radius))
    ones, changes = np.zeros((2, *image.shape), np.uint8)
    for bit, last in zip(bits, [bits[-1], *bits], strict=False):
        ones += bit
        changes += bit ^ last
    return np.where(changes <= 2, ones, np.uint8(neighbours + 1))


def _neighbours_not_darker(image, neighbours, radius):
    """Yield for each neighbour on the circle 1 where it, interpolated, is not darker than the centre."""
    margin, darker = int(np.ceil(radius)) + 1, image - np.float32(ROUNDING)
    room = cv2.copyMakeBorder(image.astype(np.float32), *[margin] * 4, cv2.BORDER_CONSTANT)
    angle, beside = 2 * np.pi * np.arange(neighbours) / neighbours, {}
    for y, x in (radius * np.column_stack([-np.sin(angle), np.cos(angle)])).round(5):
        if x not in beside:
            beside[x] = _shifted(room, x, margin, 1)
        yield (_shifted(beside[x], y, margin, 0) > darker).view(np.uint8)


def _shifted(plane, shift, margin, axis):
    """Return a plane interpolated that many pixels further along an axis, without the margins at its ends."""
    whole, share = divmod(shift, 1)
    start, stop = margin + int(whole), plane.shape[axis] - margin + int(whole)
    here, ahead = (plane[s] if axis == 0 else plane[:, s] for s in np.s_[start:stop, start + 1 : stop + 1])
    return cv2.addWeighted(here, 1 - share, ahead, share, 0) if share else here
