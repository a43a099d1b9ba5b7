"""Drawn lesions: the truth is true, each parameter keeps to its aspect, the data set has no shortcut."""

import os
import subprocess
import sys
from functools import cache

import cv2
import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dermfeat.datasets import draw_lesion, make_lesions
from dermfeat.datasets._drawing import COLORS

PLAIN = {"texture": 0.0, "blur": 0.0}
RICH = {
    "asymmetry": 0.4,
    "border_irregularity": 0.4,
    "colors": ("light_brown", "dark_brown", "blue_gray"),
    "dots": 10,
    "globules": 5,
    "network": 0.4,
    "streaks": 6,
    "structureless": 0.2,
    "hairs": 5,
    "noise": 2.0,
    "angle": 30.0,
}
OUTLINE = ("area", "perimeter", "centroid", "shape_asymmetry_major", "shape_asymmetry_minor")


@cache
def bunch():
    return make_lesions(400, size=(72, 96), random_state=0)


def lab(image):
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def beyond(mask, distance):
    return ndimage.distance_transform_edt(~mask) > distance


def nearest_color(image):
    reference = lab(np.array([list(COLORS.values())], np.uint8))[0]
    return np.argmin(np.linalg.norm(lab(image)[..., None, :] - reference, axis=-1), axis=-1)


# draw_lesion: same again


def test_same_seed_same_picture_and_other_seed_another():
    first, again, other = (draw_lesion(**RICH, random_state=seed) for seed in (3, 3, 4))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])


def test_same_picture_in_another_process():
    code = (
        "from dermfeat.datasets import make_lesions; import zlib;"
        "b = make_lesions(4, size=(64, 80), random_state=7); print(zlib.crc32(b.X.tobytes()), *b.y, *b.groups)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "123"}
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env=environment | extra, capture_output=True, text=True, check=True
        ).stdout
        for extra in ({}, {"PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "1"})
    }
    assert len(runs) == 1
    assert "lesion_00000" in runs.pop()


def test_types_and_shapes():
    image, mask, truth = draw_lesion((100, 130), **RICH)
    assert image.shape == (100, 130, 3)
    assert image.dtype == np.uint8
    for name in ("hair_mask", "field", "structureless_mask"):
        assert truth[name].shape == mask.shape == (100, 130)
        assert truth[name].dtype == mask.dtype == bool
    assert np.array_equal(truth["color_map"] > 0, mask)


# draw_lesion: shape


@pytest.mark.parametrize("angle", [0, 37])
@pytest.mark.parametrize(
    ("shape", "factor"),
    [("ellipse", np.pi), ("rectangle", 4), ("diamond", 2), ("notched_ellipse", np.pi - np.pi / 6 * (1 - 0.35**2))],
)
def test_area_is_the_closed_form(shape, factor, angle):
    _, mask, truth = draw_lesion(shape=shape, axes=(80, 55), angle=angle)
    assert truth["area"] == pytest.approx(factor * 80 * 55, rel=2e-3)
    assert mask.sum() == pytest.approx(factor * 80 * 55, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_ellipse_keeps_area_whatever_its_border(seed):
    _, mask, truth = draw_lesion(axes=(80, 60), asymmetry=1.0, border_irregularity=1.0, angle=20, random_state=seed)
    assert truth["area"] == pytest.approx(np.pi * 80 * 60)
    assert mask.sum() == pytest.approx(truth["area"], rel=0.01)
    assert np.argwhere(mask).mean(axis=0) == pytest.approx(truth["centroid"], abs=0.3)


def test_asymmetry_leaves_centroid_and_principal_axes():
    _, mask, truth = draw_lesion(axes=(85, 60), angle=30, asymmetry=1.0, centre=(118, 165))
    assert truth["centroid"] == pytest.approx((118, 165), abs=1e-6)
    y, x = (np.argwhere(mask) - truth["centroid"]).T
    assert np.degrees(0.5 * np.arctan2(2 * (x * y).mean(), (x**2 - y**2).mean())) == pytest.approx(30, abs=0.5)


def test_perimeter_is_that_of_the_ellipse():
    a, b = 80, 50
    h = ((a - b) / (a + b)) ** 2
    ramanujan = np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))
    assert draw_lesion(axes=(a, b))[2]["perimeter"] == pytest.approx(ramanujan, rel=1e-4)
    assert draw_lesion(axes=(a, b), shape="rectangle")[2]["perimeter"] == pytest.approx(4 * (a + b), rel=2e-3)


