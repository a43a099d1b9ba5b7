"""Asymmetry and mask quality on drawn lesions whose answers are known."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import regionprops

from dermfeat.lesion import Lesion
from dermfeat.measures.asymmetry import asymmetry, find_folds
from dermfeat.measures.mask import mask_quality

SIDE = 256
Y, X = np.mgrid[:SIDE, :SIDE].astype(float)
SHAPES = ("shape_asymmetry_best", "shape_asymmetry_perpendicular")


def ellipse(major, minor, angle=0.0, centre=(127.5, 127.5)):
    x, y = X - centre[0], Y - centre[1]
    turn = np.radians(angle)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return (along / major) ** 2 + (across / minor) ** 2 <= 1


def plain(mask, lesion=90, skin=200):
    image = np.full((*mask.shape, 3), skin, np.uint8)
    image[mask] = lesion
    return image


def measured(mask, image=None, **more):
    return asymmetry(Lesion(plain(mask) if image is None else image, mask, **more))


def blob(seed=0):
    """Draw an irregular lesion of several colours."""
    rng = np.random.default_rng(seed)
    angle, radius = np.arctan2(Y - 120, X - 130), np.hypot(Y - 120, X - 130)
    waves = sum(rng.normal(0, 0.08) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 6))
    mask = radius < 60 * (1 + waves)
    image = np.where(mask[..., None], 100, 190) + cv2.GaussianBlur(rng.normal(0, 250, (SIDE, SIDE, 3)), (0, 0), 6)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def lightness(gray):
    return cv2.cvtColor(np.full((1, 1, 3), gray / 255, np.float32), cv2.COLOR_RGB2LAB)[0, 0, 0]


@pytest.mark.parametrize("radius", [15, 40, 90])
def test_disc_is_symmetric(radius):
    found = measured(ellipse(radius, radius))
    whole = {"axis_ratio", "symmetric_radii_best", "symmetric_radii_both"}
    for name, value in found.items():
        tolerance = 0.5 if re.match("color|chroma|structure", name) else 0.01  # cells on the edge mix with skin
        assert value == pytest.approx(float(name in whole), abs=tolerance), name


@pytest.mark.parametrize("angle", [0, 20, 45, 90])
def test_ellipse_is_symmetric_about_its_axes(angle):
    found = measured(ellipse(90, 45, angle))
    assert found["axis_ratio"] == pytest.approx(0.5, abs=0.01)
    assert max(found[name] for name in SHAPES) < 0.03
    assert found["symmetric_radii_score"] == found["asymmetry_score"] == 0


def test_axes_halfway_between_those_tried_cost_little():
    expected = (ellipse(90, 45, 20) ^ ellipse(90, 45, 25)).sum() / ellipse(90, 45).sum()
    found = measured(ellipse(90, 45, 22.5))
    assert [found[name] for name in SHAPES] == pytest.approx([expected, expected], abs=0.01)


def test_half_disc():
    mask = ellipse(80, 80) & (X > 127.5)
    found = measured(mask)
    # about its own axis nothing differs; about the axis across it, folded at the centroid 4 r / (3 pi)
    distance = 4 * 80 / (3 * np.pi)
    folded = mask & ellipse(80, 80, centre=(127.5 + 2 * distance, 127.5)) & (127.5 + 2 * distance > X)
    assert found["shape_asymmetry_best"] == pytest.approx(0, abs=0.02)
    expected = 2 * (1 - folded.sum() / mask.sum())
    assert found["shape_asymmetry_perpendicular"] == pytest.approx(expected, abs=0.03)
    assert found["asymmetry_score"] == 1


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_two_half_colours(turn):
    mask = ellipse(80, 80)
    image = plain(mask)
    image[mask & (X > 127.5)] = 140
    found = measured(mask, np.rot90(image, turn).copy())
    assert found["color_asymmetry_best"] == pytest.approx(0, abs=0.3)
    step = lightness(140) - lightness(90)
    assert found["color_asymmetry_perpendicular"] == pytest.approx(step, rel=0.04)
    assert found["color_asymmetry_mean"] == pytest.approx(step / 2, rel=0.05)  # turns linearly with the axis
    assert found["chroma_asymmetry_perpendicular"] < 0.2
    assert found["asymmetry_score"] == 1
    # all pigment is evenly in one half, whose centre of gravity lies 4 r / (3 pi) off: in diameters 2 / (3 pi)
    assert found["pigment_offset"] == pytest.approx(2 / (3 * np.pi), rel=0.02)


def test_stripes_in_one_half_are_a_difference_of_structure():
    mask = ellipse(90, 90)
    image = plain(mask, lesion=110)
    image[mask & (X > 127.5) & (Y.astype(int) // 4 % 2 == 0)] = 90
    image[mask & (X > 127.5) & (Y.astype(int) // 4 % 2 == 1)] = 130
    found = measured(mask, image)
    assert found["structure_asymmetry_best"] < 1
    assert found["structure_asymmetry_perpendicular"] > 4 * found["structure_asymmetry_best"]
    assert found["structure_asymmetry_perpendicular"] > 3
    assert found["asymmetry_score"] == 1


def test_chroma_alone():
    mask = ellipse(80, 80)
    image = plain(mask)
    image[mask & (X > 127.5)] = (120, 80, 60)
    image[mask & (X <= 127.5)] = (60, 100, 100)
    found = measured(mask, image)
    colors = np.float32([[[120, 80, 60], [60, 100, 100]]]) / 255
    difference = np.diff(cv2.cvtColor(colors, cv2.COLOR_RGB2LAB), axis=1)[0, 0]
    assert found["chroma_asymmetry_perpendicular"] == pytest.approx(np.hypot(*difference[1:]), rel=0.04)
    assert found["color_asymmetry_perpendicular"] == pytest.approx(np.linalg.norm(difference), rel=0.04)


def test_grows_with_the_bulge_and_with_the_colour_step():
    bulges = [measured(ellipse(60, 60) | ellipse(r, r, centre=(170, 150))) for r in (15, 30, 40)]
    across = [found["shape_asymmetry_perpendicular"] for found in bulges]
    assert 0 < across[0] < across[1] < across[2]
    pairs = [found["symmetric_radii_both"] for found in bulges]
    assert 1 >= pairs[0] > pairs[1] > pairs[2]
    mask = ellipse(80, 80)
    steps = []
    for gray in (100, 130, 170):
        image = plain(mask)
        image[mask & (X > 127.5)] = gray
        steps.append(measured(mask, image)["color_asymmetry_perpendicular"])
    assert steps[0] < steps[1] < steps[2]


def test_parts_mirrored_beyond_the_frame_count_as_matched():
    mask = ellipse(70, 70, centre=(20, 127.5))
    centre = round(np.nonzero(mask)[1].mean())
    mirrored = np.zeros_like(mask)
    mirrored[:, : 2 * centre + 1] = mask[:, : 2 * centre + 1][:, ::-1]
    unmatched = 2 * (mirrored & ~mask).sum() / mask.sum()
    assert measured(mask)["shape_asymmetry_perpendicular"] == pytest.approx(unmatched, abs=0.02)
    wide = measured(np.pad(mask, ((0, 0), (128, 0))))
    assert wide["shape_asymmetry_perpendicular"] > unmatched + 0.1


def test_axes_with_little_overlap_do_not_win():
    crescent = ellipse(90, 90) & ~ellipse(80, 80, centre=(150, 127.5))
    image = plain(crescent)
    image[crescent & (Y > 127.5)] = 140
    found = measured(crescent, image)
    assert found["color_asymmetry_perpendicular"] >= found["color_asymmetry_best"] > 5


@pytest.mark.parametrize("change", [np.rot90, np.flipud, np.fliplr, np.transpose], ids=lambda f: f.__name__)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_turned_and_flipped(change, seed):
    image, mask = blob(seed)
    axes = {"axes": (1, 0, 2)} if change is np.transpose else {}
    lesion = Lesion(image, mask)
    one = asymmetry(lesion)
    other = measured(change(mask).copy(), change(image, **axes).copy())
    folds = dict(zip(("shape", "color", "chroma", "structure"), find_folds(lesion), strict=True))
    for name in one:
        if name.endswith("_perpendicular"):  # across any of the axes that are the best but for rounding
            values = folds[name.partition("_")[0]]
            across = np.roll(values, len(values) // 2)[values <= values.min() + 0.02 * max(1, values.min())]
            assert np.abs(across - other[name]).min() <= 0.02 * max(1, other[name]), name
            continue
        tolerance = 0 if name.endswith("score") else 0.02 * max(1, abs(one[name]))
        if name in ("symmetric_radii_best", "symmetric_radii_both"):
            tolerance = 0.05  # of 180 pairs, nine that lie on the threshold
        assert other[name] == pytest.approx(one[name], abs=tolerance), name


@settings(max_examples=10, deadline=None)
@given(rows=st.integers(0, 50), columns=st.integers(0, 50))
def test_moved(rows, columns):
    image, mask = blob()
    pad = ((rows, 50 - rows), (columns, 50 - columns))
    one = measured(mask, image)
    other = measured(np.pad(mask, pad), np.pad(image, (*pad, (0, 0)), mode="edge"))
    assert other == pytest.approx(one, rel=0.01, abs=0.01)


@pytest.mark.parametrize("factor", [0.5, 1.7, 3])
def test_scaled(factor):
    image, mask = blob()
    size = (round(SIDE * factor),) * 2
    large = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    larger = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    one, other = measured(mask, image), measured(larger, large)
    for name in one:
        # pairs of radii are counted against a threshold, so a few of the 180 change sides
        tolerance = 0.1 if name in {"symmetric_radii_best", "symmetric_radii_both"} else 0.02 + 0.1 * one[name]
        assert other[name] == pytest.approx(one[name], abs=tolerance), name


@settings(max_examples=15, deadline=None)
@given(major=st.floats(30, 90), ratio=st.floats(0.3, 1), angle=st.floats(0, 180))
def test_axis_ratio_is_that_of_scikit_image(major, ratio, angle):
    mask = ellipse(major, major * ratio, angle)
    expected = regionprops(mask.astype(int))[0].eccentricity
    assert np.sqrt(1 - measured(mask)["axis_ratio"] ** 2) == pytest.approx(expected, abs=0.02)


AWKWARD = {
    "pixels": lambda m: m.__setitem__((slice(30, 32), slice(30, 32)), True),
    "line": lambda m: m.__setitem__((20, slice(3, 60)), True),
    "diagonal": lambda m: np.fill_diagonal(m, True),
    "corner": lambda m: m.__setitem__((slice(0, 20), slice(0, 20)), True),
    "nearly all": lambda m: m.__setitem__((slice(1, 64), slice(0, 64)), True),
    "ring": lambda m: m.__setitem__(slice(None), (np.hypot(*np.mgrid[-32:32, -32:32]) // 8) == 2),
    "arc": lambda m: m.__setitem__(slice(20, 50), (np.hypot(*np.mgrid[-12:18, -32:32]) // 3) == 6),
    "pieces": lambda m: m.__setitem__((slice(None, None, 8), slice(None, None, 8)), True),
    "nothing": lambda m: None,
}


def documented(measure):
    found = re.findall(r"``([a-z_{},]+)`` : \[([-\d.]+), ([-\w.]+)\]", measure.__doc__)
    return {
        stem + part + rest: (float(low), float(high))
        for pattern, low, high in found
        for stem, parts, rest in [re.fullmatch(r"([^{]*)(?:\{(.*)\})?(.*)", pattern).groups()]
        for part in (parts or "").split(",")
    }


@pytest.mark.parametrize("measure", [asymmetry, mask_quality])
@pytest.mark.parametrize("shape", AWKWARD)
@pytest.mark.parametrize("content", ["constant", "noise"])
def test_awkward_masks_give_documented_values(measure, shape, content):
    mask = np.zeros((64, 64), bool)
    AWKWARD[shape](mask)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = measure(Lesion(noise if content == "noise" else np.full_like(noise, 128), mask))
    ranges = documented(measure)
    assert list(found) == list(ranges)
    for name, value in found.items():
        low, high = ranges[name]
        assert isinstance(value, float), name
        assert low <= value <= high + 1e-9, name
        assert np.isfinite(value), name


@settings(max_examples=25, deadline=None)
@given(arrays(bool, (64, 64)), st.integers(0, 255))
def test_any_mask_gives_finite_numbers(mask, gray):
    lesion = Lesion(np.full((64, 64, 3), gray, np.uint8), mask)
    assert np.isfinite([*asymmetry(lesion).values(), *mask_quality(lesion).values()]).all()


def test_thresholds_decide_the_score():
    image, mask = blob()
    lesion = Lesion(image, mask)
    never = asymmetry(lesion, shape_threshold=9, color_threshold=999, structure_threshold=99)
    always = asymmetry(lesion, shape_threshold=-1)
    assert (never["asymmetry_score"], always["asymmetry_score"]) == (0, 2)


class TestMaskQuality:
    def test_disc_inside_the_frame(self):
        mask = ellipse(60, 60)
        found = mask_quality(Lesion(plain(mask), mask))
        assert found == {
            "is_fallback": 0,
            "confidence": 1,
            "frame_share": mask.mean(),
            "frame_contact": 0,
            "component_count": 1,
            "main_component_share": 1,
        }

    def test_square_in_the_corner_has_half_its_edge_on_the_frame(self):
        mask = (X < 100) & (Y < 100)
        assert mask_quality(Lesion(plain(mask), mask))["frame_contact"] == pytest.approx(0.5, abs=0.01)

    def test_half_of_a_disc_cut_by_the_field_of_view(self):
        mask, field = ellipse(60, 60), X < 128
        found = mask_quality(Lesion(plain(mask), mask & field, field=field))
        assert found["frame_contact"] == pytest.approx(2 / (2 + np.pi), abs=0.06)
        assert found["frame_share"] == (mask & field).sum() / field.sum()

    def test_pieces(self):
        mask = ellipse(40, 40) | (np.hypot(X - 20, Y - 20) < 10) | (np.hypot(X - 220, Y - 20) < 10)
        found = mask_quality(Lesion(plain(mask), mask))
        assert found["component_count"] == 3
        assert found["main_component_share"] == ellipse(40, 40).sum() / mask.sum()

    def test_stand_in(self):
        mask = np.zeros((SIDE, SIDE), bool)
        assert mask_quality(Lesion(plain(mask), mask))["is_fallback"] == 1
