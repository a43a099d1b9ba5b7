"""Where the colours of clinical meaning lie in a lesion: six colours, blue-white veil, regression."""

from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.measures.detail import disc

REFERENCE_SKIN = 205, 160, 140  # sRGB of light skin, individual typology angle about 48 degrees
BRIGHTNESS_GAIN = 0.5, 1.7  # range of the factor on linear light; less room upwards, where skin may be dark by nature
CAST_GAIN = 0.5, 2.0  # range of each channel's further factor
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB
DERMOSCOPIC_COLORS = {  # sRGB, Kasmi & Mokrani 2016
    "white": (197, 188, 217),
    "red": (118, 21, 17),
    "light_brown": (163, 82, 16),
    "dark_brown": (135, 44, 5),
    "blue_gray": (113, 108, 139),
    "black": (41, 31, 30),
}
TYPICAL_COLORS = {  # CIELAB on the reference skin: the less saturated colours that lesions have beside those above
    "white": [(82, 4, 8)],
    "red": [(58, 32, 14)],
    "light_brown": [(52, 24, 28), (54, 18, 20)],
    "dark_brown": [(27, 31, 24), (29, 36, 34), (32, 20, 18)],
    "blue_gray": [(42, 13, 2), (20, 17, -1)],
    "black": [(10, 12, 8), (17, 6, 2)],
}
SKIN_LIKE = len(DERMOSCOPIC_COLORS) + 1  # label of lesion pixels that have the colour of the skin


class Regression(NamedTuple):
    """Where a lesion looks regressed."""

    white: np.ndarray  # (H, W) bool, scar-like areas
    peppering: np.ndarray  # (H, W) bool, fine blue-gray specks


def skin_referenced(lesion, *, lightness=1.0, cast=1.0):
    """Return the image's colours as they would be if the surrounding skin had one reference colour.

    Each channel of linear RGB is multiplied by a constant (von Kries 1902) so that the median of the surrounding
    skin becomes `REFERENCE_SKIN`: a lesion's colour is measured by what it takes from the light that skin returns,
    and exposure and colour of the camera's light drop out. The factor has two parts, one for brightness and one for
    the cast (each channel against luminance), bounded by `BRIGHTNESS_GAIN` and `CAST_GAIN`. So skin from L* 55 to 90,
    the range of exposures, is brought to one lightness, while darker skin stays darker: black on it stays black.

    Parameters
    ----------
    lesion : Lesion
    lightness, cast : float in [0, 1]
        Exponents of the two factors: 0 leaves brightness or cast as they are, 1 adapts them fully.

    Returns
    -------
    (H, W, 3) float32 ndarray
        CIELAB (D65). What gets brighter than white is cut off there.
    """
    return _to_lab(lesion.image, _gains(lesion, lightness, cast))


def find_colors(lesion, *, min_delta_e=10.0):
    """Find the six dermoscopic colours.

    A pixel has, in skin-referenced CIELAB (`skin_referenced`), the colour of the nearest reference (CIE 1976): those of
    Kasmi & Mokrani (2016, IET Image Processing) and one to three for each colour that stand for the less saturated
    colours of most lesions (`TYPICAL_COLORS`). It is white only where its L* is above that of the mean skin, and
    skin-like where it differs from the mean skin by less than `min_delta_e`.

    Parameters
    ----------
    lesion : Lesion
    min_delta_e : float

    Returns
    -------
    (H, W) uint8 ndarray
        0 outside the lesion, 1 to 6 the colours in the order of `DERMOSCOPIC_COLORS`, 7 skin-like.
    """
    lab = lesion.once(skin_referenced)
    inside, skin = lab[lesion.mask].T, lab[lesion.skin].mean(axis=0, dtype=np.float64)
    nearest = np.full(inside.shape[1], np.inf, np.float32)
    label = np.zeros(inside.shape[1], np.uint8)
    for number, references in enumerate(_palette(), start=1):
        distance = np.min([squared_delta_e(inside, reference) for reference in references], axis=0)
        nearer = distance < nearest
        if number == 1:
            nearer &= inside[0] > skin[0]
        nearest[nearer], label[nearer] = distance[nearer], number
    label[squared_delta_e(inside, skin) < min_delta_e**2] = SKIN_LIKE
    found = np.zeros(lesion.mask.shape, np.uint8)
    found[lesion.mask] = label
    return found


