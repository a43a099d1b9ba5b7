"""Clinical colour: dermoscopic colours, variegation, blue-white veil, regression, tone of the skin."""

import cv2
import numpy as np

from dermfeat.lesion import pixels
from dermfeat.measures.color import entropy, mean_color, nearest_rank, ordered_lab, percentile_of
from dermfeat.measures.color_regions import (
    DERMOSCOPIC_COLORS,
    SKIN_LIKE,
    find_colors,
    find_regression,
    find_veil,
    largest_part,
    squared_delta_e,
)

TIE = 0.01  # CIELAB units that count as no difference
LEAST_B = 1.0  # b* below which skin counts as colourless for the typology angle
SKIN_TONES = ((55, "very light"), (41, "light"), (28, "intermediate"), (10, "tan"), (-30, "brown"))


def dermoscopic_colors(lesion, **detection):
    """Measure the shares of the six dermoscopic colours.

    Where they lie, and by which rule, is `find_colors`: the nearest reference in CIELAB after the surrounding skin was
    brought to one reference colour, after Kasmi & Mokrani (2016, IET Image Processing). A pixel that looks like the
    skin has none of them, so the shares may sum to less than 1. Red and dark brown are 14 units apart, and easily
    confused.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    **detection : float
        See `find_colors`.

    Returns
    -------
    dict of str to float
        ``{white,red,light_brown,dark_brown,blue_gray,black}_share`` : [0, 1] share
            Share of the lesion's pixels.
        ``dermoscopic_colors_entropy`` : [0, 2.81] bits
            Entropy of the six shares and that of what looks like skin.
    """
    labels = find_colors(lesion, **detection) if detection else lesion.once(find_colors)
    counts = np.bincount(labels.take(lesion.inside), minlength=SKIN_LIKE + 1)[1:]
    shares = counts[:-1] / counts.sum()
    row = {f"{name}_share": share for name, share in zip(DERMOSCOPIC_COLORS, shares, strict=True)}
    row["dermoscopic_colors_entropy"] = entropy(counts)
    return row


def color_variegation(lesion, *, tail=20):
    """Measure how much the colour varies inside the lesion, and where.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    tail : float
        Percentage of the lesion's pixels that are its darkest, reddest and bluest part.

    Returns
    -------
    dict of str to float
        ``delta_e_mean`` : [0, 280] CIELAB
            Mean colour difference (CIE 1976) of a pixel from the lesion's mean colour.
        ``delta_e_p95`` : [0, 280] CIELAB
            95th percentile of that difference.
        ``skin_delta_e`` : [0, 280] CIELAB
            Difference between the mean colours of lesion and skin.
        ``centre_rim_delta_e`` : [0, 280] CIELAB
            Difference between the mean colours of the quarter of the pixels deepest inside and of the quarter nearest
            to the edge.
        ``centre_rim_{l,a,b}_difference`` : [-256, 256] CIELAB
            The same as centre less rim in L*, a* and b*.
        ``{darkest,reddest,bluest}_eccentricity`` : [0, inf] equivalent diameters
            Distance from the lesion's centroid to that of the pixels with the lowest L*, highest a*, lowest b*.
        ``{darkest,reddest,bluest}_spread`` : [0, inf] -
            Root mean square distance of these pixels from their centroid, in units of the same for the whole lesion:
            small for one cluster, about 1 for pixels scattered everywhere.
    """
    lab = lesion.lab_inside
    mean = mean_color(lab)
    delta_e = np.sqrt(squared_delta_e(lab, mean))
    gradient = _centre_less_rim(lab, lesion.signed_distance.take(lesion.inside))
    row = {
        "delta_e_mean": delta_e.mean(dtype=np.float64),
        "delta_e_p95": percentile_of(delta_e, 95),
        "skin_delta_e": np.linalg.norm(mean - mean_color(lesion.lab_skin)),
        "centre_rim_delta_e": np.linalg.norm(gradient),
    }
    row |= {f"centre_rim_{channel}_difference": value for channel, value in zip("lab", gradient, strict=True)}
    (centre, spread), ordered = _place(lesion.inside, lesion), lesion.once(ordered_lab)
    for name, value, values in (
        ("darkest", lab[0], ordered[0]),
        ("reddest", -lab[1], -ordered[1, ::-1]),
        ("bluest", lab[2], ordered[2]),
    ):
        part = np.flatnonzero(value <= nearest_rank(values, tail) + TIE)
        part_centre, part_spread = _place(lesion.inside.take(part), lesion)
        row[f"{name}_eccentricity"] = np.linalg.norm(part_centre - centre) / lesion.equivalent_diameter
        row[f"{name}_spread"] = part_spread / max(spread, TIE)
    return row


