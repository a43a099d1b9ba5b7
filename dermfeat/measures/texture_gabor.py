"""Gabor filters as separable filters, on images that may have been halved, at every pixel or at every few."""

from functools import cache
from math import ceil

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided

SIGMA = 0.5622  # standard deviation of a Gabor filter's envelope in wavelengths, for one octave of bandwidth
BLOCK = 16  # pixels of a side that one matrix product filters, a multiple of every step


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


def reach(wavelength):
    """Return how many pixels a filter looks to each side, three standard deviations."""
    return ceil(3 * SIGMA * wavelength)


def gabor_magnitudes(image, wavelength, orientations, step, blur):
    """Return the magnitude of the response at each angle and each place.

    The filter is separable, and the four products of its sines and cosines serve an angle and its mirror image. Along
    a side, a product with one small matrix filters `BLOCK` pixels at a time.

    Parameters
    ----------
    image : (H, W) float32 ndarray
        Grey levels, with `reach` pixels of margin that are only looked at.
    wavelength : float
        In pixels of the image.
    orientations : int
        Orientations in 180 degrees, an even number.
    step : {1, 2, 4}
        2 for the response at every second pixel, where `halved` would put them; 4 at every fourth, as halved twice.
    blur : (float, float)
        Variance in pixels² of the smoothing that the image has had from row to row and from column to column.

    Returns
    -------
    (orientations, h, w) float32 ndarray
        Magnitudes; the last rows and columns, which make whole blocks, may be of places beyond the image.
    """
    pairs, margin, outputs = orientations // 2, 2 * reach(wavelength), BLOCK // step
    sides = [side - margin for side in image.shape]
    image = cv2.copyMakeBorder(image, 0, -sides[0] % BLOCK, 0, -sides[1] % BLOCK, cv2.BORDER_CONSTANT)
    angles = np.pi * (np.arange(pairs) + 0.5) / orientations
    down, across = (
        _filters(wavelength, tuple(slopes), (side - 1) % step / 2, step, variance)
        for side, variance, slopes in zip(sides, blur, (np.sin(angles), np.cos(angles)), strict=True)
    )
    waves = across.reshape(-1, across.shape[-1]) @ _blocks(image, margin)
    waves = waves.reshape(-1, pairs, 2, outputs, len(image)).transpose(1, 2, 0, 3, 4).reshape(pairs, -1, len(image))
    waves = down.reshape(pairs, 1, 2 * outputs, -1) @ _blocks(waves, margin)
    waves = waves.reshape(pairs, -1, 2, outputs, 2, waves.shape[-1] // 2)
    (cc, cs), (sc, ss) = waves.transpose(4, 2, 0, 1, 3, 5)
    real, imaginary = np.empty((2, 2, *cc.shape), np.float32)
    for join, products, out in (
        (np.subtract, (cc, ss), real[0]),
        (np.add, (cc, ss), real[1]),
        (np.add, (sc, cs), imaginary[0]),
        (np.subtract, (sc, cs), imaginary[1]),
    ):
        join(*products, out=out)
    magnitudes = cv2.magnitude(real.reshape(orientations, -1), imaginary.reshape(orientations, -1))
    return magnitudes.reshape(orientations, -1, cc.shape[-1])


def _blocks(planes, margin):
    """Return a view of (..., rows, n) planes as overlapping blocks: (..., blocks, pixels of a block, rows)."""
    *lead, rows, side = planes.shape
    *strides, row, pixel = planes.strides
    shape = *lead, (side - margin) // BLOCK, BLOCK + margin, rows
    return as_strided(planes, shape, (*strides, BLOCK * pixel, pixel, row))


@cache
def _filters(wavelength, slopes, centre, step, blur):
    """Return the matrices of the cosine and the sine part of filters along a side: (slopes, 2, outputs, pixels).

    A Gabor filter after a Gaussian is a wider Gabor filter of longer wavelength, so these are narrower and shorter.
    """
    whole, far = (SIGMA * wavelength) ** 2, reach(wavelength)
    rest = whole - blur
    places = np.arange(-far, BLOCK + far) - np.arange(0, BLOCK, step)[:, None] - centre
    envelope = np.exp(-(places**2) / (2 * rest)) * (np.abs(places) < far + 1)
    filters = []
    for slope in slopes:
        frequency = slope / wavelength * whole / rest
        gain = np.sqrt(2 * np.pi * rest) * np.exp(-2 * (np.pi * frequency) ** 2 * blur * rest / whole)
        filters.append([wave(2 * np.pi * frequency * places) * envelope / gain for wave in (np.cos, np.sin)])
    return np.float32(filters)
