"""Compile a traced graph with OpenVINO and run it over images."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from dataclasses import asdict

import numpy as np

from dermfeat.networks.graphs import is_current, traced
from dermfeat.networks.requests import Requests
from dermfeat.networks.runtime import load_openvino

KEPT = 4  # compiled networks kept per process
_per_process = {}  # process id -> (lock, compiled networks): a forked child compiles its own


class Network:
    """A compiled network: uint8 images in, rows of pooled stage features out.

    Made by `compiled`; holds native resources, so it can be neither pickled nor shared with a forked process.

    Attributes
    ----------
    spec : NetworkSpec
        What was traced.
    widths : dict of str to int
        Number of columns of each column group ``<stage>_avg`` or ``<stage>_max``, in the order of the columns.
    size : (2,) tuple of int
        Height and width of the input in pixels.
    digest : str
        SHA-256 over weights, cut and preprocessing: equal digests mean the same features.
    """

    def __init__(self, spec, folder, meta, threads=None):
        self.spec = spec
        self.widths = meta["widths"]
        self.size = tuple(meta["size"])
        self.digest = _digest(spec, meta)
        self._weights = meta["weights"]
        self._requests = Requests(folder / "network.xml", cache=folder / "compiled", threads=threads)

    @property
    def is_current(self):
        """Whether the weights file is still the one that the network was traced from."""
        return is_current(self._weights)

    def run(self, batch):
        """Return the features of a batch of images.

        Parameters
        ----------
        batch : (n, H, W, 3) uint8 ndarray
            sRGB images of the height and width `size`; n may be 0.

        Returns
        -------
        (n, F) float32 ndarray
            F is the sum of `widths`.

        Raises
        ------
        ValueError
            Where the batch has another shape or type.
        """
        batch = np.asarray(batch)
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (*self.size, 3):
            raise ValueError(
                f"the batch has the shape {batch.shape} and the type {batch.dtype}; "
                f"{self.spec.source} takes (n, {self.size[0]}, {self.size[1]}, 3) uint8"
            )
        return self._requests.run(batch)


def compiled(spec, *, threads=None):
    """Return the compiled network of `spec`, traced first where the cache folder has no graph of it.

    Up to four compiled networks are kept per process, those used last; a changed weights file is noticed.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    threads : int, optional
        CPU threads it may use; by default OpenVINO decides. The features do not depend on it.

    Returns
    -------
    Network

    Raises
    ------
    ImportError
        Where OpenVINO, or Keras for the tracing, is not installed.
    FileNotFoundError
        Where the ImageNet weights are neither in the user's Keras folder nor can be downloaded.
    ValueError
        Where the source, a stage or the weights file does not fit.
    RuntimeError
        Where the tracing fails in another way. The traceback of the tracing process is in ``__cause__.stderr``.
    """
    load_openvino()
    lock, kept = _per_process.setdefault(os.getpid(), (threading.Lock(), OrderedDict()))
    with lock:
        network = kept.pop((spec, threads), None)
        if network is None or not network.is_current:
            network = Network(spec, *traced(spec), threads)
        kept[spec, threads] = network
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return network


def _digest(spec, meta):
    cut = asdict(spec) | {"source": spec.source if not spec.is_file else None, "weights": meta["weights"]["sha256"]}
    return hashlib.sha256(json.dumps([cut, meta["size"]], sort_keys=True).encode()).hexdigest()
