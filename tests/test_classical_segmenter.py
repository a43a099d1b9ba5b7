"""The classical segmenter's weights can be fitted again, and saw nothing of the part kept for benchmarks."""

import ast
import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import dermfeat
from dermfeat._errors import LesionImageError
from dermfeat.datasets import make_lesions
from dermfeat.preparation import candidates, likelihood
from dermfeat.training import classical_segmenter as training

WEIGHTS = Path(dermfeat.__file__).parent / "weights"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder and split of drawn lesions in HAM10000's layout."""
    folder = tmp_path_factory.mktemp("ham10000")
    data = make_lesions(40, size=(96, 128), random_state=0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    names = [f"ISIC_{i:07d}" for i in range(len(data.X))]
    for name, image, mask in zip(names, data.X, data.masks, strict=True):
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{name}_segmentation.png"), mask * np.uint8(255))
    table = pd.DataFrame({"set": "ham10000", "image_id": names, "group": data.groups, "part": "pretrain"})
    table.loc[36:, "part"] = "benchmark"
    table.loc[34:35, "set"] = "isic2017"
    table.to_csv(folder / "split.csv", index=False)
    return folder


def test_prints_every_weight(drawn, capsys):
    before = {name: dict(getattr(home, name)) for name, home in training.HOMES.items()}
    training.main(["--data", str(drawn), "--split", str(drawn / "split.csv"), "--images", "24"])
    printed = capsys.readouterr().out
    literals = dict(re.findall(r"^(\w+) = (\{.*?^\})", printed, re.DOTALL | re.MULTILINE))
    assert set(literals) == {"FIRST", "SECOND", "WEIGHTS"}
    for name, literal in literals.items():
        weights = ast.literal_eval(literal)
        assert list(weights) == list(before[name])
        assert all(value == float(f"{value:.4g}") for value in weights.values())
        assert weights != before[name]
    assert {name: getattr(home, name) for name, home in training.HOMES.items()} == before
    assert float(re.search(r"mean Jaccard (\S+),", printed)[1]) > 0.7


def test_fit_finds_the_lesions_and_repeats_itself(drawn):
    names = [f"ISIC_{i:07d}" for i in range(16)]
    weights = training.fit(drawn, names)
    assert weights == training.fit(drawn, names)
    with training.in_use(weights):
        for view, truth in training.views(drawn, names, "again"):
            probability = likelihood.lesion_probability(view)
            assert probability[truth].mean() > probability[~truth].mean() + 0.3
            assert training.jaccard(candidates.outlines(view, probability)[2], truth) > 0.4


def test_sample_takes_listed_images_only(drawn):
    split = drawn / "split.csv"
    fitted, aside = training.sample(split, 24)
    table = pd.read_csv(split).set_index("image_id").loc[[*fitted, *aside]]
    assert len(fitted) == len(set(fitted)) == 24
    assert 0 < len(aside) <= 8
    assert set(table["part"]) == {"pretrain"}
    assert set(table["set"]) == {"ham10000"}
    assert not set(table["group"][fitted]) & set(table["group"][aside])
    for images in (2, 30):
        with pytest.raises(ValueError, match="34 images of ham10000's part pretrain do not suffice"):
            training.sample(split, images)


def test_missing_file_is_named(drawn):
    with pytest.raises(LesionImageError, match=r"ISIC_9999999.jpg: there is no such file"):
        training.fit(drawn, ["ISIC_9999999"])


def listed(name):
    return (WEIGHTS / f"classical_segmenter_{name}.txt").read_text().split()


def test_lists_hold_nothing_of_the_benchmark_part(shared_data):
    table = pd.read_csv(shared_data / "lesion_split.csv").query("set == 'ham10000'").set_index("image_id")
    fitted, aside = listed("images"), listed("aside")
    assert (len(fitted), len(aside), len({*fitted, *aside})) == (1800, 600, 2400)
    used = table.loc[fitted + aside]
    assert set(used["part"]) == {"pretrain"}
    assert not set(used["group"]) & set(table.query("part == 'benchmark'")["group"])


def test_lists_are_what_the_script_draws(shared_data):
    fitted, aside = training.sample(shared_data / "lesion_split.csv", 1800)
    assert sorted(fitted) == listed("images")
    assert len(aside) == 517
    assert set(aside) <= set(listed("aside"))
