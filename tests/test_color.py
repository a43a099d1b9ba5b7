"""Colour measures: closed forms on drawn images, the definitions pixel by pixel, invariants."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from dermfeat.lesion import Lesion, centred_ellipse
from dermfeat.measures import color, color_clinical

MEASURES = (
    color.color_moments,
    color.color_histogram,
    color_clinical.dermoscopic_colors,
    color_clinical.color_variegation,
    color_clinical.blue_white_veil,
    color_clinical.regression,
    color_clinical.skin_tone,
)
SKIN = (220, 180, 160)


def disc(size=96, radius=30):
    y, x = np.ogrid[:size, :size]
    return (y - (size - 1) / 2) ** 2 + (x - (size - 1) / 2) ** 2 <= radius**2


def painted(mask, inside, skin=SKIN):
    image = np.empty((*mask.shape, 3), np.uint8)
    image[:] = skin
    image[mask] = inside
    return image


def lab_of(rgb):
    return cv2.cvtColor(np.float32([[rgb]]) / 255, cv2.COLOR_RGB2LAB)[0, 0].astype(float)


def row_of(lesion):
    return {name: value for measure in MEASURES for name, value in measure(lesion).items()}


@pytest.fixture
def plain():
    mask = disc()
    return Lesion(painted(mask, (120, 70, 40)), mask)


@pytest.fixture
def halves():
    mask = disc()
    image = painted(mask, (120, 70, 40))
    left = mask.copy()
    left[:, 48:] = False
    image[left] = (60, 50, 50)
    return Lesion(image, mask)


def noise(seed, shape=(80, 70), mask=None):
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3), dtype=np.uint8), (0, 0), 1.5)
    return image, centred_ellipse(shape) if mask is None else mask


def test_one_colour_has_no_variation(plain):
    row = row_of(plain)
    still = [name for name in row if name.endswith(("std_lesion", "std_skin", "entropy_lesion", "skewness_lesion"))]
    assert len(still) == 20
    still += [
        "delta_e_mean",
        "delta_e_p95",
        "centre_rim_delta_e",
        "hsv_h_dispersion_lesion",
        "dermoscopic_colors_entropy",
    ]
    assert [row[name] for name in still] == pytest.approx([0] * len(still), abs=1e-4)


def test_means_and_differences_of_one_colour(plain):
    row = color.color_moments(plain)
    lesion, skin = lab_of((120, 70, 40)), lab_of(SKIN)
    for i, channel in enumerate("lab"):
        assert row[f"lab_{channel}_mean_lesion"] == pytest.approx(lesion[i], abs=1e-3)
        assert row[f"lab_{channel}_p95_lesion"] == pytest.approx(lesion[i], abs=1e-3)
        assert row[f"lab_{channel}_mean_difference"] == pytest.approx(lesion[i] - skin[i], abs=1e-3)
    assert row["hsv_s_mean_lesion"] == pytest.approx(80 / 120, abs=1e-5)
    assert row["hsv_v_mean_difference"] == pytest.approx((120 - 220) / 255, abs=1e-5)
    assert row["hsv_h_mean_lesion"] == pytest.approx(60 * 30 / 80, abs=1e-3)
    assert row["hsv_h_mean_difference"] == pytest.approx(60 * 30 / 80 - 60 * 20 / 60, abs=1e-3)
    difference = color_clinical.color_variegation(plain)["skin_delta_e"]
    assert difference == pytest.approx(np.linalg.norm(lesion - skin), abs=1e-2)


def test_two_halves(halves):
    one, two = lab_of((120, 70, 40)), lab_of((60, 50, 50))
    row = row_of(halves)
    for i, channel in enumerate("lab"):
        assert row[f"lab_{channel}_mean_lesion"] == pytest.approx((one[i] + two[i]) / 2, abs=1e-2)
        assert row[f"lab_{channel}_std_lesion"] == pytest.approx(abs(one[i] - two[i]) / 2, abs=1e-2)
        assert row[f"lab_{channel}_skewness_lesion"] == pytest.approx(0, abs=1e-3)
        assert row[f"lab_{channel}_entropy_lesion"] == pytest.approx(1)
    half = np.linalg.norm(one - two) / 2
    assert row["delta_e_mean"] == pytest.approx(half, abs=1e-2)
    assert row["delta_e_p95"] == pytest.approx(half, abs=1e-2)
    assert row["centre_rim_delta_e"] == pytest.approx(0, abs=0.5)


def test_position_of_the_dark_half_disc(halves):
    """The centroid of a half disc lies 4r/3π from the centre."""
    row = color_clinical.color_variegation(halves)
    centre = 4 / (3 * np.pi) / 2
    assert row["darkest_eccentricity"] == pytest.approx(centre, rel=0.03)
    assert row["darkest_spread"] == pytest.approx(np.sqrt((0.5 - 4 * centre**2) / 0.5), rel=0.03)


def test_dark_centre_shows_as_radial_gradient():
    mask, core = disc(), disc(radius=18)
    image = painted(mask, (150, 100, 70))
    image[core] = (50, 40, 40)
    row = color_clinical.color_variegation(Lesion(image, mask))
    difference = lab_of((50, 40, 40)) - lab_of((150, 100, 70))
    for i, channel in enumerate("lab"):
        assert row[f"centre_rim_{channel}_difference"] == pytest.approx(difference[i], abs=1e-2)
    assert row["centre_rim_delta_e"] == pytest.approx(np.linalg.norm(difference), abs=1e-2)
    assert row["darkest_eccentricity"] == pytest.approx(0, abs=1e-9)
    assert row["darkest_spread"] == pytest.approx(18 / 30, rel=0.02)


@pytest.mark.parametrize("colors", [[(200, 30, 0), (200, 0, 30)], [(200, 0, 0), (200, 60, 60)]])
def test_hue_does_not_jump_at_red(colors):
    mask = disc()
    image = painted(mask, colors[0])
    image[mask & (np.arange(96) < 48)] = colors[1]
    row = color.color_moments(Lesion(image, mask))
    assert abs(row["hsv_h_mean_lesion"]) < 0.5
    assert row["hsv_h_dispersion_lesion"] < 0.02


def test_grey_image_has_no_hue():
    mask = disc()
    row = color.color_moments(Lesion(painted(mask, (90, 90, 90), (200, 200, 200)), mask))
    assert {value for name, value in row.items() if name.startswith("hsv_h")} == {0}


def test_moments_agree_with_scipy():
    image, mask = noise(3)
    lesion = Lesion(image, mask)
    row = color.color_moments(lesion, spaces=("lab", "rgb"))
    inside = lesion.lab[mask].astype(float)
    for i, channel in enumerate("lab"):
        x = inside[:, i]
        assert row[f"lab_{channel}_skewness_lesion"] == pytest.approx(stats.skew(x), abs=1e-4)
        assert row[f"lab_{channel}_std_skin"] == pytest.approx(lesion.lab[lesion.skin][:, i].std(), abs=1e-4)
        assert row[f"lab_{channel}_p50_lesion"] == pytest.approx(np.percentile(x, 50, method="nearest"), abs=1e-4)
        counts = np.histogram(x, np.arange(-130, 131, 4))[0]
        assert row[f"lab_{channel}_entropy_lesion"] == pytest.approx(stats.entropy(counts, base=2), abs=2e-2)
    assert row["rgb_g_mean_lesion"] == pytest.approx(image[mask][:, 1].mean())


def test_histogram_is_relative_to_the_skin(plain):
    row = color.color_histogram(plain)
    steps = np.rint((lab_of((120, 70, 40)) - lab_of(SKIN)) / (10, 5, 5))
    expected = np.clip(steps + np.array([5, 3, 3]), 0, 6) + 1
    full = {name for name, value in row.items() if value == 1}
    assert full == {f"relative_{channel}_bin_{bin:.0f}" for channel, bin in zip("lab", expected, strict=True)}
    assert sum(row.values()) == pytest.approx(3)
    assert len(color.color_histogram(plain, bins=4)) == 12
    with pytest.raises(ValueError, match=r"bins is 2\. Use at least 3"):
        color.color_histogram(plain, bins=2)


@pytest.mark.parametrize("name", color_clinical.DERMOSCOPIC_COLORS)
def test_each_reference_colour_is_itself(name):
    mask = disc()
    row = color_clinical.dermoscopic_colors(
        Lesion(painted(mask, color_clinical.DERMOSCOPIC_COLORS[name], (190, 150, 130)), mask)
    )
    assert row.pop(f"{name}_share") == 1
    assert set(row.values()) == {0}


def test_shares_and_entropy_of_a_lesion_of_three_parts():
    mask = disc()
    rows = np.broadcast_to(np.arange(96)[:, None], mask.shape)
    image = painted(mask, color_clinical.DERMOSCOPIC_COLORS["black"])
    image[mask & (rows >= 48)] = SKIN
    image[(rows == 48) & (np.arange(96) == 48)] = color_clinical.DERMOSCOPIC_COLORS["red"]
    row = color_clinical.dermoscopic_colors(Lesion(image, mask))
    assert row["black_share"] == 0.5
    assert row["red_share"] == pytest.approx(1 / mask.sum())
    shares = [0.5, 1 / mask.sum(), 0.5 - 1 / mask.sum()]
    assert row["dermoscopic_colors_entropy"] == pytest.approx(stats.entropy(shares, base=2))


def test_white_needs_to_be_lighter_than_the_skin():
    mask = disc()
    image = painted(mask, color_clinical.DERMOSCOPIC_COLORS["white"], (250, 235, 225))
    row = color_clinical.dermoscopic_colors(Lesion(image, mask))
    assert row["white_share"] == 0
    assert row["blue_gray_share"] == 1


def test_skin_tone_is_the_angle_of_the_skin(plain):
    lightness, _, b = lab_of(SKIN)
    expected = np.degrees(np.arctan((lightness - 50) / b))
    assert color_clinical.skin_tone(plain)["skin_ita"] == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("skin", [(160, 180, 220), (150, 150, 200), (190, 190, 190)])
def test_skin_that_reads_bluish_is_at_the_end_of_the_scale(skin):
    mask = disc()
    ita = color_clinical.skin_tone(Lesion(painted(mask, (80, 60, 50), skin), mask))["skin_ita"]
    assert ita == pytest.approx(np.degrees(np.arctan(lab_of(skin)[0] - 50)), abs=1e-2)
    assert 84 < ita < 90


def test_names_of_skin_tones():
    names = [color_clinical.skin_tone_name(ita) for ita in (56, 55, 42, 41, 29, 28, 11, 10, -29, -30, -60)]
    bands = ["very light", "light", "light", "intermediate", "intermediate", "tan", "tan", "brown", "brown"]
    assert names == [*bands, "dark", "dark"]


TURNS = (lambda a: np.rot90(a), lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a.transpose(1, 0, *range(2, a.ndim)))


@pytest.mark.parametrize("turn", TURNS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_turns_and_flips_change_nothing(turn, seed):
    image, _ = noise(seed, (160, 140))
    mask = cv2.GaussianBlur(image[..., 0], (0, 0), 6) > 127
    before = row_of(Lesion(image, mask))
    after = row_of(Lesion(np.ascontiguousarray(turn(image)), np.ascontiguousarray(turn(mask))))
    for name, value in before.items():
        labelled = name.endswith("_share") or name.startswith("dermoscopic")  # rounding may change a pixel's label
        assert after[name] == pytest.approx(value, rel=1e-5, abs=1e-3 if labelled else 1e-5), name


def test_equal_depths_stay_equal_when_the_lesion_turns():
    """In this disc the rounding of distances splits pixels of one depth at the quartile."""
    mask = disc(64, 28)
    image, _ = noise(0, (64, 64))
    before = color_clinical.color_variegation(Lesion(image, mask))
    after = color_clinical.color_variegation(Lesion(np.rot90(image).copy(), np.rot90(mask).copy()))
    assert after == pytest.approx(before, rel=1e-6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    image=arrays(np.uint8, (64, 64, 3)),
    mask=arrays(bool, (64, 64), elements=st.booleans(), fill=st.booleans()),
)
def test_any_image_and_mask_give_the_same_finite_columns(image, mask):
    row = row_of(Lesion(image, mask))
    assert list(row) == list(row_of(Lesion(np.full((64, 64, 3), 77, np.uint8), disc(64, 20))))
    assert all(isinstance(value, float | np.floating) and np.isfinite(value) for value in row.values())


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("where", [np.s_[30:32, 30:33], np.s_[:, 20], np.s_[0:5, 0:5], np.s_[10:64, 0:64]])
def test_tiny_thin_and_touching_masks_on_constant_images(value, where):
    mask = np.zeros((64, 64), bool)
    mask[where] = True
    row = row_of(Lesion(np.full((64, 64, 3), value, np.uint8), mask))
    assert np.isfinite(list(row.values())).all()
    assert row["skin_delta_e"] == pytest.approx(0, abs=1e-4)
    assert sum(row[f"{name}_share"] for name in color_clinical.DERMOSCOPIC_COLORS) == 0
    assert row["darkest_spread"] == pytest.approx(1)
    assert row["relative_l_bin_6"] == 1


def test_real_images_give_distinct_columns(shared_data):
    files = sorted((shared_data / "malignant_vs_benign" / "train").glob("*/*.jpg"))[::16]
    rows = []
    for file in files:
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        rows.append(list(row_of(Lesion(image, centred_ellipse(image.shape[:2]))).values()))
    likeness = np.abs(np.corrcoef(np.array(rows).T))
    assert len(rows) >= 100
    assert (likeness[np.triu_indices_from(likeness, 1)] < 0.999).all()
