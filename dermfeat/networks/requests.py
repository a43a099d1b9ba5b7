"""The engine OpenVINO: several requests at once for many images, all cores at one for a single image."""

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from dermfeat.networks.engine import Parallel
from dermfeat.networks.runtime import has_bfloat16, load_openvino

AHEAD = 2  # requests that wait for each stream, so that none idles while Python is busy elsewhere


class Requests(Parallel):
    """A graph from one (1, H, W, 3) uint8 image to one output, compiled when it is first run.

    Memory does not grow with the batch, and an image's result does not depend on the images beside it.
    Holds native resources, so it can be neither pickled nor shared with a forked process.

    Parameters
    ----------
    graph : path-like
        The ``.xml`` file of the graph, with its ``.bin`` beside it.
    cache : path-like, optional
        Folder in which OpenVINO keeps what it compiled.
    threads : int, optional
        CPU threads it may use; by default OpenVINO decides. The results do not depend on it.
    precision : {"float32", "bfloat16"}
        The arithmetic. OpenVINO would silently compute in float32 where the processor has no bfloat16.

    Attributes
    ----------
    graph : str
        The file.
    size : (2,) tuple of int
        Height and width of the input in pixels.
    output : tuple of int
        Shape of what one image gives.

    Raises
    ------
    ValueError
        If the graph has more than one input or output, or sizes that are free or no image's; if the processor
        does not compute in bfloat16 and `precision` asks for it.
    """

    def __init__(self, graph, *, cache=None, threads=None, precision="float32"):
        ov = load_openvino()
        from openvino import properties
        from openvino.properties import hint

        core = ov.Core()
        if precision == "bfloat16" and not has_bfloat16(core):
            raise ValueError("precision='bfloat16': this processor does not compute in it; leave precision out")
        if cache is not None:
            core.set_property({properties.cache_dir(): str(cache)})
        model = core.read_model(graph)
        _check(model, graph)
        model.reshape([1, *list(model.input().partial_shape)[1:]])
        options = {hint.inference_precision(): ov.Type.bf16 if precision == "bfloat16" else ov.Type.f32}
        if threads is not None:
            options[properties.inference_num_threads()] = threads
        self.size = tuple(model.input().shape[1:3])
        self.graph = str(graph)
        self._core, self._model, self._options = core, model, options
        super().__init__(model.output().shape[1:])

    def _compile(self, many):
        from openvino import properties
        from openvino.properties import hint

        goal = hint.PerformanceMode.THROUGHPUT if many else hint.PerformanceMode.LATENCY
        network = self._core.compile_model(self._model, "CPU", self._options | {hint.performance_mode(): goal})
        jobs = AHEAD * network.get_property(properties.optimal_number_of_infer_requests())
        idle = SimpleQueue()
        for _ in range(jobs):
            request = network.create_infer_request()
            idle.put((request, request.get_input_tensor().data[0], request.get_output_tensor().data[0]))

        def compute(image):
            request, pixels, result = idle.get()
            try:
                pixels[...] = image
                request.start_async()
                request.wait()
                return result.copy()
            finally:
                idle.put((request, pixels, result))

        return ThreadPoolExecutor(jobs, thread_name_prefix="dermfeat-openvino"), compute


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
