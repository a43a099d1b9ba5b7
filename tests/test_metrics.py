"""Scores against scikit-learn, published values and closed forms."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dermfeat.evaluation import binary_scores, bootstrap_interval, partial_auc_above_tpr, plot_result, wilson_interval
from dermfeat.evaluation.metrics import auc_of_ranks, dense_ranks


def test_wilson_of_574_in_660():
    low, high = wilson_interval(574, 660)
    assert (round(low, 3), round(high, 3)) == (0.842, 0.893)


def test_wilson_solves_its_equation_and_stays_in_range():
    for k, n in [(0, 10), (10, 10), (3, 17), (1, 2)]:
        for bound in wilson_interval(k, n):
            assert 0 <= bound <= 1
            if 0 < bound < 1:
                assert abs(k / n - bound) == pytest.approx(1.959964 * np.sqrt(bound * (1 - bound) / n), abs=1e-6)
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(3, 2)


def test_partial_auc():
    y = np.array([0, 0, 1, 1])
    assert partial_auc_above_tpr(y, [0.1, 0.2, 0.8, 0.9]) == pytest.approx(0.2)
    assert partial_auc_above_tpr(y, [0.9, 0.8, 0.2, 0.1]) == pytest.approx(0)
    assert partial_auc_above_tpr(y, [0.5] * 4) == pytest.approx(0.02)
    rng = np.random.default_rng(0)
    y = rng.random(2000) < 0.3
    score = y + rng.normal(0, 1, 2000)
    # the same area, read from the other side: of the negated problem below a false positive rate of 0.2
    mirrored = roc_auc_score(~y, -score, max_fpr=0.2)
    raw = (2 * mirrored - 1) * (0.2 - 0.02) + 0.02
    assert partial_auc_above_tpr(y, score) == pytest.approx(raw, abs=1e-6)


def test_cluster_bootstrap_is_wider_than_by_image_when_photos_repeat():
    rng = np.random.default_rng(1)
    y = np.repeat(rng.random(60) < 0.5, 8)
    score = np.repeat(rng.normal(0, 1, 60), 8) + y
    groups = np.repeat(np.arange(60), 8)
    by_image = np.diff(bootstrap_interval(roc_auc_score, y, score, n_resamples=400))[0]
    by_lesion = np.diff(bootstrap_interval(roc_auc_score, y, score, groups=groups, n_resamples=400))[0]
    assert by_lesion > 2 * by_image


def test_bootstrap_refuses_what_it_cannot_resample():
    with pytest.raises(ValueError, match="one class only"):
        bootstrap_interval(roc_auc_score, [1, 1, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="missing values"):
        bootstrap_interval(roc_auc_score, [1, 0, 1], [0.1, 0.2, 0.3], groups=["a", None, "b"])


def test_binary_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(2)
    y = np.where(rng.random(300) < 0.4, "melanoma", "nevus")
    score = np.clip(0.5 + 0.2 * (y == "melanoma") + rng.normal(0, 0.2, 300), 0, 1)
    scores = binary_scores(y, score, pos_label="melanoma", n_resamples=50)
    assert scores["auc"] == roc_auc_score(y == "melanoma", score)
    assert scores["tp"] + scores["fn"] == (y == "melanoma").sum()
    assert scores["accuracy"] == ((score >= 0.5) == (y == "melanoma")).mean()
    assert scores["auc_interval"][0] < scores["auc"] < scores["auc_interval"][1]
    with pytest.raises(ValueError, match="both classes"):
        binary_scores(y, score, pos_label="mel")


def test_plot_shows_counts_and_disclaimer(tmp_path):
    y = np.array(["a", "b", "b", "a", "b"])
    figure = plot_result(y, [0.1, 0.9, 0.8, 0.6, 0.2], pos_label="b", neg_label="a", title="a title")
    figure.savefig(tmp_path / "result.png")
    assert (tmp_path / "result.png").stat().st_size > 5000
    texts = {text.get_text() for text in figure.axes[1].texts}
    assert texts == {"1\n50%", "1\n33%", "2\n67%"}
    assert "not for diagnosis" in figure.get_supxlabel()


def test_bootstrap_of_classes_too_rare_ends():
    with pytest.raises(ValueError, match="too few groups"):
        bootstrap_interval(lambda truth, score: 0.0, np.arange(40.0), np.arange(40.0), n_resamples=5)


@pytest.mark.parametrize("decimals", [0, 1, 2, 17])
def test_auc_of_ranks_is_that_of_scikit_learn(decimals):
    rng = np.random.default_rng(decimals)
    for n in (2, 3, 10, 500):
        y = rng.permutation(np.arange(n) < max(1, n // 4))
        score = np.round(rng.normal(0, 1, n) + y, decimals)
        assert auc_of_ranks(y, dense_ranks(score)) == pytest.approx(roc_auc_score(y, score), abs=1e-12)


def test_the_auc_interval_is_that_of_scikit_learns_auc():
    rng = np.random.default_rng(5)
    y = np.where(rng.random(90) < 0.3, "mel", "nv")
    score, groups = np.round(rng.random(90), 1), rng.integers(0, 40, 90)
    scores = binary_scores(y, score, pos_label="mel", groups=groups, n_resamples=300)
    slow = bootstrap_interval(roc_auc_score, y == "mel", score, groups=groups, n_resamples=300)
    assert scores["auc_interval"] == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("kind", [list, pd.Series])
def test_a_missing_label_is_no_negative(missing, kind):
    y = kind(["mel"] * 30 + ["nv"] * 60 + [missing] * 30)
    score = np.linspace(1, 0, 120)
    message = r"y\[90\] is missing \(30 of 120\); leave such images out"
    for ask in (
        lambda: binary_scores(y, score, pos_label="mel"),
        lambda: plot_result(y, score, pos_label="mel"),
        lambda: bootstrap_interval(roc_auc_score, y, score),
        lambda: partial_auc_above_tpr(y, score),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


def test_plot_of_one_class_is_refused():
    with pytest.raises(ValueError, match="both classes are needed"):
        plot_result(["nv"] * 3, [0.1, 0.2, 0.3], pos_label="mel")
