"""Export a Keras network for an engine: ``python -m dermfeat.networks.export``, a process of its own.

Keras binds its backend and its image layout to the whole process, so this runs in a child process; the parent
(`dermfeat.networks.graphs`) writes a request in JSON to its standard input and finds in the folder named there either
the network and ``meta.json``, or ``error.json``. With the argument ``plain`` it writes what plain Keras makes of the
probe images, ``plain.npy``.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dermfeat._optional import require
from dermfeat.networks import probe, trace
from dermfeat.networks.engines import FILES, open_engine
from dermfeat.networks.runtime import EXPORTS_ONNX, KERAS_BACKENDS, Target, allowed_threads, block_telemetry
from dermfeat.networks.weights import sha256


def main(plain=False):
    """Do what the request on standard input asks for; return the exit status."""
    block_telemetry()
    request = json.load(sys.stdin)
    folder = Path(request["folder"])
    try:
        if plain:
            np.save(folder / "plain.npy", probe.plain_rows(request, np.load(folder / "probe.npy")))
            return 0
        meta = export(request, folder)
    except Exception as error:
        report = {"type": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
        folder.joinpath("error.json").write_text(json.dumps(report), encoding="utf-8")
        return 1
    folder.joinpath("meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    return 0


def export(request, folder):
    """Write the network that `request` asks for into `folder`; return what is to be known about it."""
    target = Target(**request["target"])
    require("keras")
    first = target.backend in ("openvino", "torch")  # the layout that the backend computes fastest
    model, weights = trace.load_file(request) if request["is_file"] else trace.build(request, channels_first=first)
    if target.runtime == "keras" and target.precision != "float32":
        model = trace.with_dtype(model, f"mixed_{target.precision}")
    stages = trace.cut(model, request["stages"], request["pooling"], trace.is_channels_first(model))
    widths = {name: int(row.shape[-1]) for name, row in stages.items()}
    size = trace.image_size(model, request)
    _WRITERS[target.runtime](model, list(stages.values()), size, request, folder)
    files = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    meta = {"widths": widths, "size": size, "weights": weights, "files": files}
    return meta | {"probe": check(request, target, folder, widths, size)}


def check(request, target, folder, widths, size):
    """Return how far the engine's rows of the probe images are from those of plain Keras, or refuse the network."""
    images = probe.images(size)
    rows = open_engine(target, folder, threads=allowed_threads()).run(images)
    if target.runtime == "openvino":
        expected, backend = _elsewhere(request, images)
    else:
        expected, backend = None, target.backend
    if expected is None:
        expected = probe.plain_rows(request, images)
    found = probe.agreement(rows, expected, widths)
    probe.refuse(found, target, backend)
    return found | {"reference": f"Keras {version('keras')} on {backend}"}


def _elsewhere(request, images):
    """Return the rows of plain Keras on an installed backend other than this process', and the backend's name.

    A backend that cannot run the network, such as TensorFlow with channels first, is passed over; where none is
    left, it is OpenVINO itself in float32, with the channels last.
    """
    for backend in filter(find_spec, KERAS_BACKENDS):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            np.save(Path(folder, "probe.npy"), images)
            child = subprocess.run(
                [sys.executable, "-m", __spec__.name, "plain"],
                input=json.dumps(request | {"folder": folder}),
                env=os.environ | {"KERAS_BACKEND": backend},
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            if child.returncode == 0:
                return np.load(Path(folder, "plain.npy")), backend
    return None, "openvino"


def _write_openvino(model, rows, size, request, folder):
    import keras

    openvino = require("openvino")
    shape = (3, *size) if trace.is_channels_first(model) else (*size, 3)
    graph = trace.to_openvino(keras.Model(model.inputs, trace.joined(rows)), shape)
    graph = trace.with_preprocessing(graph, request, trace.is_channels_first(model))
    openvino.save_model(graph, folder / FILES["openvino"], compress_to_fp16=False)


def _write_keras(model, rows, size, request, folder):
    whole(model, rows, size, request).save(folder / FILES["keras"])


def _write_onnx(model, rows, size, request, folder):
    torch = [require(module, "onnx") for module in EXPORTS_ONNX][1]
    network = whole(model, rows, size, request)

    class Rows(torch.nn.Module):
        def forward(self, images):
            return network(images, training=False)

    two = torch.zeros((2, *size, 3), dtype=torch.uint8)
    free = {"images": {0: torch.export.Dim.DYNAMIC}}
    with torch.no_grad():
        exported = torch.onnx.export(Rows().eval(), (two,), dynamo=True, dynamic_shapes=free, verbose=False)
    exported.save(folder / FILES["onnx"])


def whole(model, rows, size, request):
    """Return the Keras model from (n, H, W, 3) uint8 RGB images to rows, preprocessing inside.

    Nothing in it depends on Keras' global image format, so that it can be loaded under any.
    """
    import keras

    image = keras.Input((*size, 3), dtype="uint8")
    flip = slice(None, None, -1 if request["order"] == "BGR" else 1)
    mean, variance = request["mean"][flip], [scale**2 for scale in request["scale"][flip]]
    pixels = keras.layers.Normalization(axis=-1, mean=mean, variance=variance, dtype="float32")(image)
    if request["order"] == "BGR":
        pixels = keras.ops.flip(pixels, -1)
    if trace.is_channels_first(model):
        pixels = keras.layers.Permute((3, 1, 2), dtype="float32")(pixels)
    return keras.Model(image, keras.Model(model.inputs, trace.joined(rows))(pixels))


_WRITERS = {"openvino": _write_openvino, "onnx": _write_onnx, "keras": _write_keras}


if __name__ == "__main__":
    sys.exit(main(plain="plain" in sys.argv[1:]))
