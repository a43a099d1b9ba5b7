"""Rows on disk: the same as in memory, whole parts or none, only what is missing is computed, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from counted import Counted, counting, measured, wait_for, worker_killed_after
from PIL import Image

from dermfeat import (
    FunctionFeatures,
    LesionFeatures,
    LesionImageError,
    LesionReader,
    MaskFeatures,
    config_context,
    datasets,
    read_extracted,
)
from dermfeat.extraction import partitions

parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet output needs pyarrow: pip install 'dermfeat[parquet]'")
pytestmark = pytest.mark.filterwarnings("ignore:.*is the first. Their rows in:UserWarning")  # one test expects it
posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
COUNT, SIZE = 22, 4  # images, in parts of four and a last one of two


@pytest.fixture
def cold(tmp_path):
    """An empty store."""
    with config_context(cache_folder=tmp_path / "cache"):
        yield


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "images").mkdir()
    data = datasets.make_lesions(COUNT, size=(96, 128), random_state=2)
    files = [tmp_path / "images" / f"{i}.jpg" for i in range(COUNT)]
    for file, image in zip(files, data.X, strict=True):
        Image.fromarray(image).save(file)
    return [str(file) for file in files]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "rows"


def rows(table, features):
    return table[list(features.get_feature_names_out())].to_numpy()


def part(out, number):
    return out / f"part-{number:05}.parquet"


@pytest.fixture
def extracted(cold, paths, log, out):
    """Features whose rows are in `out`, with the log emptied."""
    features = counting(log)
    features.extract(paths, out, partition_size=SIZE)
    log.unlink()
    return features


def test_same_rows_as_in_memory(cold, paths, log, out):
    features = counting(log)
    done = features.extract(paths, out, partition_size=SIZE)
    assert (done.folder, done.images, done.written, done.unreadable) == (out, COUNT, COUNT, ())
    assert len(measured(log)) == COUNT
    table = done.read()
    assert list(table.columns) == ["position", "image", "digest", "error", *features.get_feature_names_out()]
    assert set(table.dtypes[4:]) == {np.dtype(np.float32)}
    assert list(table["image"]) == paths
    assert list(table["position"]) == list(range(COUNT))
    assert table["error"].isna().all()
    with config_context(store=False):
        np.testing.assert_array_equal(rows(table, features), features.transform(paths))
    pd.testing.assert_frame_equal(pd.read_parquet(out), table)
    assert len(list(out.glob("part-*.parquet"))) == 6
    chosen = read_extracted(out, ["image", "counted__area"])
    assert list(chosen.columns) == ["image", "counted__area"]


def test_a_second_call_measures_nothing(extracted, paths, log, out):
    before = read_extracted(out)
    assert extracted.extract(paths, out, partition_size=SIZE).written == 0
    assert measured(log) == []
    pd.testing.assert_frame_equal(read_extracted(out), before)


@pytest.mark.parametrize("harm", ["missing", "truncated", "empty", "names", "values", "renumbered"])
def test_only_missing_and_damaged_parts_are_computed(extracted, paths, log, out, harm):
    before = read_extracted(out)
    harmed = part(out, 2)
    data = bytearray(harmed.read_bytes())
    if harm == "missing":
        harmed.unlink()
    elif harm == "renumbered":
        harmed.write_bytes(part(out, 3).read_bytes())
    else:
        column = parquet.read_metadata(harmed).row_group(0).column(len(before.columns) - 1)
        data[column.data_page_offset + column.total_compressed_size - 2] ^= harm == "values"
        data = data.replace(b"mask__", b"wash__") if harm == "names" else data
        harmed.write_bytes(data[: {"truncated": 900, "empty": 0}.get(harm)])
    if harm != "renumbered":
        with pytest.raises(ValueError, match=rf"part-00002.parquet: .* is {harm if harm == 'missing' else 'damaged'}"):
            read_extracted(out)
    with config_context(store=False):
        assert extracted.extract(paths, out, partition_size=SIZE).written == SIZE
    assert len(measured(log)) == SIZE
    pd.testing.assert_frame_equal(read_extracted(out), before)


def test_changed_content_is_measured_anew(extracted, paths, log, out):
    before = read_extracted(out)
    Path(paths[9]).write_bytes(Path(paths[0]).read_bytes())
    assert extracted.extract(paths, out, partition_size=SIZE).written == SIZE
    assert measured(log) == []  # the store has seen them all
    after = read_extracted(out)
    columns = list(after.columns[2:])
    pd.testing.assert_series_equal(after.loc[9, columns], before.loc[0, columns], check_names=False)
    pd.testing.assert_frame_equal(after.drop(index=9), before.drop(index=9))


def test_half_written_files_are_no_rows(extracted, paths, out):
    before = read_extracted(out)
    (out / partitions._TEMPORARY.format("killed")).write_bytes(b"PAR1 half a part")
    pd.testing.assert_frame_equal(pd.read_parquet(out), before)
    extracted.extract(paths, out, partition_size=SIZE)
    assert sorted(path.name for path in out.iterdir()) == ["_dermfeat.json", *(part(out, i).name for i in range(6))]


def test_unreadable_images_are_listed_and_can_be_mended(cold, paths, log, out):
    good = Path(paths[6]).read_bytes()
    Path(paths[6]).write_bytes(b"\xff\xd8\xff\xe0 broken")
    X = [*paths, "missing.jpg", (paths[0], "no_mask.png")]
    features = counting(log)
    with pytest.warns(UserWarning, match=r"6\.jpg: .*3 of 24 images could not be used.*all others are measured"):
        done = features.extract(X, out, partition_size=SIZE)
    assert [(position, Path(name).name) for position, name, _ in done.unreadable] == [
        (6, "6.jpg"), (22, "missing.jpg"), (23, "0.jpg"),
    ]  # fmt: skip
    table = done.read()
    assert list(np.flatnonzero(table["error"].notna())) == [6, 22, 23]
    assert table["error"][22].startswith("there is no such file")
    assert table["error"][23].startswith("mask: there is no such file")
    assert np.isnan(rows(table, features)[[6, 22, 23]]).all()
    assert np.isfinite(rows(table, features)[[*range(6), *range(7, 22)]]).all()
    with pytest.raises(LesionImageError, match=r"6\.jpg: .*3 of 24 images"):
        counting(log, on_error="raise").extract(X, out, partition_size=SIZE)
    Path(paths[6]).write_bytes(good)
    again = features.extract(X, out, partition_size=SIZE)
    assert again.written == SIZE
    assert [position for position, *_ in again.unreadable] == [22, 23]
    np.testing.assert_array_equal(rows(again.read(), features)[:22], features.transform(paths))


def test_on_error_raise_measures_everything_else_first(cold, paths, log, out):
    features = counting(log, on_error="raise")
    with pytest.raises(LesionImageError, match=r"missing\.jpg: there is no such file.*1 of 23 images"):
        features.extract(["missing.jpg", *paths], out, partition_size=SIZE)
    np.testing.assert_array_equal(rows(read_extracted(out), features)[1:], features.transform(paths))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f, X: (f, X[:-1]), r"images \(\d+ there, \d+ given\), names"),
        (lambda f, X: (f, [X[1], X[0], *X[2:]]), "differs in names"),
        (lambda f, X: (f.set_params(reader__working_size=80), X), r"families \(counted, mask\)"),
        (lambda f, X: (f.set_params(counted__seconds=0.1), X), r"families \(counted\)\. "),
        (lambda f, X: (f.set_params(mask="drop"), X), r"families \(mask\), columns"),
        (lambda f, X: (f.set_params(reader__max_pixels=10), X), "differs in max_pixels"),
    ],
)
def test_the_folder_of_something_else_is_refused(extracted, paths, out, change, says):
    features, X = change(extracted, paths)
    with pytest.raises(ValueError, match=says):
        features.extract(X, out, partition_size=SIZE)


def test_other_sizes_versions_and_files_are_refused(extracted, paths, log, out, tmp_path):
    with pytest.raises(ValueError, match="partition_size"):
        extracted.extract(paths, out, partition_size=SIZE + 1)
    manifest = json.loads((out / "_dermfeat.json").read_text())
    manifest["environment"]["numpy"] = "0.1"
    (out / "_dermfeat.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"environment \(numpy\)"):
        extracted.extract(paths, out, partition_size=SIZE)
    with pytest.raises(RuntimeError, match=r"begun with .*'numpy': '0\.1'"):  # a worker with other versions
        partitions._complete(manifest["run"], part(out, 0), 0, [], [], extracted.reader, 4)
    (out / "_dermfeat.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        extracted.extract(paths, out, partition_size=SIZE)
    log.touch()
    with pytest.raises(ValueError, match=r"no extraction wrote, \['cache', 'images', 'log'"):
        extracted.extract(paths, tmp_path)
    with pytest.raises(ValueError, match="there is no extraction"):
        read_extracted(tmp_path)


def test_workers_of_a_former_call_stop(extracted, paths, out):
    former = json.loads((out / "_dermfeat.json").read_text())["run"]
    extracted.extract(paths, out, partition_size=SIZE)
    with pytest.raises(RuntimeError, match="another call"):
        partitions._complete(former, part(out, 0), 0, [], [], extracted.reader, 4)


def test_wrong_arguments_leave_no_folder(cold, paths, log, out, monkeypatch):
    for options in ({"on_error": "skip"}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(options))}="):
            counting(log, **options).extract(paths, out)
    with pytest.raises(ValueError, match="partition_size=0"):
        counting(log).extract(paths, out, partition_size=0)
    with pytest.raises(LesionImageError, match="one image where a list"):
        counting(log).extract(paths[0], out)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"dermfeat\[parquet\]"):
        counting(log).extract(paths, out)
    assert not out.exists()


def test_unknown_columns(extracted, out):
    with pytest.raises(ValueError, match=r"has no columns \['area'\]"):
        read_extracted(out, ["area"])


def test_functions_without_version_fill_a_folder_but_do_not_go_on(cold, paths, log, out):
    own = LesionFeatures([("own", FunctionFeatures(lambda lesion: {"area": float(lesion.area)}))])
    own.set_params(reader=LesionReader(segmenter="otsu"))
    assert own.extract(paths[:3], out).read()["own__area"].notna().all()
    with pytest.raises(ValueError, match=r"families \['own'\].*give version to a function at the top level"):
        own.extract(paths[:3], out)


def test_arrays_copies_masks_and_nothing(cold, out):
    data = datasets.make_lesions(5, size=(96, 128), random_state=3)
    features = LesionFeatures(["mask"])
    stack = np.stack(data.X)
    table = features.extract(stack, out / "stack", partition_size=2).read()
    assert list(table["image"]) == [f"X[{i}] (ndarray)" for i in range(5)]
    np.testing.assert_array_equal(rows(table, features), features.transform(stack))
    pairs = [*zip(data.X, data.masks, strict=True), (data.X[0], data.masks[0])]
    table = features.extract(pairs, out / "pairs").read()
    np.testing.assert_array_equal(rows(table, features), features.transform(pairs))
    assert features.extract([], out / "nothing").read().shape == (0, len(table.columns))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are always text")
def test_names_that_are_no_text(cold, paths, log, out, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    odd.write_bytes(Path(paths[0]).read_bytes())
    table = counting(log).extract([str(odd), odd.with_name("\udcfe")], out).read()
    assert table["image"][0].endswith("\\udcff.jpg")
    assert list(table["error"].notna()) == [False, True]


def test_memory_does_not_grow_with_the_number_of_images(cold, out):
    image = datasets.make_lesions(1, size=(120, 160), random_state=0).X[0]
    features = LesionFeatures([("mask", MaskFeatures())], batch_size=4, reader=LesionReader(segmenter="otsu"))

    def peak(n):
        X = [image + np.uint8(i % 200) for i in range(n)]
        tracemalloc.start()
        features.extract(X, out / str(n), partition_size=8)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(8)  # what is loaded once
    few, many = peak(24), peak(120)
    assert few > 3 * image.nbytes
    assert many < 1.15 * few


@posix
def test_killed_at_random_moments(cold, paths, log, out):
    """Each run is killed after a random number of images; in the end each is there, few were measured twice."""
    rng = np.random.default_rng(0)
    code = (
        "import json, sys; sys.path.insert(0, 'tests'); from counted import counting\n"
        "log, out, size, paths = json.loads(sys.argv[1])\n"
        "counting(log, 0.01).extract(paths, out, partition_size=size)\n"
    )
    kills = 0
    for count in np.sort(rng.integers(1, COUNT, 4)):
        arguments = json.dumps([str(log), str(out), 6, paths])
        child = subprocess.Popen([sys.executable, "-c", code, arguments], cwd=Path(__file__).parents[1])
        wait_for(log, count, lambda child=child: child.poll() is None)
        child.kill()
        child.wait()
        assert child.returncode in (0, -signal.SIGKILL)
        kills += child.returncode != 0
    assert kills >= 2
    features = counting(log, 0.01)
    assert len(measured(log)) > COUNT // 2
    table = features.extract(paths, out, partition_size=6).read()
    assert COUNT <= len(measured(log)) <= COUNT + kills * features.batch_size
    with config_context(store=False):
        np.testing.assert_array_equal(rows(table, features), features.transform(paths))


@posix
def test_a_killed_worker_of_two(cold, paths, log, out):
    """joblib's own workers stop with an error where one is killed; the same call again goes on."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    features = counting(log, 0.02, n_jobs=2)
    after = 2 * SIZE + 1  # two workers hold two parts at most that are measured and not yet written
    with pytest.raises(TerminatedWorkerError), worker_killed_after(log, after):
        features.extract(paths, out, partition_size=SIZE)
    done = features.extract(paths, out, partition_size=SIZE)
    assert done.written < COUNT
    assert COUNT <= len(measured(log)) <= COUNT + 2 * features.batch_size
    with config_context(store=False):
        np.testing.assert_array_equal(rows(done.read(), features), features.transform(paths))


def test_counted_is_storable():
    from dermfeat.extraction.keys import family_key

    assert family_key(Counted("log"), LesionReader()) is not None
