"""What computes: which engines there are, how their libraries are loaded, how many threads they may use."""

import os
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec

from dermfeat._optional import require

RUNTIMES = ("openvino", "onnx", "keras")  # the fastest first
PRECISIONS = ("float32", "bfloat16")
KERAS_BACKENDS = ("tensorflow", "jax", "torch")
EXPORTS_ONNX = ("onnxruntime", "torch", "onnx", "onnxscript")
_TELEMETRY = "openvino_telemetry"
_loading = threading.Lock()


@dataclass(frozen=True)
class Target:
    """What a network is exported for.

    Attributes
    ----------
    runtime : {"openvino", "onnx", "keras"}
        The engine.
    precision : {"float32", "bfloat16"}
        Its arithmetic.
    backend : str
        The backend on which Keras builds the network for it, in a process of its own.
    """

    runtime: str = "openvino"
    precision: str = "float32"
    backend: str = "openvino"


def choose(runtime="auto", precision="float32"):
    """Return the `Target` of a runtime and a precision.

    Parameters
    ----------
    runtime : {"auto", "openvino", "onnx", "keras"}
        "auto" takes the fastest engine that is installed and has the precision.
    precision : {"float32", "bfloat16"}

    Raises
    ------
    ValueError
        Where one is unknown, or the engine does not have the precision.
    ImportError
        Where the engine is not installed.
    """
    if runtime not in ("auto", *RUNTIMES):
        raise ValueError(f"runtime={runtime!r} is unknown; choose one of {('auto', *RUNTIMES)}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown; choose one of {PRECISIONS}")
    if (runtime, precision) == ("onnx", "bfloat16"):
        raise ValueError("runtime='onnx' has no precision='bfloat16' on a CPU; use runtime='openvino' or 'keras'")
    if runtime == "auto":
        runtime = _fastest(precision)
    if runtime == "openvino":
        if not is_installed("openvino"):
            raise ImportError("runtime='openvino' needs openvino: pip install openvino; or leave runtime='auto'")
        return Target(runtime, precision, "openvino")
    if runtime == "onnx":
        if not is_installed("onnxruntime"):
            raise ImportError("runtime='onnx' needs onnxruntime: pip install 'dermfeat[onnx]'")
        return Target(runtime, precision, "torch")
    load_keras()
    return Target(runtime, precision, keras_backend())


def _fastest(precision):
    if is_installed("openvino") and (precision == "float32" or has_bfloat16(load_openvino().Core())):
        return "openvino"
    if precision == "float32" and all(map(is_installed, EXPORTS_ONNX)):
        return "onnx"
    if any(map(is_installed, KERAS_BACKENDS)):
        return "keras"
    raise ImportError(
        "there is no engine to run a network: pip install openvino, or, where it has no wheel, 'dermfeat[onnx]' or "
        "one of 'dermfeat[tensorflow]', 'dermfeat[jax]', 'dermfeat[torch]'"
    )


def has_bfloat16(core):
    """Return whether OpenVINO computes in bfloat16 on this processor; `core` is an ``openvino.Core``."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def is_installed(module):
    """Return whether a module can be imported, without importing it."""
    return sys.modules.get(module) is not None or (module not in sys.modules and find_spec(module) is not None)


def allowed_threads():
    """Return the CPU threads this process may use, an int, or None where nothing limits them.

    They are what ``OMP_NUM_THREADS`` says, which joblib and Dask set in their worker processes.
    """
    number = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # "4,2" is for nested loops
    return int(number) if number.isdecimal() and int(number) > 0 else None


def processor_threads():
    """Return the number of processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_keras():
    """Return the module keras of this process, with a backend that can run networks in float32.

    Raises
    ------
    ImportError
        Where Keras or its backend is not installed.
    ValueError
        Where its backend is none of TensorFlow, JAX and torch.
    """
    try:
        keras = require("keras")
    except ImportError as error:
        raise ImportError(
            "runtime='keras' needs Keras with a backend: pip install 'dermfeat[tensorflow]' (or jax, torch) and set "
            f"the environment variable KERAS_BACKEND to it ({error.__cause__})"
        ) from error
    if keras.backend.backend() not in KERAS_BACKENDS:
        raise ValueError(
            f"runtime='keras': the backend of Keras in this process is {keras.backend.backend()!r}; set the "
            f"environment variable KERAS_BACKEND to one of {KERAS_BACKENDS} before Keras is imported"
        )
    return keras


def keras_backend():
    """Return the name of the backend of this process' Keras."""
    return load_keras().backend.backend()


def block_telemetry():
    """Let the import of OpenVINO find no telemetry package; return what was there before."""
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None
    return before


def load_openvino():
    """Return the module openvino without its telemetry: a library for medical images sends nothing unasked."""
    with _loading:
        openvino = sys.modules.get("openvino") or _import_openvino()
        openvino.Type.u8.to_dtype()  # sets up what two threads that come first would wait for forever
        return openvino


def _import_openvino():
    before = block_telemetry()
    try:
        return require("openvino")
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before
