"""The benchmarks of segmenters and of clinical measures run at small size, and what they compute is right."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_ph2 import many_lesions, write_ph2

from dermfeat import LesionReader, datasets, measures

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LESIONS = 24


@pytest.fixture(scope="module")
def segmentation():
    return SimpleNamespace(**runpy.run_path(str(BENCHMARKS / "segmentation.py")))


@pytest.fixture(scope="module")
def clinical():
    return SimpleNamespace(**runpy.run_path(str(BENCHMARKS / "clinical.py")))


@pytest.fixture(scope="module")
def ham(tmp_path_factory):
    """HAM10000's layout with drawn lesions, masks of another size than the images, two photos of most lesions."""
    root = tmp_path_factory.mktemp("ham")
    data = datasets.make_lesions(LESIONS, size=(96, 128), random_state=0, photos_per_lesion=1.5, hair=0)
    rows = []
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for i, (image, mask, label, group) in enumerate(zip(data.X, data.masks, data.y, data.groups, strict=True)):
        name = f"ISIC_{i:07}"
        Image.fromarray(image).save(root / f"images/{name}.jpg")
        Image.fromarray(mask).resize((256, 192)).save(root / f"masks/{name}_segmentation.png")
        rows.append({"lesion_id": group, "image_id": name, "dx": "mel" if label == "malignant" else "nv"})
    rows += [{"lesion_id": "other", "image_id": "ISIC_9999999", "dx": "bkl"}]
    metadata = pd.DataFrame(rows)
    metadata.to_csv(root / "HAM10000_metadata.csv", index=False)
    split = metadata.rename(columns={"lesion_id": "group"})[["image_id", "group"]].iloc[:LESIONS]
    split = split.assign(set="ham10000", part="pretrain")
    aside = pd.DataFrame([["ISIC_8888888", "aside", "ham10000", "benchmark"], ["ISIC_1", "x", "isic2017", "pretrain"]])
    pd.concat([split, aside.set_axis(split.columns, axis=1)]).to_csv(root / "split.csv", index=False)
    return root


@pytest.fixture(scope="module")
def ph2(tmp_path_factory):
    return write_ph2(tmp_path_factory.mktemp("ph2"), many_lesions(9))


def run(name, options, monkeypatch, folder):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [name, *map(str, options), "--out", str(folder / "r")])
    runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
    assert "not for diagnosis" in (folder / "r.md").read_text()
    return json.loads((folder / "r.json").read_text())


def test_segmentation_of_ham10000(ham, monkeypatch, tmp_path):
    options = ["--data", ham, "--split", ham / "split.csv", "--segmenter", "otsu", "chan_vese", "--sheet", "worst.png"]
    options += ["--resamples", "50"]
    record = run("segmentation.py", options, monkeypatch, tmp_path)
    found = record["results"]
    assert list(found) == ["otsu", "chan_vese", "centred ellipse", "whole frame"]
    assert {scores["n"] for scores in found.values()} == {LESIONS}
    for scores in found.values():
        low, high = scores["jaccard_interval"]
        assert 0 < low < scores["jaccard"] < high < 1
    assert found["otsu"]["jaccard"] > 0.75 > found["whole frame"]["jaccard"]
    assert found["whole frame"]["sensitivity"] == 1
    assert found["whole frame"]["specificity"] == 0
    assert found["otsu"]["time"] == 1
    assert found["chan_vese"]["lead"] == pytest.approx(found["chan_vese"]["jaccard"] - found["otsu"]["jaccard"])
    worst = [row["jaccard"] for row in record["worst"]["otsu"]]
    assert len(worst) == 20
    assert worst == sorted(worst)
    assert np.asarray(Image.open(tmp_path / "worst.png")).shape == (2 * 4 * 240, 5 * 320, 3)


def test_segmentation_of_ph2_and_its_sheet(ph2, monkeypatch, tmp_path):
    options = ["--ph2", ph2, "--segmenter", "otsu", "--limit", "4", "--sheet", "worst.png", "--resamples", "50"]
    record = run("segmentation.py", options, monkeypatch, tmp_path)
    assert record["results"]["otsu"]["n"] == 4
    assert "4 images of 4 lesions of PH2" in record["notes"]
    pixels = np.asarray(Image.open(tmp_path / "worst.png"))
    assert pixels.shape == (240, 5 * 320, 3)
    for color in ((0, 255, 0), (255, 0, 255)):
        assert (pixels[20:] == color).all(axis=2).any()


def test_overlap_is_what_its_names_say(segmentation):
    expert = np.zeros((40, 60), bool)
    expert[:, :30] = True
    found = np.zeros((20, 30), bool)  # half the size, a third too far
    found[:, :20] = True
    assert segmentation.overlap(found, expert) == pytest.approx(
        {"jaccard": 3 / 4, "dice": 6 / 7, "sensitivity": 1, "specificity": 2 / 3}
    )
    assert segmentation.overlap(~expert, expert)["jaccard"] == 0


