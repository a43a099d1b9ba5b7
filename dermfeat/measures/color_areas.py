"""Areas of a lesion, on a grid that may be coarser than the image."""

from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.lesion import bounding_box
from dermfeat.measures.detail import disc


class View(NamedTuple):
    """A box of the image on a grid that may be coarser."""

    box: tuple  # slices of the image
    zoom: float  # size of the grid by that of the box, at most 1

    def cut(self, plane):
        """Return what is here of a plane of the image's size, reduced by linear interpolation."""
        plane, zoom = plane[self.box], self.zoom
        while zoom < 1:
            step = max(zoom, 0.5)  # a larger one would jump over pixels
            plane = cv2.resize(plane, [max(round(side * step), 1) for side in plane.shape[1::-1]])
            zoom /= step
        return plane

    def mask(self, mask):
        """Return what is here of a mask of the image's size."""
        if self.zoom == 1:
            return mask[self.box]
        share = self.cut(mask * np.uint8(254))
        return share > min(127, share.max() // 2)

    def paste(self, part, mask):
        """Return a map that is `part` here where a mask of the image's size is True."""
        whole = np.zeros(mask.shape, bool)
        size = mask[self.box].shape[::-1]
        whole[self.box] = cv2.resize(part.view(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT)
        return whole & mask


WHOLE = View((slice(None), slice(None)), 1)


def view_of(lesion, mask, margin, widest=np.inf):
    """Return the `View` of what is True in a mask, with a margin in equivalent diameters.

    The lesion's equivalent diameter has at most `widest` pixels on it.
    """
    box = bounding_box(mask, round(margin * lesion.equivalent_diameter) + 2)
    return View(box, min(1, widest / lesion.equivalent_diameter))


def opened(mask, radius):
    """Return a mask without what a disc does not fit into."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc(max(round(radius), 1)))


def dilated(mask, radius):
    """Return a mask grown by a disc."""
    return cv2.dilate(mask.astype(np.uint8), disc(max(round(radius), 1))) > 0 if mask.any() else mask


def parts(mask):
    """Return a map of the connected parts of a mask, their areas and their lengths; number 0 is what is not in it."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels, stats[:, cv2.CC_STAT_AREA], stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)


def chosen(labels, kept):
    """Return where a map of connected parts has one of those that are kept."""
    kept[0] = False
    return kept.take(labels)


def largest_part(mask):
    """Return the area in pixels of the largest connected part of a mask."""
    return parts(mask[bounding_box(mask)])[1][1:].max(initial=0) if mask.any() else 0
