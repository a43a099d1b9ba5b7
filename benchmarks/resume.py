"""Extraction into a folder, killed at random moments and begun again each time, with every measurement counted.

    python benchmarks/resume.py [--images 300] [--kills 30] [--n-jobs 2] [--seed 0]

A process with worker processes extracts all classical families of drawn 600 x 450 JPEG files, some of which cannot be
read. It is killed (SIGKILL) while it starts or after a random number of images: all its processes, one worker, or the
calling process alone, whose workers live on for a while. The same call is made again at once. Where an extraction
ends before all kills are done, another one begins in a new folder with a new store. Linux or macOS.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from dermfeat import LesionFeatures, LesionReader, LesionTransformer, config_context, read_extracted
from dermfeat.datasets import make_lesions
from dermfeat.evaluation import write_results
from dermfeat.extraction import default_families
from dermfeat.extraction.base import reference_lesion

UNREADABLE = 5
WAYS = ("all processes", "one worker", "calling process")
REFERENCE = reference_lesion().image.shape  # it is measured for the column names


class Counted(LesionTransformer):
    """The area; every measurement leaves a line with the run, the process and the image in the file `log`."""

    version = "1"

    def __init__(self, log):
        self.log = log

    def measure(self, lesion):
        if lesion.image.shape != REFERENCE:
            with open(self.log, "a") as file:
                file.write(f"{os.environ['RESUME_RUN']} {os.getpid()} {zlib.crc32(lesion.raw.tobytes())}\n")
        return {"area": float(lesion.area)}


def counted(log):
    """Return run, process and image of each measurement so far."""
    return [tuple(map(int, line.split())) for line in log.read_text().splitlines()] if log.exists() else []


def features(log, args):
    families = [*default_families(), ("counted", Counted(str(log)))]
    reader = LesionReader(segmenter=args.segmenter)
    return LesionFeatures(families, reader=reader, n_jobs=args.n_jobs, batch_size=args.batch_size, on_error="nan")


def draw(folder, count):
    """Write the images and return all paths, in order, those that cannot be read among them."""
    for i, image in enumerate(make_lesions(count, size=(450, 600), random_state=0).X):
        Image.fromarray(image).save(folder / f"{i:05}.jpg")
    for i in range(UNREADABLE):
        (folder / f"{i * count // UNREADABLE:05}x.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken %d" % i)
    return sorted(map(str, folder.glob("*.jpg")))


def extract(folder, args):
    """Extract in this process what `draw` has written; the part that gets killed."""
    paths = json.loads((folder / "paths.json").read_text())
    with config_context(cache_folder=folder / "cache"):
        features(folder / "log", args).extract(paths, folder / "rows", partition_size=args.partition_size)


def start(folder, run):
    return subprocess.Popen(
        [sys.executable, __file__, *sys.argv[1:], "--child", str(folder)],
        env=os.environ | {"RESUME_RUN": str(run)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def start_and_kill(folder, run, rng, mean):
    """Start an extraction, kill it at a random moment and return it with the way; None where it has ended before."""
    way, wanted = rng.choice(WAYS), rng.choice([0, *4 * [rng.randint(1, 2 * mean)]])
    child = start(folder, run)
    while child.poll() is None and len(workers := own(folder, run)) < wanted:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.2 if wanted else 3))
    if child.poll() is not None:
        return child, None
    if way == "one worker" and workers:
        os.kill(rng.choice(workers), signal.SIGKILL)
    elif way == "calling process":
        child.kill()
    else:
        way = "all processes"
        os.killpg(child.pid, signal.SIGKILL)
    return child, way if child.wait() else None


def own(folder, run):
    """Return the process of each image that a run has measured so far."""
    return [process for number, process, _ in counted(folder / "log") if number == run]


def measured_again(log):
    """Return ``{run: count}`` of the images that were measured in a run and again in another."""
    last, lost = {}, Counter()
    for run, _, image in counted(log):
        if image in last:
            lost[min(run, last[image])] += 1
        last[image] = run
    return lost


def one_extraction(folder, first_run, args, rng):
    """Return ``{run: way}`` of the kills until the extraction has ended."""
    ways, children = {}, []
    for run in range(first_run, args.kills):
        child, way = start_and_kill(folder, run, rng, max(1, args.images // args.kills))
        children.append(child)
        if way is None:
            break
        ways[run] = way
    if start(folder, args.kills).wait():
        raise RuntimeError("the last run, which nobody killed, did not end well")
    for child in children:  # workers wait for minutes for a caller that is gone
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    return ways


def experiment(folder, args):
    """Return the way of each kill, the images measured again after each, and all measurements and extractions."""
    rng, ways, lost, logs = random.Random(args.seed), {}, Counter(), []
    (folder / "images").mkdir()
    paths = draw(folder / "images", args.images)
    expected = in_memory(paths, args)
    while len(ways) < args.kills:
        place = folder / str(len(logs))
        place.mkdir()
        (place / "paths.json").write_text(json.dumps(paths))
        ways |= one_extraction(place, len(ways), args, rng)
        table = read_extracted(place / "rows")
        assert list(table["image"]) == paths
        assert table["error"].notna().sum() == UNREADABLE
        # the last digit of some of OpenCV's functions depends on where an array lies in memory
        np.testing.assert_allclose(table.iloc[:, 4:].to_numpy(), expected, rtol=1e-6)
        logs.append(counted(place / "log"))
        lost.update(measured_again(place / "log"))
        assert len({image for *_, image in logs[-1]}) == args.images
    return ways, lost, logs


def in_memory(paths, args):
    os.environ["RESUME_RUN"] = "0"
    with config_context(store=False), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*could not be used", category=UserWarning)
        return features(Path(folder) / "log", args).transform(paths)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--partition-size", type=int, default=32)
    parser.add_argument("--segmenter", default="otsu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="out/resume", help="result files without ending")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        return extract(args.child, args)

    with tempfile.TemporaryDirectory() as folder:
        ways, lost, logs = experiment(Path(folder), args)
    lines = []
    for way in WAYS:
        again = [lost[run] for run, how in ways.items() if how == way]
        numbers = len(again), sum(again), max(again, default=0)
        lines.append(dict(zip(("killed", "times", "images measured again", "most"), (way, *numbers), strict=True)))
    total, needed = sum(map(len, logs)), len(logs) * args.images
    batches = args.n_jobs * args.batch_size
    notes = [
        f"{args.images} drawn images of 600 x 450 and {UNREADABLE} that cannot be read, {args.n_jobs} workers",
        f"Batches of {args.batch_size}, files of {args.partition_size} rows; extractions begun and ended: {len(logs)}",
        f"After the last run of each: rows equal to a millionth to those of transform, {UNREADABLE} unreadable listed",
        f"Images measured: {total}, needed: {needed}; one batch a worker: {batches} images",
    ]
    table = [{key: str(value) for key, value in line.items()} for line in lines]
    print(write_results(args.out, "Killed and resumed", {"kills": table}, notes, {"measured": total, "needed": needed}))
    return lines


if __name__ == "__main__":
    main()
