"""Everything from JPEG files: reading, hair, learned outline, all families, MobileNetV2; against a tutorial's loop."""

import numpy as np
from joblib import parallel_config

from benchmarks.compare.embedding import cnn
from benchmarks.compare.figures import Figure, Result, rate
from benchmarks.compare.images import files
from benchmarks.compare.networks import keras_model
from benchmarks.compare.runner import competitor, interleave
from benchmarks.compare.settings import DEFAULT

IMAGES = 128  # four batches
FEW = 8  # of the tutorial's loop, which is slow


def everything(**options):
    """Return LesionFeatures with all families and the embedding."""
    from dermfeat import LesionFeatures
    from dermfeat.extraction import default_families

    return LesionFeatures([*default_families(), ("embedding", cnn("mobilenet_v2"))], **options)


class Files:
    """JPEG files; the store is off."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self.files = files(settings, settings.some(IMAGES, 8))
        self._model = None


class EndToEnd(Files):
    """From files to all features."""

    @competitor()
    def time_dermfeat(self):
        return everything(n_jobs=2).transform(self.files)

    @competitor()
    def time_dermfeat_n_jobs_1(self):
        return everything(n_jobs=1).transform(self.files)

    @competitor("tensorflow", KERAS_BACKEND="tensorflow")
    def time_tutorial(self):
        from benchmarks.compare import tutorial

        self._model = self._model or keras_model("mobilenet_v2")
        return np.stack([tutorial.features(path, self._model) for path in self.files[:FEW]])


class Workers(Files):
    """Workers of one thread, on a core each; those of the two are kept by joblib, so their start is not counted."""

    @competitor(cores=1)
    def time_one_worker(self):
        return self._features(1)

    @competitor(OMP_NUM_THREADS="1")
    def time_two_workers(self):
        with parallel_config(backend="loky", inner_max_num_threads=1):
            return self._features(2)

    def _features(self, n_jobs):
        import cv2

        cv2.setNumThreads(1)
        return everything(n_jobs=n_jobs, batch_size=8).transform(self.files[: IMAGES // 2])


def compare(settings):
    """Return the `Result` of files to features, and of two workers against one."""
    result = Result()
    measured = interleave(EndToEnd, settings, rounds=5)
    result.add(f"Everything from files, {settings.cores} cores", measured)
    best = measured.best("dermfeat")
    title = f"everything (reading, hair, learned mask, all families, MobileNetV2) from files, {settings.cores} cores"
    own, loop, ratio = rate(measured, best), rate(measured, "tutorial"), measured.ratio("tutorial", own=best)
    workers = interleave(Workers, settings, rounds=5)
    result.add("Workers of one thread", workers, own="two_workers")
    one, two = (rate(workers, name) for name in ("one_worker", "two_workers"))
    speedup = workers.ratio("one_worker", own="two_workers")
    result.figures += [
        Figure(f"{title}, images/s", "", own, 1 / measured.median(best), at_least=20),
        Figure(f"{title}: against a tutorial's loop", loop, own, ratio, at_least=6),
        Figure("two one-thread workers against one", one, two, speedup, at_least=1.75),
    ]
    same = np.allclose(*workers.values.values(), rtol=1e-4, atol=1e-5)
    result.notes.append(f"Two workers and one give the same rows: {'yes' if same else 'no'}")
    return result