@pytest.mark.parametrize("asymmetry", [0.0, 0.3, 0.7, 1.0])
def test_shape_asymmetry_is_the_closed_form_and_that_of_the_mask(asymmetry):
    _, mask, truth = draw_lesion((241, 321), axes=(85, 65), asymmetry=asymmetry, random_state=1)
    expected = 4 / np.pi * 0.5 * np.sqrt(0.5) * asymmetry
    for name, axis in (("shape_asymmetry_major", 0), ("shape_asymmetry_minor", 1)):
        assert truth[name] == pytest.approx(expected, abs=1e-4)
        assert (mask ^ np.flip(mask, axis)).sum() / mask.sum() == pytest.approx(expected, abs=0.01)


def test_notch_mirrors_about_the_first_axis_only():
    _, mask, truth = draw_lesion(shape="notched_ellipse", axes=(80, 60))
    assert np.array_equal(mask, np.flipud(mask))
    assert truth["shape_asymmetry_major"] == pytest.approx(0, abs=2e-3)
    lost = np.pi / 6 * (1 - 0.35**2)
    assert truth["shape_asymmetry_minor"] == pytest.approx(2 * lost / (np.pi - lost), rel=0.01)


@pytest.mark.parametrize("size", [(240, 320), (181, 233)])
def test_without_asymmetry_shape_and_colours_mirror(size):
    image, mask, truth = draw_lesion(size, border_irregularity=0.8, colors=tuple(COLORS), texture=0.0)
    for axis in (0, 1):
        assert np.array_equal(mask, np.flip(mask, axis))
        inside = np.abs(image.astype(int) - np.flip(image, axis))[mask]
        assert np.percentile(inside, 99.9) <= 1
        assert (truth["color_map"] != np.flip(truth["color_map"], axis)).mean() < 1e-3


def test_colours_leave_their_mirrored_places_with_asymmetry():
    def unmatched(asymmetry):
        maps = [
            draw_lesion(asymmetry=asymmetry, random_state=seed, color_shares=(1, 1))[2]["color_map"]
            for seed in range(6)
        ]
        both = [(m > 0) & (m[::-1] > 0) for m in maps]
        return np.mean([(m != m[::-1])[b].mean() for m, b in zip(maps, both, strict=True)])

    levels = [unmatched(a) for a in (0, 0.1, 0.4, 1)]
    assert levels == sorted(levels)
    assert levels[0] < 1e-3
    assert levels[-1] > 0.2


def test_perimeter_grows_with_irregularity():
    lengths = [draw_lesion(border_irregularity=level)[2]["perimeter"] for level in (0, 0.25, 0.5, 1)]
    assert lengths == sorted(set(lengths))


def test_softness_widens_the_edge():
    def width(softness):
        image, mask, _ = draw_lesion(border_softness=softness, colors=("black",), **PLAIN)
        return ((image[..., 0] > 60) & mask).sum()

    widths = [width(softness) for softness in (0, 0.02, 0.05, 0.1)]
    assert widths == sorted(set(widths))


# draw_lesion: colours and structures


def test_colour_shares_are_drawn_and_can_be_measured():
    asked = {"light_brown": 0.5, "black": 0.3, "white": 0.15, "blue_gray": 0.05}
    settings = {
        "colors": tuple(asked),
        "color_shares": tuple(asked.values()),
        "color_softness": 0,
        "border_softness": 0,
    }
    image, mask, truth = draw_lesion(**settings, **PLAIN)
    found = np.bincount(nearest_color(image)[mask], minlength=6) / mask.sum()
    for name, share in asked.items():
        assert truth["color_shares"][name] == pytest.approx(share, abs=1e-3)
        assert found[list(COLORS).index(name)] == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("name", COLORS)
@pytest.mark.parametrize("seed", range(3))
def test_a_colour_is_nearest_to_its_own_reference(name, seed):
    image, mask, _ = draw_lesion(colors=(name,), random_state=seed)
    core = ndimage.binary_erosion(mask, iterations=25)
    assert (nearest_color(image)[core] == list(COLORS).index(name)).mean() > 0.8
    image, _, _ = draw_lesion(colors=(name,), random_state=seed, texture=0)
    assert (nearest_color(image)[core] == list(COLORS).index(name)).all()


