"""README, examples and benchmarks run, so that they cannot rot."""

import doctest
import importlib
import json
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dermfeat
from dermfeat import datasets

ROOT = Path(__file__).parents[1]
EXAMPLES = {
    "01_first_pipeline.py": ["--n", "40"],
    "02_tune.py": ["--n", "60", "--trees", "5"],
    "03_embeddings.py": ["--n", "24", "--random-weights", "--embedding", "mobilenet", "--alpha", "0.25"],
    "04_metadata_columns.py": ["--n", "30"],
    "05_own_measure.py": ["--n", "24"],
    "06_lesion_card.py": [],
    "07_leaky_and_honest.py": ["--n", "90", "--trees", "5"],
}


def run(path, arguments, monkeypatch, folder):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path), run_name="__main__")


def test_every_example_is_run():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, monkeypatch, tmp_path, capsys):
    run(ROOT / "examples" / name, EXAMPLES[name], monkeypatch, tmp_path)
    assert re.search(r"\d\.\d", capsys.readouterr().out)
    if name.startswith("01"):
        assert (tmp_path / "first_pipeline.png").stat().st_size > 10_000


def test_readme_has_no_gaps():
    assert not re.search(r"@[A-Z]+@", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_readme_python_blocks_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = datasets.make_lesions(24, size=(96, 128), random_state=0)
    for i, (image, label) in enumerate(zip(data.X, data.y, strict=True)):
        path = tmp_path / "images" / label / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    Image.fromarray(data.X[0]).save("new.jpg")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 4
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def modules():
    yield dermfeat
    for info in pkgutil.walk_packages(dermfeat.__path__, "dermfeat."):
        if not info.name.startswith(("dermfeat.networks.trace", "dermfeat.training")):  # these import Keras
            yield importlib.import_module(info.name)


def test_docstring_examples():
    tried = 0
    for module in modules():
        result = doctest.testmod(module)
        assert result.failed == 0, module.__name__
        tried += result.attempted
    assert tried >= 8


def test_benchmark_malignant_vs_benign(monkeypatch, tmp_path):
    data = datasets.make_lesions(48, size=(96, 128), random_state=0, photos_per_lesion=2)
    lines = ["file,label,isic_id,lesion_id"]
    for i, (image, label, group) in enumerate(zip(data.X, data.y, data.groups, strict=True)):
        part = "test" if i % 6 == 0 else "train"
        path = tmp_path / "data" / part / label / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        lines.append(f"{part}/{label}/{i}.jpg,{label},,{group if label == 'benign' else ''}")
    (tmp_path / "data" / "lesions.csv").write_text("\n".join(lines))
    options = ["--data", str(tmp_path / "data"), "--embedding", "none", "--folds", "2", "--out", str(tmp_path / "r")]
    run(ROOT / "benchmarks" / "malignant_vs_benign.py", options, monkeypatch, tmp_path)
    record = json.loads((tmp_path / "r.json").read_text())
    train = record["results"]["cross-validation on train"]
    assert train['"came from HAM10000, so benign"']["accuracy"] == 1  # planted, as in the real set
    assert train["majority class"]["auc"] == 0.5
    assert np.isfinite(train["classical (mask, color, texture, abcd)"]["auc"])
    assert "not for diagnosis" in (tmp_path / "r.md").read_text()
