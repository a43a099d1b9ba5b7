"""Every measure has a documented range and a golden value; nothing else has."""

import inspect
import itertools
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermfeat import (
    ABCDFeatures,
    ColorFeatures,
    Lesion,
    LesionFeatures,
    LesionReader,
    MaskFeatures,
    TextureFeatures,
    measures,
)
from dermfeat.evaluation import versions

GOLDEN = Path(__file__).with_name("golden.json")
FAMILIES = {"mask": MaskFeatures(), "color": ColorFeatures(), "texture": TextureFeatures(), "abcd": ABCDFeatures()}
LINE = re.compile(r"^\s*``([a-z0-9_{},.]+)`` : \[(-?[\d.e+]+|-inf), (-?[\d.e+]+|inf)\] (\S.*)$", re.MULTILINE)


def alternatives(pattern):
    """Yield the keys of a pattern such as ``glcm_contrast_d{1,3,5}``."""
    pieces = re.split(r"\{([^}]*)\}", pattern)
    choices = [piece.split(",") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    return map("".join, itertools.product(*choices))


def documented():
    """Return ``{key: (low, high)}`` from the docstrings of all measures."""
    ranges = {}
    for name in measures.__all__:
        for pattern, low, high, _ in LINE.findall(inspect.getdoc(getattr(measures, name))):
            for key in alternatives(pattern):
                assert key not in ranges, f"{key} is documented twice"
                ranges[key] = float(low), float(high)
    return ranges


def drawn_lesions():
    """Yield (name, Lesion) of shapes drawn with NumPy alone, the same on every machine."""
    rows, columns = np.mgrid[:160, :200].astype(float)
    y, x = rows - 80, columns - 100
    skin, brown, dark = np.array([220, 180, 160]), np.array([150, 95, 60]), np.array([70, 45, 40])
    shapes = {
        "disc": x**2 + y**2 < 50**2,
        "ellipse": (x * 0.9 + y * 0.4) ** 2 / 70**2 + (y * 0.9 - x * 0.4) ** 2 / 35**2 < 1,
        "notched": (x**2 + y**2 < 55**2) & ~((x > 0) & (np.abs(y) < 18)),
    }
    for name, mask in shapes.items():
        image = np.where(mask[..., None], brown, skin).astype(float)
        image[mask & (x < -10) & (y < 15)] = dark
        stripes = 12 * np.sin(x / 2.5) + 8 * np.sin(y / 4)
        yield name, Lesion(np.clip(image + (stripes * mask)[..., None], 0, 255).astype(np.uint8), mask)


def measured():
    return {
        name: {f"{f}__{k}": float(v) for f, family in FAMILIES.items() for k, v in family.measure(lesion).items()}
        for name, lesion in drawn_lesions()
    }


@pytest.fixture(scope="module")
def ranges():
    return documented()


def test_every_key_is_documented_once_and_every_documented_key_exists(ranges):
    keys = [name for family in FAMILIES.values() for name in family.names()]
    assert sorted(set(keys)) == sorted(keys), "two families give the same key"
    assert set(keys) == set(ranges)


def test_number_of_columns_stays_in_its_budget():
    assert 200 <= len(LesionFeatures().names()) <= 300


def tolerance(key, opencv):
    """Asymmetry and border are measured on a resampled close-up, and OpenCV resamples a little otherwise each year."""
    resampled = key.startswith("abcd__") and opencv != cv2.__version__
    return {"rel": 2e-2, "abs": 1e-3} if resampled else {"rel": 2e-3, "abs": 2e-4}


def test_golden_values():
    golden = json.loads(GOLDEN.read_text())
    found = measured()
    assert {k: set(v) for k, v in found.items()} == {k: set(v) for k, v in golden["values"].items()}
    for name, values in found.items():
        for key, value in values.items():
            allowed = tolerance(key, golden["opencv"])
            assert value == pytest.approx(golden["values"][name][key], **allowed), f"{name}: {key}"


def check_ranges(lesion, ranges):
    for family in FAMILIES.values():
        for key, value in family.measure(lesion).items():
            low, high = ranges[key]
            slack = 1e-4 * max(1, abs(value))
            assert np.isfinite(value), key
            assert low - slack <= value <= high + slack, f"{key} = {value} is outside [{low}, {high}]"


def test_ranges_on_drawn_shapes(ranges):
    for _, lesion in drawn_lesions():
        check_ranges(lesion, ranges)


@pytest.mark.parametrize("odd", ["inverted", "line", "chequered", "slit", "but a strip"])
def test_odd_masks_of_large_frames_give_values_in_range(ranges, odd):
    rows, columns = np.mgrid[:450, :600]
    disc = (rows - 225) ** 2 + (columns - 300) ** 2 < 140**2
    rng = np.random.default_rng(0)
    image = np.where(disc[..., None], (110, 70, 50), (200, 160, 140)) + rng.normal(0, 6, (450, 600, 3))
    mask = {
        "inverted": ~disc,
        "line": rows == 200,
        "chequered": (rows + columns) % 2 == 0,
        "slit": disc & (columns != 301),
        "but a strip": columns >= 15,
    }[odd]
    check_ranges(Lesion(image.clip(0, 255).astype(np.uint8), mask), ranges)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    height=st.integers(64, 110),
    width=st.integers(64, 110),
    kind=st.sampled_from(["noise", "constant", "halves", "black", "white", "smooth"]),
    area=st.sampled_from(["pixel", "line", "block", "corner", "all", "none", "scattered", "segmented"]),
)
def test_any_image_and_any_mask_give_finite_values_in_range(seed, height, width, kind, area):
    rng = np.random.default_rng(seed)
    image = {
        "noise": lambda: rng.integers(0, 256, (height, width, 3)),
        "constant": lambda: np.broadcast_to(rng.integers(0, 256, 3), (height, width, 3)),
        "halves": lambda: np.where((np.arange(width) < width // 2)[None, :, None], 30, 200) * np.ones((height, 1, 3)),
        "black": lambda: np.zeros((height, width, 3)),
        "white": lambda: np.full((height, width, 3), 255),
        "smooth": lambda: np.linspace(0, 255, height * width * 3).reshape(height, width, 3),
    }[kind]()
    image = np.ascontiguousarray(image, dtype=np.uint8)
    mask = np.zeros((height, width), bool)
    if area == "segmented":
        mask = None
    elif area == "scattered":
        mask = rng.random((height, width)) < 0.3
    else:
        window = {
            "pixel": np.s_[40:41, 33:34],
            "line": np.s_[20:60, 30:31],
            "block": np.s_[20:50, 15:60],
            "corner": np.s_[:30, :45],
            "all": np.s_[:, :],
            "none": np.s_[:0, :0],
        }[area]
        mask[window] = True
    check_ranges(LesionReader().prepare(image, mask), documented())


if __name__ == "__main__":  # writes the golden file: python tests/test_measures.py
    GOLDEN.write_text(
        json.dumps({"opencv": cv2.__version__, "versions": versions(), "values": measured()}, indent=1) + "\n"
    )
