"""The side-by-side benchmarks run at small size, their statistics are right, and the README repeats what they found."""

import json
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the package `benchmarks` is not installed

from benchmarks.compare import __main__ as command  # noqa: E402
from benchmarks.compare import classical, growth, images, measures  # noqa: E402
from benchmarks.compare.figures import Figure, Result, rate  # noqa: E402
from benchmarks.compare.runner import Measured, competitor, interleave  # noqa: E402
from benchmarks.compare.settings import DEFAULT, Settings  # noqa: E402
from dermfeat import Lesion, datasets  # noqa: E402
from dermfeat import measures as own  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "compare.json"


class Fake:
    """Competitors that sleep; one fails, one lacks a package."""

    def setup(self, settings=DEFAULT):
        self.images = [1, 2]

    @competitor(cores=1)
    def time_dermfeat(self):
        time.sleep(0.004)
        return [(os.environ["OMP_NUM_THREADS"], len(getattr(os, "sched_getaffinity", str)(0)))] * 2

    @competitor(FAKE="told")
    def time_slow(self):
        time.sleep(0.04)
        return [os.environ["FAKE"]] * 2

    @competitor()
    def time_broken(self):
        raise ValueError("it is broken\nin detail")

    @competitor("no-such-package-anywhere")
    def time_elsewhere(self):
        return []


@pytest.fixture(scope="module")
def fake():
    return interleave(Fake, Settings(quick=True))


def test_competitors_run_in_turn_in_processes_of_their_own(fake):
    assert list(fake.seconds) == ["dermfeat", "slow"]
    assert all(len(seconds) == 2 for seconds in fake.seconds.values())
    assert min(fake.seconds["dermfeat"]) >= 0.002  # of one image of two
    assert fake.ratio("slow") > 1
    assert fake.values["slow"] == ["told"] * 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not hold processes to cores")
def test_a_competitor_is_held_to_its_cores(fake):
    assert fake.values["dermfeat"] == [("1", 1)] * 2


def test_absent_competitors_are_named_with_a_reason(fake):
    assert fake.absent["broken"] == "ValueError: it is broken"
    assert fake.absent["elsewhere"] == "not installed: no-such-package-anywhere"
    result = Result()
    result.add("Fake", fake)
    assert [row["competitor"] for row in result.tables["Fake"]] == ["dermfeat", "slow", "broken", "elsewhere"]


def test_statistics():
    found = Measured({"dermfeat": [1.0, 3.0, 2.0], "keras_a": [4.0, 9.0, 5.0], "keras_b": [4.0, 4.5, 9.0]})
    assert found.median("keras_a") == 5
    assert found.ratio("keras_a") == 2.5
    assert found.ratio("keras_c") is None
    assert found.ratios("keras_a") == (2.5, 4.0)
    assert found.best("keras") == "keras_b"
    assert found.best("torch") is None
    assert rate(found, "dermfeat") == "0.5 images/s"
    assert rate(found, "torch") == "-"


@pytest.mark.parametrize(
    ("value", "bound", "reached"),
    [(2.1, {"at_least": 2}, "yes"), (1.9, {"at_least": 2}, "no"), (1.2, {"at_most": 1.1}, "no"),
     (1.0, {"at_most": 1.1}, "yes"), (None, {"at_least": 2}, ""), (3, {}, "")],
)  # fmt: skip
def test_figures_say_whether_they_are_reached(value, bound, reached):
    assert Figure("name", "theirs", "ours", value, **bound).row()["reached"] == reached


def test_drawn_files_are_all_different(tmp_path):
    paths = images.drawn_files(Settings(quick=True, folder=str(tmp_path)), 70)
    assert len({Path(path).read_bytes() for path in paths}) == 70
    image = np.arange(9 * 40 * 3, dtype=np.uint8).reshape(9, 40, 3)
    assert len({images.altered(image, copy).tobytes() for copy in range(64)}) == 64


def test_values_that_are_defined_alike_agree():
    data = datasets.make_lesions(2, size=(96, 128), random_state=0, dark_corners=0)
    for image, mask in zip(data.X, data.masks, strict=True):
        lesion = Lesion(image, mask)
        ours = own.glcm(lesion) | own.lbp(lesion) | own.color_moments(lesion) | own.gabor(lesion)
        theirs = classical.glcm(image, mask)
        assert set(theirs) <= set(ours)
        assert all(np.isclose(ours[name], theirs[name], rtol=1e-6) for name in theirs)
        shares = classical.lbp(image, mask)
        assert all(abs(ours[name] - shares[name]) < 0.01 for name in shares)
        colors = {name: value for name, value in classical.color(image, mask).items() if name in ours}
        assert len(colors) == 30
        assert np.isclose(ours["lab_l_mean_lesion"], colors["lab_l_mean_lesion"], atol=0.1)
        waves = classical.gabor(image, mask)
        assert np.isclose(ours["gabor_mean_w4"], waves["gabor_mean_w4"], rtol=0.02)


def test_one_group_side_by_side():
    found = interleave(measures.Lbp, Settings(quick=True), rounds=2)
    assert {"dermfeat", "scikit_image"} <= found.seconds.keys() | found.absent.keys()
    assert "28 of 28 defined alike" in measures.agreements(found.values)["scikit_image"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell peaks of memory")
def test_peak_memory():
    before = growth.peak(os.getpid())
    kept = np.ones(2**25)
    assert growth.peak(os.getpid()) >= before > 1
    assert growth.peak(os.getpid()) > kept.nbytes / 2**20


def test_the_command(tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, image in enumerate(datasets.make_lesions(2, size=(96, 128), random_state=0).X):
        cv2.imwrite(str(photos / f"{i}.jpg"), image)
    out = str(tmp_path / "result")
    command.main(["--only", "preparation", "--quick", "--data", str(photos), "--out", out])
    record = json.loads((tmp_path / "result.json").read_text())
    figures = record["tables"]["Figures"]
    assert [row["wanted"] for row in figures] == ["at most 20", "at most 35"]
    assert all(float(row["ratio or value"]) > 0 for row in figures)
    assert "these numbers say nothing" in (tmp_path / "result.md").read_text()
    capsys.readouterr()
    command.main(["--readme", f"{out}.json"])
    assert capsys.readouterr().out.strip() == command.readme_rows(record)


def test_a_comparison_that_fails_is_named(capsys):
    tables, notes, _ = command.run(Settings(quick=True), ["nowhere"])
    assert tables == {}
    assert notes[-1].startswith("NOWHERE FAILED: ModuleNotFoundError")
    capsys.readouterr()


def test_readme_repeats_the_results():
    if not RESULT.exists():
        pytest.skip("the comparison has not been run for this version")
    rows = command.readme_rows(json.loads(RESULT.read_text(encoding="utf-8")))
    assert rows in (ROOT / "README.md").read_text(encoding="utf-8")
