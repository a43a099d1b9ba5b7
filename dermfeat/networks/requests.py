"""Run an OpenVINO graph over images: several requests at once for a batch, all cores at one for a single image."""

import threading
from functools import partial

import numpy as np

from dermfeat.networks.runtime import load_openvino


class Requests:
    """A graph from one (1, H, W, 3) image to one output, in float32 arithmetic, compiled when it is first run.

    Memory does not grow with the batch, and an image's result does not depend on the images beside it. The first
    batch compiles the graph for many images; a single image before that compiles it for low latency.
    Holds native resources, so it can be neither pickled nor shared with a forked process.

    Parameters
    ----------
    graph : path-like
        The ``.xml`` file of the graph, with its ``.bin`` beside it.
    cache : path-like, optional
        Folder in which OpenVINO keeps what it compiled.
    threads : int, optional
        CPU threads it may use; by default OpenVINO decides. The results do not depend on it.

    Attributes
    ----------
    size : (2,) tuple of int
        Height and width of the input in pixels.
    output : tuple of int
        Shape of what one image gives.

    Raises
    ------
    ValueError
        If the graph has more than one input or output, or sizes that are free or no image's.
    """

    def __init__(self, graph, *, cache=None, threads=None):
        ov = load_openvino()
        from openvino import properties
        from openvino.properties import hint

        core = ov.Core()
        if cache is not None:
            core.set_property({properties.cache_dir(): str(cache)})
        model = core.read_model(graph)
        _check(model, graph)
        model.reshape([1, *list(model.input().partial_shape)[1:]])
        options = {hint.inference_precision(): ov.Type.f32}
        if threads is not None:
            options[properties.inference_num_threads()] = threads
        self.size = tuple(model.input().shape[1:3])
        self.output = tuple(model.output().shape[1:])
        self._compile = partial(_queue, core, model, options)
        self._for_one = self._for_many = None
        self._lock = threading.Lock()

    def run(self, batch):
        """Return the (n, ...) float32 outputs of a batch of n images; n may be 0."""
        results = np.empty((len(batch), *self.output), np.float32)
        with self._lock:
            queue = self._ready(len(batch))
            queue.set_callback(lambda request, i: np.copyto(results[i], request.get_output_tensor().data[0]))
            for i in range(len(batch)):
                queue.start_async(batch[i : i + 1], i)
            queue.wait_all()
        return results

    def _ready(self, images):
        """Return the compiled graph for that many images; once there is one for many, it serves single ones too."""
        if images > 1 and self._for_many is None:
            self._for_many, self._for_one = self._compile("THROUGHPUT"), None
        if self._for_many is None and self._for_one is None:
            self._for_one = self._compile("LATENCY")
        return self._for_many or self._for_one


def _queue(core, model, options, goal):
    """Compile a graph for a goal, "LATENCY" or "THROUGHPUT"."""
    from openvino import AsyncInferQueue
    from openvino.properties import hint

    goal = {hint.performance_mode(): getattr(hint.PerformanceMode, goal)}
    return AsyncInferQueue(core.compile_model(model, "CPU", options | goal))


def _check(model, graph):
    """Refuse a graph that does not take one (n, H, W, 3) image of a fixed size."""
    found = [str(port.partial_shape) for port in (*model.inputs, *model.outputs)]
    fits = len(model.inputs) == len(model.outputs) == 1
    if fits:
        shape = model.input().partial_shape
        fits = len(shape) == 4 and all(side.is_static for side in list(shape)[1:]) and shape[3].get_length() == 3
        fits &= all(side.is_static for side in list(model.output().partial_shape)[1:])
    if not fits:
        raise ValueError(f"{graph}: its inputs and outputs are {', '.join(found)}; give one input (n, H, W, 3)")
