"""One pass: each image decoded once, rows never stale, failures listed, memory bounded."""

import os
import re
import shutil
import tracemalloc
import warnings
from functools import partial

import cv2
import numpy as np
import pytest
from joblib import cpu_count, parallel_config, register_parallel_backend
from joblib.parallel import ThreadingBackend
from PIL import Image
from sklearn.base import clone

from dermfeat import (
    ABCDFeatures,
    CNNEmbedding,
    ColorFeatures,
    FunctionFeatures,
    LesionFeatures,
    LesionImageError,
    LesionReader,
    MaskFeatures,
    TextureFeatures,
    config_context,
    datasets,
)
from dermfeat.extraction import loop
from dermfeat.extraction.keys import family_key
from dermfeat.networks.runtime import allowed_threads


def small_embedding(**options):
    return CNNEmbedding("mobilenet", **{"alpha": 0.25, "weights": None, "input_size": 64} | options)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    data = datasets.make_lesions(6, size=(96, 120), random_state=1)
    for i, image in enumerate(data.X):
        Image.fromarray(image).save(folder / f"{i}.png")
    return [str(folder / f"{i}.png") for i in range(6)]


@pytest.fixture
def cold(tmp_path, session_cache):
    """An empty store beside the networks that are traced already."""
    if (session_cache / "networks").is_dir():
        shutil.copytree(session_cache / "networks", tmp_path / "networks")
    with config_context(cache_folder=tmp_path):
        yield tmp_path


def union():
    return LesionFeatures(
        [("mask", MaskFeatures()), ("color", ColorFeatures()), ("abcd", ABCDFeatures()), ("net", small_embedding())]
    )


def test_each_image_is_decoded_once_for_all_families(paths, cold, decoded):
    rows = union().transform(paths)
    assert sorted(decoded) == sorted(paths)
    np.testing.assert_array_equal(union().transform(paths), rows)
    assert len(decoded) == 6


def test_copies_are_measured_once(paths, cold, decoded):
    rows = union().transform([paths[0], paths[1], paths[0], paths[0]])
    assert len(decoded) == 2
    np.testing.assert_array_equal(rows[0], rows[2])
    np.testing.assert_array_equal(rows[0], rows[3])


def test_union_is_its_families_side_by_side(paths, cold):
    whole = union()
    parts = [clone(family).transform(paths) for _, family in whole.families]
    np.testing.assert_array_equal(whole.transform(paths), np.hstack(parts))
    assert whole.get_feature_names_out()[0] == "mask__is_fallback"


def test_only_what_is_missing_is_computed(paths, cold, decoded):
    LesionFeatures([("color", ColorFeatures())]).transform(paths)
    decoded.clear()
    LesionFeatures([("color", ColorFeatures()), ("mask", MaskFeatures())]).transform(paths[:4])
    LesionFeatures([("renamed", ColorFeatures())]).transform(paths)
    assert len(decoded) == 4


def test_changed_parameters_files_and_segmenters_give_no_stale_row(paths, cold, tmp_path):
    base = LesionFeatures([("texture", TextureFeatures())])
    first = base.transform(paths)
    changed = {
        "levels": clone(base).set_params(texture__levels=16),
        "size": clone(base).set_params(reader__working_size=80),
        "light": clone(base).set_params(reader__color_constancy="shades_of_gray"),
        "segmenter": clone(base).set_params(reader__segmenter=central_square),
    }
    for name, other in changed.items():
        rows = other.transform(paths)
        with config_context(store=False):
            np.testing.assert_array_equal(other.transform(paths), rows, err_msg=name)
        assert (rows != first).any(), name
    image = tmp_path / "changing.png"
    shutil.copy(paths[0], image)
    before = base.transform([image])
    shutil.copy(paths[1], image)
    assert (base.transform([image]) != before).any()


def central_square(rgb):
    mask = np.zeros(rgb.shape[:2], bool)
    mask[30:60, 40:80] = True
    return mask


def test_pixels_families_ignore_the_reader(paths, cold, decoded):
    features = LesionFeatures([("net", small_embedding())])
    features.transform(paths)
    features.set_params(reader__segmenter="otsu").transform(paths)
    assert len(decoded) == 6


MEASURED = []


def area(lesion):
    MEASURED.append(lesion.image.shape)
    return {"area": float(lesion.area)}


class OwnColors(ColorFeatures):
    version = "1"


def test_functions_are_stored_only_with_a_version(paths, cold):
    for version, expected in ((None, 4), ("1", 2), ("2", 2)):
        features = FunctionFeatures(area, version=version)
        MEASURED.clear()
        for _ in range(2):
            features.transform(paths[:2])
        assert MEASURED.count((96, 120, 3)) == expected  # the others are of the reference lesion, for the names


