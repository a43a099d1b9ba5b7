"""Open the engine of an exported network."""

from pathlib import Path

FILES = {"openvino": "network.xml", "onnx": "network.onnx", "keras": "network.keras"}


def open_engine(target, folder, *, threads=None, batch_size=None):
    """Return the engine for the network that was exported for `target` into `folder`.

    Parameters
    ----------
    target : Target
    folder : path-like
    threads : int, optional
        CPU threads of OpenVINO and ONNX Runtime; Keras' backends take theirs from their own settings.
    batch_size : int, optional
        Images of a batch of Keras; the others compute each image by itself.

    Returns
    -------
    Engine
    """
    file = Path(folder, FILES[target.runtime])
    if target.runtime == "openvino":
        from dermfeat.networks.requests import Requests

        return Requests(file, cache=file.with_name("compiled"), threads=threads, precision=target.precision)
    if target.runtime == "onnx":
        from dermfeat.networks.onnx_engine import Sessions

        return Sessions(file, threads=threads)
    from dermfeat.networks.keras_engine import Batches

    return Batches(file, batch_size=batch_size)