def blue_white_veil(lesion, **detection):
    """Measure how much of the lesion blue-white veil covers (`find_veil`).

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    **detection : float
        See `find_veil`.

    Returns
    -------
    dict of str to float
        ``blue_white_veil_share`` : [0, 1] share
            Share of the lesion's pixels.
        ``blue_white_veil_largest_share`` : [0, 1] share
            The same of the largest connected veil.
    """
    veil = find_veil(lesion, **detection) if detection else lesion.once(find_veil)
    area = lesion.inside.size
    return {
        "blue_white_veil_share": np.count_nonzero(veil) / area,
        "blue_white_veil_largest_share": largest_part(veil) / area,
    }


def regression(lesion, **detection):
    """Measure how much of the lesion looks regressed (`find_regression`).

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    **detection : float
        See `find_regression`.

    Returns
    -------
    dict of str to float
        ``regression_white_share`` : [0, 1] share
            Share of the lesion's pixels in scar-like white areas.
        ``regression_blue_share`` : [0, 1] share
            Share of the lesion's pixels in the specks of blue-gray peppering.
    """
    found = find_regression(lesion, **detection) if detection else lesion.once(find_regression)
    area = lesion.inside.size
    return {
        "regression_white_share": np.count_nonzero(found.white) / area,
        "regression_blue_share": np.count_nonzero(found.peppering) / area,
    }


def skin_tone(lesion):
    """Measure the skin's tone as the individual typology angle (Chardon et al. 1991).

    The angle is defined for skin, whose b* is positive. A camera's blue cast or swapped channels give b* of 0 or less,
    where the arcus tangent would jump or leave the range. So b* below 1 counts as 1, which lets the angle end near 90
    degrees (-90 where L* is below 50): very light. Where the image reads bluish the tone is not to be trusted.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.

    Returns
    -------
    dict of str to float
        ``skin_ita`` : [-90, 90] degrees
            Median of ``atan2(L* - 50, max(b*, 1))`` over the surrounding skin, of the photo as it was
            taken, before colour constancy; its names are those of `skin_tone_name`.
    """
    lightness, _, b = pixels(lesion.raw, lesion.skin, cv2.COLOR_RGB2LAB)
    return {"skin_ita": float(np.degrees(np.arctan(percentile_of((lightness - 50) / np.maximum(b, LEAST_B), 50))))}


def skin_tone_name(ita):
    """Return the name of a skin tone by its individual typology angle (Chardon et al. 1991).

    Parameters
    ----------
    ita : float
        Degrees.

    Returns
    -------
    {"very light", "light", "intermediate", "tan", "brown", "dark"}
        Above 55, 41, 28, 10, -30 degrees, and dark up to -30.

    Examples
    --------
    >>> skin_tone_name(45.0)
    'light'
    """
    return next((name for above, name in SKIN_TONES if ita > above), "dark")


def _centre_less_rim(lab, depth):
    """Return the mean colour of the deepest quarter of the pixels less that of the shallowest."""
    depth = np.rint(depth * np.abs(depth))  # whole numbers, so that equal depths are equal
    rim, centre = nearest_rank(np.sort(depth), (25, 75))
    deep, shallow = np.flatnonzero(depth >= centre), np.flatnonzero(depth <= rim)
    return mean_color(lab.take(deep, axis=1)) - mean_color(lab.take(shallow, axis=1))


def _place(positions, lesion):
    """Return the (2,) centroid of some pixels and their root mean square distance from it."""
    positions = positions.astype(np.int32)
    rows = positions // lesion.mask.shape[1]
    columns = positions - rows * lesion.mask.shape[1]
    means, deviations = np.stack([cv2.meanStdDev(axis) for axis in (rows, columns)], axis=1)[..., 0, 0]
    return means, np.linalg.norm(deviations)