def test_keys_of_callables_and_foreign_classes():
    class Local(OwnColors):
        pass

    reader = LesionReader()
    assert family_key(ColorFeatures(), reader)
    assert family_key(Local(), reader) is None  # its source does not tell what surrounds it
    assert family_key(OwnColors(), reader) not in (None, family_key(ColorFeatures(), reader))
    for closed in (lambda lesion: {"a": 1.0}, partial(area)):
        assert family_key(FunctionFeatures(closed, version="1"), reader) is None
    assert family_key(TextureFeatures(levels=np.int64(16)), reader) == family_key(TextureFeatures(levels=16), reader)
    assert family_key(TextureFeatures(distances=np.array([1, 3])), reader)
    assert family_key(ColorFeatures(), LesionReader(max_pixels=5)) == family_key(ColorFeatures(), reader)
    assert family_key(ColorFeatures(), LesionReader(segmenter=central_square)) is None
    assert family_key(small_embedding(), LesionReader(segmenter=central_square))


def test_two_workers_give_the_same_rows(paths, cold):
    with config_context(store=False):
        alone = union().transform(paths)
        np.testing.assert_array_equal(union().set_params(n_jobs=2, batch_size=2).transform(paths), alone)


def threads(lesion):
    return {"opencv": cv2.getNumThreads(), "allowed": allowed_threads() or 0}


