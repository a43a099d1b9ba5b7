"""What every public transformer promises, and how many of scikit-learn's own checks really run on it."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

import dermfeat
from dermfeat import (
    ABCDFeatures,
    CNNEmbedding,
    ColorFeatures,
    FunctionFeatures,
    LesionFeatures,
    LesionImageError,
    MaskFeatures,
    TextureFeatures,
    config_context,
    datasets,
)
from dermfeat.extraction.base import LesionTransformer


def mean_color(lesion):
    return {f"mean_{c}": lesion.image[..., i].mean() for i, c in enumerate("rgb")}


TRANSFORMERS = {
    "mask": MaskFeatures(),
    "color": ColorFeatures(),
    "texture": TextureFeatures(),
    "abcd": ABCDFeatures(),
    "function": FunctionFeatures(mean_color),
    "stored function": FunctionFeatures(mean_color, version="1"),
    "embedding": CNNEmbedding("mobilenet", alpha=0.25, weights=None, input_size=64),
    "union": LesionFeatures(),
    "named union": LesionFeatures(["mask", "color"]),
    "mixed union": LesionFeatures(
        [("abcd", ABCDFeatures()), ("net", CNNEmbedding("mobilenet", alpha=0.25, weights=None, input_size=64))]
    ),
}


@pytest.fixture(scope="module")
def images():
    return datasets.make_lesions(5, size=(96, 120), random_state=3).X


@pytest.fixture(params=TRANSFORMERS)
def transformer(request):
    return clone(TRANSFORMERS[request.param])


def test_every_public_transformer_is_tested():
    public = {
        value
        for name in dermfeat.__all__
        if inspect.isclass(value := getattr(dermfeat, name)) and issubclass(value, LesionTransformer)
    }
    assert public - {LesionTransformer} == {type(t) for t in TRANSFORMERS.values()}


def test_rows_are_float32_finite_and_named(transformer, images):
    rows = transformer.fit(images).transform(images)
    names = transformer.get_feature_names_out()
    assert rows.dtype == np.float32
    assert rows.shape == (5, len(names))
    assert np.isfinite(rows).all()
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and " " not in name for name in names)


def test_a_row_depends_on_its_image_alone(transformer, images):
    with config_context(store=False):
        rows = transformer.transform(images)
        np.testing.assert_array_equal(transformer.transform(images[::-1]), rows[::-1])
        np.testing.assert_array_equal(transformer.transform([images[2]]), rows[2:3])


def test_the_store_changes_nothing(transformer, images, tmp_path):
    with config_context(store=False):
        rows = transformer.transform(images)
    with config_context(cache_folder=tmp_path):
        np.testing.assert_array_equal(transformer.transform(images), rows)
        np.testing.assert_array_equal(transformer.transform(images), rows)


def test_fit_learns_nothing_and_clone_pickle_and_parameters_work(transformer, images):
    before = dict(vars(transformer))
    assert transformer.fit(images, [0] * 5) is transformer
    assert vars(transformer) == before
    rows = transformer.transform(images)
    for copy in (clone(transformer), pickle.loads(pickle.dumps(transformer))):
        assert repr(copy) == repr(transformer)
        np.testing.assert_array_equal(copy.transform(images), rows)
    params = transformer.get_params()
    assert transformer.set_params(**params) is transformer


def test_constructor_only_assigns(transformer):
    if isinstance(transformer, LesionFeatures):
        return  # it fills in its defaults, as documented, so that they can be tuned
    kind = type(transformer)
    required = {"function": mean_color} if kind is FunctionFeatures else {}
    for name, value in kind(**required).get_params(deep=False).items():
        default = inspect.signature(kind).parameters[name].default
        assert value is (required.get(name, default))


def test_input_is_left_alone_and_output_can_be_pandas(transformer, images):
    import pandas as pd

    before = images.copy()
    series = pd.Series(list(images), index=list("abcde"))
    frame = clone(transformer).set_output(transform="pandas").fit_transform(series)
    assert list(frame.columns) == list(transformer.get_feature_names_out())
    assert list(frame.index) == list("abcde")
    np.testing.assert_array_equal(images, before)


def test_no_images_give_no_rows(transformer):
    assert transformer.transform([]).shape == (0, len(transformer.get_feature_names_out()))


@pytest.mark.parametrize("X", [np.zeros((20, 30, 3), np.uint8), np.zeros((4, 7)), "one.jpg"], ids=str)
def test_bare_images_and_tables_are_refused(transformer, X):
    with pytest.raises(LesionImageError, match="X: found"):
        transformer.transform(X)


def test_how_many_of_scikit_learns_checks_run(transformer):
    """Image input is out of their reach: this count says how little they prove, so that nobody relies on them."""
    assert isinstance(transformer, BaseEstimator)
    with pytest.warns(SkipTestWarning, match="requires input"):
        results = check_estimator(transformer, on_fail=None, on_skip="warn")
    passed = [r["check_name"] for r in results if r["status"] == "passed"]
    failed = [r["check_name"] for r in results if r["status"] == "failed"]
    assert not failed
    assert 1 <= len(passed) <= 5


def test_families_by_name():
    named = LesionFeatures(["color", ("own", FunctionFeatures(mean_color))])
    assert [name for name, _ in named.families] == ["color", "own"]
    assert isinstance(named.families[0][1], ColorFeatures)
    assert LesionFeatures("color").names() == LesionFeatures([("color", ColorFeatures())]).names()
    named.set_params(families=["texture", "abcd"], texture__levels=8)
    assert [name for name, _ in named.families] == ["texture", "abcd"]
    assert named.get_params()["texture__levels"] == 8
    assert named.set_params(families=None).names() == LesionFeatures().names()
    given = [("color", ColorFeatures())]
    assert LesionFeatures(given).families is given


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ("colour", r"family 'colour' is unknown; there are \['mask', 'color'"),
        (["mask", "colour"], "family 'colour' is unknown"),
        (ColorFeatures(), r"ColorFeatures\(\) in families has no name"),
        ([ColorFeatures()], r"ColorFeatures\(\) in families has no name"),
    ],
)
def test_families_that_are_none(families, message):
    with pytest.raises(ValueError, match=message):
        LesionFeatures(families)
    with pytest.raises(ValueError, match=message):
        LesionFeatures().set_params(families=families)
