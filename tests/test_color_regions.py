"""Coloured regions: what was drawn is found, and the camera changes little."""

import cv2
import numpy as np
import pytest

from dermfeat import LesionReader
from dermfeat.datasets import draw_lesion
from dermfeat.lesion import Lesion
from dermfeat.measures import color_clinical
from dermfeat.measures.color_regions import (
    DERMOSCOPIC_COLORS,
    REFERENCE_SKIN,
    _light,
    _smoothed,
    find_colors,
    find_regression,
    find_veil,
    skin_referenced,
)

COLORS = ("light_brown", "dark_brown", "black", "red", "blue_gray", "white")
PLAIN = {"size": (300, 400), "color_softness": 0, "border_softness": 0, "texture": 0.3, "random_state": 1}
VEIL, SCAR, GRAY = (105, 100, 120), (225, 195, 185), (110, 100, 105)
CAMERAS = {"darker": (0.85,) * 3, "brighter": (1.15,) * 3, "warm": (1.1, 1, 0.9), "cold": (0.9, 1, 1.1)}


def row_of(lesion):
    return {
        **color_clinical.dermoscopic_colors(lesion),
        **color_clinical.blue_white_veil(lesion),
        **color_clinical.regression(lesion),
    }


def brown(size=240, side=320):
    image, mask, _ = draw_lesion((size, side), colors=["light_brown"], texture=0.5, pigment=0.8)
    return image, mask


