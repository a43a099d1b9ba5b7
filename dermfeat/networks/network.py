"""Compile a traced graph with OpenVINO and run it over images."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from dataclasses import asdict

import numpy as np

from dermfeat.networks.graphs import is_current, traced
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
        self._lock = threading.Lock()
        self._queue = _compile(folder, threads)

    @property
    def is_current(self):
        """Whether the weights file is still the one that the network was traced from."""
        return is_current(self._weights)

    def run(self, batch):
        """Return the features of a batch of images.

        Every image is a request of its own, as many at once as OpenVINO finds best: memory does not grow with the
        batch, and a row does not depend on the images beside it.

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
        rows = np.empty((len(batch), sum(self.widths.values())), np.float32)
        with self._lock:
            self._queue.set_callback(lambda request, i: np.copyto(rows[i], request.get_output_tensor().data[0]))
            for i in range(len(batch)):
                self._queue.start_async(batch[i : i + 1], i)
            self._queue.wait_all()
        return rows


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


def _compile(folder, threads):
    ov = load_openvino()
    from openvino import properties
    from openvino.properties import hint

    core = ov.Core()
    core.set_property({properties.cache_dir(): str(folder / "compiled")})
    graph = core.read_model(folder / "network.xml")
    graph.reshape([1, *list(graph.input().partial_shape)[1:]])
    options = {
        hint.inference_precision(): ov.Type.f32,
        hint.performance_mode(): hint.PerformanceMode.THROUGHPUT,
    }
    if threads is not None:
        options[properties.inference_num_threads()] = threads
    return ov.AsyncInferQueue(core.compile_model(graph, "CPU", options))


def _digest(spec, meta):
    cut = asdict(spec) | {"source": spec.source if not spec.is_file else None, "weights": meta["weights"]["sha256"]}
    return hashlib.sha256(json.dumps([cut, meta["size"]], sort_keys=True).encode()).hexdigest()
