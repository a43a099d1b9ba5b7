"""Time an image and peak memory as the number of images grows, each number in a process of its own."""

import os
import re
import tempfile
import time
from pathlib import Path

from benchmarks.compare.end_to_end import everything
from benchmarks.compare.figures import Figure, Result
from benchmarks.compare.images import drawn_files
from benchmarks.compare.runner import in_process

WARM_UP = 64  # images by which the network is traced and compiled and workers are started, before time is taken


def extract(settings, count, cache):
    """Extract everything from `count` files into an empty store, then again; megabytes are those of the first time."""
    from dermfeat import set_config

    paths, features = drawn_files(settings, count), everything(n_jobs=settings.cores)
    set_config(store=False, cache_folder=cache)
    features.transform(paths[: settings.some(WARM_UP, 8)])
    set_config(store=True)
    start = time.perf_counter()
    rows = features.transform(paths)
    seconds, output = time.perf_counter() - start, rows.nbytes / 2**20
    own, workers = peak(os.getpid()), [peak(process) for process in descendants(os.getpid())]
    start = time.perf_counter()
    features.transform(paths)
    return {
        "images": count,
        "ms an image": 1000 * seconds / count,
        "peak MB": None if own is None else own - output,
        "of it workers MB": sum(filter(None, workers)),
        "output MB": output,
        "again, from the store, ms an image": 1000 * (time.perf_counter() - start) / count,
    }


def peak(process):
    """Return the largest resident memory so far of a process in MB, None where the system does not tell."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1024
    except (OSError, TypeError):
        return None


def descendants(process):
    """Return the ids of the processes that a process has started, and of those that they have."""
    try:
        listed = [file.read_text().split() for file in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(child) for children in listed for child in children]
    return [*found, *(deeper for child in found for deeper in descendants(child))]


def shown(value):
    """Return a number with four digits, or that there is none."""
    return "not measured" if value is None else f"{value:.4g}"


def compare(settings):
    """Return the `Result` of all numbers of images."""
    result, counts = Result(), (8, 16) if settings.quick else sorted(settings.counts)
    drawn_files(settings, counts[-1])
    found = []
    with tempfile.TemporaryDirectory() as cache:
        for count in counts:
            for file in Path(cache).glob("rows.sqlite*"):
                file.unlink()
            found.append(in_process(extract, settings, count, cache, DERMFEAT_STORE_LIMIT_MB="8192"))
            own, workers = found[-1]["peak MB"], found[-1]["of it workers MB"]
            found[-1]["peak MB, all processes"] = None if own is None else own + workers
    title = "Growth: everything from 600x450 files, empty store, each number in a fresh process"
    result.tables[title] = [{key: shown(value) for key, value in row.items()} for row in found]
    first, last = found[0], found[-1]
    for key, unit in (("ms an image", "ms"), ("peak MB, all processes", "MB")):
        name = f"{'time' if unit == 'ms' else 'peak memory (output array not counted)'}"
        title = f"{name} an image" if unit == "ms" else name
        title += f" at {counts[-1]} images against {counts[0]}"
        both = (f"{row['images']}: {shown(row[key])} {unit}" for row in (first, last))
        ratio = last[key] / first[key] if first[key] else None
        result.figures.append(Figure(title, *both, ratio, at_most=1.1))
    result.notes.append("Peak memory is the sum of the peaks of all processes; what they share is counted twice")
    result.details = {"growth": found}
    return result