def spot(shape, row, column, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def laid_on(image, where, color, sigma=1.0):
    cover = cv2.GaussianBlur(where.astype(np.float32), (0, 0), sigma)[..., None]
    return np.rint(image * (1 - cover) + np.float32(color) * cover).astype(np.uint8)


def shares(row):
    return np.array([row[f"{name}_share"] for name in DERMOSCOPIC_COLORS])


def found_of(measured, drawn):
    """Return which part of what was drawn is found; soft edges are not, nor anything where nothing was drawn."""
    assert measured[0] == drawn[0] == 0
    return np.array(measured[1:]) / drawn[1:]


# Reference to the skin


@pytest.mark.parametrize("cast", [(1, 1, 1), (0.87, 0.87, 0.87), (1.1, 0.95, 0.85), (0.9, 1, 1.15)])
def test_the_median_skin_becomes_the_reference(cast):
    image, mask, _ = draw_lesion(color_cast=cast)
    lesion = Lesion(image, mask)
    expected = cv2.cvtColor(np.float32([[REFERENCE_SKIN]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    assert np.median(skin_referenced(lesion)[lesion.skin], axis=0) == pytest.approx(expected, abs=1.5)


def test_without_strength_nothing_is_referenced():
    image, mask, _ = draw_lesion(color_cast=(0.9, 1, 1.1))
    lesion = Lesion(image, mask)
    assert np.allclose(skin_referenced(lesion, lightness=0, cast=0), lesion.lab, atol=0.3)
    kept = skin_referenced(lesion, cast=0)[lesion.skin][:, 1:].mean(axis=0)
    moved = skin_referenced(lesion, lightness=0)[lesion.skin].mean(axis=0)
    assert kept[1] < moved[2] - 5
    assert moved[0] == pytest.approx(lesion.lab[lesion.skin][:, 0].mean(), abs=1.5)


def test_dark_skin_stays_dark():
    image, mask, _ = draw_lesion(skin_ita=-40)
    lesion = Lesion(image, mask)
    assert 34 < np.median(skin_referenced(lesion)[lesion.skin][:, 0]) < 50


@pytest.mark.parametrize("share", [0.006, 0.01, 0.015, 0.03])
def test_smoothing_on_a_reduced_grid_is_that_of_the_image(share):
    image, mask, _ = draw_lesion((450, 600), colors=COLORS[:3])
    lesion = Lesion(image, mask)
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), share * lesion.equivalent_diameter)
    table = _light(lesion)[0]
    linear = np.dstack([np.interp(soft[..., i], np.arange(256), table[:, i]) for i in range(3)]).astype(np.float32)
    off = np.abs(np.dstack(_smoothed(lesion, share)) - cv2.cvtColor(linear, cv2.COLOR_LRGB2LAB))[mask]
    assert (off.mean(axis=0) < (0.1, 0.2, 0.2)).all()


# The six colours


@pytest.mark.parametrize("ita", [-40, 20, 30, 45])
def test_each_drawn_color_is_found_and_counted(ita):
    for number in range(1, 7):
        image, mask, truth = draw_lesion(colors=COLORS[:number], skin_ita=ita, **PLAIN)
        row = color_clinical.dermoscopic_colors(Lesion(image, mask))
        drawn = np.array([truth["color_shares"].get(name, 0) for name in DERMOSCOPIC_COLORS])
        assert np.abs(shares(row) - drawn).max() < (0.12 if ita < 0 else 0.06)
        if ita >= 30:  # on yellower skin neutral black turns a little blue
            assert (shares(row) >= 0.01).sum() == number


def test_map_of_colors_is_the_one_drawn():
    image, mask, truth = draw_lesion(colors=tuple(DERMOSCOPIC_COLORS), **PLAIN)
    found = find_colors(Lesion(image, mask))
    assert not found[~mask].any()
    assert (found == truth["color_map"])[mask].mean() > 0.85


def test_share_of_a_color_grows_with_what_is_drawn():
    found = []
    for part in (0, 0.1, 0.2, 0.4):
        image, mask, _ = draw_lesion(colors=("dark_brown", "blue_gray"), color_shares=(1 - part, part), **PLAIN)
        found.append(color_clinical.dermoscopic_colors(Lesion(image, mask))["blue_gray_share"])
    assert found == pytest.approx([0, 0.1, 0.2, 0.4], abs=0.03)


# Veil and regression


def test_veil_grows_with_the_haze_and_nothing_else_moves():
    image, mask = brown()
    rows = [row_of(Lesion(laid_on(image, spot(mask.shape, 115, 155, r), VEIL, 3), mask)) for r in (0, 12, 20, 30)]
    veil = [row["blue_white_veil_share"] for row in rows]
    drawn = [np.pi * r**2 / mask.sum() for r in (0, 12, 20, 30)]
    assert found_of(veil, drawn) == pytest.approx([0.8] * 3, abs=0.25)
    assert veil == sorted(set(veil))
    assert [row["blue_white_veil_largest_share"] for row in rows] == veil
    assert max(row["regression_white_share"] + row["regression_blue_share"] for row in rows) < 0.002


def test_two_veils_have_a_largest():
    image, mask = brown()
    image = laid_on(laid_on(image, spot(mask.shape, 115, 135, 20), VEIL, 2), spot(mask.shape, 120, 195, 12), VEIL, 2)
    row = color_clinical.blue_white_veil(Lesion(image, mask))
    assert row["blue_white_veil_share"] / row["blue_white_veil_largest_share"] == pytest.approx(1 + 0.6**2, abs=0.1)


@pytest.mark.parametrize("color", [(52, 26, 14), (20, 15, 14), (118, 21, 17), (90, 40, 150)])
def test_no_veil_on_dark_brown_black_red_and_ink(color):
    image, mask = brown()
    lesion = Lesion(laid_on(image, spot(mask.shape, 115, 155, 25), color), mask)
    assert find_veil(lesion).sum() < 0.02 * mask.sum()


def test_no_veil_on_gray_hairs_and_on_blue_that_leaves_the_lesion():
    image, mask = brown()
    hairs = np.zeros(mask.shape, bool)
    hairs[:, 130:190:12] = hairs[:, 131:190:12] = hairs[:, 132:190:12] = True
    assert not find_veil(Lesion(laid_on(image, hairs, GRAY, 0.7), mask)).any()
    beyond = spot(mask.shape, 115, 55, 45)
    assert (beyond & mask).sum() > 0.02 * mask.sum()
    assert not find_veil(Lesion(laid_on(image, beyond, VEIL), mask)).any()


def test_scars_grow_with_what_is_drawn_and_nothing_else_moves():
    image, mask = brown()
    rows = [row_of(Lesion(laid_on(image, spot(mask.shape, 115, 155, r), SCAR), mask)) for r in (0, 8, 16, 25)]
    white = [row["regression_white_share"] for row in rows]
    drawn = [np.pi * r**2 / mask.sum() for r in (0, 8, 16, 25)]
    assert found_of(white, drawn) == pytest.approx([0.8] * 3, abs=0.25)
    assert white == sorted(set(white))
    assert max(row["regression_blue_share"] + row["blue_white_veil_share"] for row in rows) < 0.002


def test_highlights_and_skin_at_the_edge_are_no_scars():
    image, mask = brown()
    shiny = np.zeros(mask.shape, bool)
    shiny[90:150:9, 120:200:9] = shiny[91:150:9, 120:200:9] = shiny[90:150:9, 121:200:9] = True
    assert not find_regression(Lesion(laid_on(image, shiny, (255, 255, 255), 0.6), mask)).white.any()
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((41, 41))) > 0
    assert find_regression(Lesion(image, wide)).white.mean() < 0.005


def test_peppering_grows_with_the_specks_and_nothing_else_moves():
    image, mask = brown()
    sites = [(y, x) for y in range(95, 146, 10) for x in range(120, 200, 10)]
    rows = []
    for count in (0, 10, 20, 40):
        dots = np.zeros(mask.shape, bool)
        for y, x in sites[:count]:
            dots |= spot(mask.shape, y, x, 2)
        rows.append(row_of(Lesion(laid_on(image, dots, (95, 90, 100), 0.7), mask)))
    blue = np.array([row["regression_blue_share"] for row in rows])
    assert (np.diff(blue) > 0).all()
    assert blue[0] == 0
    assert blue[3] / blue[1] == pytest.approx(4, rel=0.3)
    assert max(row["regression_white_share"] + row["blue_white_veil_share"] for row in rows) == 0


def test_brown_dots_are_no_peppering():
    image, mask, _ = draw_lesion(colors=["light_brown"], dots=60, pigment=0.8)
    assert find_regression(Lesion(image, mask)).peppering.sum() < 1e-3 * mask.sum()


# Real images


@pytest.fixture(scope="module")
def photos(shared_data):
    files = sorted((shared_data / "isic2017" / "ISIC-2017_Training_Data").glob("*.jpg"))[::160]
    reader = LesionReader()
    lesions = [reader.prepare(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)) for file in files]
    assert len(lesions) >= 10
    return lesions


