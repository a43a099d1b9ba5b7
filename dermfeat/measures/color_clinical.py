"""Clinical colour: dermoscopic colours, variegation, blue-white veil, tone of the skin."""

import cv2
import numpy as np

from dermfeat.lesion import pixels
from dermfeat.measures.color import entropy, mean_color, percentiles_of

TIE = 0.01  # CIELAB units that count as no difference
DERMOSCOPIC_COLORS = {  # sRGB, Kasmi & Mokrani 2016
    "white": (197, 188, 217),
    "red": (118, 21, 17),
    "light_brown": (163, 82, 16),
    "dark_brown": (135, 44, 5),
    "blue_gray": (113, 108, 139),
    "black": (41, 31, 30),
}


def dermoscopic_colors(lesion, *, min_share=0.01, min_delta_e=10.0):
    """Measure the shares of the six dermoscopic colours and how many of them there are.

    A pixel belongs to the nearest in CIELAB (D65) of the six reference colours of Kasmi & Mokrani (2016, IET Image
    Processing), to white only where its L* is above that of the mean skin. A pixel that looks like the skin belongs to
    none, so the shares may sum to less than 1. Red and dark brown are 14 units apart and easily confused.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.
    min_share : float
        Share of the lesion from which on a colour counts as present.
    min_delta_e : float
        Difference (CIE 1976) from the mean colour of the surrounding skin below which a pixel looks like skin.

    Returns
    -------
    dict of str to float
        ``{white,red,light_brown,dark_brown,blue_gray,black}_share`` : [0, 1] share
            Share of the lesion's pixels.
        ``dermoscopic_colors_count`` : [0, 6] colours
            Number of colours whose share reaches `min_share`; 0 where all looks like skin.
        ``dermoscopic_colors_entropy`` : [0, 2.81] bits
            Entropy of the six shares and that of what looks like skin.
    """
    lab, skin = lesion.lab_inside, mean_color(lesion.lab_skin)
    distances = np.array([_squared_delta_e(lab, reference) for reference in _reference_lab()])
    distances[0, lab[0] <= skin[0]] = np.inf
    nearest = distances.argmin(axis=0)
    nearest[_squared_delta_e(lab, skin) < min_delta_e**2] = len(distances)
    counts = np.bincount(nearest, minlength=len(distances) + 1)
    shares = counts[:-1] / counts.sum()
    row = {f"{name}_share": share for name, share in zip(DERMOSCOPIC_COLORS, shares, strict=True)}
    row["dermoscopic_colors_count"] = float((shares >= min_share).sum())
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
    delta_e = np.sqrt(_squared_delta_e(lab, mean))
    rows, columns = np.divmod(np.flatnonzero(lesion.mask), lesion.mask.shape[1])
    gradient = _centre_less_rim(lab, lesion.signed_distance[rows, columns])
    row = {
        "delta_e_mean": delta_e.mean(dtype=np.float64),
        "delta_e_p95": percentiles_of(delta_e, 95),
        "skin_delta_e": np.linalg.norm(mean - mean_color(lesion.lab_skin)),
        "centre_rim_delta_e": np.linalg.norm(gradient),
    }
    row |= {f"centre_rim_{channel}_difference": value for channel, value in zip("lab", gradient, strict=True)}
    points = columns + 1j * rows
    for name, value in (("darkest", lab[0]), ("reddest", -lab[1]), ("bluest", lab[2])):
        part = points[value <= percentiles_of(value, tail) + TIE]
        row[f"{name}_eccentricity"] = abs(part.mean() - points.mean()) / lesion.equivalent_diameter
        row[f"{name}_spread"] = part.std() / max(points.std(), TIE)
    return row


def blue_white_veil(lesion):
    """Measure the share of blue-white veil by the simplified pixel rule.

    A pixel is veil where ``B / (R + G + B) >= 0.3`` and ``-194 <= R - mean R of the skin < -51``: the simplified rule
    after Celebi et al. (2008, Computerized Medical Imaging and Graphics), whose own decision tree has more conditions.
    A black pixel, which has no B share, is none.

    Parameters
    ----------
    lesion : Lesion
        Image and mask.

    Returns
    -------
    dict of str to float
        ``blue_white_veil_share`` : [0, 1] share
            Share of the lesion's pixels.
    """
    red, green, blue = pixels(lesion.image, lesion.mask).astype(np.int32)
    below_skin = red - pixels(lesion.image, lesion.skin)[0].mean()
    bluish = (blue > 0) & (10 * blue >= 3 * (red + green + blue))
    veil = bluish & (below_skin >= -194) & (below_skin < -51)
    return {"blue_white_veil_share": veil.mean()}


def skin_tone(lesion):
    """Measure the skin's tone as the individual typology angle (Chardon et al. 1991).

    Parameters
    ----------
    lesion : Lesion
        Image and mask.

    Returns
    -------
    dict of str to float
        ``skin_ita`` : [-180, 180] degrees
            Median of ``atan2(L* - 50, b*)`` over the surrounding skin: above 55 very light, 41 to 55 light, 28 to 41
            intermediate, 10 to 28 tan, -30 to 10 brown, below -30 dark.
    """
    lightness, _, b = lesion.lab_skin
    return {"skin_ita": float(np.degrees(np.median(np.arctan2(lightness - 50, b))))}


def _reference_lab():
    return cv2.cvtColor(np.float32([list(DERMOSCOPIC_COLORS.values())]) / 255, cv2.COLOR_RGB2LAB)[0]


def _squared_delta_e(lab, reference):
    return sum((channel - np.float32(value)) ** 2 for channel, value in zip(lab, reference, strict=True))


def _centre_less_rim(lab, depth):
    """Return the mean colour of the deepest quarter of the pixels less that of the shallowest."""
    depth = np.rint(depth * np.abs(depth))  # whole numbers, so that equal depths are equal
    rim, centre = percentiles_of(depth, (25, 75))
    deep, shallow = np.flatnonzero(depth >= centre), np.flatnonzero(depth <= rim)
    return mean_color(lab.take(deep, axis=1)) - mean_color(lab.take(shallow, axis=1))
