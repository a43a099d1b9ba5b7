"""Features that leave a line for each image they measure, for tests that count or kill."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from dermfeat import LesionFeatures, LesionReader, LesionTransformer
from dermfeat.extraction.base import reference_lesion

REFERENCE = reference_lesion().image.shape  # it is measured for the column names


class Counted(LesionTransformer):
    """The area. Each image adds the number of its process to the file `log` and takes `seconds` more."""

    version = "1"

    def __init__(self, log, seconds=0.0):
        self.log = log
        self.seconds = seconds

    def measure(self, lesion):
        if lesion.image.shape != REFERENCE:
            time.sleep(self.seconds)
            with open(self.log, "a") as file:
                file.write(f"{os.getpid()}\n")
        return {"area": float(lesion.area)}


def counting(log, seconds=0.0, **options):
    """Return cheap features that write into `log`."""
    reader = LesionReader(segmenter="otsu", hair_removal=False)
    families = ["mask", ("counted", Counted(str(log), seconds))]
    return LesionFeatures(families, reader=reader, **{"on_error": "nan", "batch_size": 4} | options)


def measured(log):
    """Return the process number of each image measured so far."""
    return [int(line) for line in Path(log).read_text().split()] if Path(log).exists() else []


def wait_for(log, count, running):
    """Return whether `count` images are measured, as soon as they are or `running()` has become false."""
    while running() and len(measured(log)) < count:
        time.sleep(0.002)
    return len(measured(log)) >= count


@contextmanager
def worker_killed_after(log, count):
    """Kill, within the block, the process that measured first as soon as `count` images are measured."""
    over = threading.Event()

    def kill():
        if wait_for(log, count, lambda: not over.is_set()):
            os.kill(measured(log)[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
