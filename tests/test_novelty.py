"""What is unlike anything trained on."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from PIL import Image
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from dermfeat import ColorFeatures, LesionFeatures, LesionImageError, LesionPipeline, TextureFeatures, datasets
from dermfeat.learning import LesionNovelty, NoveltyScore
from dermfeat.pipeline import default_steps


def rows_of(n, columns=8, random_state=0):
    """Correlated columns of very different scales."""
    mixing = np.random.default_rng(99).normal(size=(columns, columns))
    return np.random.default_rng(random_state).normal(size=(n, columns)) @ mixing * 10.0 ** np.arange(columns)


def test_strange_rows_score_higher():
    fitted = NoveltyScore().fit(rows_of(300))
    usual, strange = rows_of(200, random_state=1), 3 * rows_of(200, random_state=2)
    scores = fitted.score_samples(np.concatenate([usual, strange]))
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.95
    assert (fitted.percentile(1e3 * strange) == 1).all()
    assert fitted.score_samples(1e3 * strange).min() > fitted.score_samples(strange).max()


def test_a_combination_never_seen_is_strange():
    x = np.random.default_rng(0).normal(size=500)
    train = np.column_stack([x, x + 0.1 * np.random.default_rng(1).normal(size=500)])
    fitted = NoveltyScore().fit(train)
    assert fitted.predict([[1.5, 1.5], [1.5, -1.5]]).tolist() == [1, -1]


def test_the_gap_between_two_kinds_is_strange():
    train = np.random.default_rng(0).normal(size=(400, 2)) + np.repeat([[-10, 0], [10, 0]], 200, axis=0)
    assert NoveltyScore().fit(train).predict([[-10, 0], [10, 0], [0, 0]]).tolist() == [1, 1, -1]


@pytest.mark.parametrize("columns", [5, 300])
def test_percentiles_of_new_rows_are_even(columns):
    """Also with more columns than rows, where training rows judged by a model with them in it would all look near."""
    fitted = NoveltyScore(contamination=0.1).fit(rows_of(150, columns) if columns < 99 else _noise(150, columns))
    new = rows_of(300, columns, 1) if columns < 99 else _noise(300, columns, 1)
    share = fitted.percentile(new)
    assert ((share >= 0) & (share <= 1)).all()
    assert 0.4 < share.mean() < 0.62
    assert 0.03 < (fitted.predict(new) == -1).mean() < 0.22


def _noise(n, columns, random_state=0):
    return np.random.default_rng(random_state).normal(size=(n, columns))


def test_photos_of_one_lesion_are_not_measured_against_each_other():
    lesions = rows_of(80)
    scatter = 1e-3 * rows_of(400, random_state=3)
    photos, groups = np.repeat(lesions, 5, axis=0) + scatter, np.repeat(np.arange(80), 5)
    new = rows_of(200, random_state=4)
    assert (NoveltyScore().fit(photos, groups=groups).predict(new) == 1).mean() > 0.85
    assert (NoveltyScore().fit(photos).predict(new) == 1).mean() < 0.2


def test_scores_predictions_and_decisions_agree():
    fitted = NoveltyScore(contamination=0.2).fit(rows_of(100))
    new = rows_of(50, random_state=5)
    scores = fitted.score_samples(new)
    np.testing.assert_array_equal(fitted.transform(new), scores[:, None])
    np.testing.assert_array_equal(fitted.decision_function(new) < 0, fitted.predict(new) == -1)
    np.testing.assert_array_equal(np.argsort(fitted.percentile(new), kind="stable")[-1:], [scores.argmax()])
    assert set(fitted.predict(new)) <= {-1, 1}
    np.testing.assert_allclose(fitted.score_samples(new[:1]), scores[:1])


def test_training_rows_are_judged_by_a_model_without_them():
    train = rows_of(100)
    estimator = NoveltyScore(contamination=0.1)
    own = estimator.fit_transform(train)[:, 0]
    np.testing.assert_array_equal(np.sort(own), estimator.training_scores_)
    assert (own > estimator.score_samples(train)).all()
    assert (clone(estimator).fit_predict(train) == -1).sum() == 10


def test_units_do_not_matter_and_constant_columns_do_no_harm():
    train, new = rows_of(60), rows_of(20, random_state=1)
    scores = NoveltyScore().fit(train).score_samples(new)
    scaled = NoveltyScore().fit(train * 7 + 3).score_samples(new * 7 + 3)
    np.testing.assert_allclose(scaled, scores, rtol=1e-6)
    padded = NoveltyScore().fit(np.c_[train, np.ones(60)])
    assert np.isfinite(padded.score_samples(np.c_[new, np.ones(20)])).all()
    assert padded.predict([[*new[0], 1], [*new[0], 50]]).tolist() == [1, -1]
    assert np.isfinite(NoveltyScore().fit(np.ones((5, 2))).score_samples([[1, 1], [2, 2]])).all()


def test_kept_rows_are_bounded_and_drawn_by_group():
    train, groups = rows_of(600), np.repeat(np.arange(60), 10)
    small = NoveltyScore(max_rows=205).fit(train, groups=groups)
    assert len(small.training_scores_) == 200
    assert len(pickle.dumps(small)) < len(pickle.dumps(NoveltyScore().fit(train, groups=groups))) / 2
    np.testing.assert_array_equal(
        clone(small).fit(train, groups=groups).score_samples(train[:5]), small.score_samples(train[:5])
    )
    other = clone(small).set_params(random_state=1).fit(train, groups=groups)
    assert (other.score_samples(train[:5]) != small.score_samples(train[:5])).any()
    scores = clone(small).fit_transform(train, groups=groups)
    assert scores.shape == (600, 1)
    assert np.isfinite(scores).all()


def test_a_group_larger_than_max_rows_is_left_out_and_the_others_stay():
    groups = np.repeat(np.arange(11), [50, *[1] * 10])
    for seed in range(5):
        fitted = NoveltyScore(max_rows=40, random_state=seed).fit(rows_of(60), groups=groups)
        assert len(fitted.training_scores_) == 10


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA, "unknown"])
def test_rows_of_no_group_are_groups_of_their_own(missing):
    train = rows_of(40)
    groups = [f"lesion_{i // 2}" for i in range(20)] + [missing] * 20
    each = [f"lesion_{i // 2}" for i in range(20)] + [f"lesion_{i}" for i in range(20, 40)]
    expected = NoveltyScore().fit(train, groups=each).training_scores_
    np.testing.assert_array_equal(NoveltyScore().fit(train, groups=groups).training_scores_, expected)


def test_clear_errors():
    train = rows_of(30)
    spoiled = train.copy()
    spoiled[[4, 9], 2] = np.nan, np.inf
    with pytest.raises(LesionImageError, match=r"row 4: NaN or infinity, as in 2 of 30 rows. Leave such rows out"):
        NoveltyScore().fit(spoiled)
    with pytest.raises(LesionImageError, match="row 0: NaN"):
        NoveltyScore().fit(train).score_samples(spoiled[4:5])
    with pytest.raises(ValueError, match="give rows of two groups or more"):
        NoveltyScore().fit(train, groups=["a"] * 30)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        NoveltyScore().fit(train, groups=["a", "b"])
    with pytest.raises(ValueError, match="contamination=0:"):
        NoveltyScore(contamination=0).fit(train)
    with pytest.raises(ValueError, match="n_neighbors=0:"):
        NoveltyScore(0).fit(train)


def test_scikit_learns_checks():
    apart = "training rows are scored by a model without them"
    expected = {
        "check_transformer_data_not_an_array": apart,
        "check_transformer_general": apart,
        "check_outliers_fit_predict": apart,
        "check_outliers_train": "score_samples is higher for the stranger; there is no offset_",
    }
    results = check_estimator(NoveltyScore(), expected_failed_checks=expected, on_skip=None)
    assert sum(result["status"] == "passed" for result in results) >= 40


def test_as_a_column_beside_others_and_at_the_end():
    train, y = rows_of(80), np.arange(80) % 2
    beside = FeatureUnion([("rows", "passthrough"), ("score", NoveltyScore())]).set_output(transform="pandas")
    frame = beside.fit_transform(pd.DataFrame(train).add_prefix("f"))
    assert list(frame)[-1] == "score__novelty"
    make_pipeline(beside, StandardScaler(), LogisticRegression()).fit(pd.DataFrame(train).add_prefix("f"), y)
    end = make_pipeline(StandardScaler(), NoveltyScore()).fit(train, noveltyscore__groups=np.arange(80) // 2)
    by_hand = NoveltyScore().fit(StandardScaler().fit_transform(train), groups=np.arange(80) // 2)
    np.testing.assert_array_equal(end[-1].training_scores_, by_hand.training_scores_)
    assert end.predict(train * 50).tolist() == [-1] * 80


# Images


@pytest.fixture(scope="module")
def data():
    return datasets.make_lesions(60, size=(96, 120), random_state=0)


@pytest.fixture(scope="module")
def pipe(data):
    steps = default_steps(["color"], sampler=SMOTE(random_state=0, k_neighbors=3), pos_label="malignant")
    return LesionPipeline(steps).set_params(classifier__n_estimators=10).fit(data.X[:45], data.y[:45])


def test_images_as_the_fitted_pipeline_sees_them(data, pipe):
    novelty = LesionNovelty(pipe).fit(data.X[:45], groups=data.groups[:45])
    assert novelty.features_["scaler"] is pipe["scaler"]
    rows = pipe[:3].transform(data.X)
    by_hand = NoveltyScore().fit(rows[:45], groups=data.groups[:45])
    np.testing.assert_allclose(novelty.score_samples(data.X[45:]), by_hand.score_samples(rows[45:]))
    assert (novelty.predict(data.X[45:]) == 1).mean() > 0.7
    assert (novelty.predict(255 - data.X[45:]) == -1).all()
    assert (novelty.percentile(data.X[45:50][..., ::-1]) > 0.9).all()
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 120, 3), dtype=np.uint8)
    assert novelty.predict(noise).tolist() == [-1] * 3
    again = pickle.loads(pickle.dumps(novelty))
    np.testing.assert_array_equal(again.percentile(data.X[45:]), novelty.percentile(data.X[45:]))


def test_what_is_not_fitted_is_fitted_on_a_copy(data, pipe):
    fresh = clone(LesionNovelty(pipe, contamination=0.1))
    assert fresh.contamination == 0.1
    scores = fresh.fit(data.X[:45], data.y[:45]).score_samples(data.X[45:])
    assert not hasattr(fresh.features["scaler"], "mean_")
    np.testing.assert_allclose(scores, LesionNovelty(pipe).fit(data.X[:45]).score_samples(data.X[45:]), rtol=1e-6)
    alone = LesionNovelty(LesionFeatures([("color", ColorFeatures())])).fit(data.X[:45])
    np.testing.assert_allclose(alone.score_samples(data.X[45:]), scores, rtol=0.05)


def test_tables(data):
    table = data.metadata[["age", "sex", "site"]].assign(image=list(data.X))
    pipe = LesionPipeline(default_steps(["color"], metadata=["age", "sex", "site"], pos_label="malignant"))
    pipe.set_params(classifier__n_estimators=5).fit(table[:45], data.y[:45])
    novelty = LesionNovelty(pipe).fit(table[:45], groups=data.groups[:45])
    old = table[45:].assign(age=119.0)
    assert (novelty.score_samples(old) > novelty.score_samples(table[45:])).all()
    with pytest.raises(LesionImageError, match="no column 'image'"):
        novelty.predict(table[["age", "sex", "site"]])


def test_a_classifier_that_also_transforms_is_passed_over(data):
    steps = [("color", LesionFeatures([("color", ColorFeatures())])), ("classifier", LinearDiscriminantAnalysis())]
    assert [*LesionNovelty(Pipeline(steps)).fit(data.X, data.y).features_.named_steps] == ["color"]


def test_a_classifier_measures_nothing(data):
    with pytest.raises(TypeError, match="features is a LogisticRegression: give a pipeline"):
        LesionNovelty(LogisticRegression()).fit(data.X)


def test_rows_of_nan_are_named(data, tmp_path):
    features = LesionFeatures([("color", ColorFeatures())], on_error="nan")
    novelty = LesionNovelty(features).fit(data.X[:20])
    with pytest.warns(UserWarning, match="could not be used"), pytest.raises(LesionImageError, match="row 1: NaN"):
        novelty.predict([data.X[0], str(tmp_path / "none.jpg")])


def test_real_photos_against_spoiled_ones(shared_data):
    table = pd.read_csv(shared_data / "malignant_vs_benign" / "lesions.csv").query("file.str.startswith('train')")
    table = table[~table["lesion_id"].duplicated() | table["lesion_id"].isna()].sample(90, random_state=0)
    photos = [np.array(Image.open(shared_data / "malignant_vs_benign" / file)) for file in table["file"]]
    features = LesionFeatures([("color", ColorFeatures()), ("texture", TextureFeatures())])
    novelty = LesionNovelty(features).fit(photos[:64])
    new = photos[64:]
    usual = novelty.score_samples(new)
    assert (novelty.predict(new) == 1).mean() > 0.8
    for name, spoil in {
        "negative": lambda image: 255 - image,
        "channels swapped": lambda image: image[..., ::-1].copy(),
        "noise": lambda image: np.random.default_rng(0).permutation(image.ravel()).reshape(image.shape),
    }.items():
        scores = novelty.score_samples([spoil(image) for image in new[:10]])
        assert roc_auc_score(np.repeat([0, 1], [26, 10]), np.r_[usual, scores]) > 0.9, name


@pytest.mark.parametrize(("rare", "unit"), [(0, 1), (1, 1), (3, 1), (1, 0.1), (3, 40)])
def test_a_rare_indicator_counts_two_standard_deviations(rare, unit):
    """Age missing in `rare` of 300 training rows; a category of eight levels, some of them rare too."""
    rng = np.random.default_rng(0)
    level = rng.choice(8, 500, p=[0.4, 0.3, 0.2, 0.06, 0.02, 0.01, 0.005, 0.005])
    numbers, levels = _noise(500, 30), unit * np.eye(8)[level]
    table = np.c_[numbers, levels, unit * (np.arange(500) < rare)]
    usual, without = table[300:], np.c_[numbers, levels, np.full(500, unit)][300:]
    fitted = NoveltyScore().fit(table[:300])
    further = fitted.score_samples(without) ** 2 - fitted.score_samples(usual) ** 2
    assert ((further > 0) & (further < 5)).all()
    assert (fitted.predict(usual) == -1).mean() < 0.1
    assert (fitted.predict(without) == -1).mean() < 0.2
    assert (fitted.predict(usual * np.r_[np.full(30, 3), np.ones(9)]) == -1).all()


def test_photos_without_an_age(shared_data):
    ham = pd.read_csv(shared_data / "ham10000" / "HAM10000_metadata.csv").rename(columns={"localization": "site"})
    ham = ham.drop_duplicates("lesion_id").sample(frac=1, random_state=0)
    ham["image"] = [str(shared_data / "ham10000" / "images" / f"{name}.jpg") for name in ham["image_id"]]
    ham = ham[[Path(path).exists() for path in ham["image"]]]
    known, unknown = ham[ham["age"].notna()], ham[ham["age"].isna()]
    train = pd.concat([unknown[:2], known[:118]])
    pipe = LesionPipeline(default_steps(["color"], metadata=["age", "sex", "site"]))
    novelty = LesionNovelty(pipe.set_params(classifier__n_estimators=2).fit(train, train["dx"] == "mel")).fit(train)
    assert (novelty.predict(unknown[2:42]) == -1).mean() < 0.15
    assert (novelty.predict(known[118:158]) == -1).mean() < 0.15