@pytest.mark.parametrize("kind", ["dots", "globules", "streaks"])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_as_many_structures_as_asked(kind, count):
    settings = {"axes": (170, 150), "colors": ("light_brown",), "border_softness": 0, **PLAIN}
    without = draw_lesion((400, 480), **settings)[0]
    image = draw_lesion((400, 480), **settings, **{kind: count})[0]
    changed = np.abs(image.astype(int) - without).max(axis=2) > 30
    assert ndimage.label(changed, np.ones((3, 3)))[1] == count


@pytest.mark.parametrize("kind", ["dots", "globules", "streaks", "hairs"])
def test_more_adds_to_fewer(kind):
    few, many = (draw_lesion(**{kind: count}, **PLAIN)[0] for count in (6, 12))
    bare = draw_lesion(**PLAIN)[0]
    drawn = (few != bare).any(axis=2)
    assert drawn.any()
    assert (many[drawn].astype(int) - few[drawn]).max() <= 8
    assert (many != bare).any(axis=2).sum() > drawn.sum()


def test_network_darkens_more_the_stronger_it_is():
    images = [draw_lesion(network=level)[0] for level in (0, 0.3, 0.6, 1)]
    means = [image.mean() for image in images]
    assert means == sorted(set(means), reverse=True)


def test_structureless_share_is_drawn_and_clears_network():
    _, mask, truth = draw_lesion(structureless=0.35)
    assert truth["structureless_share"] == pytest.approx(0.35, abs=1e-3)
    flat = draw_lesion(structureless=1.0, network=0.8)[0]
    assert np.array_equal(flat[mask], draw_lesion(structureless=1.0)[0][mask])


# draw_lesion: skin and camera


@pytest.mark.parametrize("ita", [-30, 0, 30, 60])
def test_skin_tone_is_the_one_asked_for(ita):
    image, mask, _ = draw_lesion(skin_ita=ita, **PLAIN)
    far = beyond(mask, 40)
    light, _, b = np.median(lab(image)[far], axis=0)
    assert np.degrees(np.arctan2(light - 50, b)) == pytest.approx(ita, abs=2)


def test_hair_mask_is_where_hairs_are():
    image, _, truth = draw_lesion(hairs=15, texture=0)
    changed = np.abs(image.astype(int) - draw_lesion(texture=0)[0]).max(axis=2)
    assert (changed[truth["hair_mask"]] > 5).mean() > 0.99
    assert changed[~ndimage.binary_dilation(truth["hair_mask"], iterations=4)].max() <= 40
    areas = [draw_lesion(hairs=count)[2]["hair_mask"].sum() for count in (0, 3, 10, 40)]
    assert areas == sorted(set(areas))
    assert areas[0] == 0


def test_dark_corners_are_dark_and_grow():
    shares = []
    for level in (0, 0.3, 0.6, 1.0):
        image, _, truth = draw_lesion(dark_corners=level)
        shares.append(truth["field"].mean())
        outside = ~ndimage.binary_dilation(truth["field"], iterations=6)
        assert image[outside].max(initial=0) <= 3
    assert shares[0] == 1
    assert shares == sorted(set(shares), reverse=True)
    assert shares[-1] == pytest.approx(np.pi * 120**2 / (240 * 320), rel=0.01)
    assert np.array_equal(draw_lesion(dark_corners=0.0)[0][0, 0], draw_lesion()[0][0, 0])


def test_noise_has_the_standard_deviation_asked_for():
    clean = draw_lesion()[0].astype(int)
    for level in (2.0, 6.0):
        assert (draw_lesion(noise=level)[0] - clean).std() == pytest.approx(level, rel=0.05)


def test_shading_and_cast_change_light_alone():
    base, mask, _ = draw_lesion()
    shaded, shaded_mask, _ = draw_lesion(shading=0.8)
    assert np.array_equal(mask, shaded_mask)
    assert (shaded <= base).all()
    cast = draw_lesion(color_cast=(0.8, 1.0, 1.0))[0]
    assert np.array_equal(cast[..., 1:], base[..., 1:])
    assert cast[..., 0].mean() == pytest.approx(0.8 * base[..., 0].mean(), abs=0.6)


# draw_lesion: each parameter keeps to its aspect

