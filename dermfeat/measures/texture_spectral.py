"""Texture of a lesion by scale: Gabor filters, wavelets and fractal dimension."""

from math import ceil

import cv2
import numpy as np

from dermfeat.measures.texture import bounding_box, histogram

FINEST = 4  # wavelength in pixels that is filtered at full size
GABOR_SIGMA = 0.5622  # standard deviation of a Gabor filter's envelope in wavelengths, for one octave of bandwidth
HALVING_BLUR = 0.6  # standard deviation in pixels of the blur before each halving
FLAT = 1e-3  # grey levels below which a response is rounding
BOX_SIDES = np.array([3, 5, 9, 17, 33])


def gabor(lesion, *, wavelengths=(4, 8, 16, 32), orientations=6):
    """Measure the response of the lesion to Gabor filters of four wavelengths and six orientations.

    The filters are complex, with a round Gaussian envelope of sum 1 and a bandwidth of one octave, as ``gabor_kernel``
    of scikit-image, cut at three standard deviations. They see the luma less its mean inside the lesion. For long
    wavelengths the image is halved as long as they keep 4 pixels or more; the gain lost by halving is made good, to
    within some 7 % of the same filter at full size. Six orientations are 15, 45, 75, 105, 135 and 165 degrees: quarter
    turns and flips only exchange them, and what is reported does not tell one from another.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    wavelengths : sequence of int
        Wavelengths in pixels, ascending, at least 3.
    orientations : int
        Orientations in 180 degrees, an even number.

    Returns
    -------
    dict of str to float
        ``gabor_mean_w{4,8,16,32}`` : [0, 400] grey level
            Mean magnitude inside the lesion, averaged over the orientations.
        ``gabor_variance_w{4,8,16,32}`` : [0, 160000] grey level²
            Variance of the magnitude inside the lesion, averaged over the orientations.
        ``gabor_anisotropy_w{4,8,16,32}`` : [1, 6] -
            Largest mean magnitude of one orientation over the average; 1 where all is flat.

    References
    ----------
    Daugman 1985, Journal of the Optical Society of America A 2:1160.
    """
    if orientations < 2 or orientations % 2:
        raise ValueError(f"gabor: orientations is {orientations}. Use an even number")
    image, mask = _centred_luma(lesion, 2 * max(wavelengths))
    row, scale = {}, 1
    for wavelength in wavelengths:
        while wavelength >= 2 * FINEST * scale:
            image, mask, scale = _halved(cv2.GaussianBlur(image, (0, 0), HALVING_BLUR)), _halved_mask(mask), 2 * scale
        box = bounding_box(mask, ceil(2 * wavelength / scale))
        share = mask[box].ravel() / np.float32(np.count_nonzero(mask))
        responses = (r.ravel() for r in gabor_magnitudes(image[box], wavelength / scale, orientations))
        mean, square = np.array([(share @ r, share @ (r * r)) for r in responses], float).T
        gain = _halving_gain(wavelength, scale)
        level = mean.mean() / gain
        row[f"gabor_mean_w{wavelength}"] = level
        row[f"gabor_variance_w{wavelength}"] = np.maximum(square - mean**2, 0).mean() / gain**2
        row[f"gabor_anisotropy_w{wavelength}"] = mean.max() / mean.mean() if level > FLAT else 1.0
    return row