def find_veil(lesion, *, darker=8.0, width=0.04, least=0.01, beyond=0.3):
    """Find blue-white veil: confluent, structureless blue, gray or violet areas, often under a whitish haze.

    After Celebi et al. (2008, Computerized Medical Imaging and Graphics 32:670, doi:10.1016/j.compmedimag.2008.08.003)
    colour is judged relative to the skin and in the mean of a neighbourhood, here by fixed bounds in skin-referenced
    CIELAB (smoothed by 1.5 % of the equivalent diameter) instead of their learned tree:
    ``b* < min(0.4 a* + 2, 0.35 L*, 12)``, bluer than pigment of that lightness; ``a* < 20 + b* / 2``, which leaves out
    marker ink, more violet than any veil; L* from 12 to `darker` below the skin's. Thin structures (hair, dots), small
    areas and those that go on outside the lesion (ink, clothes, frames) are dropped.

    Parameters
    ----------
    lesion : Lesion
    darker : float
        L* by which veil is darker than the median skin.
    width : float
        Equivalent diameters that veil is wide at least.
    least : float
        Share of the lesion that one area of veil has at least.
    beyond : float
        Share of an area that may lie outside the lesion.

    Returns
    -------
    (H, W) bool ndarray
        True on veil, only inside the lesion.
    """
    lab = _smoothed(lesion, 0.015)
    light, a, b = cv2.split(lab)
    skin = np.median(lab[lesion.skin], axis=0)
    bluish = (b < np.minimum(0.4 * a + 2, 0.35 * light)) & (b < 12) & (a < 20 + b / 2)
    bluish &= (light > 12) & (light < skin[0] - darker)
    labels, area, _ = _parts(_opened(bluish, lesion, width / 2))
    inside = np.bincount(labels[lesion.mask], minlength=area.size)
    return _chosen(labels, (inside >= least * lesion.area) & (inside >= (1 - beyond) * area)) & lesion.mask


def find_regression(lesion, *, lighter=1.0, contrast=12.0, least=0.003, speck_contrast=4.0):
    """Find regression structures: scar-like white areas and blue-gray peppering (granularity).

    Colours are skin-referenced (`skin_referenced`), lengths relative to the equivalent diameter. Hair, highlights
    (near white in the image or twice as bright as skin) with their surroundings, and the outermost 4 % are left out.

    A white area is lighter than the median skin and than the lesion's 25th percentile, no more than 1 unit more
    saturated than skin and at least 3 % wide.

    A speck of peppering is darker than its surroundings, which are not dark themselves; gray to blue
    (``b* < 14``, ``a* < 20 + b* / 2``), roundish, 0.8 to 6 % wide and lies off the veil. Where a lesion is less than
    about 100 pixels wide few can be seen.

    Parameters
    ----------
    lesion : Lesion
    lighter, contrast : float
        L* by which a white area is lighter than skin, and than the lesion's 25th percentile.
    least : float
        Share of the lesion that one white area has at least.
    speck_contrast : float
        L* by which a speck is darker than its surroundings.

    Returns
    -------
    Regression
        Maps ``white`` and ``peppering``, (H, W) bool ndarrays, True only inside the lesion.
    """
    deep = lesion.signed_distance > 0.04 * lesion.equivalent_diameter
    seen = lesion.mask & deep & ~lesion.hair & ~_highlights(lesion)
    return Regression(_scars(lesion, seen, lighter, contrast, least), _specks(lesion, seen, speck_contrast))


