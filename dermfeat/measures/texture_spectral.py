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
        responses = gabor_magnitudes(image[box], wavelength / scale, orientations)
        mean, std = np.array([cv2.meanStdDev(r, mask=mask[box]) for r in responses])[..., 0, 0].T
        gain = _halving_gain(wavelength, scale)
        level = mean.mean() / gain
        row[f"gabor_mean_w{wavelength}"] = level
        row[f"gabor_variance_w{wavelength}"] = (std**2).mean() / gain**2
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
        (cc, cs), (sc, ss) = ([cv2.sepFilter2D(image, -1, kx, ky) for ky in down] for kx in across)
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
    import pywt

    bank = pywt.Wavelet("bior2.2")
    low, high = (np.trim_zeros(taps) / np.sqrt(2) for taps in (bank.dec_lo, bank.dec_hi))
    image, mask = _centred_luma(lesion, 4 * 2**levels)
    inside = np.flatnonzero(mask)
    row = {}
    for level in range(1, levels + 1):
        smooth, detail = (_spread_taps(taps, 2 ** (level - 1)) for taps in (low, high))
        pairs = {"axial": ((smooth, detail), (detail, smooth)), "diagonal": ((detail, detail),)}
        for band, filters in pairs.items():
            power = sum(cv2.sepFilter2D(image, -1, *pair).take(inside) ** 2 for pair in filters)
            row[f"wavelet_{band}_energy_{level}"] = power.mean(dtype=np.float64)
            row[f"wavelet_{band}_entropy_{level}"] = _evenness(power)
        image = cv2.sepFilter2D(image, -1, smooth, smooth)
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


def _spread_taps(taps, step):
    """Return the filter with `step - 1` zeros between its taps."""
    spread = np.zeros(step * (len(taps) - 1) + 1)
    spread[::step] = taps
    return spread


def _evenness(power):
    """Return the entropy of the distribution of power over pixels, divided by its maximum; 0 without power."""
    total = power.sum(dtype=np.float64)
    if total <= FLAT**2 * power.size or power.size == 1:
        return 0.0
    entropy = np.log(total) - (power * np.log(power + np.float32(1e-20))).sum(dtype=np.float64) / total
    return float(np.clip(entropy / np.log(power.size), 0, 1))


def _surface_dimension(gray, mask, diameter):
    low, high = np.where(mask, gray, np.uint8(255)), np.where(mask, gray, np.uint8(0))
    inside, boxes = mask.astype(np.uint8), []
    for side in BOX_SIDES:
        window = np.ones((side, side), np.uint8)
        span = cv2.mean(cv2.dilate(high, window), inside)[0] - cv2.mean(cv2.erode(low, window), inside)[0]
        boxes.append((span * diameter / (256 * side) + 1) / side**2)
    return _slope(boxes)


def _border_dimension(part, mask):
    """Return the dimension of the pixels of a part of the mask that touch the rest of it."""
    rest = (mask & ~part).astype(np.uint8)
    border = part & cv2.dilate(rest, np.ones((3, 3), np.uint8)).astype(bool)
    if not border.any():
        return 0.0
    room = cv2.copyMakeBorder(border.astype(np.uint8), *[int(BOX_SIDES[-1]) // 2] * 4, cv2.BORDER_CONSTANT)
    touched = [cv2.countNonZero(cv2.dilate(room, np.ones((side, side), np.uint8))) for side in BOX_SIDES]
    return _slope(touched / BOX_SIDES**2)


def _slope(boxes):
    return float(-np.polyfit(np.log(BOX_SIDES), np.log(boxes), 1)[0])


def _two_thresholds(shares):
    """Return Otsu's two thresholds; a value on a threshold belongs below it."""
    from skimage.filters import threshold_multiotsu

    present = np.flatnonzero(shares)
    if len(present) < 3:
        return present[0], present[-1]
    return threshold_multiotsu(hist=(shares, np.arange(256)), classes=3)
