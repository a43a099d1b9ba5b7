"""LesionClassifier: labels as given, class weights, the positive class; against plain XGBoost."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_predict
from xgboost import XGBClassifier

from dermfeat import LesionClassifier
from dermfeat.learning import positive_index

SMALL = {"n_estimators": 15, "max_depth": 2, "random_state": 0, "n_jobs": 1}


@pytest.fixture(scope="module")
def two():
    return make_classification(240, 6, weights=[0.85], random_state=0)


@pytest.fixture(scope="module")
def three():
    return make_classification(240, 6, n_classes=3, n_informative=4, random_state=0)


def words(y):
    return np.array(["nevus", "melanoma", "keratosis"])[y]


def test_words_give_what_plain_xgboost_gives_on_codes(two, three):
    for X, y in (two, three):
        labels = words(y)
        ours = LesionClassifier(**SMALL).fit(X, labels)
        classes, codes = np.unique(labels, return_inverse=True)
        peer = XGBClassifier(**SMALL).fit(X, codes)
        np.testing.assert_array_equal(ours.predict_proba(X), peer.predict_proba(X))
        assert ours.classes_.tolist() == classes.tolist()
        assert ours.predict(X).tolist() == classes[peer.predict(X)].tolist()
        assert ours.score(X, labels) == peer.score(X, codes)


@pytest.mark.parametrize("labels", [[0, 1], [3, 7], [False, True], ["b", "a"], [-1, 1]])
def test_any_two_labels(two, labels):
    X, y = two
    labels = np.array(labels)
    model = LesionClassifier(**SMALL).fit(X, labels[y])
    assert set(model.predict(X)) <= set(labels.tolist())
    assert model.predict(X).dtype == labels.dtype


def test_refit_with_other_labels(two, three):
    model = LesionClassifier(**SMALL).fit(two[0], words(two[1]))
    model.fit(three[0], three[1])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(three[0]).shape == (240, 3)


def test_balanced_weights_equal_sample_weights_and_raise_recall(two):
    X, y = two
    labels = words(y)
    plain = LesionClassifier(**SMALL).fit(X, labels)
    balanced = LesionClassifier(class_weight="balanced", **SMALL).fit(X, labels)
    weight = np.where(y == 1, len(y) / (2 * (y == 1).sum()), len(y) / (2 * (y == 0).sum()))
    by_hand = LesionClassifier(**SMALL).fit(X, labels, sample_weight=weight)
    np.testing.assert_allclose(balanced.predict_proba(X), by_hand.predict_proba(X), atol=1e-6)
    recalls = [recall_score(labels, m.predict(X), pos_label="melanoma") for m in (plain, balanced)]
    assert recalls[1] > recalls[0]


def test_early_stopping_takes_an_eval_set_of_words(two):
    X, y = two
    model = LesionClassifier(early_stopping_rounds=3, **SMALL | {"n_estimators": 200})
    model.fit(X[:160], words(y[:160]), eval_set=[(X[160:], words(y[160:]))], verbose=False)
    assert model.best_iteration < 199
    assert set(model.predict(X)) <= {"nevus", "melanoma"}


STOPPING = SMALL | {"n_estimators": 200, "early_stopping_rounds": 5}


def test_early_stopping_splits_off_whole_lesions_of_each_class(three):
    y = three[1]
    lesions = np.where(np.arange(240) % 3, y * 1000 + np.arange(240) // 3, 9000 + np.arange(240))
    model = LesionClassifier(validation_fraction=0.2, **STOPPING)
    kept, held = model.split_off(words(y), lesions)
    assert sorted([*kept, *held]) == list(range(240))
    assert not set(lesions[kept]) & set(lesions[held])
    assert 0.15 < len(held) / 240 < 0.25
    for label in range(3):
        assert 0.1 < np.mean(np.isin(np.flatnonzero(y == label), held)) < 0.3
    again = clone(model).split_off(list(words(y)), lesions.astype(str))
    np.testing.assert_array_equal(again[1], held)
    assert set(model.set_params(random_state=1).split_off(words(y), lesions)[1]) != set(held)
    assert len(LesionClassifier(**STOPPING).split_off(y)[1]) == 24


def test_early_stopping_is_what_xgboost_does_on_the_split(two):
    X, y = two
    labels, lesions = words(y), np.arange(240) // 2
    model = LesionClassifier(class_weight="balanced", **STOPPING).fit(X, labels, groups=lesions)
    assert model.best_iteration < 199
    kept, held = model.split_off(labels, lesions)
    codes = (labels == "nevus").astype(int)
    shares = [1 / np.bincount(codes[part])[codes[part]] for part in (kept, held)]
    peer = XGBClassifier(**STOPPING).fit(
        X[kept], codes[kept], sample_weight=shares[0] * len(kept) / 2, verbose=False,
        eval_set=[(X[held], codes[held])], sample_weight_eval_set=[shares[1]],
    )  # fmt: skip
    assert peer.best_iteration == model.best_iteration
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-5)


def test_early_stopping_prints_nothing_and_takes_tables_lists_and_weights(two, capsys):
    X, y = two
    table = pd.DataFrame(X, columns=list("abcdef"))
    weight = np.linspace(1, 2, 240)
    listed = LesionClassifier(**STOPPING).fit(table, list(words(y)), sample_weight=list(weight))
    arrays = LesionClassifier(**STOPPING).fit(X, words(y), sample_weight=weight)
    np.testing.assert_array_equal(listed.predict_proba(table), arrays.predict_proba(X))
    assert capsys.readouterr().out == ""
    assert "validation_fraction" not in listed.get_xgb_params()
    assert LesionClassifier(**SMALL).fit(X, y, groups=["any"]).get_params()["validation_fraction"] == 0.1


def test_early_stopping_with_too_little_to_split(two):
    X, y = two
    rare = y + 2 * (np.arange(240) == 5)
    kept, held = LesionClassifier(**STOPPING).split_off(rare)
    assert 5 in kept  # the only one of its class
    assert len(kept) + len(held) == 240
    with pytest.raises(ValueError, match=r"lesions cannot be split .* validation_fraction=0\.1"):
        LesionClassifier(validation_fraction=0.1, **STOPPING).fit(X[:2], [0, 1])
    for fraction in (0, -1, 0.6, 1.5):
        with pytest.raises(ValueError, match=f"validation_fraction={fraction}: give a share above 0, up to 0.5"):
            LesionClassifier(validation_fraction=fraction, **STOPPING).fit(X, y)
    with pytest.raises(ValueError, match="left a class without a row"):  # the lesion of two labels is held out
        LesionClassifier(validation_fraction=0.5, **STOPPING).split_off([0, 1, 0, 0], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="inconsistent"):
        LesionClassifier(**STOPPING).fit(X, y, groups=[1, 2])


def test_clone_pickle_and_parameters(two):
    X, y = two
    model = LesionClassifier(class_weight="balanced", pos_label="melanoma", **SMALL)
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(max_depth=5, pos_label="nevus").get_params()["max_depth"] == 5
    assert {"class_weight", "pos_label", "max_depth", "max_bin"} <= set(model.get_params())
    model.fit(X, words(y))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert not hasattr(clone(model), "_labels")


def test_positive_class(two):
    X, y = two
    model = LesionClassifier(pos_label="melanoma", **SMALL).fit(X, words(y))
    np.testing.assert_array_equal(model.positive_proba(X), model.predict_proba(X)[:, 0])
    with pytest.raises(ValueError, match="none of the classes"):
        LesionClassifier(pos_label="mel", **SMALL).fit(X, words(y))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        LesionClassifier(**SMALL).fit(X, words(y)[:-1])
    with pytest.raises(ValueError, match="Say so with pos_label"):
        LesionClassifier(**SMALL).fit(X, words(y)).positive_proba(X)
    assert positive_index([0, 1]) == positive_index([False, True]) == positive_index([-1, 1]) == 1
    for ambiguous in ([0, 1, 2], [3, 7], ["a", "b"]):
        with pytest.raises(ValueError, match="positive class"):
            positive_index(ambiguous)


def test_labels_survive_a_model_file(two, tmp_path):
    X, y = two
    model = LesionClassifier(**SMALL).fit(X, words(y))
    model.save_model(tmp_path / "model.json")
    loaded = LesionClassifier()
    loaded.load_model(tmp_path / "model.json")
    assert loaded.classes_.tolist() == ["melanoma", "nevus"]
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_one_class_is_refused(two):
    with pytest.raises(ValueError, match="one class only, 'nevus'"):
        LesionClassifier(**SMALL).fit(two[0], ["nevus"] * 240)


def test_inside_scikit_learn(two):
    X, y = two
    labels = words(y)
    model = LesionClassifier(pos_label="melanoma", **SMALL)
    search = GridSearchCV(model, {"max_depth": [1, 3]}, scoring="roc_auc", cv=3).fit(X, labels)
    assert 0.5 < search.best_score_ <= 1
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X, labels)
    assert calibrated.classes_.tolist() == ["melanoma", "nevus"]
    tuned = TunedThresholdClassifierCV(model, scoring="balanced_accuracy", cv=3).fit(X, labels)
    assert set(tuned.predict(X)) == {"melanoma", "nevus"}
    proba = cross_val_predict(model, X, labels, method="predict_proba", cv=3)
    assert proba.shape == (240, 2)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("depth", "max_depth"), ("learningrate", "learning_rate"), ("n_estimator", "n_estimators"),
     ("class_weights", "class_weight"), ("poslabel", "pos_label")],
)  # fmt: skip
def test_misspelt_parameters_are_refused(two, name, meant):
    message = f"{name} is no parameter of LesionClassifier: did you mean {meant}"
    with pytest.raises(ValueError, match=message):
        LesionClassifier().set_params(**{name: 3})
    with pytest.raises(ValueError, match=message):
        LesionClassifier(**SMALL, **{name: 3}).fit(*two)


def test_parameters_that_xgboost_knows_by_other_names_pass(two):
    """All of XGBoost's documentation that its scikit-learn class does not list, and two that it ignores."""
    documented = (
        "alpha lambda eta min_split_loss nthread seed seed_per_iteration updater refresh_leaf process_type "
        "max_cached_hist_node extmem_single_page sample_type normalize_type rate_drop one_drop skip_drop "
        "feature_selector top_k tweedie_variance_power huber_slope quantile_alpha aft_loss_distribution "
        "aft_loss_distribution_scale lambdarank_pair_method lambdarank_num_pair_per_sample lambdarank_normalization "
        "lambdarank_unbiased lambdarank_bias_norm ndcg_exp_gain num_class disable_default_eval_metric sketch_ratio "
        "sketch_eps predictor silent gpu_id"
    )
    for name in documented.split():
        assert LesionClassifier().set_params(**{name: 1}).get_params()[name] == 1
    further = {"eta": 0.5, "lambda": 2, "alpha": 1}
    model = clone(LesionClassifier(**SMALL, **further)).fit(*two)
    peer = XGBClassifier(**SMALL, **further).fit(*two)
    np.testing.assert_array_equal(model.predict_proba(two[0]), peer.predict_proba(two[0]))


def test_missing_labels_are_no_class(two):
    y = two[1].astype(float)
    y[7] = np.nan
    with pytest.raises(ValueError, match=r"y\[7\] is missing \(1 of 240\)"):
        LesionClassifier(**SMALL).fit(two[0], y)
