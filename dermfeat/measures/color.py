"""Distribution of a lesion's colours, alone and against the skin around it."""

import cv2
import numpy as np

from dermfeat.lesion import channels

CONVERSIONS = {"hsv": cv2.COLOR_RGB2HSV, "rgb": None}
ENTROPY_BIN = {"lab": 4, "hsv": 0.04, "rgb": 10}
HISTOGRAM_BIN = 10, 5, 5  # width in L*, a*, b*


def color_moments(lesion, *, spaces=("lab", "hsv"), percentiles=(5, 50, 95)):
    """Measure how each colour channel is distributed inside the lesion and how far it is from the skin.

    Of the three means, lesion, skin and difference, the skin's is left out: it is the first less the third. RGB is
    left out by default: CIELAB and HSV follow from it. Hue is an angle, so it has a circular mean and dispersion
    (Mardia & Jupp 2000), weighted by saturation; its jump lies at cyan, opposite to skin, not at red.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    spaces : sequence of {"lab", "hsv", "rgb"}
        CIELAB (D65), HSV with S and V in [0, 1], sRGB in [0, 255]. The keys of RGB (``rgb_r``, ``rgb_g``, ``rgb_b``)
        are those of CIELAB.
    percentiles : sequence of int
        Percentiles inside the lesion, by nearest rank.

    Returns
    -------
    dict of str to float
        ``lab_l_mean_lesion`` : [0, 100] CIELAB
            Mean lightness inside the lesion.
        ``lab_{a,b}_mean_lesion`` : [-128, 128] CIELAB
            Mean of a* (green to red) and b* (blue to yellow) inside the lesion.
        ``hsv_{s,v}_mean_lesion`` : [0, 1] -
            Mean saturation and value inside the lesion.
        ``lab_l_mean_difference`` : [-100, 100] CIELAB
            Mean inside the lesion less mean of the skin.
        ``lab_{a,b}_mean_difference`` : [-256, 256] CIELAB
            The same for a* and b*.
        ``hsv_{s,v}_mean_difference`` : [-1, 1] -
            The same for saturation and value.
        ``lab_{l,a,b}_std_{lesion,skin}`` : [0, 128] CIELAB
            Standard deviation inside the lesion, of the skin.
        ``hsv_{s,v}_std_{lesion,skin}`` : [0, 0.5] -
            Standard deviation inside the lesion, of the skin.
        ``{lab_l,lab_a,lab_b,hsv_s,hsv_v}_skewness_lesion`` : [-inf, inf] -
            Third standardised moment inside the lesion; 0 where the channel is constant.
        ``{lab_l,lab_a,lab_b,hsv_s,hsv_v}_entropy_lesion`` : [0, 6.1] bits
            Entropy of the histogram with bins centred on the multiples of 4 CIELAB units (0.04 in HSV, 10 in RGB).
        ``lab_l_p{5,50,95}_lesion`` : [0, 100] CIELAB
            Percentiles of lightness inside the lesion.
        ``lab_{a,b}_p{5,50,95}_lesion`` : [-128, 128] CIELAB
            Percentiles of a* and b* inside the lesion.
        ``hsv_{s,v}_p{5,50,95}_lesion`` : [0, 1] -
            Percentiles of saturation and value inside the lesion.
        ``hsv_h_mean_lesion`` : [-180, 180] degrees
            Circular mean of hue: 0 red, 60 yellow, -60 magenta; 0 without colour.
        ``hsv_h_mean_difference`` : [-180, 180] degrees
            Signed angle from the skin's mean hue to the lesion's.
        ``hsv_h_dispersion_{lesion,skin}`` : [0, 1] -
            1 less the length of the mean hue vector: 0 where all hues are equal or nothing has colour.
    """
    row = {}
    for space in spaces:
        inside, ordered, skin = _channels(lesion, space)
        for channel, *values in zip(space, inside, ordered, skin, strict=True):
            if channel != "h":
                row |= _moments(f"{space}_{channel}", *values, ENTROPY_BIN[space], percentiles)
        if space == "hsv":
            row |= _hue(inside, skin)
    return row


