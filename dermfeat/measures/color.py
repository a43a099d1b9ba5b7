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
    row, inside, skin = {}, lesion.inside_colors, lesion.skin_colors
    shares = inside.share, skin.share
    for space in spaces:
        values, around = (_channels(colors, space) for colors in (inside, skin))
        for i, channel in enumerate(space):
            if channel != "h":
                ordered = lesion.once(ordered_lab)[i] if space == "lab" else ascending(values[i], inside.count)
                moments = _moments(values[i], shares[0]), _moments(around[i], shares[1])
                row |= _described(f"{space}_{channel}", *moments, ordered, ENTROPY_BIN[space], percentiles)
        if space == "hsv":
            row |= _hue(_mean_hue(*values[:2], shares[0]), _mean_hue(*around[:2], shares[1]))
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
        "lab", lesion.once(ordered_lab), mean_color(lesion.skin_colors), HISTOGRAM_BIN, zeros, strict=True
    ):
        counts = _counts(np.rint((ordered[0] - skin) / width), ordered[1], -zero, bins - 1 - zero)
        row |= {f"relative_{channel}_bin_{i}": share for i, share in enumerate(counts / counts.sum(), 1)}
    return row


def _channels(colors, space):
    return colors.lab if space == "lab" else channels(colors.rgb, CONVERSIONS[space])


def _moments(values, share):
    """Return mean, standard deviation and third central moment of values that each have a share of the pixels."""
    mean = values @ share
    centred = values - mean
    squared = centred**2
    return float(mean), float(np.sqrt(squared @ share)), float((squared * centred) @ share)


def _described(name, inside, skin, ordered, width, percentiles):
    (mean, std, third), (skin_mean, skin_std, _) = inside, skin
    steps = np.rint(ordered[0] / width)
    row = {
        f"{name}_mean_lesion": mean,
        f"{name}_mean_difference": mean - skin_mean,
        f"{name}_std_lesion": std,
        f"{name}_std_skin": skin_std,
        f"{name}_skewness_lesion": third / std**3 if std > 1e-3 * width else 0.0,
        f"{name}_entropy_lesion": entropy(_counts(steps, ordered[1], steps[0], steps[-1])),
    }
    ranked = nearest_rank(ordered, percentiles)
    return row | {f"{name}_p{p}_lesion": float(value) for p, value in zip(percentiles, ranked, strict=True)}


def _hue(inside, skin):
    (angle, dispersion), (skin_angle, skin_dispersion) = inside, skin
    return {
        "hsv_h_mean_lesion": angle,
        "hsv_h_mean_difference": (angle - skin_angle + 180) % 360 - 180,
        "hsv_h_dispersion_lesion": dispersion,
        "hsv_h_dispersion_skin": skin_dispersion,
    }


def _mean_hue(hue, saturation, share):
    """Return the circular mean in degrees and the dispersion of hues weighted by saturation."""
    total = saturation @ share
    if total == 0:
        return 0.0, 0.0
    x, y = (axis.ravel() @ share / total for axis in cv2.polarToCart(saturation, hue, angleInDegrees=True))
    length = float(np.hypot(x, y))
    return (float(np.degrees(np.arctan2(y, x))) if length > 1e-6 else 0.0), max(1 - length, 0.0)


def entropy(counts):
    """Return the Shannon entropy in bits of non-negative counts."""
    share = counts[counts > 0] / counts.sum()
    return float(max(-(share * np.log2(share)).sum(), 0))


def mean_color(colors):
    """Return the (3,) mean CIELAB of `Colors`."""
    return colors.lab @ colors.share


def ordered_lab(lesion):
    """Return `ascending` L*, a* and b* inside the lesion."""
    colors = lesion.inside_colors
    return [ascending(channel, colors.count) for channel in colors.lab]


def ascending(values, count):
    """Return (K,) float32 values in ascending order and, as each occurs `count` times, how many there are up to each.

    Counts are sorted with their values: they fit into the digits that float64 has and float32 has not.
    """
    packed = values.astype(np.float64).view(np.int64) | count
    packed.view(np.float64).sort()
    return packed.view(np.float64).astype(np.float32), np.cumsum(packed & (2**29 - 1))


def nearest_rank(ordered, percents):
    """Return percentiles, by nearest rank, of `ascending` values."""
    values, up_to = ordered
    return values[np.searchsorted(up_to, np.rint(np.asarray(percents) / 100 * (up_to[-1] - 1)), side="right")]


def _counts(steps, up_to, low, high):
    """Return how many `ascending` whole numbers are up to low, low + 1 ... high - 1, at least high."""
    position = np.searchsorted(steps, np.arange(low, high, dtype=np.float32), side="right")
    return np.diff(np.where(position > 0, up_to[position - 1], 0), prepend=0, append=up_to[-1])
