"""The small networks that this project trained itself, as OpenVINO graphs in the folder weights."""

import os
import threading
from pathlib import Path

from dermfeat.networks.requests import Requests
from dermfeat.networks.runtime import allowed_threads

WEIGHTS = Path(__file__).parents[1] / "weights"
_per_process = {}  # process id -> (lock, {(file, threads): (times of change, Requests)}), for a fork compiles anew


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


def parts_of(file):
    """Return the two files of a graph and the times at which they changed."""
    parts = file, file.with_suffix(".bin")
    return parts, tuple(part.stat().st_mtime_ns for part in parts)


def packaged_network(name):
    """Return the `Requests` of a packaged network or of the user's own ``.xml`` file, compiled once in a process.

    A file that has changed is compiled anew.

    Raises
    ------
    ImportError
        Where OpenVINO is not installed.
    FileNotFoundError
        Where the user's file does not exist.
    ValueError
        Where it is no graph from an image of one size.
    """
    file = graph_file(name)
    _, changed = parts_of(file)
    lock, kept = _per_process.setdefault(os.getpid(), (threading.Lock(), {}))
    key = file, allowed_threads()
    with lock:
        if key not in kept or kept[key][0] != changed:
            kept[key] = changed, Requests(file, threads=key[1])
        return kept[key][1]