def test_outline_is_the_one_of_lesion_reader(segmentation, ham):
    name = "ISIC_0000000"
    lesion, _ = segmentation.read(str(ham / f"images/{name}.jpg"), str(ham / f"masks/{name}_segmentation.png"))
    mask, confidence, seconds = segmentation.outlined(lesion, "otsu")
    rgb = np.asarray(Image.open(ham / f"images/{name}.jpg"))
    np.testing.assert_array_equal(mask, LesionReader(segmenter="otsu").prepare(rgb).mask)
    assert 0 < confidence <= 1
    assert seconds > 0


def test_interval_of_a_mean_takes_lesions_as_wholes(segmentation):
    values, groups = np.repeat([0.0, 1.0], 50), np.repeat(np.arange(10), 10)
    low, high = segmentation.mean_interval(values, groups, 500)
    narrow_low, narrow_high = segmentation.mean_interval(values, np.arange(100), 500)
    assert low < narrow_low < 0.5 < narrow_high < high
    assert segmentation.mean_interval(np.ones(5), np.arange(5), 9) == (1, 1)


def test_worth_of_confidence(segmentation):
    jaccard = np.linspace(0.3, 0.9, 30)
    worth = segmentation.worth_of_confidence(jaccard, jaccard**2, np.arange(30), 20)
    assert worth["confidence_auc"] == 1
    assert worth["confidence_spearman"] == pytest.approx(1)
    assert segmentation.worth_of_confidence(jaccard, -jaccard, np.arange(30), 20)["confidence_auc"] == 0
    assert segmentation.worth_of_confidence(np.ones(5), np.ones(5), np.arange(5), 20)["confidence_auc"] is None


def test_segmentation_needs_to_know_its_images(segmentation, ham, capsys):
    for options in (["--data", str(ham)], ["--ph2", "a", "--data", "b"], []):
        with pytest.raises(SystemExit):
            segmentation.main(options)
    assert "not allowed with" in capsys.readouterr().err
    empty = ham / "empty.csv"
    empty.write_text("set,image_id,group,part\n")
    with pytest.raises(SystemExit, match=r"empty\.csv lists no image"):
        segmentation.main(["--data", str(ham), "--split", str(empty)])


def test_clinical_of_ham10000(ham, monkeypatch, tmp_path):
    options = ["--data", ham, "--split", ham / "split.csv", "--segmenter", "otsu", "--folds", "2", "--resamples", "20"]
    record = run("clinical.py", options, monkeypatch, tmp_path)
    assert record["results"]["majority class"]["auc"] == 0.5
    rows = [name for name in record["results"] if name.endswith("own masks")]
    assert any(name.startswith("abcd (") for name in rows)
    assert any(name.startswith("abcd: asymmetry (") for name in rows)
    assert {scores["n"] for scores in record["results"].values()} == {LESIONS}
    learned, single = record["tables"].values()
    assert [row["own less expert"] != "" for row in learned] == ["own masks" in row["model"] for row in learned]
    assert {row["masks"] for row in single if row["number"] == "frame_share"} == {"expert", "own"}
    assert "part pretrain" in record["notes"][0]


def test_clinical_of_ph2(ph2, monkeypatch, tmp_path):
    options = ["--ph2", ph2, "--segmenter", "otsu", "--resamples", "20"]
    tables = run("clinical.py", options, monkeypatch, tmp_path)["tables"]
    grades, findings, single, masks = tables.values()
    assert {row["number"] for row in grades} >= {"asymmetry_score", "color_score"}
    assert all(-1 <= float(row["quadratic kappa"].split()[0]) <= 1 for row in grades)
    black = [row for row in findings if row["criterion"] == "color_black"]
    assert [row["masks"] for row in black] == ["expert", "own"]
    assert black[0]["found by expert"] == "3"
    assert black[0]["F1"] == "1.000"  # drawn in pure black on every third lesion
    assert any(row["criterion"] == "blue_whitish_veil" for row in findings)
    own_grade = [row for row in single if row["masks"] == "expert's own grade"]
    assert [row["AUC"].split()[0] for row in own_grade] == ["1.000", "1.000"]  # melanomas alone have 2 axes, 4 colours
    assert float(masks[0]["mean"].split()[0]) < float(masks[1]["mean"].split()[0]) <= 1


