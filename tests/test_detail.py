"""What the structures share: morphology by a disc, the median of counted colours."""

import cv2
import numpy as np
import pytest

from dermfeat.lesion import Colors
from dermfeat.measures.detail import _median_lightness, disc, with_disc


@pytest.mark.parametrize("radius", range(1, 16))
@pytest.mark.parametrize("step", [cv2.dilate, cv2.erode])
def test_two_brushes_are_one_disc(radius, step):
    rng = np.random.default_rng(radius)
    room = radius + 1
    for share in (0.002, 0.05, 0.6):
        blobs = cv2.dilate((rng.random((90, 101)) < share).astype(np.uint8), np.ones((3, 3), np.uint8))
        plane = cv2.copyMakeBorder(blobs, room, room, room, room, cv2.BORDER_CONSTANT)
        expected = step(plane, disc(radius))
        np.testing.assert_array_equal(with_disc(plane, radius, step), expected)


def test_median_of_counted_colours():
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 50, 1000):
        lab = rng.random((3, size), np.float32) * rng.choice([0.5, 3, 100])
        count = rng.integers(1, 9, size)
        every = np.sort(np.repeat(lab[0], count))
        middle = every[(len(every) - 1) // 2]
        assert _median_lightness(Colors(np.zeros((size, 3), np.uint8), lab, count)) == middle
