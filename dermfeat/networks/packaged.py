"""The small networks that this project trained itself, as OpenVINO graphs in the folder weights."""

import os
import threading
from pathlib import Path

from dermfeat.networks.requests import Requests

WEIGHTS = Path(__file__).parents[1] / "weights"
_lock = threading.Lock()
_per_process = {}  # (process id, file) -> Requests: a forked child compiles its own


def graph_file(name):
    """Return the path of the graph of a packaged network, or of the user's own ``.xml`` file.

    Raises
    ------
    FileNotFoundError
        Where the user's file, or the ``.bin`` beside it, does not exist.
    """
    file = Path(name) if str(name).endswith(".xml") else WEIGHTS / f"{name}.xml"
    for part in (file, file.with_suffix(".bin")):
        if not part.is_file():
            raise FileNotFoundError(f"{part}: no such file; a network is an OpenVINO graph, FILE.xml and FILE.bin")
    return file


def packaged_network(name):
    """Return the `Requests` of a packaged network or of the user's own ``.xml`` file, compiled once in a process.

    Raises
    ------
    ImportError
        Where OpenVINO is not installed.
    FileNotFoundError
        Where the user's file does not exist.
    """
    key = os.getpid(), str(name)
    with _lock:
        if key not in _per_process:
            _per_process[key] = Requests(graph_file(name))
    return _per_process[key]