def test_scores_are_judged_at_the_published_values(clinical):
    positive = np.array([True, True, True, False, False, False, False, False])
    tds = np.float32([6.0, 5.45, 4.75, 5.0, 4.7, 3.0, 2.0, 1.0])
    table = pd.DataFrame({"abcd__tds": tds, "abcd__seven_point_score": np.float32([4, 3, 3, 2, 1, 0, 0, 0])})
    lines = clinical.single_numbers({"expert": table}, positive, np.arange(8), 20)
    found = {(line["number"], line["suspicious from"]): line for line in lines}
    assert found["tds", "4.75"]["sensitivity %"].startswith("100.0 [")
    assert found["tds", "4.75"]["specificity %"].startswith("80.0 [")
    assert found["tds", "5.45"]["sensitivity %"].startswith("33.3 [")  # 5.45 itself is not above 5.45
    assert found["tds", "5.45"]["specificity %"].startswith("100.0 [")
    assert found["tds", "5.45"]["AUC"].startswith("0.933 [")
    assert found["seven_point_score", "3"]["AUC"].startswith("1.000 [")


def test_measures_that_do_not_exist_are_left_out_with_a_note(clinical, capsys):
    positive = np.array([True, False, True, False])
    table = pd.DataFrame({"mask__frame_share": [0.4, 0.1, 0.3, 0.2]})
    lines = clinical.single_numbers({"own": table}, positive, np.arange(4), 20)
    assert [line["number"] for line in lines] == ["frame_share"]
    assert capsys.readouterr().out.count("left out: no measure tds") == 1


def test_grades_agree_by_weighted_kappa(clinical):
    labels = pd.DataFrame({"asymmetry": pd.array([0, 0, 1, 2, 2, None], "Int64"), "colors": [1, 2, 3, 4, 5, 6]})
    table = pd.DataFrame({"abcd__asymmetry_score": np.float32([0, 0, 1, 2, 0, 1])})
    lines = clinical.grade_lines({"own": table}, labels, 20)
    (row,) = [line for line in lines if line["number"] == "asymmetry_score"]
    assert row["n"] == "5"
    assert row["the same %"] == "80.0"
    assert row["linear kappa"].startswith("0.583 [")  # 1 - (2 / 5) / (24 / 25), from the definition
    assert row["quadratic kappa"].startswith("0.500 [")  # 1 - (4 / 5) / (40 / 25)


def test_findings_by_f1(clinical):
    labels = pd.DataFrame({"streaks": pd.array([True, True, False, False, None], "boolean")})
    for color in ("white", "red", "light_brown", "dark_brown", "blue_gray", "black"):
        labels[f"color_{color}"] = [True, False, True, False, True]
    labels[["blue_whitish_veil", "regression_areas"]] = False
    labels["pigment_network"] = labels["dots_globules"] = pd.Categorical(["atypical", "typical"] * 2 + [None])
    table = pd.DataFrame({"x__streaks_count": [3.0, 2.0, 0.0, 5.0, 9.0], "color__red_share": [0.01, 0, 0.2, 0, 0]})
    table[["x__dots_count", "x__seven_point_irregular_dots_globules"]] = 0.0
    lines = clinical.finding_lines({"own": table}, labels, SimpleNamespace(min_share=0.01, resamples=20))
    streaks, red = (next(row for row in lines if row["number"] == name) for name in ("streaks_count", "red_share"))
    assert (streaks["n"], streaks["found by expert"], streaks["F1"], streaks["kappa"]) == ("4", "2", "0.500", "0.000")
    assert streaks["AUC"].startswith("0.500 [")
    counted = {row["criterion"]: row["found by expert"] for row in lines}
    assert counted["dots_globules typical or atypical"] == "4"
    assert counted["dots_globules atypical"] == "2"
    assert red["F1"] == "0.800"
    assert red["F1 of always"] == "0.750"


def test_rows_of_the_single_measures(clinical):
    lesion = clinical.reference_lesion()
    columns = [f"abcd__{key}" for key in (*measures.asymmetry(lesion), *measures.border(lesion))]
    rows = clinical.families_of([*columns, "color__red_share"])
    assert set(rows) == {"abcd", "abcd: asymmetry", "abcd: border"}
    assert sorted(rows["abcd: asymmetry"] + rows["abcd: border"]) == sorted(rows["abcd"]) == sorted(columns)


@pytest.mark.parametrize("options", [[], ["--data", "x"], ["--ph2", "x", "--split", "y"]])
def test_clinical_needs_to_know_its_images(clinical, options):
    with pytest.raises(SystemExit):
        clinical.main(options)


def test_a_grade_that_nobody_gave_still_counts_as_a_step(clinical):
    labels = pd.DataFrame({"asymmetry": [0, 0, 2, 2], "colors": [1, 1, 3, 6]})
    table = pd.DataFrame({"abcd__color_score": np.float32([1, 1, 3, 3])})
    (row,) = clinical.grade_lines({"own": table}, labels, 20)
    assert row["quadratic kappa"].startswith("0.609 [")  # 1 - (9 / 4) / (92 / 16), from the definition


def test_difference_is_own_less_expert(clinical):
    positive = np.array([True, True, False, False])
    expert, own = [1.0, 0.4, 0.5, 0.0], [1.0, 0.9, 0.1, 0.0]
    assert clinical.auc_difference(positive, np.column_stack([expert, own])) == pytest.approx(0.25)
