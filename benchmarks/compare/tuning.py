"""A grid search of 2637 images, 12 candidates and 5 folds: what the features step costs.

A real search over few images counts how often an image is measured: with the store, by scikit-learn's Pipeline with
``memory``, and without. Times the measured seconds of one image that is what the features cost; with the store, the
seconds of a real search over all images come on top, whose rows are in the store already and whose classifier does
nothing. What hashing and loading cost ``memory`` is not counted.
"""

import tempfile
import time

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from benchmarks.compare.end_to_end import everything
from benchmarks.compare.figures import Figure, Result
from benchmarks.compare.images import drawn_files, files
from benchmarks.compare.runner import competitor, in_process, interleave
from benchmarks.compare.settings import DEFAULT
from benchmarks.compare.store import fill
from dermfeat import ColorFeatures

IMAGES, CANDIDATES, FOLDS = 2637, 12, 5
COUNTED = 20
measured = []  # one item for each image that `Counted` has measured in this process


class Counted(ColorFeatures):
    """The colour family; it keeps count."""

    version = "1"

    def prepare(self, lesion):
        """Return what `finish` needs of one lesion."""
        measured.append(1)
        return super().prepare(lesion)


def search(features, paths, memory=None):
    """Run the grid search with a classifier that does nothing, and return its seconds."""
    steps = [("features", features), ("classifier", DummyClassifier(strategy="stratified"))]
    grid = {"classifier__random_state": list(range(CANDIDATES))}
    labels = np.resize(["benign", "malignant"], len(paths))
    start = time.perf_counter()
    GridSearchCV(Pipeline(steps, memory=memory), grid, cv=FOLDS, error_score="raise").fit(paths, labels)
    return time.perf_counter() - start


def counts(settings):
    """Return ``{way: how many times each image is measured}`` of a real search over few images."""
    from dermfeat import LesionFeatures, LesionReader, config_context

    paths = drawn_files(settings, COUNTED)
    features = LesionFeatures([("color", Counted())], reader=LesionReader(segmenter="otsu", working_size=128))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for way, kept in {"without memory": None, "Pipeline(memory=...)": folder, "dermfeat": None}.items():
            measured.clear()
            with config_context(store=way == "dermfeat", cache_folder=folder):
                search(features, paths, kept)
            found[way] = len(measured) / len(paths)
    return found


def warm(settings):
    """Return the seconds of the search over all images where every row is in the store."""
    from dermfeat import config_context

    paths, features = drawn_files(settings, settings.some(IMAGES, 40)), everything()
    features.names()
    with tempfile.TemporaryDirectory() as folder, config_context(store=True, cache_folder=folder):
        fill(features, paths)
        return search(features, paths)


class Computing:
    """All families and MobileNetV2 from files, nothing stored: what one image costs."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self.files = files(settings, settings.some(96, 8))

    @competitor()
    def time_dermfeat(self):
        return everything().transform(self.files)


def compare(settings):
    """Return the `Result` of the three ways."""
    result, images = Result(), settings.some(IMAGES, 40)
    times, overhead = in_process(counts, settings), in_process(warm, settings)
    each = interleave(Computing, settings, rounds=3).median("dermfeat")
    seconds = {way: count * images * each for way, count in times.items()}
    seconds["dermfeat"] += overhead
    title = f"GridSearchCV, {images} images, {CANDIDATES} candidates x {FOLDS} folds: feature time"
    table = [
        {"way": way, "an image is measured": f"{times[way]:.3g} times", "feature time s": f"{seconds[way]:.1f}",
         "times dermfeat": f"{seconds[way] / seconds['dermfeat']:.3g}"}
        for way in seconds
    ]  # fmt: skip
    result.tables[title] = table
    for way, least in (("Pipeline(memory=...)", 8), ("without memory", 40)):
        shown = f"{seconds[way]:.0f} s", f"{seconds['dermfeat']:.0f} s"
        ratio = seconds[way] / seconds["dermfeat"]
        result.figures.append(Figure(f"{title} against {way}", *shown, ratio, at_least=least))
    result.notes += [
        f"Feature time: times an image is measured (counted in a real search over {COUNTED}) x {images} x "
        f"{1000 * each:.1f} ms (all families and MobileNetV2, measured); dermfeat's also has the {overhead:.1f} s of a "
        "real search over all of them with the store filled and a classifier that does nothing"
    ]
    result.details = {"measured": times, "seconds an image": each, "warm search s": overhead, "seconds": seconds}
    return result