def _scars(lesion, seen, lighter, contrast, least):
    lab = _smoothed(lesion, 0.01)
    skin = np.median(lab[lesion.skin], axis=0)
    pigment = np.percentile(lab[lesion.mask][:, 0], 25)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    white = seen & (lab[..., 0] > max(skin[0] + lighter, pigment + contrast)) & (chroma < np.hypot(*skin[1:]) + 1)
    labels, area, _ = _parts(_opened(white, lesion, 0.015))
    return _chosen(labels, area >= least * lesion.area)


def _specks(lesion, seen, contrast):
    diameter = lesion.equivalent_diameter
    light, a, b = cv2.split(_smoothed(lesion, 0.006))
    around = _smoothed(lesion, 0.03)[..., 0]
    gray = (b < 14) & (a < 20 + b / 2)
    speck = seen & gray & (light < around - contrast) & (around > 38) & ~_dilated(lesion.once(find_veil), lesion, 0.03)
    labels, area, length = _parts(speck)
    large = area >= max(4, np.pi * (0.004 * diameter) ** 2)
    return _chosen(labels, large & (length <= 0.06 * diameter) & (area >= 0.35 * length**2))


def largest_part(mask):
    """Return the area in pixels of the largest connected part of a mask."""
    return _parts(mask)[1][1:].max(initial=0)


def _highlights(lesion):
    bright = (lesion.image.min(axis=2) >= 240) | (lesion.once(skin_referenced)[..., 0] > 92)
    return _dilated(bright, lesion, 0.02)


def _smoothed(lesion, share):
    """Return skin-referenced CIELAB of the image smoothed by a share of the equivalent diameter."""
    sigma = max(share * lesion.equivalent_diameter, 0.7)
    return _to_lab(cv2.GaussianBlur(lesion.image, (0, 0), sigma), lesion.once(_gains))


def _opened(mask, lesion, share):
    """Return a mask without what a disc with this radius, a share of the equivalent diameter, does not fit into."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _brush(lesion, share)) > 0


def _dilated(mask, lesion, share):
    return cv2.dilate(mask.astype(np.uint8), _brush(lesion, share)) > 0


def _brush(lesion, share):
    return disc(max(round(share * lesion.equivalent_diameter), 1))


def _parts(mask):
    """Return a map of the connected parts of a mask, their areas and their lengths; number 0 is what is not in it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels, stats[:, cv2.CC_STAT_AREA], stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)


def _chosen(labels, kept):
    return kept[labels] & (labels > 0)


def _palette():
    """Return, for each colour, its references in CIELAB."""
    rgb = np.float32([list(DERMOSCOPIC_COLORS.values())]) / 255
    published = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
    return [[lab, *TYPICAL_COLORS[name]] for name, lab in zip(DERMOSCOPIC_COLORS, published, strict=True)]


def squared_delta_e(lab, reference):
    return sum((channel - np.float32(value)) ** 2 for channel, value in zip(lab, reference, strict=True))


def _gains(lesion, lightness=1.0, cast=1.0):
    """Return the factors on linear red, green and blue that bring the median skin to the reference."""
    skin = np.maximum(_linear(np.median(lesion.image[lesion.skin], axis=0)), 1e-3)
    gains = _linear(np.array(REFERENCE_SKIN)) / skin
    brighter = _linear(np.array(REFERENCE_SKIN)) @ LUMINANCE / (skin @ LUMINANCE)
    return np.clip(brighter, *BRIGHTNESS_GAIN) ** lightness * np.clip(gains / brighter, *CAST_GAIN) ** cast


def _linear(srgb):
    share = srgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _to_lab(image, gains):
    table = _linear(np.arange(256))[:, None] * gains
    return cv2.cvtColor(cv2.LUT(image, table[None].astype(np.float32)), cv2.COLOR_LRGB2LAB)
