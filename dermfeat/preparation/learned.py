"""Where the lesion is, by a network that was trained on experts' outlines."""

import hashlib
import os
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from dermfeat.networks import packaged_network, squashed
from dermfeat.networks.packaged import graph_file, parts_of
from dermfeat.networks.requests import Requests
from dermfeat.networks.runtime import is_installed
from dermfeat.preparation.candidates import central, centrality, filled

PACKAGED = "segmenter"  # the graph that "unet" stands for
LIKELY = 0.5  # probability from which a pixel is lesion
FAINT = 6  # levels of 255 up to which an image is of one colour
MIRRORS = (np.s_[:, :], np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1])


def is_network(method):
    """Return whether a segmentation method is a network: "unet" or the path of an OpenVINO graph, ``FILE.xml``."""
    return isinstance(method, (str, os.PathLike)) and (method == "unet" or str(method).endswith(".xml"))


def network_digest(method):
    """Return the SHA-256 of a network's graph and weights; `ImportError` where nothing could run it."""
    if not is_installed("openvino"):
        raise ImportError(
            f"segmenter {str(method)!r} needs openvino: pip install openvino; without it use segmenter='classical'"
        )
    return _sha256(*parts_of(graph_file(_graph(method))))


@lru_cache(maxsize=8)
def _sha256(parts, changed):
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


class StartedMap(NamedTuple):
    """An image that a network is looking at: what `finished_map` makes a map of."""

    network: Requests
    requests: list
    has_colors: bool


def start_map(image, *, method="unet", flips=False):
    """Let a network look at an image, on threads of its own, and return a `StartedMap` at once.

    Parameters
    ----------
    image : (H, W, 3) uint8 ndarray
        sRGB image; it is squashed to the network's input.
    method : str
        "unet" for the packaged network, or the path of an OpenVINO graph from (n, h, w, 3) uint8 to (n, h, w, 1)
        in [0, 1], as `dermfeat.training.segmenter` writes it.
    flips : bool
        Whether to average over the image and its three mirror images: four times the work.

    Raises
    ------
    ImportError
        Where OpenVINO is not installed.
    FileNotFoundError
        Where there is no such graph.
    ValueError
        Where the graph gives maps of another size.
    """
    network = _network(method)
    square = squashed(image, network.size)
    requests = [network.start(square[mirror]) for mirror in (MIRRORS if flips else MIRRORS[:1])]
    return StartedMap(network, requests, max(np.ptp(channel) for channel in cv2.split(square)) > FAINT)


def finished_map(started):
    """Return how likely each pixel is lesion, by the network that has been started on an image.

    Parameters
    ----------
    started : StartedMap

    Returns
    -------
    (h, w) float32 ndarray
        Probabilities in [0, 1] at the network's size; 0 everywhere in an image of one colour.

    Raises
    ------
    ValueError
        Where the graph gives something else.
    """
    maps = started.network.finish(started.requests)[..., 0]
    if not (maps.min() >= 0 and maps.max() <= 1):
        found = f"{maps.min():.3g} to {maps.max():.3g}"
        raise ValueError(f"{started.network.graph}: its map goes from {found}; end the network with a sigmoid")
    mean = np.mean([shown[mirror] for shown, mirror in zip(maps, MIRRORS, strict=False)], axis=0, dtype=np.float32)
    return mean * np.float32(started.has_colors)


def lesion_maps(images, *, method="unet", flips=False):
    """Return the `finished_map` of each of n (H, W, 3) uint8 images, (n, h, w); parameters as in `start_map`."""
    started = [start_map(image, method=method, flips=flips) for image in images]
    return np.array([finished_map(one) for one in started], np.float32)


def outline(probability, shape):
    """Return the outline that a network's map gives, and how sure it is of it.

    Parameters
    ----------
    probability : (h, w) float32 ndarray
        From `finished_map`.
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
