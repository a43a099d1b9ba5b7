"""What is no skin: dark corners, black frames, bars at the border."""

import cv2
import numpy as np

from dermfeat.preparation.candidates import quantile

FIELD_SIDE = 160  # longest side at which the field of view is looked for
BAR_SHARE = 0.95  # share of dark pixels that makes a row or column part of a bar
DARK_LEVELS = (0.42, 0.28, 0.15)  # tried in turn: brightness below which a corner is dark, relative to skin
CORNER_FILL = 0.56  # a field bulges into its corner: it leaves at most half of the legs' product dark
MARGIN = 0.02  # widening of what is cut off, as a share of the longest side: corners fade in


def field_of_view(rgb):
    """Return where the image shows skin or lesion and not the dermoscope's tube or a black frame.

    First rows and columns that are dark from end to end are cut off at the four sides. Then each quarter
    of what is left is looked at: the dark region at its corner is outside the field if it curves as a
    round (or, in a squashed image, elliptical) field leaves it, that is, fills no more than half of the
    product of the lengths that it takes of the two sides. A dark lesion at the frame bulges the other
    way and stays inside the field. Dark corners under about 3 % of the longest side go unnoticed.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        sRGB image.

    Returns
    -------
    (H, W) bool ndarray
        False in dark corners, frames and bars. True everywhere where there are none, and also where next
        to nothing would be left (an image that is dark all over).
    """
    height, width = rgb.shape[:2]
    red, green, blue = cv2.split(cv2.blur(shrink(rgb, FIELD_SIDE), (3, 3)))
    value = cv2.max(cv2.max(red, green), blue)
    bright = quantile(value, 0.85)
    box = _inside_bars(value < max(DARK_LEVELS[1] * bright, 12))
    field = np.zeros(value.shape, np.uint8)
    field[box] = 1
    for quarter, view in zip(_quarters(value[box]), _quarters(field[box]), strict=True):
        view[_dark_corner(quarter, bright)] = 0
    if field.all() or field.mean() < 0.1:
        return np.ones((height, width), bool)
    return cv2.resize(_shrunk_field(field), (width, height), interpolation=cv2.INTER_NEAREST).view(bool)


def shrink(image, side):
    """Return the image at `side` pixels along its longest side, averaged; a smaller one as it is."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    while scale <= 0.5 and height % 2 == width % 2 == 0:  # faster in steps
        height, width, scale = height // 2, width // 2, 2 * scale
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if scale >= 1:
        return image
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _inside_bars(dark):
    """Return the slices of rows and columns that are left when dark ones are cut off at the sides."""
    kept = []
    for axis in (1, 0):
        lit = np.flatnonzero(dark.mean(axis=axis) < BAR_SHARE)
        kept.append(slice(lit[0], lit[-1] + 1) if lit.size else slice(None))
    return tuple(kept)


def _quarters(plane):
    """Return four views of a plane, each turned so that its corner lies at row 0, column 0."""
    rows, columns = (plane.shape[0] + 1) // 2, (plane.shape[1] + 1) // 2
    return [turned[:rows, :columns] for turned in (plane, plane[::-1], plane[:, ::-1], plane[::-1, ::-1])]


def _dark_corner(value, bright):
    """Return, as a bool mask, the part of a quarter that a round field leaves dark."""
    for level in DARK_LEVELS:
        dark = (value < max(level * bright, 12)).view(np.uint8)
        if not dark[0, 0]:
            break
        labels = cv2.connectedComponents(dark, connectivity=4)[1]
        corner = labels == labels[0, 0]
        legs = corner[0].sum(), corner[:, 0].sum()
        if min(legs) >= 3 and corner.sum() <= CORNER_FILL * legs[0] * legs[1] + max(legs) / 2:
            return corner
    return np.zeros(value.shape, bool)


def _shrunk_field(field):
    """Return a 0-1 field without a margin along what was cut off."""
    size = 2 * max(round(MARGIN * max(field.shape)), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return cv2.erode(field, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1)
