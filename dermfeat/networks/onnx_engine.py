"""The engine ONNX Runtime: one thread an image for many images, all threads at one for a single image."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from dermfeat._optional import require
from dermfeat.networks.engine import Parallel
from dermfeat.networks.runtime import processor_threads


class Sessions(Parallel):
    """An ONNX graph from (n, H, W, 3) uint8 images to rows, run in float32 on the CPU.

    Parameters
    ----------
    graph : path-like
        The ``.onnx`` file.
    threads : int, optional
        CPU threads it may use, by default one a core. The results do not depend on it.

    Attributes
    ----------
    output : tuple of int
        Shape of what one image gives.
    """

    def __init__(self, graph, *, threads=None):
        self._ort, self._graph = require("onnxruntime", "onnx"), str(graph)
        self._threads = threads or processor_threads()
        self._single = self._session(1)
        super().__init__(self._single.get_outputs()[0].shape[1:])

    def _session(self, threads):
        options = self._ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        return self._ort.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])

    def _compile(self, many):
        session = self._single if many or self._threads == 1 else self._session(self._threads)
        jobs = self._threads if many else 1
        compute = partial(_first, session, session.get_inputs()[0].name)
        return ThreadPoolExecutor(jobs, thread_name_prefix="dermfeat-onnx"), compute


def _first(session, name, image):
    return session.run(None, {name: image[None]})[0][0]
