import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, roc_auc_score

from dermfeat.evaluation import bootstrap_interval, wilson_interval
from dermfeat.evaluation.multiclass import macro_auc, multiclass_scores

CLASSES = ["akiec", "mel", "nv"]


def result(n=120):
    rng = np.random.default_rng(0)
    y = np.repeat(CLASSES, n // 3)
    proba = rng.dirichlet(np.ones(3), n) + 0.4 * (y[:, None] == np.array(CLASSES))
    return y, proba / proba.sum(axis=1, keepdims=True)


def test_agrees_with_scikit_learn():
    y, proba = result()
    scores = multiclass_scores(y, proba, classes=CLASSES, groups=np.arange(len(y)) // 2, n_resamples=50)
    predicted = np.array(CLASSES)[proba.argmax(axis=1)]
    assert scores["accuracy"] == pytest.approx(accuracy_score(y, predicted))
    assert scores["macro_auc"] == pytest.approx(roc_auc_score(y, proba, multi_class="ovr", average="macro"))
    low, high = scores["macro_auc_interval"]
    assert 0.5 < low < scores["macro_auc"] < high < 1
    assert list(scores["recall"].values()) == pytest.approx(recall_score(y, predicted, average=None).tolist())
    low, high = scores["balanced_accuracy_interval"]
    assert low < scores["balanced_accuracy"] < high
    assert scores["balanced_accuracy"] == pytest.approx(recall_score(y, predicted, average="macro"))
    hits = scores["confusion"][1][1]
    assert scores["recall_interval"]["mel"] == wilson_interval(hits, 40)
    assert scores["count"] == dict.fromkeys(CLASSES, 40)


def test_columns_follow_classes():
    y, proba = result()
    turned = multiclass_scores(y, proba[:, ::-1], classes=CLASSES[::-1], n_resamples=20)
    assert turned["recall"] == multiclass_scores(y, proba, classes=CLASSES, n_resamples=20)["recall"]


def test_bad_input():
    y, proba = result()
    with pytest.raises(ValueError, match=r"shape \(120, 2\)"):
        multiclass_scores(y, proba[:, :2], classes=CLASSES)
    with pytest.raises(ValueError, match=r"\['df', 'nv'\] are not in both"):
        multiclass_scores(y, proba, classes=["akiec", "mel", "df"])


def test_intervals_are_those_of_scikit_learns_scores():
    y, proba = result()
    proba = proba.round(1)
    truth, options = np.searchsorted(CLASSES, y), {"groups": np.arange(len(y)) // 2, "n_resamples": 40}
    scores = multiclass_scores(y, proba, classes=CLASSES, **options)
    slow = bootstrap_interval(macro_auc, truth, proba, **options)
    assert scores["macro_auc_interval"] == pytest.approx(slow, abs=1e-12)
    slow = bootstrap_interval(balanced_accuracy_score, truth, proba.argmax(axis=1), **options)
    assert scores["balanced_accuracy_interval"] == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_are_refused(missing):
    y, proba = result()
    with pytest.raises(ValueError, match=r"y\[119\] is missing \(1 of 120\)"):
        multiclass_scores([*y[:-1], missing], proba, classes=CLASSES)