def gabor_magnitudes(image, wavelength, orientations):
    """Yield the (H, W) float32 magnitude of the response at each angle and at its mirror image.

    The filter is separable, and the four products of its sines and cosines serve both angles.
    """
    sigma = GABOR_SIGMA * wavelength
    x = np.arange(-ceil(3 * sigma), ceil(3 * sigma) + 1)
    envelope = np.exp(-(x**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    for angle in np.pi * (np.arange(orientations // 2) + 0.5) / orientations:
        across, down = (
            [part(2 * np.pi / wavelength * slope * x) * envelope for part in (np.cos, np.sin)]
            for slope in (np.cos(angle), np.sin(angle))
        )
        rows = (cv2.filter2D(image, -1, kx[None]) for kx in across)
        (cc, cs), (sc, ss) = ([cv2.filter2D(row, -1, ky[:, None]) for ky in down] for row in rows)
        yield cv2.magnitude(cc - ss, sc + cs)
        yield cv2.magnitude(cc + ss, sc - cs)


def wavelet(lesion, *, levels=3):
    """Measure energy and entropy of the lesion's wavelet bands.

    Undecimated transform ("à trous") of the luma less its mean inside the lesion with the symmetric biorthogonal
    wavelet 2.2 (Cohen, Daubechies, Feauveau 1992, Communications on Pure and Applied Mathematics 45:485). Symmetric
    filters without decimation make turns by 90 degrees and flips change nothing; horizontal and vertical details are
    summed for the same reason.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    levels : int
        Levels; details of level n are about 2**n pixels wide.

    Returns
    -------
    dict of str to float
        ``wavelet_{axial,diagonal}_energy_{1,2,3}`` : [0, inf] grey level²
            Mean squared coefficient inside the lesion, horizontal plus vertical details, diagonal details.
        ``wavelet_{axial,diagonal}_entropy_{1,2,3}`` : [0, 1] -
            Entropy of the squared coefficients' distribution over the lesion's pixels, divided by its maximum: 1 where
            detail is spread evenly, small where it is in few places; 0 where there is none.
    """
    low, high = np.float32([-0.125, 0.25, 0.75, 0.25, -0.125]), np.float32([0.25, -0.5, 0.25])
    image, mask = _centred_luma(lesion, 4 * 2**levels)
    room = _room(mask.shape, 2**levels)
    image = cv2.copyMakeBorder(image, *room, cv2.BORDER_REFLECT_101)
    inside = np.flatnonzero(cv2.copyMakeBorder(mask, *room, cv2.BORDER_CONSTANT).astype(bool))
    (height, width), row = image.shape, {}
    for level in range(1, levels + 1):
        step = 2 ** (level - 1)
        image = image.reshape(height // step, width, step)  # channels put the neighbours of a pixel a step away
        for name, pairs in (("axial", ((low, high), (high, low))), ("diagonal", ((high, high),))):
            power = sum(cv2.sepFilter2D(image, -1, *pair).take(inside) ** 2 for pair in pairs)
            row[f"wavelet_{name}_energy_{level}"] = float(power.mean())
            row[f"wavelet_{name}_entropy_{level}"] = _evenness(power)
        image = cv2.sepFilter2D(image, -1, low, low)
    return row


def fractal(lesion):
    """Measure fractal dimensions of the lesion's grey levels.

    Every dimension is the least-squares slope of the logarithm of the number of occupied boxes against that of their
    side, for boxes of 3, 5, 9, 17 and 33 pixels. The number is the average over all positions of the grid of boxes, so
    flips and turns change nothing: a window is moved over every pixel.

    - Grey surface: differential box counting (Sarkar & Chaudhuri 1994, IEEE Transactions on Systems, Man, and
      Cybernetics 24:115) over the lesion's pixels alone, with boxes of height ``256 side / equivalent diameter``.
    - Segmentation-based fractal texture analysis (Costa, Humpire-Mamani, Traina 2012, SIBGRAPI,
      10.1109/SIBGRAPI.2012.15): Otsu's two thresholds split the lesion into dark, middle and bright; dimension of the
      borders of three sets, share and mean grey level of dark and bright. The mask's own outline is no border.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.

    Returns
    -------
    dict of str to float
        ``fractal_dimension`` : [0, 3] -
            Dimension of the grey surface: 2 smooth, towards 3 rough.
        ``sfta_dimension_{dark,middle,bright}`` : [0, 2] -
            Dimension of the border of the set; 0 where it has no border.
        ``sfta_share_{dark,bright}`` : [0, 1] share
            Share of the lesion's pixels.
        ``sfta_contrast_{dark,bright}`` : [-255, 255] grey level
            Mean luma of the set less that of the lesion; 0 where the set is empty.
    """
    box = bounding_box(lesion.mask, BOX_SIDES[-1] // 2)
    gray, mask = lesion.gray[box], lesion.mask[box]
    row = {"fractal_dimension": _surface_dimension(gray, mask, lesion.equivalent_diameter)}
    shares, levels = histogram(gray, mask, 256), np.arange(256)
    low, high = _two_thresholds(shares)
    for name, part in (("dark", gray <= low), ("middle", (gray > low) & (gray <= high)), ("bright", gray > high)):
        row[f"sfta_dimension_{name}"] = _border_dimension(part & mask, mask)
    for name, part in (("dark", shares * (levels <= low)), ("bright", shares * (levels > high))):
        share = part.sum()
        row[f"sfta_share_{name}"] = share
        row[f"sfta_contrast_{name}"] = part @ levels / share - shares @ levels if share else 0.0
    return row


def _centred_luma(lesion, margin):
    """Return luma less its mean inside the lesion (float32) and mask (uint8) in the mask's widened bounding box."""
    box = bounding_box(lesion.mask, margin)
    gray, mask = lesion.gray[box], lesion.mask[box].astype(np.uint8)
    return gray - np.float32(cv2.mean(gray, mask)[0]), mask


def _halved(image):
    height, width = image.shape
    return cv2.resize(image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)


def _halved_mask(mask):
    """Return where at least half of the larger pixel lies in the mask, or the most of any pixel."""
    share = _halved(mask * np.uint8(254))
    return (share >= min(127, share.max())).astype(np.uint8)


def _halving_gain(wavelength, scale):
    """Return what `_halved` after the blur leaves of a wave by the time the pixels are `scale` wide."""
    frequency = 2.0 ** np.arange(np.log2(scale)) / wavelength
    return np.prod(np.exp(-2 * (np.pi * HALVING_BLUR * frequency) ** 2) * np.cos(np.pi * frequency))


def _room(shape, reach):
    """Return a border of at least twice the reach that makes both sides of a shape multiples of it."""
    return [width for side in shape for width in (2 * reach, 2 * reach + -side % reach)]


def _evenness(power):
    """Return the entropy of the distribution of power over pixels, divided by its maximum; 0 without power."""
    total = float(power.sum())
    if total <= FLAT**2 * power.size or power.size == 1:
        return 0.0
    entropy = np.log(total) - float(power @ np.log(power + np.float32(1e-20))) / total
    return float(np.clip(entropy / np.log(power.size), 0, 1))


def _surface_dimension(gray, mask, diameter):
    inside, boxes = mask.astype(np.uint8), []
    high, low = (cv2.copyTo(values, inside) for values in (gray, cv2.bitwise_not(gray)))
    for side, highest, lowest in zip(BOX_SIDES, _widened(high), _widened(low), strict=True):
        span = sum(cv2.sumElems(cv2.copyTo(values, inside))[0] for values in (highest, lowest)) / mask.sum() - 255
        boxes.append((span * diameter / (256 * side) + 1) / side**2)
    return _slope(boxes)


def _border_dimension(part, mask):
    """Return the dimension of the pixels of a part of the mask that touch the rest of it."""
    rest = (mask & ~part).astype(np.uint8)
    border = part & cv2.dilate(rest, np.ones((3, 3), np.uint8)).astype(bool)
    if not border.any():
        return 0.0
    room = cv2.copyMakeBorder(border.astype(np.uint8), *[int(BOX_SIDES[-1]) // 2] * 4, cv2.BORDER_CONSTANT)
    return _slope([cv2.countNonZero(touched) for touched in _widened(room)] / BOX_SIDES**2)


def _widened(plane):
    """Yield a uint8 plane's largest values in windows of each of the sides, one made from the one before."""
    for more in np.diff(BOX_SIDES, prepend=1) + 1:
        plane = cv2.dilate(plane, np.ones((more, more), np.uint8))
        yield plane


def _slope(boxes):
    x, y = np.log(BOX_SIDES) - np.log(BOX_SIDES).mean(), np.log(boxes)
    return float(-(x @ y) / (x @ x))


def _two_thresholds(shares):
    """Return Otsu's two thresholds; a value on a threshold belongs below it."""
    from skimage.filters import threshold_multiotsu

    present = np.flatnonzero(shares)
    if len(present) < 3:
        return present[0], present[-1]
    return threshold_multiotsu(hist=(shares, np.arange(256)), classes=3)
