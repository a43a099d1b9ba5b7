"""bfloat16 on request: how much faster it is, and what it changes in AUC."""

import numpy as np

from benchmarks.compare.embedding import cnn
from benchmarks.compare.figures import Figure, Result, rate
from benchmarks.compare.images import drawn
from benchmarks.compare.networks import agreements, weights
from benchmarks.compare.runner import competitor, in_process, interleave
from benchmarks.compare.settings import DEFAULT

MANY = 256  # images that are timed
LABELLED = 1000  # images of the AUC at most, those drawn: a fourth
FOLDS = 5


class Precision:
    """The embedding of images of 224x224, mobilenet_v2, four stages, in either precision."""

    timeout = 600

    def setup(self, settings=DEFAULT):
        from dermfeat import set_config

        set_config(store=False)
        self.images = np.resize(drawn(settings, 32, (224, 224)), (settings.some(MANY, 16), 224, 224, 3))

    @competitor()
    def time_dermfeat(self):
        return cnn("mobilenet_v2").transform(self.images)

    @competitor()
    def time_dermfeat_bfloat16(self):
        return cnn("mobilenet_v2", precision="bfloat16").transform(self.images)


def labelled(settings):
    """Return references, labels, groups and the positive label: the train part of a folder, or drawn lesions."""
    from dermfeat.datasets import load_folder, make_lesions

    if not settings.data:
        data = make_lesions(settings.some(LABELLED // 4, 40), size=(150, 200), random_state=0)
        return data.X, data.y, data.groups, data.pos_label
    data = load_folder(settings.data, pos_label="malignant")
    kept = np.arange(len(data.X)) if data.split is None else np.flatnonzero(np.asarray(data.split) == "train")
    kept = np.random.default_rng(0).permutation(kept)[: settings.some(LABELLED, 40)]
    return data.X[kept], data.y[kept], kept if data.groups is None else data.groups[kept], "malignant"


def auc(settings, precision):
    """Return the out-of-fold AUC of XGBoost on the embedding alone."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    from dermfeat import set_config
    from dermfeat.pipeline import default_classifier

    set_config(store=False)
    X, y, groups, positive = labelled(settings)
    options = {} if precision == "float32" else {"precision": precision}
    rows = cnn("mobilenet_v2", **options).transform(X)
    classifier = default_classifier(n_estimators=settings.some(200, 5), max_bin=64, random_state=0, pos_label=positive)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(classifier, rows, y, groups=groups, cv=folds, method="predict_proba")
    return len(y), float(roc_auc_score(y == positive, found[:, np.unique(y).tolist().index(positive)]))


def compare(settings):
    """Return the `Result` of speed and AUC in bfloat16."""
    result = Result()
    measured = interleave(Precision, settings, rounds=11)
    result.add("bfloat16, mobilenet_v2, four stages, 224x224", measured, agreement=agreements(measured.values))
    own, others = rate(measured, "dermfeat_bfloat16"), rate(measured, "dermfeat")
    ratio = measured.ratio("dermfeat", own="dermfeat_bfloat16")
    title = "bfloat16 on request, mobilenet_v2, against float32"
    result.figures.append(Figure(title, f"float32: {others}", f"bfloat16: {own}", ratio, at_least=1.35))
    if ratio is not None:
        (n, exact), (_, rough) = (in_process(auc, settings, precision) for precision in ("float32", "bfloat16"))
        images = "images of the folder" if settings.data else "drawn lesions"
        kind = "ImageNet" if weights("mobilenet_v2") else "random"
        title = f"bfloat16: change in AUC ({n} {images}, {kind} weights, {FOLDS} folds, XGBoost)"
        figure = Figure(title, f"float32: {exact:.4f}", f"bfloat16: {rough:.4f}", rough - exact)
        result.figures.append(figure)
    return result