CHANGES = {
    "pigment": 0.5, "dots": 40, "globules": 20, "network": 0.9, "streaks": 20, "structureless": 0.6,
    "colors": ("red", "black"), "border_softness": 0.03, "color_softness": 1.0,
    "skin_ita": 20, "texture": 0.2, "hairs": 30, "dark_corners": 0.8, "shading": 0.5, "blur": 1.5, "noise": 5.0,
    "color_cast": (0.9, 1.0, 1.1), "photo_state": 99,
}  # fmt: skip
ASPECT = {
    "structureless": ("structureless_share", "structureless_mask"),
    "colors": ("color_shares", "color_map"),
    "hairs": ("hair_mask",),
    "dark_corners": ("field",),
    "skin_ita": ("skin_rgb",),
    "photo_state": ("skin_rgb", "hair_mask"),
}
IN_LESION = {"pigment", "dots", "globules", "network", "streaks", "structureless", "colors", "color_softness"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_parameter_changes_its_own_aspect_only(name):
    settings = {**RICH, "border_softness": 0.01}
    image, mask, truth = draw_lesion(**settings)
    changed, changed_mask, changed_truth = draw_lesion(**settings | {name: CHANGES[name]})
    assert not np.array_equal(image, changed)
    assert np.array_equal(mask, changed_mask)
    for key in set(truth) - {name, *ASPECT.get(name, ())}:
        assert np.array_equal(truth[key], changed_truth[key]), key
    if name in IN_LESION:
        outside = beyond(mask, 24)
        assert np.array_equal(image[outside], changed[outside])


@pytest.mark.parametrize("name", ["asymmetry", "border_irregularity", "angle", "centre", "axes"])
def test_shape_leaves_the_photo_alone(name):
    value = {"angle": 80.0, "centre": (110, 170), "axes": (70, 60)}.get(name, 0.9)
    settings = {**RICH, "border_softness": 0.01, "random_state": 2}
    image, mask, truth = draw_lesion(**settings)
    changed, changed_mask, changed_truth = draw_lesion(**settings | {name: value})
    assert not np.array_equal(mask, changed_mask)
    for key in ("hair_mask", "field", "skin_rgb"):
        assert np.array_equal(truth[key], changed_truth[key])
    outside = beyond(mask | changed_mask, 35)
    assert np.array_equal(image[outside], changed[outside])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": (32, 300)}, "size="),
        ({"size": 240}, "size="),
        ({"shape": "star"}, "shape='star'"),
        ({"asymmetry": 1.2}, "asymmetry=1.2"),
        ({"asymmetry": float("nan")}, "asymmetry=nan"),
        ({"asymmetry": "much"}, "asymmetry='much'"),
        ({"dots": 2.5}, "dots=2.5: give a whole number"),
        ({"hairs": -1}, "hairs=-1"),
        ({"colors": ("green",)}, "colors="),
        ({"colors": ()}, "colors="),
        ({"colors": "black"}, "colors='black'"),
        ({"colors": ("red", "red")}, "only once"),
        ({"color_shares": (1, 2, 3)}, "color_shares="),
        ({"color_shares": (1, -1)}, "color_shares="),
        ({"axes": (80, 0)}, "axes="),
        ({"centre": (9000, 9000)}, "into the frame"),
        ({"color_cast": (1, 1)}, "color_cast="),
        ({"skin_ita": 120}, "skin_ita="),
    ],
)
def test_bad_parameters_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        draw_lesion(**settings)


def test_lesion_may_touch_the_frame():
    _, mask, truth = draw_lesion(centre=(5, 160))
    assert 0 < mask.sum() < truth["area"]
    assert mask[0].any()


# make_lesions


def test_bunch_has_all_fields_in_step():
    n = len(bunch().X)
    assert n == 400
    assert bunch().X.dtype == np.uint8
    assert bunch().masks.shape == bunch().X.shape[:3]
    assert {len(bunch()[name]) for name in ("y", "groups", "masks", "metadata", "truth")} == {n}
    assert bunch().target_names == ["benign", "malignant"]
    assert bunch().pos_label == "malignant"
    assert bunch().metadata["lesion_id"].tolist() == bunch().groups.tolist()
    assert bunch().masks.any(axis=(1, 2)).all()
    assert "400 photos of 320" in bunch().DESCR