def changed(lesion, image=lambda array: array, mask=None):
    mask = mask or image
    copy = [np.ascontiguousarray(mask(part)) for part in (lesion.mask, lesion.field, lesion.hair)]
    return Lesion(np.ascontiguousarray(image(lesion.image)), copy[0], field=copy[1], hair=copy[2])


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_camera_changes_little(photos, camera):
    def photograph(image):
        return np.clip(np.rint(image * np.array(CAMERAS[camera])), 0, 255).astype(np.uint8)

    before = [row_of(lesion) for lesion in photos]
    after = [row_of(changed(lesion, photograph, lambda array: array)) for lesion in photos]
    moved = np.array([np.abs(shares(b) - shares(a)).mean() for b, a in zip(before, after, strict=True)])
    assert moved.mean() < 0.02
    for name in ("blue_white_veil_share", "regression_white_share", "regression_blue_share"):
        assert np.mean([abs(b[name] - a[name]) for b, a in zip(before, after, strict=True)]) < 0.01
    counts = [[(shares(row) >= 0.01).sum() for row in rows] for rows in (before, after)]
    assert np.mean(np.equal(*counts)) >= 0.75


@pytest.mark.parametrize("turn", [np.rot90, np.flipud, np.fliplr])
def test_turns_and_flips_change_next_to_nothing(photos, turn):
    for lesion in photos:
        before, after = row_of(lesion), row_of(changed(lesion, turn))
        assert after == pytest.approx(before, abs=2e-3)


def test_scale_changes_little(photos):
    def larger(array):
        grown = cv2.resize(array.astype(np.uint8), None, fx=1.6, fy=1.6, interpolation=cv2.INTER_LINEAR)
        return grown if array.ndim == 3 else grown > 0

    for lesion in photos:
        before, after = row_of(lesion), row_of(changed(lesion, larger))
        assert np.abs(shares(before) - shares(after)).max() < 0.03
        assert after["blue_white_veil_share"] == pytest.approx(before["blue_white_veil_share"], abs=0.03)
        assert after["regression_white_share"] == pytest.approx(before["regression_white_share"], abs=0.02)


@pytest.mark.parametrize(
    ("measure", "column", "strict"),
    [
        (color_clinical.blue_white_veil, "blue_white_veil_share", {"darker": 99.0}),
        (color_clinical.blue_white_veil, "blue_white_veil_share", {"width": 1.0}),
        (color_clinical.blue_white_veil, "blue_white_veil_share", {"least": 0.9}),
        (color_clinical.regression, "regression_white_share", {"contrast": 99.0}),
        (color_clinical.regression, "regression_white_share", {"lighter": 99.0}),
        (color_clinical.regression, "regression_white_share", {"least": 0.9}),
    ],
)
def test_thresholds_decide(measure, column, strict):
    image, mask, _ = draw_lesion(colors=("light_brown",), **PLAIN)
    rows, columns = np.nonzero(mask)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    middle = np.hypot(y - rows.mean(), x - columns.mean()) < 0.15 * np.sqrt(mask.sum())
    image = image.copy()
    image[middle] = (110, 115, 150) if measure is color_clinical.blue_white_veil else (225, 190, 175)
    assert measure(Lesion(image, mask))[column] > 0.02
    assert measure(Lesion(image, mask), **strict)[column] == 0
