"""Clinical colour: dermoscopic colours, variegation, blue-white veil, regression, tone of the skin."""

import cv2
import numpy as np

from dermfeat.lesion import colors_of, converted
from dermfeat.measures.color import ascending, entropy, mean_color, nearest_rank, ordered_lab
from dermfeat.measures.color_areas import largest_part, view_of
from dermfeat.measures.color_regions import (
    DERMOSCOPIC_COLORS,
    SKIN_LIKE,
    color_labels,
    colors_inside,
    find_regression,
    find_veil,
    squared_delta_e,
)

SIDE = 144  # pixels of the equivalent diameter above which a lesion is reduced to see where its colours lie
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
    colors = lesion.once(colors_inside)
    counts = np.bincount(color_labels(lesion, colors.lab, **detection), colors.count, SKIN_LIKE + 1)[1:]
    shares = counts[:-1] / counts.sum()
    row = {f"{name}_share": share for name, share in zip(DERMOSCOPIC_COLORS, shares, strict=True)}
    row["dermoscopic_colors_entropy"] = entropy(counts)
    return row


def color_variegation(lesion, *, tail=20):
    """Measure how much the colour varies inside the lesion, and where.

    Where colours lie (centre and rim, eccentricity, spread) is seen on a lesion that is at most 144 pixels wide: a
    larger one is reduced to that.

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
    colors, view, diameter = (
        lesion.inside_colors,
        view_of(lesion, lesion.mask, 0, SIDE),
        min(lesion.equivalent_diameter, SIDE),
    )
    mean, mask, lab = mean_color(colors), view.mask(lesion.mask), converted(view.cut(lesion.image), cv2.COLOR_RGB2LAB)
    delta_e = np.sqrt(squared_delta_e(colors.lab, mean))
    gradient = _centre_less_rim(lab, mask, np.fmax(view.cut(lesion.signed_distance), -diameter))
    row = {
        "delta_e_mean": delta_e @ colors.share,
        "delta_e_p95": nearest_rank(ascending(delta_e, colors.count), 95),
        "skin_delta_e": np.linalg.norm(mean - mean_color(lesion.skin_colors)),
        "centre_rim_delta_e": np.linalg.norm(gradient),
    }
    row |= {f"centre_rim_{channel}_difference": value for channel, value in zip("lab", gradient, strict=True)}
    (centre, spread), ordered = _place(mask), lesion.once(ordered_lab)
    for name, channel, percent, beyond in (
        ("darkest", 0, tail, np.less_equal),
        ("reddest", 1, 100 - tail, np.greater_equal),
        ("bluest", 2, tail, np.less_equal),
    ):
        bound = nearest_rank(ordered[channel], percent) + (TIE if beyond is np.less_equal else -TIE)
        part_centre, part_spread = _place(beyond(lab[..., channel], bound) & mask)
        row[f"{name}_eccentricity"] = np.linalg.norm(part_centre - centre) / diameter
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
    area = np.count_nonzero(lesion.mask)
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
    area = np.count_nonzero(lesion.mask)
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
    change = cv2.norm(lesion.raw, lesion.image, cv2.NORM_INF, lesion.skin.view(np.uint8))
    colors = colors_of(lesion.raw, lesion.skin) if change else lesion.skin_colors
    lightness, _, b = colors.lab
    ita = np.degrees(np.arctan((lightness - 50) / np.maximum(b, LEAST_B)))
    return {"skin_ita": float(nearest_rank(ascending(ita, colors.count), 50))}


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


def _centre_less_rim(lab, mask, depth):
    """Return the mean colour of the deepest quarter of the pixels less that of the shallowest."""
    depth = np.rint(depth * np.abs(depth))  # whole numbers, so that equal depths are equal
    ordered = np.sort(depth[mask])
    rim, centre = ordered[np.rint(np.array([0.25, 0.75]) * (ordered.size - 1)).astype(np.intp)]
    deep, shallow = (cv2.mean(lab, (part & mask).view(np.uint8)) for part in (depth >= centre, depth <= rim))
    return np.subtract(deep, shallow)[:3]


def _place(mask):
    """Return the (2,) centroid of a mask, x and y, and the root mean square distance of its pixels from it."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    area = max(moments["m00"], 1)
    return np.array([moments["m10"], moments["m01"]]) / area, np.sqrt((moments["mu20"] + moments["mu02"]) / area)
