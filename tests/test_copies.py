"""Copies are found however they were changed, and different images are not taken for copies."""

import cv2
import numpy as np
import pandas as pd
import pytest

from dermfeat import datasets
from dermfeat.auditing.copies import ORIENTATIONS, copy_clusters, exact_copies, fingerprint, near_copies, oriented
from dermfeat.auditing.neighbours import NEAREST, TREES, candidate_pairs
from dermfeat.auditing.shots import MISFIT, TURN, differences, other_shots


def encoded(image, quality=60):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def resized(image, height, width):
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def cropped(image, share):
    rows, columns = (round(side * share) for side in image.shape[:2])
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]


def lightened(image, factor):
    return np.clip(np.round(image * factor), 0, 255).astype(np.uint8)


CHANGES = {
    "encoded at quality 60": encoded,
    "resized": lambda image: resized(image, image.shape[0] * 5 // 7, image.shape[1] * 5 // 7),
    "squashed": lambda image: resized(image, 140, 140),
    "mirrored": lambda image: image[:, ::-1],
    "rotated by 90°": np.rot90,
    "cropped by 3 % of its width": lambda image: cropped(image, 0.015),
    "cropped by 3 % on each side": lambda image: cropped(image, 0.03),
    "brighter": lambda image: lightened(image, 1.1),
    "darker": lambda image: lightened(image, 0.9),
    "grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
    "red and blue swapped": lambda image: image[..., ::-1],
    "squashed, rotated, encoded": lambda image: encoded(np.ascontiguousarray(np.rot90(resized(image, 140, 140), 3))),
    "cropped, darker": lambda image: lightened(cropped(image, 0.03), 0.9),
}

SHOTS = (
    ("0027097", "0027670"),
    ("0025511", "0030588"),
    ("0030654", "0031822"),
    ("0027893", "0030935"),
    ("0030757", "0031358"),
    ("0029323", "0031171"),
)


def links(pairs):
    return {(first, second) for first, second, _, _ in pairs.tolist()}


@pytest.fixture(scope="module")
def drawn():
    return list(datasets.make_lesions(40, size=(150, 200), random_state=1).X)


@pytest.fixture(scope="module")
def drawn_prints(drawn):
    return [fingerprint(image) for image in drawn]


@pytest.fixture(scope="module")
def photos(shared_data):
    """300 photos of HAM10000, each of another lesion."""
    rows = (shared_data / "ham10000" / "HAM10000_metadata.csv").read_text().splitlines()[1:]
    lesions = dict(row.split(",")[:2] for row in reversed(rows))
    files = [shared_data / "ham10000" / "images" / f"{image}.jpg" for image in sorted(lesions.values())]
    files = [file for file in files if file.exists()][::20][:300]
    return [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]


@pytest.fixture(scope="module")
def photo_prints(photos):
    return [fingerprint(image) for image in photos]


def test_a_fingerprint_is_small_and_of_fixed_size(drawn, drawn_prints):
    assert drawn_prints[0].nbytes < 2048
    assert drawn_prints[0].dtype == fingerprint(resized(drawn[0], 57, 31)).dtype


@pytest.mark.parametrize("change", CHANGES)
def test_drawn_copies(drawn, drawn_prints, change):
    copies = [fingerprint(np.ascontiguousarray(CHANGES[change](image))) for image in drawn]
    pairs = near_copies(drawn_prints + copies)
    n = len(drawn)
    assert links(pairs) == {(i, i + n) for i in range(n)}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_photos(photos, photo_prints, change):
    copies = [fingerprint(np.ascontiguousarray(CHANGES[change](image))) for image in photos]
    found = links(near_copies(photo_prints + copies))
    n = len(photos)
    planted = {(i, i + n) for i in range(n)}
    assert len(found & planted) >= 0.99 * n
    assert not found - planted


def is_other_shot(first, second):
    turn, misfit = differences(first, second)
    return turn > TURN or misfit > MISFIT


def upright(change):
    return {
        "mirrored": np.fliplr,
        "rotated by 90°": np.rot90,
        "squashed, rotated, encoded": lambda x: np.rot90(x, 3),
    }.get(change, lambda x: x)


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_no_other_shots(drawn, change):
    for image in drawn[::4]:
        assert not is_other_shot(upright(change)(image), CHANGES[change](image))


def test_copies_of_photos_are_no_other_shots(photos):
    shots = [
        is_other_shot(upright(change)(image), np.ascontiguousarray(CHANGES[change](image)))
        for image in photos[::6]
        for change in CHANGES
    ]
    assert np.mean(shots) < 0.01


def hairy(image, seed):
    """Draw five hairs, about a pixel wide at the size at which images are compared."""
    image = image.copy()
    for ends in np.random.default_rng(seed).uniform(0.1, 0.9, (5, 2, 2)) * image.shape[1::-1]:
        cv2.line(image, *ends.astype(int).tolist(), (60, 45, 40), 2, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("degrees", [0, 1, 2, -2])
def test_turn(degrees):
    noise = np.random.default_rng(0).normal(size=(160, 160, 3))
    image = np.clip(128 + 300 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((79.5, 79.5), degrees, 1)
    turned = cv2.warpAffine(image, turn, (160, 160), borderMode=cv2.BORDER_REFLECT)
    assert differences(image, turned)[0] == pytest.approx(np.sin(np.radians(abs(degrees))), abs=1e-3)
    assert differences(image, turned)[1] < 0.001


def test_moved_hairs_are_another_shot(drawn):
    for image in drawn[::4]:
        assert not is_other_shot(hairy(image, 0), encoded(hairy(image, 0)))
        assert is_other_shot(hairy(image, 0), encoded(hairy(image, 1)))


def test_consecutive_shots_of_ham10000(shared_data):
    """Pairs judged by eye: hairs, bubbles, reflexes or the ruler moved."""
    files = [str(shared_data / "ham10000" / "images" / f"ISIC_{name}.jpg") for pair in SHOTS for name in pair]
    table = pd.DataFrame({"i": range(0, len(files), 2), "j": range(1, len(files), 2)})
    assert other_shots(files, table.assign(similarity=0.9, orientation=0)).all()
    assert not other_shots(files, table.assign(similarity=0.99, orientation=0)).any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3), (20, 30, 3)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_what_cannot_be_compared_is_one_photo(shape, value):
    assert not is_other_shot(np.full(shape, value, np.uint8), np.full((90, 120, 3), 255 - value, np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.isfinite(differences(noise, np.full((90, 120, 3), value, np.uint8))).all()


def test_photos_alone_have_no_copies(photo_prints):
    assert len(photo_prints) == 300
    assert len(near_copies(photo_prints)) == 0


def test_squashed_copies_in_another_set(shared_data):
    """Benign images of the Kaggle set are HAM10000 images, squashed to squares; `lesions.csv` says which."""
    rows = (shared_data / "malignant_vs_benign" / "lesions.csv").read_text().splitlines()[1:]
    known = [row.split(",") for row in rows if row.split(",")[2]]
    images = {isic: shared_data / "ham10000" / "images" / f"{isic}.jpg" for _, _, isic, _ in known}
    known = [(file, isic) for file, _, isic, _ in known if images[isic].exists()][::12]
    files = [shared_data / "malignant_vs_benign" / file for file, _ in known] + [images[isic] for _, isic in known]
    pairs = near_copies([fingerprint(cv2.imread(str(file))) for file in files])
    n = len(known)
    assert n > 100
    assert {(i, i + n) for i in range(n)} <= links(pairs)


@pytest.mark.parametrize("orientation", range(8))
def test_orientation_turns_the_first_into_the_second(drawn, orientation):
    turned = np.ascontiguousarray(oriented(drawn[0], orientation))
    pairs = near_copies([fingerprint(drawn[0]), fingerprint(encoded(turned, 90))])
    assert pairs["orientation"].tolist() == [orientation]
    backwards = near_copies([fingerprint(encoded(turned, 90)), fingerprint(drawn[0])])
    np.testing.assert_array_equal(oriented(turned, backwards["orientation"][0]), drawn[0])


def test_orientations_have_the_right_names(drawn):
    image = drawn[0]
    for name, turned in {
        "upright": image,
        "flipped left to right": np.fliplr(image),
        "flipped top to bottom": np.flipud(image),
        "rotated by 180°": np.rot90(image, 2),
        "rotated by 90° to the left": np.rot90(image),
        "rotated by 90° to the right": np.rot90(image, -1),
        "flipped along the diagonal": image.swapaxes(0, 1),
    }.items():
        np.testing.assert_array_equal(oriented(image, ORIENTATIONS.index(name)), turned)
    assert len(set(ORIENTATIONS)) == 8


def test_order_does_not_matter(drawn, drawn_prints):
    prints = drawn_prints + [fingerprint(encoded(image)) for image in drawn[::2]]
    order = np.random.default_rng(0).permutation(len(prints))
    pairs = near_copies(prints)
    shuffled = near_copies([prints[i] for i in order])
    back = {tuple(sorted((order[i], order[j]))): s for i, j, s, _ in shuffled.tolist()}
    assert back == {(i, j): s for i, j, s, _ in pairs.tolist()}
    assert len(pairs) == len(drawn[::2])


def test_equal_pixels_are_exact_copies(drawn, tmp_path):
    cv2.imwrite(str(tmp_path / "lossless.png"), drawn[3])
    prints = [fingerprint(image) for image in [*drawn[:5], cv2.imread(str(tmp_path / "lossless.png"))]]
    assert exact_copies([mark["digest"] for mark in prints]) == [[3, 5]]
    assert len(near_copies(prints)) == 0
    assert exact_copies(["b", "a", "b", "c", "a"]) == [[0, 2], [1, 4]]


def test_a_near_copy_names_the_first_of_equal_images(drawn):
    prints = [fingerprint(image) for image in (drawn[0], encoded(drawn[0]), drawn[0])]
    assert links(near_copies(prints)) == {(0, 1)}
    assert copy_clusters(3, near_copies(prints), exact_copies([mark["digest"] for mark in prints])).tolist() == [
        0,
        0,
        0,
    ]


def test_clusters_join_pairs():
    assert copy_clusters(5, [[1, 4], [2, 4]]).tolist() == [0, 1, 1, 2, 1]
    assert copy_clusters(3, np.array([[2, 0]])).tolist() == [0, 1, 0]
    assert copy_clusters(2).tolist() == [0, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_images(drawn_prints, count):
    assert len(near_copies(drawn_prints[:count])) == 0


def test_images_without_structure_are_no_near_copies():
    noise = np.random.default_rng(0)
    flat = [np.full((90, 120, 3), value, np.uint8) for value in (0, 1, 100, 101, 255)]
    noisy = [np.clip(noise.normal(150, 3, (150, 200, 3)), 0, 255).astype(np.uint8) for _ in range(20)]
    ramp = [np.tile(np.linspace(low, low + 100, 128, dtype=np.uint8)[:, None], (128, 1, 3)) for low in (10, 60, 120)]
    prints = [fingerprint(np.ascontiguousarray(image)) for image in [*flat, flat[0].copy(), *noisy, *ramp]]
    assert len(near_copies(prints)) == 0
    assert exact_copies([mark["digest"] for mark in prints]) == [[0, 5]]


@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 3), (16, 16, 3), (28, 28, 3), (3, 500, 3)])
def test_tiny_images_do_not_pair_up(shape):
    images = np.random.default_rng(1).integers(0, 256, (60, *shape), dtype=np.uint8)
    assert len(near_copies([fingerprint(image) for image in images])) == 0


def test_equal_dark_corners_make_no_pair(photos):
    rows, columns = np.mgrid[-1:1:150j, -1:1:200j]
    light = np.clip((0.9 - np.hypot(rows, columns)) * 8, 0, 1)[..., None]
    prints = [fingerprint((image * light).astype(np.uint8)) for image in photos]
    assert len(near_copies(prints)) == 0


def test_many_alike_make_one_cluster_in_few_pairs(drawn):
    noise = np.random.default_rng(0).normal(0, 2, (400, *drawn[0].shape))
    prints = [fingerprint(np.clip(drawn[0] + one, 0, 255).astype(np.uint8)) for one in noise]
    pairs = near_copies(prints)
    assert len(pairs) <= 5 * len(prints)
    assert len(set(copy_clusters(len(prints), pairs))) == 1


@pytest.mark.parametrize("alike", [False, True])
def test_candidates_grow_with_the_number_of_points_only(alike):
    points = np.random.default_rng(0).normal(size=(3000, 20)).astype(np.float32)
    points = points * 0 if alike else points
    pairs = candidate_pairs(points)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(pairs) <= TREES * NEAREST * len(points)


def test_candidates_hold_the_close_pairs():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, 20)).astype(np.float32)
    close = points + rng.normal(scale=0.1, size=points.shape).astype(np.float32)
    found = set(map(tuple, candidate_pairs(np.concatenate([points, close])).tolist()))
    assert {(i, i + 2000) for i in range(2000)} <= found