def test_workers_share_the_processors(paths, cold):
    """Each of two workers has its part of the threads; this process keeps its own setting."""
    before = cv2.getNumThreads()
    rows = LesionFeatures([("threads", FunctionFeatures(threads))], n_jobs=2, batch_size=1).transform(paths)
    assert (rows == int(os.environ.get("OMP_NUM_THREADS") or max(1, cpu_count() // 2))).all()
    assert cv2.getNumThreads() == before


def test_unreadable_images(paths, cold, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    X = [paths[0], str(tmp_path / "broken.jpg"), paths[1], str(tmp_path / "missing.jpg")]
    features = LesionFeatures([("color", ColorFeatures()), ("net", small_embedding())])
    with pytest.raises(LesionImageError, match=r"missing\.jpg|broken\.jpg"):
        features.transform(X)
    features.set_params(on_error="nan")
    with pytest.warns(UserWarning, match=r"2 of 4 images.*\n.*broken\.jpg.*\n.*missing\.jpg"):
        rows = features.transform(X)
    assert np.isnan(rows[[1, 3]]).all()
    assert np.isfinite(rows[[0, 2]]).all()
    with pytest.raises(ValueError, match="use 'raise' or 'nan'"):
        features.set_params(on_error="skip").transform(X)


def test_images_with_and_without_masks_share_a_batch(paths):
    mask = np.zeros((120, 160), bool)
    mask[30:80, 40:100] = True
    with Image.open(paths[0]) as first:
        mask = cv2.resize(mask.astype(np.uint8), first.size) > 0
    mixed = [(paths[0], mask), *paths[1:5]]
    with config_context(store=False):
        rows = [LesionFeatures(batch_size=size).transform(mixed) for size in (5, 1)]
    np.testing.assert_array_equal(*rows)


def test_a_reader_that_overrides_prepare_is_refused(paths):
    class Mine(LesionReader):
        def prepare(self, rgb, mask=None, name="image"):
            return super().prepare(255 - rgb, mask, name)

    with pytest.raises(TypeError, match="Mine overrides prepare"):
        LesionFeatures(reader=Mine()).transform(paths[:1])


def test_a_bad_mask_of_a_segmenter_names_the_image(paths):
    features = LesionFeatures(reader=LesionReader(segmenter=lambda rgb: np.ones((3, 3), bool)))
    with pytest.raises(LesionImageError, match=r"\.(png|jpg): segmenter <lambda>: the mask has shape \(3, 3\)"):
        features.transform(paths[:1])


def test_errors_of_measures_are_not_swallowed(paths, cold):
    def broken(lesion):
        return {"a": float("nan") if lesion.image.shape[0] == 96 else 0.0}

    def faulty(lesion):
        return {"a": 1 / (lesion.image.shape[0] - 96)}

    with pytest.raises(ValueError, match=r"not finite.*: \['a'\]"):
        LesionFeatures([("own", FunctionFeatures(broken))], on_error="nan").transform(paths[:1])
    with pytest.raises(ZeroDivisionError) as caught:
        LesionFeatures([("own", FunctionFeatures(faulty))], on_error="nan").transform(paths[:1])
    assert caught.value.__notes__ == [f"while measuring {paths[0]}"]
    with pytest.raises(ValueError, match="not finite"):
        LesionFeatures([("own", FunctionFeatures(lambda lesion: {"a": 1e300}))]).transform(paths[:1])
    with pytest.raises(ValueError, match="other names"):
        FunctionFeatures(lambda lesion: {f"h{lesion.image.shape[0]}": 1.0}).transform(paths[:1])


def test_union_says_what_is_wrong_with_its_families():
    with pytest.raises(TypeError, match="FeatureUnion or ColumnTransformer"):
        LesionFeatures([("color", object())]).fit([])
    with pytest.raises(TypeError, match="'own' is a LesionFeatures"):
        LesionFeatures([("own", LesionFeatures())]).fit([])
    with pytest.raises(ValueError, match="conflict with constructor arguments"):
        LesionFeatures([("n_jobs", ColorFeatures())]).fit([])
    with pytest.raises(ValueError, match="not unique"):
        LesionFeatures([("a", ColorFeatures()), ("a", MaskFeatures())]).fit([])
    with pytest.raises(ValueError, match="every one is 'drop'"):
        LesionFeatures([("a", "drop")]).fit([])
    with pytest.raises(ValueError, match="Invalid parameter"):
        LesionFeatures().set_params(colour__bins=3)


def test_drop_and_nested_parameters(paths):
    features = LesionFeatures().set_params(texture="drop", abcd="drop", reader__hair_removal=False)
    assert not any("texture__" in name for name in features.get_feature_names_out())
    assert features.reader.hair_removal is False
    assert LesionFeatures().reader.hair_removal is True
    assert features.set_params(reader=None, families=None).reader.hair_removal is True
    assert len(features.families) == 4


def test_reader_sizes_and_masks():
    data = datasets.make_lesions(1, size=(300, 400), random_state=0)
    lesion = LesionReader(working_size=200).prepare(data.X[0])
    assert lesion.image.shape == (150, 200, 3)
    assert LesionReader().prepare(data.X[0]).image.shape == (300, 400, 3)
    assert min(LesionReader().prepare(data.X[0][:40, :60]).image.shape[:2]) == 64
    given = LesionReader(working_size=200).prepare(data.X[0], data.masks[0])
    assert given.area == pytest.approx(data.masks[0].sum() / 4, rel=0.02)
    with pytest.raises(LesionImageError, match="its mask 300 x 300"):
        LesionReader().prepare(data.X[0], data.masks[0][:, :300])
    with pytest.raises(ValueError, match="color_constancy='gray'"):
        LesionReader(color_constancy="gray").prepare(data.X[0])


@pytest.mark.parametrize("value", [0, 255, 128])
def test_fallback_is_flagged(value):
    image = np.full((80, 100, 3), value, np.uint8)
    features = LesionFeatures()
    row = dict(zip(features.get_feature_names_out(), features.transform([image])[0], strict=True))
    assert row["mask__is_fallback"] == 1
    full = dict(zip(row, features.transform([(image, np.ones((80, 100), bool))])[0], strict=True))
    assert full["mask__is_fallback"] == 1
    assert np.isfinite(list(full.values())).all()


class Broken(CNNEmbedding):
    def finish(self, prepared, names=None):
        return super().finish(prepared, names) * np.nan


def test_what_is_not_finite_is_refused_and_not_stored(paths, cold):
    broken = Broken(**small_embedding().get_params())
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"{re.escape(paths[0])}: Broken gave values that are not finite"):
            LesionFeatures([("net", broken)]).transform(paths[:2])


def test_one_batch_starts_no_workers(paths, cold, monkeypatch):
    monkeypatch.setattr(loop, "in_workers", lambda n_jobs: pytest.fail("workers for one batch"))
    assert LesionFeatures(["mask"], n_jobs=2).transform(paths).shape[0] == len(paths)


class AllAtOnce(ThreadingBackend):
    """Cannot give results one by one, like joblib's "multiprocessing"."""

    supports_return_generator = False


def test_other_backends_give_the_same_rows(paths, cold):
    register_parallel_backend("all at once", AllAtOnce)
    with config_context(store=False):
        alone = LesionFeatures(["mask"]).transform(paths)
        for backend in ("threading", "all at once"):
            with parallel_config(backend=backend, n_jobs=2):
                rows = LesionFeatures(["mask"], batch_size=2).transform(paths)
            np.testing.assert_array_equal(rows, alone)


def test_memory_does_not_grow_with_the_number_of_images(cold):
    image = datasets.make_lesions(1, size=(240, 320), random_state=0).X[0]
    features = LesionFeatures([("mask", MaskFeatures())], batch_size=4)

    def distinct(i):  # in one pixel, so that each takes the same memory
        changed = image.copy()
        changed[0, 0] = i
        return changed

    def peak(n):
        X = [distinct(i) for i in range(n)]
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = features.transform(X)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high - rows.nbytes

    few, many = peak(20), peak(80)  # in this order: rows of the second that the first has stored cost nothing
    assert few > 3 * image.nbytes
    assert many < 1.15 * few