def color_histogram(lesion, *, bins=7):
    """Measure the histogram of the lesion's colour relative to the mean colour of the skin.

    Bins are 10 units wide in L* and 5 in a* and b*, and centred on the multiples of their width. Zero, the skin, is the
    last bin but one of L*, since lesions are darker, and the middle bin of a* and b*: with 7 bins they are centred on
    -50, -40 ... 10 and on -15, -10 ... 15. The outer bins hold everything beyond them.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    bins : int
        Bins for each channel, at least 3.

    Returns
    -------
    dict of str to float
        ``relative_{l,a,b}_bin_{1,2,3,4,5,6,7}`` : [0, 1] share
            Share of the lesion's pixels whose difference from the mean skin lies in the bin.
    """
    if bins < 3:
        raise ValueError(f"color_histogram: bins is {bins}. Use at least 3")
    row, zeros = {}, (bins - 2, bins // 2, bins // 2)
    for channel, ordered, skin, width, zero in zip(
        "lab", lesion.once(ordered_lab), mean_color(lesion.lab_skin), HISTOGRAM_BIN, zeros, strict=True
    ):
        steps = np.rint((ordered - np.float32(skin)) / width)
        shares = _counts(steps, -zero, bins - 1 - zero) / steps.size
        row |= {f"relative_{channel}_bin_{i}": share for i, share in enumerate(shares, 1)}
    return row


def ordered_lab(lesion):
    """Return the (3, N) values of L*, a* and b* inside the lesion, each in ascending order."""
    return np.sort(lesion.lab_inside, axis=1)


def _channels(lesion, space):
    if space == "lab":
        return lesion.lab_inside, lesion.once(ordered_lab), lesion.lab_skin
    inside, skin = (channels(colors, CONVERSIONS[space]) for colors in (lesion.rgb_inside, lesion.rgb_skin))
    return inside, np.sort(inside, axis=1), skin


def _moments(name, inside, ordered, skin, width, percentiles):
    (mean, std), (skin_mean, skin_std) = (np.ravel(cv2.meanStdDev(values)) for values in (inside, skin))
    centred = inside - np.float32(mean)
    steps = np.rint(ordered / width)
    row = {
        f"{name}_mean_lesion": mean,
        f"{name}_mean_difference": mean - skin_mean,
        f"{name}_std_lesion": std,
        f"{name}_std_skin": skin_std,
        f"{name}_skewness_lesion": cv2.mean(centred**2 * centred)[0] / std**3 if std > 1e-3 * width else 0.0,
        f"{name}_entropy_lesion": entropy(_counts(steps, steps[0], steps[-1])),
    }
    values = nearest_rank(ordered, percentiles)
    return row | {f"{name}_p{p}_lesion": float(value) for p, value in zip(percentiles, values, strict=True)}


def _hue(inside, skin):
    (angle, dispersion), (skin_angle, skin_dispersion) = _mean_hue(*inside[:2]), _mean_hue(*skin[:2])
    return {
        "hsv_h_mean_lesion": angle,
        "hsv_h_mean_difference": (angle - skin_angle + 180) % 360 - 180,
        "hsv_h_dispersion_lesion": dispersion,
        "hsv_h_dispersion_skin": skin_dispersion,
    }


def _mean_hue(hue, saturation):
    """Return the circular mean in degrees and the dispersion of hues weighted by saturation."""
    total = cv2.sumElems(saturation)[0]
    if total == 0:
        return 0.0, 0.0
    x, y = (cv2.sumElems(axis)[0] / total for axis in cv2.polarToCart(saturation, hue, angleInDegrees=True))
    length = np.hypot(x, y)
    return (np.degrees(np.arctan2(y, x)) if length > 1e-6 else 0.0), max(1 - length, 0.0)


def entropy(counts):
    """Return the Shannon entropy in bits of non-negative counts."""
    share = counts[counts > 0] / counts.sum()
    return float(max(-(share * np.log2(share)).sum(), 0))


def mean_color(lab):
    """Return the (3,) mean of (3, N) colours."""
    return np.array([cv2.mean(channel)[0] for channel in lab])


def nearest_rank(ordered, percents):
    """Return percentiles of values in ascending order, by nearest rank."""
    return ordered[_rank(percents, ordered.size)]


def percentile_of(values, percent):
    """Return a percentile of values in any order along their last axis, by nearest rank."""
    rank = _rank(percent, values.shape[-1])
    return np.partition(values, rank, axis=-1).take(rank, axis=-1)


def _counts(steps, low, high):
    """Return how many of some whole numbers in ascending order are up to low, low + 1 ... high - 1, at least high."""
    up_to = np.searchsorted(steps, np.arange(low, high, dtype=np.float32), side="right")
    return np.diff(up_to, prepend=0, append=steps.size)


def _rank(percents, count):
    return np.rint(np.asarray(percents) / 100 * (count - 1)).astype(np.intp)
