"""Where the colours of clinical meaning lie in a lesion: six colours, blue-white veil, regression."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.measures.color import ascending, mean_color, nearest_rank
from dermfeat.measures.color_areas import WHOLE, chosen, dilated, opened, parts, view_of

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
SIDE, VEIL_SIDE = 160, 112  # pixels of the equivalent diameter above which a lesion is reduced to see larger areas
LEAST_GRAY = 0.001  # twice the share of gray to blue pixels below which no specks are looked for
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
    found, lab = np.zeros(lesion.mask.shape, np.uint8), _to_lab(lesion.image[lesion.mask][None], lesion.once(_light))
    found[lesion.mask] = color_labels(lesion, lab[0].T, min_delta_e=min_delta_e)
    return found


def color_labels(lesion, lab, *, min_delta_e=10.0):
    """Return the (N,) labels of `find_colors` for (3, N) skin-referenced colours."""
    skin, (references, first) = mean_color(lesion.once(_colors_of_skin)), _palette()
    distances = np.split(references @ np.vstack([lab, np.ones_like(lab[:1])]), first[1:])
    nearest = np.where(lab[0] > skin[0], distances[0].min(axis=0), np.inf)
    label = np.ones(nearest.size, np.uint8)
    for color, distance in enumerate(distances[1:], 2):
        distance = distance.min(axis=0)
        label[distance < nearest] = color
        np.minimum(nearest, distance, out=nearest)
    label[squared_delta_e(lab, skin) < min_delta_e**2] = SKIN_LIKE
    return label


def find_veil(lesion, *, darker=8.0, width=0.04, least=0.01, beyond=0.3):
    """Find blue-white veil: confluent, structureless blue, gray or violet areas, often under a whitish haze.

    After Celebi et al. (2008, Computerized Medical Imaging and Graphics 32:670, doi:10.1016/j.compmedimag.2008.08.003)
    colour is judged relative to the skin and in the mean of a neighbourhood, here by fixed bounds in skin-referenced
    CIELAB (smoothed by 1.5 % of the equivalent diameter) instead of their learned tree:
    ``b* < min(0.4 a* + 2, 0.35 L*, 12)``, bluer than pigment of that lightness; ``a* < 20 + b* / 2``, which leaves out
    marker ink, more violet than any veil; L* from 12 to `darker` below the skin's. Thin structures (hair, dots), small
    areas and those that go on outside the lesion (ink, clothes, frames) are dropped. A lesion wider than 112 pixels is
    looked at reduced to that, with 0.4 equivalent diameters round it.

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
    if not _common(lesion, _bluish, least):
        return np.zeros(lesion.mask.shape, bool)
    view = view_of(lesion, lesion.mask, 0.4, VEIL_SIDE)
    lab, mask = _smoothed(lesion, 0.015, view), view.mask(lesion.mask)
    bluish = _bluish(*lab) & (lab[0] < lesion.once(_median_skin)[0] - darker)
    enough = least * lesion.area * view.zoom**2
    if np.count_nonzero(bluish & mask) < enough:
        return np.zeros(lesion.mask.shape, bool)
    labels, area, _ = parts(opened(bluish, width / 2 * lesion.equivalent_diameter * view.zoom))
    inside = np.bincount(labels[mask], minlength=area.size)
    return view.paste(chosen(labels, (inside >= enough) & (inside >= (1 - beyond) * area)), lesion.mask)


