"""Where the colours of clinical meaning lie in a lesion: six colours, blue-white veil, regression."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.lesion import bounding_box
from dermfeat.measures.color import percentile_of
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
BRIGHT = ((92 + 16) / 116) ** 3  # luminance where L* is 92
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
    return _to_lab(lesion.image, _light(lesion, lightness, cast))


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
    light = lesion.once(_light)
    inside, skin = (_to_lab(rgb[None], light) for rgb in (lesion.rgb_inside, lesion.rgb_skin))
    inside, skin = np.vstack([*cv2.split(inside), np.ones(inside.shape[:2], np.float32)]), cv2.mean(skin)[:3]
    references, first_of_color = _palette()
    distance = np.stack([part.min(axis=0) for part in np.split(references @ inside, first_of_color[1:])])
    distance[0, inside[0] <= skin[0]] = np.inf
    label = cv2.reduceArgMin(distance, 0)[0] + 1
    label[squared_delta_e(inside[:3], skin) < min_delta_e**2] = SKIN_LIKE
    found = np.zeros(lesion.mask.shape, np.uint8)
    found.reshape(-1)[lesion.inside] = label
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
    box = lesion.once(_surroundings)
    enough = least * lesion.area
    if np.count_nonzero(_bluish(_smoothed(lesion, 0.015, box)) & lesion.mask[box]) < enough:
        return np.zeros(lesion.mask.shape, bool)
    lab = _smoothed(lesion, 0.015)
    bluish = _bluish(lab) & (lab[0] < _soft_skin(lesion, 0.015)[0] - darker)
    labels, area, _ = _parts(_opened(bluish, lesion, width / 2))
    inside = np.bincount(labels.take(lesion.inside), minlength=area.size)
    return _chosen(labels, (inside >= enough) & (inside >= (1 - beyond) * area)) & lesion.mask


def find_regression(lesion, *, lighter=1.0, contrast=12.0, least=0.003, speck_contrast=4.0):
    """Find regression structures: scar-like white areas and blue-gray peppering (granularity).

    Colours are skin-referenced (`skin_referenced`), smoothed by 1 % of the equivalent diameter for white areas, 0.6 %
    for specks and 3 % for their surroundings; lengths are relative to that diameter. Hair, highlights
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
    box = lesion.once(_surroundings)
    deep = lesion.signed_distance[box] > 0.04 * lesion.equivalent_diameter
    seen = lesion.mask[box] & deep & ~lesion.hair[box] & ~_highlights(lesion, box)
    maps = np.zeros((2, *lesion.mask.shape), bool)
    maps[0][box] = _scars(lesion, box, seen, lighter, contrast, least)
    maps[1][box] = _specks(lesion, box, seen, speck_contrast)
    return Regression(*maps)


def _scars(lesion, box, seen, lighter, contrast, least):
    light, a, b = _smoothed(lesion, 0.01, box)
    pigment = percentile_of(light[lesion.mask[box]], 25)
    white, enough = seen & (light > pigment + contrast), least * lesion.area
    if np.count_nonzero(white) >= enough:
        skin = _soft_skin(lesion, 0.01)
        white &= (light > skin[0] + lighter) & (np.hypot(a, b) < np.hypot(*skin[1:]) + 1)
    if np.count_nonzero(white) < enough:
        return np.zeros(seen.shape, bool)
    labels, area, _ = _parts(_opened(white, lesion, 0.015))
    return _chosen(labels, area >= enough)


def _specks(lesion, box, seen, contrast):
    diameter = lesion.equivalent_diameter
    light, a, b = _smoothed(lesion, 0.006, box)
    gray = seen & (b < 14) & (a < 20 + b / 2)
    if not gray.any():
        return gray
    (around,) = _smoothed(lesion, 0.03, box, channels=1)
    speck = gray & (light < around - contrast) & (around > 38)
    labels, area, length = _parts(speck & ~_dilated(lesion.once(find_veil)[box], lesion, 0.03))
    large = area >= max(4, np.pi * (0.004 * diameter) ** 2)
    return _chosen(labels, large & (length <= 0.06 * diameter) & (area >= 0.35 * length**2))


def largest_part(mask):
    """Return the area in pixels of the largest connected part of a mask."""
    return _parts(mask[bounding_box(mask)])[1][1:].max(initial=0) if mask.any() else 0


def _surroundings(lesion):
    """Return the slices of an image that hold its lesion and all that filters look at inside of it."""
    return bounding_box(lesion.mask, round(0.05 * lesion.equivalent_diameter) + 2)


def _bluish(lab):
    light, a, b = lab
    return (b < np.minimum(0.4 * a + 2, 0.35 * light)) & (b < 12) & (a < 20 + b / 2) & (light > 12)


