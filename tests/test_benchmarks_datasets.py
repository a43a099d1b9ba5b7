"""The benchmarks of published data sets run at small size on drawn copies of their layouts, with planted faults."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermfeat import datasets

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SMALL = ["--embedding", "none", "--folds", "2", "--trees", "4", "--resamples", "40"]


def run(name, folder, options, monkeypatch):
    """Run a benchmark and return its Markdown and JSON."""
    arguments = [name, "--data", str(folder), "--out", str(folder / "result"), *SMALL, *options]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.syspath_prepend(BENCHMARKS)
    runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
    return (folder / "result.md").read_text(), json.loads((folder / "result.json").read_text())


def photos(n, **options):
    return datasets.make_lesions(n, size=(64, 80), random_state=0, hair=0, **options)


def test_ham10000(tmp_path, monkeypatch):
    data = photos(40, photos_per_lesion=2)
    rows = []
    for i, (image, label, group) in enumerate(zip(data.X, data.y, data.groups, strict=True)):
        Image.fromarray(image).save(tmp_path / f"ISIC_{i}.jpg")
        code = "mel" if label == "malignant" else ("nv" if int("".join(filter(str.isdigit, group))) % 2 else "bkl")
        age, sex = ("", "unknown") if i == 0 else (str(20 + i), ["male", "female"][i % 2])
        rows.append([group, f"ISIC_{i}", code, "histo", age, sex, "back"])
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "HAM10000_metadata.csv", index=False)
    text, record = run("ham10000.py", tmp_path, ["--trees-many", "2"], monkeypatch)
    assert "40 of the 10015 published images were there" in text
    assert "never looks at the lesion" in text
    assert set(record["melanoma"]) == {"by lesion", "by image"}
    assert set(record["classes"]["by lesion"]["all together + age, sex, site"]["recall"]) == {
        "benign keratosis",
        "melanoma",
        "nevus",
    }
    one, _ = run("ham10000.py", tmp_path, ["--trees-many", "2", "--one-per-lesion"], monkeypatch)
    assert f"- {len(set(data.groups))} images of {len(set(data.groups))} lesions" in one


@pytest.fixture
def nine(tmp_path):
    """Return a folder with three drawn classes, of which two share a picture and one repeats one."""
    data = photos(36)
    names = ["nevus", "melanoma", "dermatofibroma"]
    for i, image in enumerate(data.X):
        file = tmp_path / "Train" / names[i % 3] / f"ISIC_{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    shared = (tmp_path / "Train" / "nevus" / "ISIC_0.jpg").read_bytes()
    (tmp_path / "Train" / "melanoma" / "ISIC_0.jpg").write_bytes(shared)
    (tmp_path / "Train" / "nevus" / "ISIC_99.jpg").write_bytes(
        (tmp_path / "Train" / "nevus" / "ISIC_3.jpg").read_bytes()
    )
    return tmp_path


def test_nine_class(nine, monkeypatch):
    text, record = run("nine_class.py", nine, [], monkeypatch)
    assert "38 files in train; the audit leaves 35" in text
    results = record["results"]
    before, by_image, cleaned, sampled = results.values()
    assert before["n"] == 3 * 500
    assert by_image["n"] == 38
    assert cleaned["n"] == sampled["n"] == 35
    assert before["accuracy"] > cleaned["accuracy"]  # copies lie on both sides


def test_siim2020(tmp_path, monkeypatch):
    data = photos(40)
    rng = np.random.default_rng(0)
    (tmp_path / "jpeg").mkdir()
    rows = []
    for i, (image, label) in enumerate(zip(data.X, data.y, strict=True)):
        Image.fromarray(image).save(tmp_path / "jpeg" / f"ISIC_{i}.jpg")
        target = int(label == "malignant")
        age, diagnosis = str(rng.integers(20, 80)), "melanoma" if target else "unknown"
        rows.append([f"ISIC_{i}", f"IP_{i // 2}", "male", age, "torso", diagnosis, label, target])
    rows += [[f"ISIC_{100 + i}", f"IP_{50 + i}", None, "", None, "nevus", "benign", 0] for i in range(10)]
    columns = ["image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge"]
    columns += ["diagnosis", "benign_malignant", "target"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "train.csv", index=False)
    text, record = run("siim2020.py", tmp_path, [], monkeypatch)
    assert "50 rows in train.csv; 40 images" in text
    assert "images + age, sex, site + the patient's other lesions" in record["results"]
    few, record = run("siim2020.py", tmp_path, ["--limit", "3"], monkeypatch)
    assert "are too few for the folds" in few
    assert "images" not in record["results"]
