"""Where the lesion is, by a network that was trained on experts' outlines."""

import hashlib
import os

import cv2
import numpy as np

from dermfeat.networks import packaged_network
from dermfeat.networks.packaged import graph_file
from dermfeat.preparation.candidates import central, centrality, filled

PACKAGED = "segmenter"  # the graph that "unet" stands for
LIKELY = 0.5  # probability from which a pixel is lesion
FAINT = 6  # levels of 255 up to which an image is of one colour
MIRRORS = (np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1])


def is_network(method):
    """Return whether a segmentation method is a network: "unet" or the path of an OpenVINO graph, ``FILE.xml``."""
    return isinstance(method, (str, os.PathLike)) and (method == "unet" or str(method).endswith(".xml"))


def network_digest(method):
    """Return the SHA-256 of a network's graph and weights."""
    file = graph_file(_graph(method))
    return hashlib.sha256(file.read_bytes() + file.with_suffix(".bin").read_bytes()).hexdigest()


def lesion_maps(images, *, method="unet", flips=False):
    """Return how likely each pixel of each image is lesion, by a network.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 ndarray
        sRGB images of any sizes; each is squashed to the network's input.
    method : str
        "unet" for the packaged network, or the path of an OpenVINO graph from (n, h, w, 3) uint8 to (n, h, w, 1)
        in [0, 1], as `dermfeat.training.segmenter` writes it.
    flips : bool
        Whether to average over the image and its three mirror images: four times the work.

    Returns
    -------
    (n, h, w) float32 ndarray
        Probabilities in [0, 1] at the network's size; 0 everywhere in an image of one colour.

    Raises
    ------
    ImportError
        Where OpenVINO is not installed.
    FileNotFoundError
        Where there is no such graph.
    ValueError
        Where the graph gives something else.
    """
    network = _network(method)
    mirrors = MIRRORS if flips else MIRRORS[:1]
    squares = [_squashed(image, network.size) for image in images]
    maps = network.run(np.array([square[mirror] for square in squares for mirror in mirrors], np.uint8))[..., 0]
    if maps.size and not (maps.min() >= 0 and maps.max() <= 1):
        found = f"{maps.min():.3g} to {maps.max():.3g}"
        raise ValueError(f"segmenter {method!r}: its map goes from {found}; end the network with a sigmoid")
    maps = maps.reshape(len(squares), len(mirrors), *network.size)
    mean = np.mean([maps[:, i][:, *mirror] for i, mirror in enumerate(mirrors)], axis=0, dtype=np.float32)
    shown = [max(np.ptp(channel) for channel in cv2.split(square)) > FAINT for square in squares]
    return mean * np.float32(shown)[:, None, None]


def outline(probability, shape):
    """Return the outline that a network's map gives, and how sure it is of it.

    Parameters
    ----------
    probability : (h, w) float32 ndarray
        From `lesion_maps`.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    mask : (H, W) bool ndarray
        The most central component of the likely pixels, without holes.
    confidence : float in [0, 1]
        Soft Jaccard index of mask and map: 1 where the map says 1 inside and 0 outside; 0 where nothing is likely.
    """
    chosen = central(probability > LIKELY, centrality(probability.shape) * probability)
    if not chosen.any():
        return np.zeros(shape, bool), 0.0
    inside, total = float(probability[chosen].sum()), float(probability.sum())
    confidence = inside / (np.count_nonzero(chosen) + total - inside)
    near = cv2.dilate(chosen.view(np.uint8), np.ones((5, 5), np.uint8))
    full = cv2.resize(cv2.copyTo(probability, near), shape[::-1], interpolation=cv2.INTER_LINEAR) > LIKELY
    return filled(full, largest=True), confidence


def _graph(method):
    return PACKAGED if method == "unet" else method


def _network(method):
    try:
        network = packaged_network(_graph(method))
    except ImportError as error:
        raise ImportError(f"segmenter {method!r}: {error}; without it use segmenter='classical'") from error
    if network.output != (*network.size, 1):
        shape = ("n", *network.output)
        raise ValueError(
            f"segmenter {str(method)!r}: its output is {shape}; give a graph to (n, h, w, 1), as of the input"
        )
    return network


def _squashed(image, size):
    shrinks = image.shape[0] > size[0] and image.shape[1] > size[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