def _highlights(lesion, box):
    image = lesion.image[box]
    luminance = cv2.transform(cv2.LUT(image, np.minimum(lesion.once(_light), 1)), LUMINANCE[None])
    bright = (cv2.inRange(image, (240,) * 3, (255,) * 3) > 0) | (luminance > BRIGHT)
    return _dilated(bright, lesion, 0.02)


def _smoothed(lesion, share, box=..., channels=3):
    """Return skin-referenced L*, a*, b* of the image smoothed by a share of the equivalent diameter."""
    planes, size = cv2.split(_soft(lesion, share, box))[:channels], lesion.image[box].shape[1::-1]
    return [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes]


def _soft_skin(lesion, share):
    """Return the median over the skin of what `_soft` returns."""
    box = bounding_box(lesion.skin, round(3 * share * lesion.equivalent_diameter))
    lab = _soft(lesion, share, box)
    skin = cv2.resize(lesion.skin[box] * np.uint8(255), lab.shape[1::-1], interpolation=cv2.INTER_AREA)
    return percentile_of(np.ascontiguousarray(lab[skin >= min(128, skin.max())].T), 50)


def _soft(lesion, share, box):
    """Return smoothed skin-referenced CIELAB of a box of the image, reduced by a power of two of at most sigma / 1.5.

    So it lies nearer to the Gaussian mean than 8-bit smoothing at full size, whose rounding it averages.
    The mean of `pace` pixels and the linear interpolation back have variances of (pace² - 1) / 12 and pace² / 6.
    """
    sigma, image = max(share * lesion.equivalent_diameter, 0.7), lesion.image[box]
    pace = 2 ** max(int(np.log2(sigma / 1.5)), 0)
    if pace > 1:
        size = [max(round(side / pace), 1) for side in image.shape[1::-1]]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        sigma = np.sqrt(sigma**2 - (3 * pace**2 - 1) / 12) / pace
    return _to_lab(cv2.GaussianBlur(image, (0, 0), sigma), lesion.once(_light))


def _opened(mask, lesion, share):
    """Return a mask without what a disc with this radius, a share of the equivalent diameter, does not fit into."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _brush(lesion, share)) > 0


def _dilated(mask, lesion, share):
    return cv2.dilate(mask.astype(np.uint8), _brush(lesion, share)) > 0 if mask.any() else mask


def _brush(lesion, share):
    return disc(max(round(share * lesion.equivalent_diameter), 1))


def _parts(mask):
    """Return a map of the connected parts of a mask, their areas and their lengths; number 0 is what is not in it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels, stats[:, cv2.CC_STAT_AREA], stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)


def _chosen(labels, kept):
    kept[0] = False
    return kept.take(labels)


@cache
def _palette():
    """Return what takes (L*, a*, b*, 1) to distances from all references, and the positions of each colour's first.

    The distances are squared and less the square of the pixel's own colour, which is the same for all.
    """
    rgb = np.float32([list(DERMOSCOPIC_COLORS.values())]) / 255
    published = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
    colors = [[lab, *TYPICAL_COLORS[name]] for name, lab in zip(DERMOSCOPIC_COLORS, published, strict=True)]
    labs, counts = np.concatenate(colors), [len(color) for color in colors]
    return np.column_stack([-2 * labs, (labs**2).sum(axis=1)]).astype(np.float32), np.cumsum([0, *counts[:-1]])


def squared_delta_e(lab, reference):
    return sum((channel - np.float32(value)) ** 2 for channel, value in zip(lab, reference, strict=True))


def _light(lesion, lightness=1.0, cast=1.0):
    """Return a table of the linear light of 8-bit red, green and blue that brings the median skin to the reference."""
    skin = np.maximum(_linear(_median_rgb(lesion.rgb_skin)), 1e-3)
    gains = _linear(np.array(REFERENCE_SKIN)) / skin
    brighter = _linear(np.array(REFERENCE_SKIN)) @ LUMINANCE / (skin @ LUMINANCE)
    gains = np.clip(brighter, *BRIGHTNESS_GAIN) ** lightness * np.clip(gains / brighter, *CAST_GAIN) ** cast
    return (_linear(np.arange(256))[:, None] * gains)[None].astype(np.float32)


def _median_rgb(colors):
    middle = (len(colors) - 1) // 2, len(colors) // 2
    counts = (cv2.calcHist([colors[None]], [channel], None, [256], [0, 256]) for channel in range(3))
    return np.array([np.searchsorted(np.cumsum(count), middle, side="right").mean() for count in counts])


def _linear(srgb):
    share = srgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _to_lab(image, light):
    return cv2.cvtColor(cv2.LUT(image, light), cv2.COLOR_LRGB2LAB)
