"""Clinical measures of real photos change little where only the photo changes, as the tolerances here say."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dermfeat import ABCDFeatures, ColorFeatures, LesionReader

CHANGES = {
    "turn": lambda image: np.ascontiguousarray(np.rot90(image)),
    "flip": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "scale": lambda image: cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LINEAR),
    "brightness": lambda image: np.uint8(image * 0.85),
    "cast": lambda image: np.uint8(np.clip(image * [1.08, 1, 0.92], 0, 255)),
}
LIGHT = ("brightness", "cast")
# Mean |change| over the images, in standard deviations between images: the largest of a group's columns may reach this.
TOLERANCES = {
    "asymmetry|symmetric|axis_ratio|pigment_offset": (0.02, 0.02, 0.2, 0.5, 0.4),
    "compactness|solid|convex|radial|waves|sion_share|fractal_dim": (0.02, 0.1, 0.2, 0, 0),
    "border_score|edge_": (0.02, 0.02, 0.15, 0.4, 0.2),
    "network": (0.05, 0.1, 0.5, 0.3, 0.3),
    "structureless": (0.02, 0.02, 0.3, 0.1, 0.1),
    "blob|globules_|dots_count": (0.05, 0.1, 0.9, 0.4, 0.3),
    "streaks": (0.02, 0.02, 0.4, 0.3, 0.3),
    "blotch": (0.02, 0.06, 0.25, 0.4, 0.5),
    "tds|color_score|structure_score|seven_point_score": (0.05, 0.1, 0.6, 0.45, 0.25),
    "(white|red|brown|gray|black|veil|veil_largest|regression_blue)_share|colors_entropy": (0.02, 0.02, 0.1, 0.3, 0.15),
}


@pytest.fixture(scope="module")
def changes(shared_data):
    """Mean |change| of each column by each change, in standard deviations between images."""
    files = sorted((shared_data / "malignant_vs_benign" / "train").glob("*/*.jpg"))[::130]
    reader, families = LesionReader(), (ABCDFeatures(), ColorFeatures())

    def row(image, mask):
        lesion = reader.prepare(image, mask)
        return {key: value for family in families for key, value in family.measure(lesion).items()}

    rows = {name: [] for name in ("none", *CHANGES)}
    for file in files:
        image = np.array(Image.open(file).convert("RGB"))
        mask = reader.prepare(image).mask
        rows["none"].append(row(image, mask))
        for name, change in CHANGES.items():
            moved = mask if name in LIGHT else change(mask * np.uint8(255)) > 127
            rows[name].append(row(change(image), moved))
    tables = {name: pd.DataFrame(table) for name, table in rows.items()}
    spread = tables["none"].std()
    assert len(files) > 15
    return pd.DataFrame({name: (tables[name] - tables["none"]).abs().mean() / spread for name in CHANGES})


@pytest.mark.parametrize("group", TOLERANCES)
def test_measures_change_within_their_tolerance(changes, group):
    found = changes[[re.search(f"^(?!seven_point_(?!score)).*({group})", name) is not None for name in changes.index]]
    assert len(found) > 1
    allowed = pd.Series(TOLERANCES[group], CHANGES)
    print(f"{group}: {found.max().round(3).to_dict()}")
    assert (found.max() <= allowed + 1e-6).all(), f"{found.max()}\n{found.idxmax()}"


def test_the_network_outlines_a_changed_photo_as_it_outlines_the_photo(shared_data):
    files = sorted((shared_data / "malignant_vs_benign" / "train").glob("*/*.jpg"))[::130]
    reader = LesionReader()
    agreement = {name: [] for name in CHANGES}
    for file in files:
        image = np.array(Image.open(file).convert("RGB"))
        mask = reader.prepare(image).mask
        for name, change in CHANGES.items():
            moved = mask if name in LIGHT else change(mask * np.uint8(255)) > 127
            found = reader.prepare(change(image)).mask
            agreement[name].append((found & moved).sum() / (found | moved).sum())
    for name, values in agreement.items():
        assert np.mean(values) > 0.9, f"{name}: {values}"
