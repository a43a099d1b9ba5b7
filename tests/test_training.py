"""Augmentation of training images; the training itself where a backend that can train is installed."""

import importlib.util
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

from dermfeat import LesionReader, datasets
from dermfeat.networks.packaged import graph_file
from dermfeat.preparation.learned import lesion_maps
from dermfeat.training import augmentation


@pytest.fixture
def pair():
    image, mask, _ = datasets.draw_lesion((120, 160), random_state=3)
    return image, mask * np.uint8(255)


def test_augmented_pairs_have_the_asked_form_and_follow_the_seed(pair):
    for seed in range(40):
        image, mask = augmentation.augment(*pair, 96, np.random.default_rng(seed))
        again, _ = augmentation.augment(*pair, 96, np.random.default_rng(seed))
        assert image.shape == (96, 96, 3)
        assert image.dtype == np.uint8
        assert mask.shape == (96, 96)
        assert mask.dtype == np.float32
        assert 0 <= mask.min() <= mask.max() <= 1
        np.testing.assert_array_equal(image, again)
    assert (image != augmentation.augment(*pair, 96, np.random.default_rng(999))[0]).any()


def test_image_and_mask_move_together(pair):
    painted = cv2.cvtColor(pair[1], cv2.COLOR_GRAY2RGB)
    for seed in range(20):
        image, mask = augmentation._move(painted, pair[1], 96, np.random.default_rng(seed))
        np.testing.assert_array_equal(image[..., 0], mask)


def test_what_is_drawn_over_the_lesion_leaves_the_mask(pair):
    rng = np.random.default_rng(0)
    square = cv2.resize(pair[0], (96, 96)), cv2.resize(pair[1], (96, 96))
    for step in (augmentation._light, augmentation._ink, augmentation._hairs, augmentation._ruler):
        image, mask = step(*square, rng)
        np.testing.assert_array_equal(mask, square[1])
        assert (image != square[0]).any()
    _, mask = augmentation._dark_corners(*square, rng)
    assert set(np.unique(mask)) <= set(np.unique(square[1]))


BACKENDS = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]


@pytest.mark.skipif(not BACKENDS, reason="training needs dermfeat[tensorflow], [torch] or [jax]")
def test_segmenter_trains_and_resumes(tmp_path):
    data = datasets.make_lesions(24, size=(96, 128), random_state=0)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for i, (image, mask) in enumerate(zip(data.X, data.masks, strict=True)):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.jpg"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / "masks" / f"{i}_segmentation.png"), mask * np.uint8(255))
    environment = os.environ | {"KERAS_BACKEND": BACKENDS[0], "KERAS_HOME": str(tmp_path / "keras")}
    out = tmp_path / "own.xml"
    command = [sys.executable, "-m", "dermfeat.training.segmenter", "--data", str(tmp_path), "--out", str(out)]
    for epochs in ("1", "2"):
        subprocess.run([*command, "--epochs", epochs], env=environment, check=True)
    lines = (tmp_path / "own.xml.csv").read_text().split()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1"]
    assert len((tmp_path / "own_images.txt").read_text().split()) == 24
    maps = lesion_maps([data.X[0]], method=str(out))
    assert maps.shape == (1, 192, 192)
    assert np.ptp(maps) > 1e-3


def test_another_network_is_taken_by_its_path(tmp_path, pair):
    with pytest.raises(FileNotFoundError, match=r"own\.xml: no such file"):
        LesionReader(segmenter=str(tmp_path / "own.xml")).prepare(pair[0])
    for end in (".xml", ".bin"):
        shutil.copy(graph_file("segmenter").with_suffix(end), tmp_path / f"own{end}")
    own = LesionReader(segmenter=str(tmp_path / "own.xml"))
    np.testing.assert_array_equal(own.prepare(pair[0]).mask, LesionReader().prepare(pair[0]).mask)
    before = own.store_identity(), own.prepare(pair[0]).confidence
    save_graph(tmp_path / "own.xml", [-1, 64, 96, 3])
    assert own.store_identity() != before[0]
    assert own.prepare(pair[0]).confidence != before[1], "a changed file is compiled anew"


def save_graph(path, shape, channels=1, sigmoid=True):
    """Write a graph of one convolution without sense."""
    from dermfeat.networks.runtime import load_openvino

    ov = load_openvino()
    pixels = ov.opset13.parameter(shape, ov.Type.u8)
    kernel = np.full((channels, shape[3], 1, 1), 0.01, np.float32)
    planes = ov.opset13.transpose(ov.opset13.convert(pixels, "f32"), [0, 3, 1, 2])
    maps = ov.opset13.convolution(planes, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    maps = ov.opset13.transpose(maps, [0, 2, 3, 1])
    ov.save_model(ov.Model([ov.opset13.sigmoid(maps) if sigmoid else maps], [pixels]), path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": [-1, 64, 96, 3]}, None),
        ({"shape": [-1, 64, 96, 1]}, r"own\.xml: its inputs .* give one input \(n, H, W, 3\)"),
        ({"shape": [-1, -1, 96, 3]}, r"give one input \(n, H, W, 3\)"),
        ({"shape": [-1, 64, 96, 3], "channels": 2}, r"its output is \('n', 64, 96, 2\)"),
        ({"shape": [-1, 64, 96, 3], "sigmoid": False}, "end the network with a sigmoid"),
    ],
)
def test_a_network_of_another_kind_is_refused(tmp_path, pair, options, message):
    file = tmp_path / "own.xml"
    save_graph(file, **options)
    if message is None:
        assert lesion_maps([pair[0]], method=file).shape == (1, 64, 96)
        return
    with pytest.raises(ValueError, match=message):
        LesionReader(segmenter=file).prepare(pair[0])