def find_regression(lesion, *, lighter=1.0, contrast=12.0, least=0.003, speck_contrast=4.0):
    """Find regression structures: scar-like white areas and blue-gray peppering (granularity).

    Colours are skin-referenced (`skin_referenced`), smoothed by 1 % of the equivalent diameter for white areas, 0.6 %
    for specks and 3 % for their surroundings; lengths are relative to that diameter. Hair, highlights
    (near white in the image or twice as bright as skin) with their surroundings, and the outermost 4 % are left out.

    A white area is lighter than the median skin and than the lesion's 25th percentile, no more than 1 unit more
    saturated than skin and at least 3 % wide. A lesion wider than 160 pixels is looked at reduced to that.

    A speck of peppering is darker than its surroundings, which are not dark themselves; gray to blue
    (``b* < 14``, ``a* < 20 + b* / 2``), roundish, 0.8 to 6 % wide and lies off the veil. It is looked for at full size,
    in a lesion wider than 160 pixels only near what at that size is more or less like it, and only where 0.05 % of
    the lesion are gray to blue before smoothing. Where a lesion is less than about 100 pixels wide few can be seen.

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
    return Regression(_scars(lesion, lighter, contrast, least), _specks(lesion, speck_contrast))


def _scars(lesion, lighter, contrast, least):
    skin = lesion.once(_median_skin)

    def pale(light, a, b):
        return (light > skin[0] + lighter) & (np.hypot(a, b) < np.hypot(*skin[1:]) + 1)

    if not _common(lesion, pale, least):
        return np.zeros(lesion.mask.shape, bool)
    view = view_of(lesion, lesion.mask, 0.05, SIDE)
    (light, a, b), mask = _smoothed(lesion, 0.01, view), view.mask(lesion.mask)
    white, enough = mask & pale(light, a, b), least * lesion.area * view.zoom**2
    if np.count_nonzero(white) >= enough:
        white &= _seen(lesion, view) & (light > np.percentile(light[mask], 25, method="nearest") + contrast)
    if np.count_nonzero(white) < enough:
        return np.zeros(lesion.mask.shape, bool)
    labels, area, _ = parts(opened(white, 0.015 * lesion.equivalent_diameter * view.zoom))
    return view.paste(chosen(labels, area >= enough), lesion.mask)


def _specks(lesion, contrast):
    none, diameter = np.zeros(lesion.mask.shape, bool), lesion.equivalent_diameter
    if not _common(lesion, _gray, LEAST_GRAY):
        return none
    view, coarse = (view_of(lesion, lesion.mask, 0.05, widest) for widest in (np.inf, SIDE))
    around = np.zeros(lesion.mask.shape, np.float32)
    around[view.box] = _smoothed(lesion, 0.03, view, channels=1)[0]
    if coarse.zoom < 1:
        likely = coarse.paste(_dark_gray(lesion, coarse, around, contrast / 2, slack=1), lesion.mask)
        if not likely.any():
            return none
        view = view_of(lesion, likely, 0.03)
    speck = _dark_gray(lesion, view, around, contrast)
    if not speck.any():
        return none
    veil = dilated(view.mask(lesion.once(find_veil)), 0.03 * diameter)
    labels, area, length = parts(speck & _seen(lesion, view) & ~veil)
    large = area >= max(4, np.pi * (0.004 * diameter) ** 2)
    roundish = (length <= 0.06 * diameter) & (area >= 0.35 * length**2)
    return view.paste(chosen(labels, large & roundish), lesion.mask)


def _dark_gray(lesion, view, around, contrast, slack=0):
    """Return where it is gray to blue, and darker than a surrounding that is not dark itself."""
    (light, a, b), around = _smoothed(lesion, 0.006, view), view.cut(around)
    gray = _gray(light, a - slack, b - slack)
    return gray & (light < around - contrast) & (around > 38) & view.mask(lesion.mask)


def _seen(lesion, view):
    """Return where regression is looked for, of a lesion's deeper part."""
    deep = view.cut(lesion.signed_distance) > 0.04 * lesion.equivalent_diameter
    return deep & ~view.mask(lesion.hair) & ~_highlights(lesion, view)


def _common(lesion, condition, share):
    """Return whether at least half a share of the lesion's pixels have by themselves a colour that meets a condition.

    Where they have not, smoothed colours do not meet it on that share.
    """
    inside = lesion.once(colors_inside)
    return inside.share @ condition(*inside.lab) > share / 2


