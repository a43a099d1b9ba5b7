"""Every form of one image gives the same pixels; everything else gives one clear error."""

import io
import pickle

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dermfeat import LesionImageError
from dermfeat.datasets import make_lesions
from dermfeat.reading import as_references, sources
from dermfeat.reading.pixels import decode_mask


@pytest.fixture(scope="module")
def rgb():
    rows, columns = np.mgrid[:24, :32]
    return np.stack([rows * 8, columns * 7, (rows + columns) * 3], axis=2).astype(np.uint8)


def read(reference, **options):
    return sources([reference], **options)[0].read()[0]


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("format", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_read_exactly(rgb, tmp_path, format, options):
    data = encoded(Image.fromarray(rgb), format, **options)
    path = tmp_path / f"image.{format.lower()}"
    path.write_bytes(data)
    for reference in (data, path, str(path), Image.open(path)):
        np.testing.assert_array_equal(read(reference), rgb)


def test_jpeg_reads_like_pillow(rgb):
    data = encoded(Image.fromarray(rgb), "JPEG", quality=90)
    np.testing.assert_array_equal(read(data), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(rgb, orientation):
    stored = {
        1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1],
        5: rgb.swapaxes(0, 1), 6: np.rot90(rgb), 7: rgb[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(rgb, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    np.testing.assert_array_equal(read(data), rgb)


@pytest.fixture(scope="module")
def photo():
    """A drawn lesion of 600 x 450."""
    return make_lesions(1, size=(450, 600), random_state=0).X[0]


@pytest.mark.parametrize(("least_side", "shape"), [(56, (57, 75)), (112, (113, 150)), (224, (225, 300)), (226, None)])
def test_jpeg_files_are_decoded_at_a_reduced_size(photo, least_side, shape):
    data = encoded(Image.fromarray(photo), "JPEG", quality=90)
    loaded = sources([data])[0].load()
    reduced = loaded.rgb(least_side)
    assert reduced.shape[:2] == (shape or photo.shape[:2])
    size = (least_side, least_side)
    full, small = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (loaded.rgb(), reduced))
    assert np.abs(full.astype(int) - small).mean() < 2


def test_a_reduced_jpeg_is_upright(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(np.ascontiguousarray(np.rot90(photo))), "JPEG", exif=exif, quality=95)
    reduced = sources([data])[0].load().rgb(100)
    assert reduced.shape == (113, 150, 3)
    assert np.abs(reduced.astype(int) - cv2.resize(photo, (150, 113), interpolation=cv2.INTER_AREA)).mean() < 4


def test_what_is_no_jpeg_is_decoded_once_at_full_size(photo):
    for item in (encoded(Image.fromarray(photo), "PNG"), photo, Image.fromarray(photo)):
        loaded = sources([item])[0].load()
        np.testing.assert_array_equal(loaded.rgb(64), photo)
        assert loaded.rgb(64) is loaded.rgb()


def test_a_truncated_jpeg_is_refused_at_reduced_size_too(photo):
    data = encoded(Image.fromarray(photo), "JPEG", quality=90)
    with pytest.raises(LesionImageError, match="truncated or damaged"):
        sources([data[: len(data) // 2]])[0].load().rgb(112)
    with pytest.raises(LesionImageError, match="more than the limit"):
        sources([data], max_pixels=1000)[0].load().rgb(112)


def test_array_kinds(rgb):
    np.testing.assert_array_equal(read(rgb), rgb)
    np.testing.assert_array_equal(read(rgb.astype(np.uint16) * 257), rgb)
    np.testing.assert_array_equal(read(rgb.astype(np.float64) / 255), rgb)
    np.testing.assert_array_equal(read(rgb.astype(np.float32) / 255), rgb)
    gray = rgb[..., 0]
    for item in (gray, gray[..., None]):
        np.testing.assert_array_equal(read(item), np.stack([gray] * 3, axis=2))


def test_gray_palette_and_16_bit_files(rgb):
    gray = rgb[..., 1]
    expected = np.stack([gray] * 3, axis=2)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(gray), "PNG")), expected)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(gray).convert("P"), "PNG")), expected)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(gray.astype(np.uint16) * 257), "PNG")), expected)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(gray.astype(np.uint16) * 257), "TIFF")), expected)


def test_transparency_is_laid_on_white(rgb):
    opacity = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    opacity[:5] = 0
    rgba = np.concatenate([rgb, opacity], axis=2)
    expected = rgb.copy()
    expected[:5] = 255
    np.testing.assert_array_equal(read(rgba), expected)
    np.testing.assert_array_equal(read(encoded(Image.fromarray(rgba), "PNG")), expected)


