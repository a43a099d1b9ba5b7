"""LesionPipeline inside scikit-learn and imbalanced-learn."""

import json
import os
import pickle
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from joblib.externals.loky import get_reusable_executor
from PIL import Image
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
)

from dermfeat import (
    CNNEmbedding,
    LesionClassifier,
    LesionFeatures,
    LesionPipeline,
    LesionReader,
    config_context,
    datasets,
    default_steps,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    bunch = datasets.make_lesions(60, size=(96, 120), random_state=0, malignant_share=0.4)
    folder = tmp_path_factory.mktemp("lesions")
    paths = []
    for i, image in enumerate(bunch.X):
        paths.append(str(folder / f"{i}.png"))
        Image.fromarray(image).save(paths[-1])
    bunch["paths"] = np.array(paths, object)
    return bunch


def quick(families=("mask", "color"), **options):
    pipe = LesionPipeline(default_steps(list(families), **{"pos_label": "malignant"} | options))
    return pipe.set_params(classifier__n_estimators=25, classifier__n_jobs=1)


def test_default_steps():
    pipe = LesionPipeline()
    assert list(pipe.named_steps) == ["augment", "features", "scaler", "selector", "sampler", "classifier"]
    assert pipe[0] == pipe["selector"] == pipe["sampler"] == "passthrough"
    assert pipe["classifier"].class_weight == "balanced"
    assert [name for name, _ in pipe["features"].families] == ["mask", "color", "texture", "abcd"]
    assert LesionPipeline(default_steps(sampler=SMOTE()))["classifier"].class_weight is None
    deep = default_steps([], embedding="mobilenet")
    assert [name for name, _ in deep[1][1].families] == ["embedding"]
    with pytest.raises(ValueError, match="family 'colour' is unknown"):
        default_steps(["colour"])
    with pytest.raises(ValueError, match="give it to your own classifier"):
        default_steps(classifier=LogisticRegression(), pos_label="a")


def test_fit_predict_words_and_probabilities(data):
    pipe = quick().fit(data.paths[:40], data.y[:40])
    assert pipe.classes_.tolist() == ["benign", "malignant"]
    assert set(pipe.predict(data.paths[40:])) <= {"benign", "malignant"}
    proba = pipe.predict_proba(data.paths[40:])
    np.testing.assert_array_equal(pipe.positive_proba(data.paths[40:]), proba[:, 1])
    assert roc_auc_score(data.y[40:] == "malignant", proba[:, 1]) > 0.6
    np.testing.assert_array_equal(pipe.predict_proba(list(data.X[40:])), proba)


def test_positive_class_that_sorts_first(data):
    labels = np.where(data.y == "malignant", "melanoma", "nevus")
    pipe = quick(pos_label="melanoma").fit(data.paths, labels)
    np.testing.assert_array_equal(pipe.positive_proba(data.paths), pipe.predict_proba(data.paths)[:, 0])
    with pytest.raises(ValueError, match="Say so with pos_label"):
        quick(pos_label=None).fit(data.paths, labels).positive_proba(data.paths)


@pytest.mark.parametrize("sampler", [None, SMOTE(random_state=0), RandomOverSampler(), RandomUnderSampler()], ids=str)
@pytest.mark.parametrize("labels", ["words", "codes", "three"])
def test_samplers_and_labels(data, sampler, labels):
    y = {"words": data.y, "codes": (data.y == "malignant").astype(int), "three": np.arange(60) % 3}[labels]
    pipe = quick(sampler=sampler, pos_label=None).fit(data.paths, y)
    assert pipe.predict_proba(data.paths[:4]).shape == (4, len(np.unique(y)))
    assert set(pipe.predict(data.paths)) <= set(y)


def test_sampler_works_inside_the_fold_only(data):
    seen = []

    class Spy(RandomOverSampler):
        def fit_resample(self, X, y, **params):
            seen.append(len(X))
            return super().fit_resample(X, y, **params)

    cross_val_predict(quick(sampler=Spy(random_state=0)), data.paths, data.y, cv=3)
    assert seen == [40, 40, 40]


class Doubling(RandomOverSampler):
    """Every row twice; tells which it was given."""

    def __init__(self, seen=None):
        super().__init__(random_state=0)
        self.seen = seen

    def fit_resample(self, X, y, **params):
        self.seen.append(np.asarray(X))
        return np.concatenate([X, X]), np.concatenate([y, y])


STOPPING = {"classifier__early_stopping_rounds": 5, "classifier__validation_fraction": 0.2}


def test_early_stopping_holds_out_whole_lesions_before_anything_is_fitted_or_sampled(data):
    references, rows = [], []
    lesions = np.arange(60) // 2
    y = np.repeat(data.y[:30], 2)
    pipe = quick(augment=Doubling(references), sampler=Doubling(rows)).set_params(**STOPPING)
    pipe.fit(data.paths, y, classifier__groups=lesions, classifier__verbose=False)
    kept, held = pipe["classifier"].split_off(y, lesions)
    assert references[0].tolist() == data.paths[kept].tolist()
    assert 8 <= len(held) <= 16
    assert not set(lesions[kept]) & set(lesions[held])
    assert len(rows[0]) == pipe["scaler"].n_samples_seen_ == 2 * len(kept)  # no row of a held image
    assert pipe["classifier"].best_iteration < 25


def test_early_stopping_looks_at_the_held_images_as_the_fitted_steps_show_them(data):
    kept, held = LesionClassifier(random_state=0, validation_fraction=0.2).split_off(data.y)
    by_hand = quick()
    by_hand.fit(data.paths[kept], data.y[kept])
    shown = by_hand[:-1].transform(data.paths[held]), data.y[held]
    by_hand.set_params(**STOPPING).fit(data.paths[kept], data.y[kept], classifier__stop_on=shown)
    pipe = quick().set_params(**STOPPING).fit(list(data.paths), list(data.y))
    assert pipe["classifier"].best_iteration == by_hand["classifier"].best_iteration
    np.testing.assert_array_equal(pipe.predict_proba(data.paths), by_hand.predict_proba(data.paths))


def test_early_stopping_inside_cross_validation(data):
    pipe = quick(sampler=SMOTE(random_state=0, k_neighbors=3)).set_params(**STOPPING)
    folds = {"groups": data.groups, "cv": StratifiedGroupKFold(3)}
    params = {"classifier__groups": data.groups, "classifier__sample_weight": np.ones(60)}
    with pytest.raises(ValueError, match=r"sample_weight|inconsistent|length"):  # no sampler knows of weights
        cross_val_predict(pipe, data.paths, data.y, params=params, **folds)
    params.pop("classifier__sample_weight")
    assert cross_val_predict(pipe, data.paths, data.y, params=params, **folds).shape == (60,)
    search = GridSearchCV(pipe, {"classifier__early_stopping_rounds": [None, 5]}, cv=folds["cv"], scoring="roc_auc")
    search.fit(data.paths, data.y, groups=data.groups, classifier__groups=data.groups)
    weighted = quick().set_params(**STOPPING).fit(data.paths, data.y, classifier__sample_weight=np.ones(60))
    assert set(weighted.predict(data.paths)) <= {"benign", "malignant"}


def test_selector_slot_is_searched_and_learns_inside_the_fold(data):
    chosen = SelectFromModel(LesionClassifier(n_estimators=5), max_features=10, threshold=-np.inf)
    pipe = quick(["color"], selector=chosen, sampler=SMOTE(random_state=0, k_neighbors=3))
    assert pipe.fit(data.paths, data.y)["classifier"].n_features_in_ == 10
    assert all(name.startswith("color__") for name in pipe[:-1].get_feature_names_out())
    grid = {"selector": ["passthrough", PCA(5, random_state=0), chosen]}
    search = GridSearchCV(pipe, grid, cv=3, scoring="roc_auc", refit=False).fit(data.paths, data.y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with pytest.raises(ValueError, match="samplers and selectors refuse"):
        default_steps(selector=PCA(5), on_error="nan")


def test_augment_slot_takes_a_sampler_over_references(data):
    class Twice(RandomOverSampler):
        def fit_resample(self, X, y, **params):
            return np.concatenate([X, X]), np.concatenate([y, y])

    pipe = quick(augment=Twice()).fit(data.paths, data.y)
    assert len(pipe.predict(data.paths)) == 60


GRID = {
    "sampler": ["passthrough", SMOTE(random_state=0, k_neighbors=3)],
    "classifier__max_depth": [2, 3, 4],
    "classifier__learning_rate": [0.1, 0.3],
}


def test_grid_of_12_candidates_decodes_each_image_once(data, tmp_path, decoded):
    with config_context(cache_folder=tmp_path):
        search = GridSearchCV(quick(), GRID, scoring="roc_auc", cv=StratifiedGroupKFold(5), n_jobs=1)
        search.fit(data.paths, data.y, groups=data.groups)
    assert len(search.cv_results_["params"]) == 12
    assert sorted(decoded) == sorted(data.paths)


class CountingReader(LesionReader):
    """Writes a line for each image that is prepared, in whichever process."""

    version = "1"

    def __init__(self, log=None):
        super().__init__()
        self.log = log

    def draft(self, rgb, mask=None, name="image"):
        with open(self.log, "a") as file:
            file.write(f"{os.path.basename(name)}\n")
        return super().draft(rgb, mask, name)


def test_grid_with_two_workers_decodes_at_most_twice(data, tmp_path):
    log = tmp_path / "log"
    get_reusable_executor().shutdown(wait=True)  # workers of an earlier test keep its settings
    with config_context(cache_folder=tmp_path):
        pipe = quick(reader=CountingReader(log=str(log)))
        search = GridSearchCV(pipe, GRID, scoring="roc_auc", cv=StratifiedGroupKFold(5), n_jobs=2)
        search.fit(data.paths, data.y, groups=data.groups)
    counts = pd.Series(log.read_text().split()).value_counts()
    assert len(counts) == 60
    assert counts.max() <= 2


def test_grid_over_features_and_reader(data, tmp_path):
    grid = {"features__texture__levels": [8, 16], "features__reader__segmenter": ["unet", "otsu"]}
    with config_context(cache_folder=tmp_path):
        search = GridSearchCV(quick(["texture"]), grid, scoring="roc_auc", cv=2).fit(data.paths[:30], data.y[:30])
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert set(search.best_params_) == set(grid)


def test_clone_pickle_slicing_names_and_pandas(data):
    pipe = quick().fit(data.paths, data.y)
    assert isinstance(pipe[:-1], LesionPipeline)
    names = pipe[:-1].get_feature_names_out()
    assert names[0] == "mask__is_fallback"
    assert pipe[-1].n_features_in_ == len(names)
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict_proba(data.paths), pipe.predict_proba(data.paths))
    fresh = clone(pipe)
    assert not hasattr(fresh["classifier"], "_labels")
    frame = clone(pipe)[:-1].set_output(transform="pandas").fit_transform(list(data.paths[:5]), data.y[:5])
    assert list(frame.columns) == list(names)
    assert pipe.set_params(features__color="drop").fit(data.paths, data.y)[-1].n_features_in_ < len(names)


def test_metadata_columns_beside_the_image(data):
    table = data.metadata[["age"]].fillna(50).assign(image=list(data.paths))
    columns = ColumnTransformer(
        [("image", LesionFeatures(default_steps(["color"])[1][1].families), "image"), ("age", "passthrough", ["age"])]
    )
    pipe = LesionPipeline([("features", columns), ("classifier", LesionClassifier(n_estimators=10))])
    folds = {"groups": data.groups, "cv": StratifiedGroupKFold(3)}
    proba = cross_val_predict(pipe, table, data.y, method="predict_proba", **folds)
    assert proba.shape == (60, 2)
    names = pipe.fit(table, data.y)[:-1].get_feature_names_out()
    assert names[-1] == "age__age"
    assert names[0].startswith("image__color__")


def test_labels_are_checked_before_images_are_read():
    X = ["no such file.jpg"] * 4
    for y in (["a", None, "b", "a"], [0.0, np.nan, 1.0, 0.0], pd.Series(["a", pd.NA, "b", "a"], index=list("wxyz"))):
        with pytest.raises(ValueError, match=r"y\[1\] is missing \(1 of 4\)"):
            quick().fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        quick().fit(X, ["a", "b"])
    with pytest.raises(ValueError, match="samplers and selectors refuse"):
        default_steps(sampler=SMOTE(), on_error="nan")


def test_meta_estimators(data):
    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(data.paths, data.y)
    assert calibrated.predict_proba(data.paths).shape == (60, 2)
    tuned = TunedThresholdClassifierCV(quick(), scoring="balanced_accuracy", cv=2).fit(data.paths, data.y)
    assert set(tuned.predict(data.paths)) <= {"benign", "malignant"}


def test_missing_weights_are_an_error_never_left_out(data, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with config_context(cache_folder=tmp_path):
        pipe = LesionPipeline(default_steps(embedding=CNNEmbedding("mobilenet", alpha=0.25)))
        with pytest.raises(FileNotFoundError, match=r"mobilenet_2_5_224_tf_no_top\.h5"):
            pipe.fit(data.paths, data.y)


def test_benchmark_of_selectors_runs_at_small_size(data, tmp_path, monkeypatch):
    for path, label in zip(data.paths, data.y, strict=True):
        folder = tmp_path / "train" / label
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    benchmarks = Path(__file__).parents[1] / "benchmarks"
    options = {"data": tmp_path, "out": tmp_path / "result", "embedding": "none", "folds": 2, "trees": 8}
    options |= {"resamples": 40, "columns": 20, "components": 5}
    arguments = ["selection.py", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.syspath_prepend(benchmarks)
    runpy.run_path(str(benchmarks / "selection.py"), run_name="__main__")
    results = json.loads((tmp_path / "result.json").read_text())["results"]
    assert len(results) == 6
    assert all(0 <= scores["auc"] <= 1 and scores["seconds"] > 0 for scores in results.values())