def test_truth_redraws_the_image():
    data = make_lesions(3, size=(64, 80), random_state=5)
    row = data.truth.iloc[0]
    assert row["area"] == pytest.approx(data.masks[0].sum(), rel=0.03)
    shares = [name for name in data.truth if name.startswith("share_")]
    assert len(shares) == 6
    assert data.truth[shares].sum(axis=1).to_numpy() == pytest.approx(1)


def test_photos_of_one_lesion_differ_in_the_photo_only():
    data = make_lesions(6, size=(96, 128), photos_per_lesion=6, noise=0, random_state=1)
    assert len(set(data.groups)) == 1
    assert len(set(data.y)) == 1
    assert data.truth[["asymmetry", "dots", "share_dark_brown", "skin_ita", "severity"]].round(2).nunique().max() == 1
    assert data.truth["angle"].nunique() == 6
    assert not np.array_equal(data.X[0], data.X[1])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_share_of_malignant_lesions(share):
    data = make_lesions(40, size=(64, 64), malignant_share=share, photos_per_lesion=1)
    assert (data.y == "malignant").mean() == share


def test_metadata_are_plausible_and_partly_missing():
    table = bunch().metadata
    assert table["age"].dropna().between(10, 90).all()
    assert 0 < table["age"].isna().mean() < 0.15
    assert {"male", "female", "unknown"} == set(table["sex"])
    assert "unknown" in set(table["site"])
    assert (table.groupby("lesion_id")[["age", "sex", "site"]].nunique(dropna=False) == 1).all(axis=None)
    assert not make_lesions(5, size=(64, 64), missing=0).metadata.isin(["unknown", np.nan]).any(axis=None)


def malignant():
    return bunch().y == "malignant"


@pytest.mark.parametrize(
    "name",
    ["skin_ita", "hairs", "dark_corners", "noise", "shading", "blur", "cast_red", "cast_blue", "area", "row", "column",
     "angle", "axis_major", "pigment", "network", "color_softness"],
)  # fmt: skip
def test_no_shortcut(name):
    assert roc_auc_score(malignant(), bunch().truth[name]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["asymmetry", "border_irregularity", "colors", "dots", "globules", "streaks"])
def test_what_belongs_to_the_lesion_tells_the_class_but_not_wholly(name):
    assert 0.6 < roc_auc_score(malignant(), bunch().truth[name]) < 0.95


def test_hidden_severity_bounds_the_class():
    assert 0.94 < roc_auc_score(malignant(), bunch().truth["severity"]) < 0.99
    age = bunch().metadata["age"].fillna(52)
    assert 0.52 < roc_auc_score(malignant(), age) < 0.75


def cross_validated(features):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, malignant(), groups=bunch().groups, cv=folds, method="predict_proba")
    return roc_auc_score(malignant(), scores[:, 1])


def simple_numbers(image, mask):
    inside, outside = lab(image)[mask], np.median(lab(image)[~mask], axis=0)
    contour = max(cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    hull = cv2.contourArea(cv2.convexHull(contour))
    y, x = (np.argwhere(mask) - np.argwhere(mask).mean(axis=0)).T
    skew = np.hypot(*[(part).mean() for part in (x**3 - 3 * x * y**2, 3 * x**2 * y - y**3)]) / mask.sum() ** 1.5
    shares = np.bincount(nearest_color(image)[mask], minlength=6) / mask.sum()
    spread = np.percentile(inside - outside, [5, 25, 75, 95], axis=0).ravel()
    return [*inside.std(axis=0), *spread, *shares, cv2.arcLength(contour, True) ** 2 / hull, mask.sum() / hull, skew]


def test_simple_colour_and_shape_numbers_reach_the_intended_range():
    features = [simple_numbers(image, mask) for image, mask in zip(bunch().X, bunch().masks, strict=True)]
    assert 0.88 < cross_validated(features) < 0.97


def test_circumstances_alone_are_at_chance():
    names = ["skin_ita", "hairs", "dark_corners", "noise", "shading", "blur", "area", "row", "column"]
    assert cross_validated(bunch().truth[names]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"malignant_share": 2}, "malignant_share=2"),
        ({"photos_per_lesion": 0.5}, "photos_per_lesion=0.5"),
        ({"hair": -0.1}, "hair=-0.1"),
        ({"noise": -1}, "noise=-1"),
        ({"size": (10, 10)}, "size="),
    ],
)
def test_bad_data_set_parameters_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_lesions(**{"n": 2} | settings)
