"""The loop of the usual tutorial: OpenCV and scikit-image image by image, and Keras predict for each."""

import cv2
import numpy as np

from benchmarks.compare import classical
from benchmarks.compare.preparation import blackhat_inpainted, otsu

GABOR = [
    cv2.getGaborKernel((21, 21), sigma, np.pi * turn / 4, wavelength, 0.5)
    for wavelength, sigma in ((4, 2), (6, 3), (8, 4), (10, 5))
    for turn in range(4)
]


def features(path, model):
    """Return the row of one file: hair by inpainting, Otsu, colour, GLCM, LBP, Gabor, shape, and the network."""
    rgb = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
    image = blackhat_inpainted(rgb)
    mask = otsu(image)
    if not mask.any():
        mask[:] = True
    row = [*color(image, mask), *texture(image, mask), *shape(mask)]
    square = cv2.resize(rgb, (224, 224)).astype(np.float32) / 127.5 - 1
    return np.concatenate([row, model.predict(square[None], verbose=0)[0]])


def color(image, mask):
    """Mean, deviation, skewness and histogram of the channels of RGB, HSV and CIELAB."""
    from scipy.stats import skew
    from skimage.color import rgb2hsv, rgb2lab

    values = np.concatenate([image, rgb2hsv(image), rgb2lab(image)], axis=2)[mask].T
    counts = [np.histogram(channel, 32)[0] / channel.size for channel in values]
    return [*values.mean(axis=1), *values.std(axis=1), *skew(values, axis=1), *np.ravel(counts)]


def texture(image, mask):
    """Co-occurrence, LBP, and a Gabor bank by `cv2.filter2D`, the fastest that tutorials use."""
    gray = classical.luma(image).astype(np.float32)
    responses = [cv2.filter2D(gray, -1, kernel)[mask] for kernel in GABOR]
    return [
        *classical.glcm(image, mask).values(),
        *classical.lbp(image, mask).values(),
        *(moment for values in responses for moment in (values.mean(), values.std())),
    ]


def shape(mask):
    """Region properties of scikit-image."""
    from skimage.measure import label, regionprops

    region = regionprops(label(mask))[0]
    return [region.area, region.perimeter, region.eccentricity, region.solidity, region.extent, *region.moments_hu]
