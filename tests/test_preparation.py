"""Preparation: drawn images whose right answer is known, and a lower bound on real ones."""

import sys

import cv2
import numpy as np
import pytest

from dermfeat._errors import LesionImageError
from dermfeat.networks import packaged
from dermfeat.networks.packaged import WEIGHTS
from dermfeat.preparation import field_of_view, hair_mask, remove_hair, segment_lesion, shades_of_gray
from dermfeat.preparation.learned import lesion_maps

SKIN, BROWN = (222, 182, 160), (120, 72, 50)


def skin(height=192, width=256, seed=0):
    grain = np.random.default_rng(seed).normal(0, 3, (height, width, 1))
    return np.clip(np.array(SKIN) + grain, 0, 255).astype(np.uint8)


def drawn(axes=(50, 35), centre=(128, 96), color=BROWN, angle=20, **kwargs):
    """Return an image of an ellipse on skin, with a soft edge, and the true mask."""
    image = skin(**kwargs)
    truth = cv2.ellipse(np.zeros(image.shape[:2], np.uint8), centre, axes, angle, 0, 360, 1, -1)
    soft = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1.5)[..., None]
    return np.rint(image * (1 - soft) + np.array(color) * soft).astype(np.uint8), truth.astype(bool)


def with_hair(image, seed=1, count=6, color=(45, 32, 28)):
    """Return the image under curved hairs, 0.6 % of its width thick, and where they cover more than half a pixel."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    fine = np.zeros((4 * height, 4 * width), np.float32)
    x = np.arange(-20, 4 * width + 20)
    for start, slope, bend in zip(*(rng.uniform(-0.5, 0.5, (3, count)) * [[0.8], [1], [0.2]]), strict=True):
        y = 4 * height * (0.5 + start + slope * (x / (4 * width) - 0.5) + bend * np.sin(0.75 * x / width))
        cv2.polylines(fine, [np.stack([x, y], 1).astype(np.int32)], False, 1, round(0.024 * width))
    cover = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    covered = image * (1 - cover[..., None]) + cover[..., None] * np.array(color)
    return np.rint(covered).astype(np.uint8), cover > 0.5


def vignette(image, radius=0.6):
    """Return the image in a round field of view with the given radius in image widths."""
    height, width = image.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    inside = np.hypot(rows - height / 2, columns - width / 2) <= radius * width
    return np.where(inside[..., None], image, np.uint8([9, 7, 8])), inside


def jaccard(a, b):
    return (a & b).sum() / (a | b).sum()


# Colour constancy


@pytest.mark.parametrize("p", [1, 6, 50, np.inf])
def test_gray_image_stays(p):
    gray = np.repeat(np.random.default_rng(0).integers(0, 256, (64, 80, 1), np.uint8), 3, axis=2)
    np.testing.assert_array_equal(shades_of_gray(gray, p=p), gray)


def test_gray_world_in_closed_form():
    image, _ = drawn()
    means = image.reshape(-1, 3).mean(axis=0)
    expected = image * (np.linalg.norm(means) / np.sqrt(3) / means)
    np.testing.assert_array_equal(shades_of_gray(image, p=1), np.clip(np.rint(expected), 0, 255))


def test_max_rgb_in_closed_form():
    image, _ = drawn()
    tops = image.reshape(-1, 3).max(axis=0).astype(float)
    expected = np.clip(np.rint(image * (np.linalg.norm(tops) / np.sqrt(3) / tops)), 0, 255)
    np.testing.assert_array_equal(shades_of_gray(image, p=np.inf), expected)


@pytest.mark.parametrize("p", [1, 6])
def test_cast_is_removed(p):
    image = (drawn()[0] * 0.6).astype(np.uint8)
    cast = np.rint(image * [1.2, 0.9, 0.8]).astype(np.uint8)
    once, other = shades_of_gray(image, p=p).astype(int), shades_of_gray(cast, p=p).astype(int)
    before = cast.reshape(-1, 3).mean(0) / cast.mean() - image.reshape(-1, 3).mean(0) / image.mean()
    after = other.reshape(-1, 3).mean(0) / other.mean() - once.reshape(-1, 3).mean(0) / once.mean()
    assert np.abs(before).max() > 0.1
    assert np.abs(after).max() < 0.01


def test_field_keeps_corners_out_of_the_light():
    image, _ = drawn()
    dark, inside = vignette(image, 0.55)
    dark[~inside] = (0, 0, 60)
    other = np.where(inside[..., None], image, np.uint8(0))
    same = shades_of_gray(dark, field=inside)[inside] == shades_of_gray(other, field=inside)[inside]
    assert same.all()
    assert (shades_of_gray(dark, p=1, field=inside)[inside] != shades_of_gray(dark, p=1)[inside]).any()


def test_constancy_bad_and_black():
    black = np.zeros((64, 64, 3), np.uint8)
    for p in (1, 6, np.inf):
        np.testing.assert_array_equal(shades_of_gray(black, p=p), black)
    np.testing.assert_array_equal(shades_of_gray(black, field=np.zeros((64, 64), bool)), black)
    for p in (0.5, np.nan, -1):
        with pytest.raises(ValueError, match="from 1 to inf"):
            shades_of_gray(black, p=p)


# Field of view


@pytest.mark.parametrize("radius", [0.4, 0.5, 0.55, 0.58])
def test_round_field(radius):
    image, inside = vignette(drawn()[0], radius)
    field = field_of_view(image)
    assert not (field & ~inside).sum() > 0.002 * inside.size
    assert (field & inside).sum() > 0.93 * inside.sum()


def test_squashed_field():
    image, inside = vignette(drawn()[0], 0.55)
    image = cv2.resize(image, (180, 180), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(inside.astype(np.uint8), (180, 180)) > 0
    assert jaccard(field_of_view(image), inside) > 0.94


def test_bars_and_frames():
    image, _ = drawn()
    image[:20] = image[-12:] = 3
    image[:, :30] = 3
    field = field_of_view(image)
    assert not field[:20].any()
    assert not field[-12:].any()
    assert not field[:, :30].any()
    assert field[30:-22, 40:-10].all()


@pytest.mark.parametrize(
    ("centre", "axes"), [((0, 0), (80, 60)), ((256, 100), (70, 50)), ((128, 0), (90, 70)), ((128, 96), (120, 90))]
)
def test_dark_lesions_at_the_frame_are_in_the_field(centre, axes):
    image, truth = drawn(centre=centre, axes=axes, color=(38, 26, 24), angle=0)
    assert (field_of_view(image) & truth).sum() > 0.98 * truth.sum()


def test_whole_field_without_corners():
    assert field_of_view(drawn()[0]).all()
    assert field_of_view(np.zeros((64, 64, 3), np.uint8)).all()
    assert field_of_view(np.full((64, 300, 3), 255, np.uint8)).all()


# Hair


@pytest.mark.parametrize("seed", range(4))
def test_drawn_hair_is_found(seed):
    image, hair = with_hair(drawn()[0], seed)
    found = hair_mask(image)
    near = cv2.dilate(hair.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert (found & hair).sum() > 0.8 * hair.sum()
    assert (found & near).sum() > 0.95 * found.sum()


@pytest.mark.parametrize("scale", [2, 4])
def test_hair_is_found_at_any_size(scale):
    image, hair = with_hair(drawn()[0], 2)
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    hair = cv2.resize(hair.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert (hair_mask(image) & hair).sum() > 0.8 * hair.sum()


def test_hairless_images_stay():
    image, _ = drawn()
    clean, mask = remove_hair(image)
    assert not mask.any()
    np.testing.assert_array_equal(clean, image)


def test_dots_and_network_are_no_hair():
    image, truth = drawn(axes=(70, 60))
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    holes = (rows % 8 - 4) ** 2 + ((columns + rows // 8 % 2 * 5) % 10 - 5) ** 2 < 13
    net = truth & ~holes
    dots = ((rows % 16 - 8) ** 2 + (columns % 16 - 8) ** 2 < 9) & ~truth
    assert net.sum() > 0.3 * truth.sum()
    image[net], image[dots] = (70, 40, 30), (90, 60, 45)
    assert hair_mask(image).mean() < 0.01


def test_removal_restores_what_lies_beneath():
    bare, _ = drawn()
    image, hair = with_hair(bare)
    clean, mask = remove_hair(image)
    error = np.abs(clean.astype(int) - bare)[hair].mean()
    assert error < 0.15 * np.abs(image.astype(int) - bare)[hair].mean()
    np.testing.assert_array_equal(clean[~mask], image[~mask])
    given, used = remove_hair(image, hair)
    assert used is hair
    assert np.abs(given.astype(int) - bare)[hair].mean() < 12


def test_light_hair_is_an_option():
    image, hair = with_hair(np.uint8(drawn()[0] * 0.7), color=(235, 225, 215))
    assert not (hair_mask(image) & hair).sum() > 0.2 * hair.sum()
    assert (hair_mask(image, light=True) & hair).sum() > 0.7 * hair.sum()


# Segmentation

METHODS = ["unet", "classical", "otsu", "chan_vese"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axes", [(50, 35), (30, 30), (14, 12), (80, 70)])
def test_drawn_lesion(method, axes):
    image, truth = drawn(axes=axes)
    mask, confidence = segment_lesion(image, method=method, return_confidence=True)
    assert mask.shape == truth.shape
    assert mask.dtype == bool
    assert 0 <= confidence <= 1
    assert jaccard(mask, truth) >= (0.9 if min(axes) > 20 else 0.8)


@pytest.mark.parametrize("color", [BROWN, (60, 40, 38), (190, 120, 110), (110, 105, 135), (190, 140, 115)])
def test_drawn_lesion_of_any_color(color):
    image, truth = drawn(color=color)
    assert jaccard(segment_lesion(image), truth) >= 0.9


@pytest.mark.parametrize("seed", range(3))
def test_lesion_under_hair(seed):
    bare, truth = drawn()
    image, hair = with_hair(bare, seed)
    assert jaccard(segment_lesion(remove_hair(image)[0]), truth) >= 0.9
    assert jaccard(segment_lesion(image, hair=hair), truth) >= 0.9


def test_lesion_in_a_round_field_and_under_a_cast():
    bare, truth = drawn()
    image, _ = vignette(bare, 0.5)
    mask = segment_lesion(image)
    assert jaccard(mask, truth) >= 0.9
    assert not (mask & ~field_of_view(image)).any()
    for cast in ([1.1, 0.9, 0.75], [0.8, 0.95, 1.2]):
        assert jaccard(segment_lesion(np.clip(bare * np.array(cast), 0, 255).astype(np.uint8)), truth) >= 0.9


@pytest.mark.parametrize("method", ["unet", "classical", "otsu"])
def test_flips(method):
    image, _ = drawn(centre=(110, 100))
    mask = segment_lesion(image, method=method)
    for flip in (np.fliplr, np.flipud):
        turned = flip(segment_lesion(np.ascontiguousarray(flip(image)), method=method))
        assert jaccard(turned, mask) > (0.95 if method == "unet" else 0.985)


def test_mirror_images_give_the_mirrored_map_where_the_network_looks_at_all_of_them():
    image, _ = drawn(centre=(110, 100))
    found = lesion_maps([image, image[::-1], image[:, ::-1]], flips=True)
    np.testing.assert_allclose(found[1][::-1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2][:, ::-1], found[0], atol=1e-5)
    single = lesion_maps([image])
    np.testing.assert_allclose(lesion_maps([image[::-1], image])[1], single[0], atol=1e-6)
    assert np.abs(single[0] - found[0]).max() > 1e-3


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_scale(factor):
    image, truth = drawn()
    size = round(256 * factor), round(192 * factor)
    large = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    truth = cv2.resize(truth.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    assert jaccard(segment_lesion(large), truth) >= 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_one_color_shows_nothing(method, level):
    image = np.full((64, 90, 3), level, np.uint8)
    mask, confidence = segment_lesion(image, method=method, return_confidence=True)
    assert not mask.any()
    assert confidence == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(64, 64), (64, 640), (900, 64), (65, 131)])
def test_noise_and_odd_shapes(method, shape):
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    hair = hair_mask(noise)
    nowhere = np.zeros(shape, bool)
    for options in ({}, {"hair": hair}, {"hair": ~nowhere}, {"field": nowhere}):
        mask, confidence = segment_lesion(noise, method=method, return_confidence=True, **options)
        assert mask.shape == shape
        assert mask.dtype == bool
        assert 0 <= confidence <= 1
        assert mask.any() or confidence == 0


def test_without_openvino_the_error_names_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(packaged, "_per_process", {})
    with pytest.raises(ImportError, match=r"segmenter 'unet': this needs openvino.*segmenter='classical'"):
        segment_lesion(drawn()[0])
    assert segment_lesion(drawn()[0], method="classical").any()


def test_callable_segmenter():
    image, truth = drawn()
    mask, confidence = segment_lesion(image, method=lambda rgb: truth, return_confidence=True)
    np.testing.assert_array_equal(mask, truth)
    wrong = segment_lesion(image, method=lambda rgb: np.roll(truth, 70, axis=1), return_confidence=True)[1]
    assert confidence > wrong + 0.2
    np.testing.assert_array_equal(segment_lesion(image, method=lambda rgb: truth * np.uint8(255)), truth)
    nothing = segment_lesion(image, method=lambda rgb: truth & False, return_confidence=True)
    assert not nothing[0].any()
    assert nothing[1] == 0


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (np.zeros((5, 5), bool), r"shape \(5, 5\)"),
        (np.full((192, 256), 0.4), "float64"),
        (np.full((192, 256), 7), "other than"),
        (None, r"shape \(\)"),
    ],
)
def test_callable_with_a_wrong_result(made, found):
    def mine(rgb):
        return made

    with pytest.raises(LesionImageError, match=f"segmenter mine: .*{found}"):
        segment_lesion(drawn()[0], method=mine)


def test_unknown_method():
    with pytest.raises(ValueError, match="chan_vese"):
        segment_lesion(drawn()[0], method="watershed")


# Real images


@pytest.fixture(scope="module")
def expert_cases(shared_data):
    """Forty HAM10000 images that the network was not trained on, with the experts' masks."""
    listed = (WEIGHTS / "segmenter_images.txt").read_text().split()
    names = [name for name, use in (line.split(",") for line in listed) if use == "watched"]
    cases = []
    for name in np.random.default_rng(11).choice(names, 40, replace=False):
        rgb = cv2.imread(str(shared_data / "ham10000" / "images" / f"{name}.jpg"))[..., ::-1].copy()
        expert = cv2.imread(str(shared_data / "ham10000" / "masks" / f"{name}_segmentation.png"), 0)
        cases.append((rgb, cv2.resize(expert, rgb.shape[1::-1], interpolation=cv2.INTER_AREA) > 127))
    return cases


def test_agrees_with_experts(expert_cases):
    results = [(segment_lesion(rgb, return_confidence=True), expert) for rgb, expert in expert_cases]
    reached = np.array([jaccard(mask, expert) for (mask, _), expert in results])
    sure = np.array([confidence for (_, confidence), _ in results])
    assert reached.mean() > 0.84
    assert (reached < 0.5).mean() < 0.08
    assert np.corrcoef(reached, sure)[0, 1] > 0.3


def test_hair_and_field_spare_most_real_images(expert_cases):
    assert np.median([hair_mask(rgb).mean() for rgb, _ in expert_cases]) < 0.005
    lost = [(expert & ~field_of_view(rgb)).sum() / expert.sum() for rgb, expert in expert_cases]
    assert max(lost) < 0.05
