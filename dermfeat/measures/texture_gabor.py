"""Gabor filters as separable filters, on images that may have been halved, at every pixel or at every second one."""

from functools import cache
from math import ceil

import cv2
import numpy as np

SIGMA = 0.5622  # standard deviation of a Gabor filter's envelope in wavelengths, for one octave of bandwidth


def halved(plane):
    """Return a plane smoothed, at every second pixel of an odd side, between every two pixels of an even side.

    So flips and turns of a plane are flips and turns of the result.
    """
    if plane.shape[0] % 2 == 0:
        plane = cv2.addWeighted(plane[1:], 0.5, plane[:-1], 0.5, 0)
    if plane.shape[1] % 2 == 0:
        plane = cv2.addWeighted(plane[:, 1:], 0.5, plane[:, :-1], 0.5, 0)
    return cv2.pyrDown(plane)


def halving_variance(side):
    """Return the variance in pixels² of the binomial smoothing that `halved` does along a side of that length."""
    return 1 if side % 2 else 1.25


def gabor_magnitudes(image, wavelength, orientations, step=1, blur=(0, 0)):
    """Yield the float32 magnitude of the response at each angle and at its mirror image.

    The filter is separable, and the four products of its sines and cosines serve both angles.

    Parameters
    ----------
    image : (H, W) float32 ndarray
        Grey levels.
    wavelength : float
        In pixels of the image.
    orientations : int
        Orientations in 180 degrees, an even number.
    step : {1, 2}
        2 for the response at every second pixel only, where `halved` would put them.
    blur : (float, float)
        Variance in pixels² of the smoothing that the image has had from row to row and from column to column.
    """
    columns = _phases(image, step, 1)
    for angle in np.pi * (np.arange(orientations // 2) + 0.5) / orientations:
        down, across = (
            _taps(wavelength, slope, blur[axis], step, image.shape[axis] % 2, axis)
            for axis, slope in enumerate((np.sin(angle), np.cos(angle)))
        )
        rows = (_phases(_filtered(columns, taps), step, 0) for taps in across)
        (cc, cs), (sc, ss) = ([_filtered(row, taps) for taps in down] for row in rows)
        yield cv2.magnitude(cv2.subtract(cc, ss), cv2.add(sc, cs))
        yield cv2.magnitude(cv2.add(cc, ss), cv2.subtract(sc, cs))


def _phases(plane, step, axis):
    """Return every `step`-th row or column, from the first, the second ... on."""
    return [np.ascontiguousarray(plane[:, i::step]) if axis else plane[i::step] for i in range(step)]


def _filtered(phases, taps):
    """Return what a filter makes of a plane, at one place for each row or column of its last phase."""
    parts = [cv2.filter2D(phase, -1, *tap) for phase, tap in zip(phases, taps, strict=True)]
    height, width = phases[-1].shape
    return parts[0] if len(parts) == 1 else cv2.add(parts[0][:height, :width], parts[1])


@cache
def _taps(wavelength, slope, blur, step, odd, axis):
    """Return the cosine and the sine part of a filter along an axis: for each phase what cv2.filter2D has to know.

    A Gabor filter after a Gaussian is a wider Gabor filter of longer wavelength, so this one is narrower and shorter.
    """
    whole = (SIGMA * wavelength) ** 2
    rest = whole - blur
    frequency = slope / wavelength * whole / rest
    gain = np.sqrt(2 * np.pi * rest) * np.exp(-2 * (np.pi * frequency) ** 2 * blur * rest / whole)
    reach, centre = ceil(3 * np.sqrt(whole)), 0 if odd else (step - 1) / 2
    place = np.arange(-reach, reach + 1 + ceil(centre))
    x = place - centre
    parts = (wave(2 * np.pi * frequency * x) * np.exp(-(x**2) / (2 * rest)) / gain for wave in (np.cos, np.sin))
    return [[_tap(part, place, step, phase, axis) for phase in range(step)] for part in parts]


def _tap(kernel, place, step, phase, axis):
    mine = place % step == phase
    anchor = -int(place[mine][0] // step)
    kernel = np.float32(kernel[None, mine])
    return (kernel, None, (anchor, 0)) if axis else (kernel.T, None, (0, anchor))
