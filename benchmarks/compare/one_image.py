"""One image, now: a fitted pipeline that is warm, and a process that begins with nothing."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.compare.embedding import cnn
from benchmarks.compare.figures import Figure, Result
from benchmarks.compare.images import files
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

TRAINING = 24
COLD = """
import sys, time
start = time.perf_counter()
import joblib, dermfeat
imported = time.perf_counter()
dermfeat.set_config(store=False)
pipe = joblib.load(sys.argv[1])
loaded = time.perf_counter()
pipe.predict_proba(sys.argv[2:3])
print(imported - start, loaded - start, time.perf_counter() - start)
"""


def fitted(settings):
    """Return a pipeline of everything, fitted to a few files, and other files."""
    from dermfeat import LesionPipeline, default_steps

    paths = files(settings, settings.some(TRAINING + 16, TRAINING + 2))
    labels = np.resize(["benign", "malignant"], TRAINING)
    steps = default_steps(embedding=cnn("mobilenet_v2"), pos_label="malignant")
    return LesionPipeline(steps).fit(paths[:TRAINING], labels), paths[TRAINING:]


class Warm:
    """The next file's probabilities, its rows not in the store; beside it the features of a tutorial's loop."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self._settings, self._pipe, self._turn = settings, None, 0

    def _next(self, paths):
        self._turn += 1
        return paths[self._turn % len(paths)]

    @competitor()
    def time_dermfeat(self):
        if self._pipe is None:
            self._pipe, self._files = fitted(self._settings)
            for path in self._files:
                self._pipe.predict_proba([path])
        return self._pipe.predict_proba([self._next(self._files)])

    @competitor("tensorflow", KERAS_BACKEND="tensorflow")
    def time_tutorial(self):
        from benchmarks.compare import networks, tutorial

        if self._pipe is None:
            self._pipe, self._files = networks.keras_model("mobilenet_v2"), files(self._settings, 8)
            self._pipe.predict(np.zeros((1, 224, 224, 3), np.float32), verbose=0)
        return [tutorial.features(self._next(self._files), self._pipe)]


class Cold:
    """A new process: import, load the pickled pipeline, predict one file."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        import joblib

        from dermfeat import set_config

        set_config(store=False)
        pipe, paths = fitted(settings)
        self._arguments = [str(Path(settings.folder, "pipeline.joblib")), paths[0]]
        joblib.dump(pipe, self._arguments[0])

    @competitor()
    def time_dermfeat(self):
        printed = subprocess.check_output([sys.executable, "-c", COLD, *self._arguments], text=True)
        return [[float(value) for value in printed.split()]]


def compare(settings):
    """Return the `Result` of one image, warm and cold."""
    result = Result()
    warm = interleave(Warm, settings, rounds=21)
    result.add(f"One image, warm, everything, {settings.cores} cores", warm)
    own = 1000 * warm.median("dermfeat")
    others = f"{1000 * warm.median('tutorial'):.0f} ms" if "tutorial" in warm.seconds else "-"
    title = f"one image, warm, everything, {settings.cores} cores, ms"
    result.figures.append(Figure(title, others, f"{own:.3g} ms", own, at_most=90))
    cold = interleave(Cold, settings, rounds=5)
    result.add("One image, cold: a new process", cold)
    imported, loaded, ready = cold.values["dermfeat"][0]
    text = f"import {imported:.2f}, pipeline loaded {loaded:.2f}, predicted {ready:.2f} s after its first line"
    result.figures.append(Figure("one image, cold process, s", "", text, cold.median("dermfeat")))
    return result