def _gray(light, a, b):
    return (b < 14) & (a < 20 + b / 2)


def _bluish(light, a, b):
    return (b < np.minimum(0.4 * a + 2, 0.35 * light)) & (b < 12) & (a < 20 + b / 2) & (light > 12)


def _highlights(lesion, view):
    light = np.minimum(lesion.once(_light), 1)

    def bright(image):
        luminance = cv2.transform(cv2.LUT(image, light), LUMINANCE[None])
        return (cv2.inRange(image, (240,) * 3, (255,) * 3) > 0) | (luminance > BRIGHT)

    if not bright(lesion.inside_colors.rgb[None]).any():
        return np.False_
    return dilated(bright(view.cut(lesion.image)), 0.02 * lesion.equivalent_diameter * view.zoom)


def _smoothed(lesion, share, view=WHOLE, channels=3):
    """Return skin-referenced L*, a*, b* of the image smoothed by a share of the equivalent diameter.

    The image is reduced by a power of two of at most sigma / 1.5 on the way. So this lies nearer to the Gaussian mean
    than 8-bit smoothing at full size, whose rounding it averages. The mean of `pace` pixels and the linear
    interpolation back have variances of (pace² - 1) / 12 and pace² / 6.
    """
    sigma, image = max(share * lesion.equivalent_diameter * view.zoom, 0.7), view.cut(lesion.image)
    pace, size = 2 ** max(int(np.log2(sigma / 1.5)), 0), image.shape[1::-1]
    if pace > 1:
        image = cv2.resize(image, [max(round(side / pace), 1) for side in size], interpolation=cv2.INTER_AREA)
        sigma = np.sqrt(sigma**2 - (3 * pace**2 - 1) / 12) / pace
    lab = _to_lab(cv2.GaussianBlur(image, (0, 0), sigma), lesion.once(_light))
    planes = [cv2.extractChannel(lab, channel) for channel in range(channels)]
    return [cv2.resize(plane, size) for plane in planes] if pace > 1 else planes


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


def colors_inside(lesion):
    """Return the `Colors` of the lesion with skin-referenced CIELAB."""
    return _referenced(lesion.inside_colors, lesion)


def _colors_of_skin(lesion):
    return _referenced(lesion.skin_colors, lesion)


def _referenced(colors, lesion):
    return colors._replace(lab=np.ascontiguousarray(_to_lab(colors.rgb[None], lesion.once(_light))[0].T))


def _median_skin(lesion):
    colors = lesion.once(_colors_of_skin)
    return [nearest_rank(ascending(channel, colors.count), 50) for channel in colors.lab]


def _light(lesion, lightness=1.0, cast=1.0):
    """Return a table of the linear light of 8-bit red, green and blue that brings the median skin to the reference."""
    skin = np.maximum(_linear(_median_rgb(lesion.skin_colors)), 1e-3)
    gains = _linear(np.array(REFERENCE_SKIN)) / skin
    brighter = _linear(np.array(REFERENCE_SKIN)) @ LUMINANCE / (skin @ LUMINANCE)
    gains = np.clip(brighter, *BRIGHTNESS_GAIN) ** lightness * np.clip(gains / brighter, *CAST_GAIN) ** cast
    return (_linear(np.arange(256))[:, None] * gains)[None].astype(np.float32)


def _median_rgb(colors):
    up_to = [np.cumsum(np.bincount(channel, colors.count, 256)) for channel in colors.rgb.T]
    pixels = colors.count.sum()
    return np.array([np.searchsorted(one, ((pixels - 1) // 2, pixels // 2), side="right").mean() for one in up_to])


def _linear(srgb):
    share = srgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _to_lab(image, light):
    return cv2.cvtColor(cv2.LUT(image, light), cv2.COLOR_LRGB2LAB)
