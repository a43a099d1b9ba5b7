"""Texture of a lesion by scale: Gabor filters, wavelets and fractal dimension."""

import cv2
import numpy as np

from dermfeat.measures.texture import box_around, gray_shares, mask_box
from dermfeat.measures.texture_gabor import gabor_magnitudes, halved, halving_variance, reach

FINEST = 4  # wavelength in pixels that is filtered at full size
GRID = 4  # pixels between the places where magnitude is taken, more for an image that is halved further
FLAT = 1e-3  # grey levels below which a response is rounding
BOX_SIDES = np.array([3, 5, 9, 17, 33])


def gabor(lesion, *, wavelengths=(4, 8, 16, 32), orientations=6):
    """Measure the response of the lesion to Gabor filters of four wavelengths and six orientations.

    The filters are complex, with a round Gaussian envelope of sum 1 and a bandwidth of one octave, as ``gabor_kernel``
    of scikit-image, cut at three standard deviations. They see the luma less its mean inside the lesion. For long
    wavelengths the image is halved as long as they keep 4 pixels or more; the filter is changed by what halving has
    smoothed, so that both together are the filter at full size to within some 3 %. Magnitude is taken
    at every fourth pixel, or at those of the halved image where these are farther apart. Six orientations are 15, 45,
    75, 105, 135 and 165 degrees: quarter turns and flips only exchange them, and what is reported does not tell one
    from another.

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
    if list(wavelengths) != sorted(wavelengths):
        raise ValueError(f"gabor: wavelengths are {wavelengths}. Give them in ascending order")
    coarsest = max(_scale(wavelength) for wavelength in wavelengths)
    room = 2 * max(coarsest, GRID)
    margin, scale, blur, row = room + coarsest * max(reach(w / _scale(w)) for w in wavelengths), 1, (0.0, 0.0), {}
    image, mask = _window(lesion, margin), lesion.mask[lesion.once(mask_box)] * np.uint8(252)  # quarters are whole
    weight, grid = halved(cv2.copyMakeBorder(mask, *[room] * 4, cv2.BORDER_CONSTANT)).astype(np.float32), 2
    for wavelength in wavelengths:
        while scale < _scale(wavelength):
            blur = tuple((b + halving_variance(side)) / 4 for b, side in zip(blur, image.shape, strict=True))
            image, scale = halved(image), 2 * scale
        while grid < max(scale, GRID):
            weight, grid = halved(weight), 2 * grid
        spare = (margin - room) // scale - reach(wavelength / scale)
        part = image[spare : len(image) - spare, spare : image.shape[1] - spare]
        magnitudes = gabor_magnitudes(part, wavelength / scale, orientations, grid // scale, blur)
        share = np.zeros(magnitudes.shape[1:], np.float32)
        share[: weight.shape[0], : weight.shape[1]] = weight
        share, magnitudes = share.ravel() / share.sum(), magnitudes.reshape(orientations, -1)
        mean, square = (magnitudes @ share).astype(float), (np.square(magnitudes) @ share).astype(float)
        level = mean.mean()
        row[f"gabor_mean_w{wavelength}"] = level
        row[f"gabor_variance_w{wavelength}"] = np.maximum(square - mean**2, 0).mean()
        row[f"gabor_anisotropy_w{wavelength}"] = mean.max() / level if level > FLAT else 1.0
    return row


def _scale(wavelength):
    """Return how often, as a power of 2, an image is halved for a wavelength."""
    return 2 ** max(int(np.log2(wavelength / FINEST)), 0)


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
    coarsest = 2 ** (levels - 1)
    margin = 5 * coarsest - 3  # what the filters of all levels reach, and the rows that are left out
    image, mask = _window(lesion, margin), lesion.mask[lesion.once(mask_box)].view(np.uint8)
    image = image[: len(image) // coarsest * coarsest]
    band, inside = np.empty_like(image), tuple(slice(margin, margin + side) for side in mask.shape)
    power, count, shape, row = np.empty(mask.shape, np.float32), cv2.countNonZero(mask), image.shape, {}
    for level in range(1, levels + 1):
        if level > 1:
            image = cv2.sepFilter2D(image, -1, low, low)
        step = 2 ** (level - 1)
        image = image.reshape(shape[0] // step, shape[1], step)  # channels put the neighbours of a pixel a step away
        for name, pairs in (("axial", ((low, high), (high, low))), ("diagonal", ((high, high),))):
            power.fill(1e-20)  # outside the mask, next to nothing with a finite logarithm
            for pair in pairs:
                cv2.sepFilter2D(image, -1, *pair, dst=band.reshape(image.shape))
                cv2.accumulateSquare(band[inside], power, mask)
            total = cv2.sumElems(power)[0]
            row[f"wavelet_{name}_energy_{level}"] = total / count
            row[f"wavelet_{name}_entropy_{level}"] = _evenness(power, total, count)
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
    box = lesion.once(mask_box)
    gray, mask = lesion.gray[box], lesion.mask[box].view(np.uint8)
    row = {"fractal_dimension": _surface_dimension(gray, mask, lesion.equivalent_diameter)}
    shares, levels = lesion.once(gray_shares), np.arange(256)
    low, high = _two_thresholds(shares)
    parts = {"dark": levels <= low, "middle": (levels > low) & (levels <= high), "bright": levels > high}
    sets = cv2.copyTo(cv2.LUT(gray, sum(2**i * part.astype(np.uint8) for i, part in enumerate(parts.values()))), mask)
    row |= {f"sfta_dimension_{name}": d for name, d in zip(parts, _border_dimensions(sets), strict=True)}
    for name in ("dark", "bright"):
        part = shares * parts[name]
        share = part.sum()
        row[f"sfta_share_{name}"] = share
        row[f"sfta_contrast_{name}"] = part @ levels / share - shares @ levels if share else 0.0
    return row


def _window(lesion, margin):
    """Return luma less its mean in the lesion (float32), up to `margin` pixels round it and mirrored past the frame."""
    near, wide = lesion.once(mask_box), box_around(lesion, margin)
    spare = [abs(a - b) for n, w in zip(near, wide, strict=True) for a, b in ((n.start, w.start), (n.stop, w.stop))]
    room = (margin - there for there in spare)
    image = cv2.copyMakeBorder(lesion.gray[wide], *room, cv2.BORDER_REFLECT_101).astype(np.float32)
    image -= np.float32(lesion.once(gray_shares) @ np.arange(256))
    return image


def _evenness(power, total, count):
    """Return the entropy of the distribution of power over pixels, divided by its maximum; 0 without power."""
    if total <= FLAT**2 * count or count == 1:
        return 0.0
    entropy = np.log(total) - float(power.ravel() @ cv2.log(power).ravel()) / total
    return float(np.clip(entropy / np.log(count), 0, 1))


def _surface_dimension(gray, mask, diameter):
    (height, width), room, count, boxes = gray.shape, int(BOX_SIDES[-1]) // 2, cv2.countNonZero(mask), []
    dark, bright = cv2.copyTo(gray, mask), cv2.bitwise_not(cv2.copyTo(cv2.bitwise_not(gray), mask))
    highest, lowest = (
        _widened(cv2.copyMakeBorder(plane, *[room] * 4, cv2.BORDER_CONSTANT, value=beyond), join)
        for plane, beyond, join in ((dark, 0, cv2.max), (bright, 255, cv2.min))
    )
    for side, *planes in zip(BOX_SIDES, highest, lowest, strict=True):
        top = room - side // 2
        inside = (plane[top : top + height, top : top + width] for plane in planes)
        span = cv2.norm(*inside, cv2.NORM_L1, mask) / count
        boxes.append((span * diameter / (256 * side) + 1) / side**2)
    return _slope(boxes)


def _border_dimensions(sets):
    """Return for each bit of a plane the dimension of its pixels that touch another bit; 0 where none does."""
    room = cv2.copyMakeBorder(sets, *[int(BOX_SIDES[-1])] * 4, cv2.BORDER_CONSTANT)
    near, middle = next(_widened(room, cv2.bitwise_or)), room[1:-1, 1:-1]
    border = cv2.copyTo(middle, cv2.bitwise_xor(near, middle))
    counts = np.array([[cv2.countNonZero(w & bit) for bit in (1, 2, 4)] for w in _widened(border, cv2.bitwise_or)])
    return [_slope(n / BOX_SIDES**2) if n.all() else 0.0 for n in counts.T]


def _widened(plane, join):
    """Yield what `join` makes of the values in all windows of each of the sides that a plane holds."""
    width = 1
    for side in BOX_SIDES:
        while width < side:
            more = min(width, side - width)
            plane = join(plane[more:], plane[:-more])
            plane = join(plane[:, more:], plane[:, :-more])
            width += more
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
    span = slice(present[0], present[-1] + 1)
    return threshold_multiotsu(hist=(shares[span], np.arange(256)[span]), classes=3)
