"""A frozen network, ready to run: the row of an image, by the engine that was chosen."""

import hashlib
import json
import os
import threading
from collections import OrderedDict
from dataclasses import asdict
from functools import partial

import numpy as np

from dermfeat.networks.engines import open_engine
from dermfeat.networks.graphs import is_current, traced
from dermfeat.networks.keras_engine import has_gpu
from dermfeat.networks.runtime import allowed_threads, choose

KEPT = 8  # compiled networks kept per process
_per_process = {}  # process id -> (lock, compiled networks): a forked child compiles its own


class Network:
    """A compiled network: uint8 images in, rows of pooled stage features out.

    Made by `compiled`; holds native resources, so it can be neither pickled nor shared with a forked process.

    Attributes
    ----------
    spec : NetworkSpec
        What was traced.
    target : Target
        The engine that runs it, and its precision.
    widths : dict of str to int
        Number of columns of each column group ``<stage>_avg`` or ``<stage>_max``, in the order of the columns.
    size : (2,) tuple of int
        Height and width of the input in pixels.
    digest : str
        SHA-256 over weights, cut, preprocessing and precision: equal digests mean the same features. In float32 on a
        CPU the engine is left out, for each was checked to give the same rows; in bfloat16 and on a GPU, which may
        shorten float32, rows depend on it.
    probe : dict
        How far the engine was from plain Keras when the network was exported: ``cosine``, ``largest_difference`` (a
        share of the stage's largest value) and ``reference``.
    """

    def __init__(self, spec, target, folder, meta, **options):
        self.spec, self.target = spec, target
        self.widths = meta["widths"]
        self.size = tuple(meta["size"])
        self.digest = _digest(spec, target, meta)
        self.probe = meta["probe"]
        self._weights = meta["weights"]
        self._open = partial(open_engine, target, folder, **options)
        self._opened, self._lock = None, threading.Lock()

    @property
    def _engine(self):
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
        return self._opened

    def flush(self):
        """Begin to compute the images that were started, though more may come."""
        self._engine.flush()

    @property
    def is_current(self):
        """Whether the weights file is still the one that the network was traced from."""
        return is_current(self._weights)

    def start(self, image):
        """Hand over one image and return at once; give what is returned to `finish`.

        Parameters
        ----------
        image : (H, W, 3) uint8 ndarray
            sRGB, of the height and width `size`. It must not change before `finish` has returned.

        Raises
        ------
        ValueError
            Where the image has another shape or type.
        """
        self._check(np.asarray(image)[None])
        return self._engine.start(np.asarray(image))

    def finish(self, started):
        """Return the (n, F) float32 features of a list of started images; n may be 0, F is the sum of `widths`."""
        return self._engine.finish(started)

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
        self._check(batch)
        return self._engine.run(batch)

    def _check(self, batch):
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (*self.size, 3):
            raise ValueError(
                f"the batch has the shape {batch.shape} and the type {batch.dtype}; "
                f"{self.spec.source} takes (n, {self.size[0]}, {self.size[1]}, 3) uint8"
            )


def compiled(spec, *, runtime="auto", precision="float32", threads=None, batch_size=None):
    """Return the compiled network of `spec`, exported first where the cache folder has none.

    Up to eight compiled networks are kept per process, those used last; a changed weights file is noticed.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    runtime : {"auto", "openvino", "onnx", "keras"}
        The engine; "auto" is the fastest that is installed, in this order.
    precision : {"float32", "bfloat16"}
        The arithmetic.
    threads : int, optional
        CPU threads it may use, by default what ``OMP_NUM_THREADS`` says, else what the engine decides. The features
        do not depend on it. Keras takes its backend's own setting.
    batch_size : int, optional
        Images of a batch of the engine "keras", by default 32, and 256 on a GPU.

    Returns
    -------
    Network

    Raises
    ------
    ImportError
        Where the engine, or what exports a network for it, is not installed.
    FileNotFoundError
        Where the ImageNet weights are neither in the user's Keras folder nor can be downloaded.
    ValueError
        Where the source, a stage, the weights file, the runtime or the precision does not fit.
    ArithmeticError
        Where the engine gives other features than plain Keras.
    RuntimeError
        Where the export fails in another way. The traceback of the exporting process is in ``__cause__.stderr``.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: give 1 or more")
    target = choose(runtime, precision)
    options = {"threads": threads or allowed_threads(), "batch_size": batch_size}
    key = (spec, target, *options.values())
    lock, kept = _per_process.setdefault(os.getpid(), (threading.Lock(), OrderedDict()))
    with lock:
        network = kept.pop(key, None)
        if network is None or not network.is_current:
            network = Network(spec, target, *traced(spec, target), **options)
        kept[key] = network
        while len(kept) > KEPT:
            kept.popitem(last=False)
    return network


def _digest(spec, target, meta):
    cut = asdict(spec) | {"source": spec.source if not spec.is_file else None, "weights": meta["weights"]["sha256"]}
    on_gpu = target.runtime == "keras" and has_gpu()
    exact = [asdict(target), on_gpu] if on_gpu or target.precision != "float32" else []
    return hashlib.sha256(json.dumps([cut, meta["size"], *exact], sort_keys=True).encode()).hexdigest()