def test_cmyk_and_foreign_colour_profile(rgb):
    smooth = Image.new("RGB", (32, 24), (150, 90, 60))
    read_back = read(encoded(smooth.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(read_back.astype(int) - (150, 90, 60)).max() <= 4
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(read(encoded(smooth, "PNG", icc_profile=profile)), np.asarray(smooth))
    swapped = profile.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))
    swapped = swapped.replace(b"rXYZ", b"----").replace(b"gXYZ", b"rXYZ").replace(b"----", b"gXYZ")
    turned = read(encoded(smooth, "PNG", icc_profile=swapped))[0, 0].astype(int)
    assert np.abs(turned - (90, 150, 60)).max() <= 3  # its red primary is sRGB's green
    assert read(encoded(smooth, "PNG", icc_profile=b"no profile")).tolist() == np.asarray(smooth).tolist()


def test_digest_follows_content(rgb, tmp_path):
    data = encoded(Image.fromarray(rgb), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    other = rgb.copy()
    other[0, 0, 0] += 1
    first, again, array, changed, pair = sources([data, path, rgb, other, (data, rgb[..., 0] > 9)])
    assert first.digest == again.digest
    assert len({first.digest, array.digest, changed.digest, pair.digest}) == 4
    assert sources([rgb.T.copy().T])[0].digest == array.digest
    path.write_bytes(encoded(Image.fromarray(other), "PNG"))
    assert sources([path])[0].digest != first.digest


def test_digest_of_pil_images_covers_palette_and_transparency(rgb):
    plain = Image.fromarray(rgb[..., 0]).convert("P")
    repainted, clear = plain.copy(), plain.copy()
    repainted.putpalette([255 - i // 3 for i in range(768)])
    clear.info["transparency"] = 40
    digests = {sources([image])[0].digest for image in (plain, repainted, clear, plain.copy())}
    assert len(digests) == 3


def test_a_relative_path_stays_where_it_was(rgb, tmp_path, monkeypatch):
    """Worker processes that are kept for reuse do not follow the caller to another folder."""
    Image.fromarray(rgb).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    source = sources(["a.png"])[0]
    monkeypatch.chdir(tmp_path.parent)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read()[0], rgb)
    assert source.name == "a.png"


def test_a_file_that_changes_meanwhile_is_noticed(rgb, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(rgb).save(path)
    before = sources([path])[0].digest
    Image.fromarray(rgb[::-1].copy()).save(path)
    with pytest.raises(LesionImageError, match="changed while"):
        sources([path])[0].read(before)


def test_masks_of_every_kind(rgb, tmp_path):
    mask = rgb[..., 0] > 90
    palette = Image.fromarray(np.where(mask, 0, 1).astype(np.uint8), "L").convert("P")
    palette.putdata(list(np.where(mask, 0, 1).ravel()))
    palette.putpalette([255, 255, 255, 0, 0, 0])  # index 0 is white
    path = tmp_path / "mask.png"
    palette.save(path)
    assert (np.asarray(Image.open(path)) == 0).sum() == mask.sum()
    kinds = [mask, mask.astype(np.uint8), mask * np.uint8(255), mask * 1.0, mask * np.uint16(65535), path]
    kinds += [Image.fromarray(mask), encoded(Image.fromarray(mask * np.uint8(255)), "JPEG", quality=95)]
    for kind in kinds:
        np.testing.assert_array_equal(sources([(rgb, kind)])[0].read()[1], mask)
    assert not decode_mask(np.zeros((5, 5), np.uint8), "mask", 100).any()
    for full in (np.ones((5, 5), bool), np.ones((5, 5)), np.full((5, 5), 255, np.uint8)):
        assert decode_mask(full, "mask", 100).all()


@pytest.mark.parametrize(
    "scale", [np.float32(1), np.float64(255), np.uint8(255), np.uint16(65535), np.int32(65535), np.int32(255)], ids=repr
)
def test_graded_masks_are_cut_at_half(scale):
    graded = (np.linspace(0, 1, 400).reshape(20, 20) * scale).astype(scale.dtype)
    assert decode_mask(graded, "mask", 1000).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("labels", [(0, 1, 2), (1, 2), (3, 7), (5,), (0, 1, 100)], ids=str)
def test_masks_of_labels_are_refused(labels):
    mask = np.array(labels, np.uint8)[np.arange(400).reshape(20, 20) % len(labels)]
    with pytest.raises(LesionImageError, match="found the values"):
        decode_mask(mask, "mask", 1000)


PHOTO = Image.fromarray(np.random.default_rng(2).integers(0, 255, (24, 32, 3), np.uint8))
BAD = {
    "empty": (b"", "is empty"),
    "text": (b"hello, this is no image", "not an image"),
    "missing": ("no/such/file.jpg", "no such file"),
    "folder": (".", "cannot be read"),
    "number": (5, "found int"),
    "none": (None, "found NoneType"),
    "nan": (float("nan"), "found float"),
    "float": (np.full((20, 20, 3), 7.5), "from 7.5 to 7.5"),
    "not finite": (np.full((20, 20, 3), np.nan), "NaN"),
    "negative": (np.full((20, 20, 3), -0.5), "from -0.5"),
    "int64": (np.zeros((20, 20, 3), np.int64), "dtype int64"),
    "unscaled": (np.ones((20, 20, 3), np.uint8), "uint8 values up to 1"),
    "unscaled 16 bit": (np.full((20, 20, 3), 200, np.uint16), "uint16 values up to 200"),
    "objects": (np.full((20, 20, 3), None), "shape|array|ndarray"),
    "address": ("http://example.org/a.jpg", "addresses are not fetched"),
    "photo as mask": ((np.zeros((24, 32, 3), np.uint8), encoded(PHOTO, "PNG")), "found a colour photo"),
    "null byte": ("a\0b", "cannot be read"),
    "list pair": ([b"a", b"b"], "found list"),
    "no path": ("", "cannot be read|no such file"),
    "channels": (np.zeros((20, 20, 5), np.uint8), "shape"),
    "1-D": (np.zeros(20, np.uint8), "shape"),
    "tiny": (np.zeros((3, 20, 3), np.uint8), "20 x 3 pixels"),
    "strip": (np.zeros((9, 200, 3), np.uint8), "aspect"),
    "triple": ((b"a", b"b", b"c"), "tuple of 3"),
    "mask shape": ((np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20, 2))), "mask of"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_name_item_finding_and_cure(case):
    reference, message = BAD[case]
    with pytest.raises(LesionImageError, match=message) as caught:
        read(reference)
    assert caught.value.cure.endswith(".")
    assert caught.value.item in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_truncated_large_and_many_framed_files(rgb):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), np.uint8))
    for format in ("JPEG", "PNG", "TIFF", "BMP", "WEBP"):
        data = encoded(noise, format)
        with pytest.raises(LesionImageError, match=r"truncated|damaged|not an image"):
            read(data[: len(data) // 2])
    with pytest.raises(LesionImageError, match="raise max_pixels"):
        read(encoded(noise, "PNG"), max_pixels=6399)
    assert read(encoded(noise, "PNG"), max_pixels=6400).shape == (80, 80, 3)
    frames = encoded(noise, "TIFF", save_all=True, append_images=[noise, noise])
    with pytest.raises(LesionImageError, match="3 frames"):
        read(frames)


def test_decompression_bomb_is_refused_before_decoding():
    header = encoded(Image.new("1", (14_000, 14_000)), "PNG")
    with pytest.raises(LesionImageError, match="pixels"):
        read(header)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_files_give_pixels_or_the_one_error(data):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8))
    original = bytearray(encoded(image, data.draw(st.sampled_from(["JPEG", "PNG", "TIFF", "BMP", "WEBP"]))))
    for _ in range(data.draw(st.integers(1, 6))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = read(bytes(original), max_pixels=10**6)
    except LesionImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3


def test_x_takes_every_sequence(rgb):
    batch = np.stack([rgb, rgb])
    series = pd.Series(["a.jpg", "b.jpg"], index=[5, 9])
    assert len(as_references((rgb, rgb, rgb))) == 3
    for X in ([rgb, rgb], batch, series, np.array(["a", "b"]), np.array(["a", "b"], object)):
        references = as_references(X)
        assert len(references) == 2
        _ = references[1]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one.jpg", "one image"),
        (b"bytes", "one image"),
        (np.zeros((20, 20, 3), np.uint8), "which is one image"),
        (np.zeros((20, 7)), "which is a table"),
        (np.zeros(20), "found an array"),
        (pd.DataFrame({"image": ["a"]}), 'X\\["image"\\]'),
        (7, "found int"),
        (("image.jpg", "mask.png"), "tuple of two"),
        ({"a": "b"}, "found dict"),
        ({"X": ["a"]}, "Give its X"),
        (".", "found the folder"),
        (bytearray(b"bytes"), "one image"),
        ((path for path in ["a", "b"]), "found generator"),
    ],
)
def test_x_that_is_no_list_of_images(X, message):
    with pytest.raises(LesionImageError, match=message):
        as_references(X)
