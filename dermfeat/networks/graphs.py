"""Keep exported networks in the cache folder: find one that is sound and up to date, or export it in a child."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dermfeat._config import get_config
from dermfeat.networks.runtime import Target
from dermfeat.networks.spec import models_folder
from dermfeat.networks.weights import sha256

TRACE_VERSION = 2  # goes up when the same request gives another graph
PACKAGES = {"openvino": ("openvino",), "onnx": ("torch", "onnx", "onnxscript", "onnxruntime"), "keras": ()}
_PASSED_ON = {
    kind.__name__: kind for kind in (FileNotFoundError, PermissionError, ImportError, ValueError, ArithmeticError)
}
_OPENVINO = Target()


def traced(spec, target=_OPENVINO):
    """Return the folder and the meta data of the graph of `spec` for `target`, traced now where none is kept.

    Every attempt has a folder of its own below ``<cache folder>/networks/<key>``, put in place by one rename,
    so that two processes may trace at once and a reader never meets half a graph.
    """
    home = get_config()["cache_folder"] / "networks" / _key(spec, target)
    for folder in sorted(home.glob("graph-*")):
        meta = _read(folder)
        if meta is not None:
            return folder, meta
    stale = list(home.glob("graph-*"))
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"{home}: the traced network cannot be kept there ({error.strerror}); choose a folder that can be written "
            "with dermfeat.set_config(cache_folder=...) or the environment variable DERMFEAT_CACHE"
        ) from error
    with tempfile.TemporaryDirectory(dir=home, prefix="tracing-", ignore_cleanup_errors=True) as temporary:
        graph = Path(temporary, "graph")
        graph.mkdir()
        _trace_in_child(spec, target, graph, Path(temporary, "keras"))
        folder = home / f"graph-{os.urandom(6).hex()}"
        graph.rename(folder)
    for old in stale:
        shutil.rmtree(old, ignore_errors=True)
    return folder, json.loads(folder.joinpath("meta.json").read_text(encoding="utf-8"))


def is_current(weights):
    """Return whether the weights file of a graph is still the one it was traced from.

    A graph holds its weights: one whose file is gone stays valid, and so does one with random weights.
    """
    if "path" not in weights or not os.path.exists(weights["path"]):
        return True
    stat = os.stat(weights["path"])
    same = (stat.st_size, stat.st_mtime_ns) == (weights["size"], weights["mtime_ns"])
    return same or sha256(weights["path"]) == weights["sha256"]


def _key(spec, target):
    asked = asdict(spec) | _versions(target) | {"target": asdict(target)} | {"models": _models(spec)}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"{Path(spec.source).stem.lower()}-{digest[:20]}"


def _versions(target):
    found = {"trace": TRACE_VERSION}
    for package in ("keras", target.backend, *PACKAGES[target.runtime]):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _models(spec):
    return str(models_folder()) if spec.weights == "imagenet" else None


def _read(folder):
    """Return the meta data of a kept graph, or None where it is damaged or its weights have changed."""
    try:
        meta = json.loads(folder.joinpath("meta.json").read_text(encoding="utf-8"))
        sound = all(sha256(folder / name) == digest for name, digest in meta["files"].items())
        return meta if sound and is_current(meta["weights"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _trace_in_child(spec, target, graph, keras_home):
    request = asdict(spec) | {"is_file": spec.is_file, "folder": str(graph), "models": str(models_folder())}
    child = subprocess.run(
        [sys.executable, "-m", "dermfeat.networks.export"],
        input=json.dumps(request | {"target": asdict(target)}),
        env=_environment(target.backend, keras_home),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if child.returncode:
        raise _error(spec, graph / "error.json", child)


def _environment(backend, keras_home):
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    own = {"KERAS_BACKEND": backend, "KERAS_HOME": str(keras_home), "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    on_cpu = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}  # exact float32: a GPU may shorten it
    return os.environ | own | on_cpu


def _error(spec, report, child):
    """Return the exception that tells what went wrong; its cause holds the child's traceback in ``stderr``."""
    try:
        told = json.loads(report.read_text(encoding="utf-8"))
        kind, details = told["type"], told["traceback"]
        message = told["message"] if kind in _PASSED_ON else f"{kind}: {told['message']}"
    except (OSError, ValueError):
        kind, details = "", child.stderr
        last = (child.stderr.strip().splitlines() or [""])[-1]
        message = f"the tracing process ended with status {child.returncode}: {last}"
    error = _PASSED_ON.get(kind, RuntimeError)(f"{spec.source}: {message}")
    error.__cause__ = subprocess.CalledProcessError(child.returncode, child.args, child.stdout, details)
    return error
