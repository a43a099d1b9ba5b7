"""References into TFRecord, HDF5 and NPZ files read what was stored, or give one clear error."""

import gzip
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

import h5py
import numpy as np
import pandas as pd
import pytest
from container_files import example, framed, masked, photo, plain_crc32c, write_tfrecord
from joblib import Parallel, delayed
from PIL import Image

import dermfeat
from dermfeat import ColorFeatures, LesionFeatures, LesionImageError, LesionReader
from dermfeat.reading import hdf5, hdf5_references, npz, npz_table, sources, tfrecord_table
from dermfeat.reading.containers import container_of
from dermfeat.reading.crc32c import crc32c
from dermfeat.reading.tfrecord import MAX_RECORD

IDS = [f"ISIC_{number:03d}" for number in range(5)]
KINDS = ["tfrec", "hdf5", "npz"]


def source(reference):
    return sources([reference])[0]


def read(reference):
    return source(reference).read()[0]


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def failure(reference):
    """Return the error that reading gives, which must name the reference."""
    with pytest.raises(LesionImageError) as caught:
        read(reference)
    assert caught.value.item == str(reference)
    assert caught.value.cure
    return str(caught.value)


@pytest.fixture
def tfrec(tmp_path):
    return write_tfrecord(
        tmp_path / "train.tfrec",
        [{"image": photo(i), "image_name": name, "target": i % 2} for i, name in enumerate(IDS)],
    )


@pytest.fixture
def h5(tmp_path):
    path = tmp_path / "train-image.hdf5"
    with h5py.File(path, "w") as file:
        for number, name in enumerate(IDS):
            file[name] = np.void(photo(number))
        file["part/flat"] = np.frombuffer(photo(7), np.uint8)
        file["part/text"] = np.bytes_(photo(8))
        file["images"] = np.stack([decoded(photo(number)) for number in range(4)])
        file["padded"] = np.array([photo(number) for number in range(3)])
        file["labels"] = np.arange(4, dtype=np.uint8)
    return path


@pytest.fixture(params=["stored", "compressed"])
def dermamnist(tmp_path, request):
    arrays = {}
    for part, first, n in (("train", 0, 4), ("val", 4, 2), ("test", 6, 3)):
        arrays[f"{part}_images"] = np.stack([decoded(photo(first + i)) for i in range(n)])
        arrays[f"{part}_labels"] = np.arange(n, dtype=np.uint8)[:, np.newaxis]
    path = tmp_path / "dermamnist.npz"
    {"stored": np.savez, "compressed": np.savez_compressed}[request.param](path, **arrays)
    return path


@pytest.fixture
def one_of_each(tmp_path, tfrec, h5):
    np.savez(tmp_path / "a.npz", x=decoded(photo(2))[np.newaxis])
    return [f"{tfrec}#ISIC_002", f"{h5}#ISIC_002", f"{tmp_path / 'a.npz'}#x/0"]


# -- splitting


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a.tfrec#ISIC_1", ("tfrecord", "a.tfrec", "ISIC_1")),
        ("x/a.TFRecords#17", ("tfrecord", "x/a.TFRecords", "17")),
        ("a.tfrecord-00003-of-00010#k", ("tfrecord", "a.tfrecord-00003-of-00010", "k")),
        ("C:\\data\\a.h5#g/k#2", ("hdf5", "C:\\data\\a.h5", "g/k#2")),
        ("a.npz#train_images/17", ("npz", "a.npz", "train_images/17")),
        (PureWindowsPath("C:/data/a.npz#train_images/17"), ("npz", "C:/data/a.npz", "train_images/17")),
        ("a.npz", ("npz", "a.npz", "")),
        ("a.npz#", ("npz", "a.npz", "")),
        ("b.jpg", None),
        ("b.jpg#1", None),
        ("a.h5.jpg", None),
        ("a.npzx#1", None),
    ],
)
def test_what_names_a_container(reference, parts):
    assert container_of(reference) == parts


def test_number_sign_in_names_of_files_and_folders(tmp_path):
    plain = tmp_path / "odd.tfrec#ISIC_1"
    plain.write_bytes(photo(1))
    np.testing.assert_array_equal(read(plain), decoded(photo(1)))
    np.testing.assert_array_equal(read(str(plain)), decoded(photo(1)))
    folder = tmp_path / "old.h5#copy"
    folder.mkdir()
    path = write_tfrecord(folder / "b.tfrec", [{"image": photo(2), "id": "a#b"}])
    np.testing.assert_array_equal(read(f"{path}#a#b"), decoded(photo(2)))


@pytest.mark.parametrize("ending", KINDS)
def test_missing_files_and_containers_without_a_key(tmp_path, ending):
    assert "no such file" in failure(f"{tmp_path / 'none'}.{ending}#ISIC_1")
    assert "path#key" in failure(tmp_path / f"none.{ending}")
    for listing in (tfrecord_table, hdf5_references, npz_table):
        with pytest.raises(LesionImageError, match="no such file"):
            listing(tmp_path / f"none.{ending}")


def test_files_that_references_could_not_name_are_not_listed(one_of_each):
    for reference, listing in zip(one_of_each, (tfrecord_table, hdf5_references, npz_table), strict=True):
        path, _, key = reference.partition("#")
        other = Path(path).rename(f"{path}.bin")
        with pytest.raises(LesionImageError, match="does not tell its format") as error:
            listing(other)
        ending = re.search(r"\.(\w+)\.$", error.value.cure)[1]
        renamed = other.rename(other.with_name(f"renamed.{ending}"))
        assert read(f"{renamed}#{key}").shape == (24, 24, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a folder from a file that may not be read")
@pytest.mark.parametrize("ending", KINDS)
def test_a_folder_under_such_a_name(tmp_path, ending):
    (tmp_path / f"x.{ending}").mkdir()
    message = failure(f"{tmp_path / 'x'}.{ending}#1")
    assert "s a directory" in message.lower()
    assert "damaged" not in message


@pytest.mark.parametrize("ending", KINDS)
def test_other_content_under_such_a_name(tmp_path, ending):
    path = tmp_path / f"photo.{ending}"
    path.write_bytes(photo(1))
    expected = {"tfrec": "no TFRecord", "hdf5": "not HDF5", "npz": "not NPZ"}[ending]
    assert expected in failure(f"{path}#1")
    folder = tmp_path / f"folder.{ending}"
    folder.mkdir()
    failure(f"{folder}#1")


# -- all alike


def test_a_reference_is_a_string_that_reads_like_the_file(one_of_each, tmp_path):
    file = tmp_path / "same.jpg"
    file.write_bytes(photo(2))
    for reference in one_of_each:
        assert isinstance(reference, str)
        again = pickle.loads(pickle.dumps(source(reference)))
        np.testing.assert_array_equal(again.read()[0], decoded(photo(2)))
        np.testing.assert_array_equal(again.read(again.digest)[0], decoded(photo(2)))
        np.testing.assert_array_equal(read(pd.Series([reference])[0]), decoded(photo(2)))
    digests = [source(reference).digest for reference in one_of_each]
    assert digests[:2] == [source(file).digest] * 2
    assert digests[2] == source(decoded(photo(2))).digest


def test_workers_read_by_reference(one_of_each):
    images = Parallel(n_jobs=2)(delayed(read)(reference) for reference in one_of_each * 2)
    for image in images:
        np.testing.assert_array_equal(image, decoded(photo(2)))


def test_features_of_references_are_those_of_the_images(one_of_each):
    features = LesionFeatures([("color", ColorFeatures())], reader=LesionReader(segmenter="otsu"))
    rows = np.asarray(features.fit_transform(one_of_each))
    expected = features.transform([photo(2)])
    np.testing.assert_array_equal(rows, np.repeat(expected, 3, axis=0))


def test_a_file_that_changes_is_read_anew(tmp_path):
    path = tmp_path / "a.tfrec"
    for number in (1, 2, 3):
        write_tfrecord(path, [{"image": photo(number), "id": "x", "more": "y" * number}])
        np.testing.assert_array_equal(read(f"{path}#x"), decoded(photo(number)))


# -- the checksum


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c_published_values(data, crc):
    assert crc32c(data) == plain_crc32c(data) == crc


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 1021, 65535, 65536, 65537, 65539, 131072, 140001])
def test_crc32c_agrees_with_the_plain_loop(size):
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == crc32c(bytearray(data)) == crc32c(memoryview(data)) == plain_crc32c(data)


# -- TFRecord


def test_table_of_records(tmp_path):
    records = [
        {"image": photo(0), "image_name": "a", "age": 45.5, "target": -1, "site": "Ä", "box": [1, 2, 300]},
        {"image": photo(1), "image_name": "b", "age": [], "reference": "atlas", "tags": ["x", "y"]},
    ]
    for packed in (True, False):
        path = write_tfrecord(tmp_path / f"{packed}.tfrecord", records, packed)
        table = tfrecord_table(path)
        assert list(table["reference"]) == [f"{path}#a", f"{path}#b"]
        assert list(table.columns) == [
            *("reference", "image_name", "age", "target", "site", "box", "reference_", "tags"),
        ]
        assert list(table["image_name"]) == ["a", "b"]
        assert table["age"][0] == 45.5
        assert table["target"][0] == -1
        assert table["site"][0] == "Ä"
        np.testing.assert_array_equal(table["box"][0], [1, 2, 300])
        assert list(table["tags"][1]) == ["x", "y"]
        assert table["reference_"][1] == "atlas"
        assert table[["age", "target", "site", "box"]].iloc[1].isna().all()
        for number, reference in enumerate(table["reference"]):
            np.testing.assert_array_equal(read(reference), decoded(photo(number)))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**31, 2**63 - 1, -1, -(2**63)])
@pytest.mark.parametrize("packed", [True, False])
def test_integers_of_any_size(tmp_path, value, packed):
    records = [{"image": photo(0), "id": value, "more": [value, 1, value]}]
    table = tfrecord_table(write_tfrecord(tmp_path / "a.tfrec", records, packed))
    assert table["id"][0] == value
    assert list(table["more"][0]) == [value, 1, value]
    np.testing.assert_array_equal(read(f"{tmp_path / 'a.tfrec'}#{value}"), decoded(photo(0)))


def test_features_by_name(tmp_path):
    records = [{"picture": photo(i), "other/image": photo(i + 5), "code&name": name} for i, name in enumerate("ab")]
    path = write_tfrecord(tmp_path / "a.tfrec", records)
    np.testing.assert_array_equal(read(f"{path}#b?image=picture&key=code%26name"), decoded(photo(1)))
    np.testing.assert_array_equal(read(f"{path}#1?image=other/image"), decoded(photo(6)))
    table = tfrecord_table(path, image="picture", key="code&name")
    np.testing.assert_array_equal(read(table["reference"][1]), decoded(photo(1)))
    np.testing.assert_array_equal(read(table["other/image"][0]), decoded(photo(5)))
    table = tfrecord_table(path, image="picture")
    assert list(table["reference"]) == [f"{path}#0?image=picture", f"{path}#1?image=picture"]
    assert "no known image feature; it has code&name (bytes)" in failure(f"{path}#1")
    assert "no image feature 'foo'" in failure(f"{path}#1?image=foo")
    assert "no text or integer 'foo' to name it" in failure(f"{path}#1?key=foo")
    with pytest.raises(LesionImageError, match="no known image feature"):
        tfrecord_table(path)


def test_channels_stored_as_bgr(tfrec):
    plain = f"{tfrec}#ISIC_001"
    for options in ("?channels=bgr", "?image=image&channels=bgr", "?channels=bgr&key=image_name"):
        image = source(plain + options)
        rgb = image.read(image.digest)[0]
        np.testing.assert_array_equal(rgb, decoded(photo(1))[..., ::-1])
        assert rgb.flags.c_contiguous
        assert rgb.dtype == np.uint8
        assert image.digest == source(f"{plain}?channels=bgr").digest != source(plain).digest
    assert source(f"{plain}?channels=rgb").digest == source(plain).digest
    assert list(tfrecord_table(tfrec, channels="bgr")["reference"][:2]) == [
        f"{tfrec}#ISIC_000?channels=bgr", f"{plain}?channels=bgr",
    ]  # fmt: skip
    assert "found channels 'brg'. Choose one of ['rgb', 'bgr']" in failure(f"{plain}?channels=brg")
    with pytest.raises(LesionImageError, match="channels: found channels 'BGR'"):
        tfrecord_table(tfrec, channels="BGR")
    with pytest.raises(LesionImageError, match="more than the limit of 100"):
        sources([f"{plain}?channels=bgr"], max_pixels=100)[0].read()


def test_masks_of_records_keep_their_channels(tmp_path):
    mask = io.BytesIO()
    Image.fromarray(np.eye(24, dtype=bool)).save(mask, "PNG")
    path = write_tfrecord(tmp_path / "a.tfrec", [{"image": photo(1), "id": "x", "mask": mask.getvalue()}])
    row = tfrecord_table(path, channels="bgr").iloc[0]
    assert row["mask"] == f"{path}#x?image=mask"
    rgb, mask = source((row["reference"], row["mask"])).read()
    np.testing.assert_array_equal(rgb, decoded(photo(1))[..., ::-1])
    np.testing.assert_array_equal(mask, np.eye(24, dtype=bool))


def test_other_images_of_a_record_are_references(tmp_path):
    mask = io.BytesIO()
    Image.fromarray(np.eye(24, dtype=bool)).save(mask, "PNG")
    path = write_tfrecord(tmp_path / "a.tfrec", [{"image": photo(1), "id": "x", "mask": mask.getvalue()}])
    row = tfrecord_table(path).iloc[0]
    rgb, mask = source((row["reference"], row["mask"])).read()
    np.testing.assert_array_equal(rgb, decoded(photo(1)))
    np.testing.assert_array_equal(mask, np.eye(24, dtype=bool))


def test_lists_and_folders_of_files(tmp_path):
    for name in ("b.tfrec", "a.TFRECORD", "c.tfrecord-00000-of-00001"):
        write_tfrecord(tmp_path / name, [{"image": photo(1), "id": name}])
    (tmp_path / "readme.txt").write_text("no records")
    (tmp_path / "._b.tfrec").write_bytes(b"what macOS leaves beside a file")
    names = ["a.TFRECORD", "b.tfrec", "c.tfrecord-00000-of-00001"]
    assert list(tfrecord_table(tmp_path)["id"]) == names
    assert list(tfrecord_table([tmp_path / "b.tfrec", str(tmp_path / "a.TFRECORD")])["id"]) == names[1::-1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(LesionImageError, match="no TFRecord files"):
        tfrecord_table(tmp_path / "empty")


def test_keys_that_repeat_or_miss(tfrec, tmp_path):
    message = failure(f"{tfrec}#ISIC_0003")
    assert "found no 'ISIC_0003'; near it are 'ISIC_003' and 'ISIC_000'" in message
    np.testing.assert_array_equal(read(f"{tfrec}#3?key="), decoded(photo(3)))
    path = write_tfrecord(tmp_path / "a.tfrec", [{"image": photo(i), "id": name} for i, name in enumerate("xyx")])
    assert "the key 'x' names the records 0 and 2" in failure(f"{path}#x")
    with pytest.raises(LesionImageError, match="'x' names the records 0 and 2"):
        tfrecord_table(path)
    np.testing.assert_array_equal(read(f"{path}#y"), decoded(photo(1)))
    assert list(tfrecord_table(path, key="")["reference"]) == [f"{path}#{i}?key=" for i in range(3)]


@pytest.mark.parametrize("at", [0, 8, 12, 400, -5, -1])
def test_every_flipped_byte_of_a_record_is_noticed(tmp_path, at):
    first, second = (framed(example({"image": photo(i), "id": name})) for i, name in enumerate("ab"))
    damaged = bytearray(second)
    damaged[at] ^= 4
    path = tmp_path / "a.tfrec"
    path.write_bytes(first + bytes(damaged))
    np.testing.assert_array_equal(read(f"{path}#a"), decoded(photo(0)))
    assert "record 1 has a CRC mismatch" in failure(f"{path}#b")
    with pytest.raises(LesionImageError, match="record 1 has a CRC mismatch") as caught:
        tfrecord_table(path)
    assert caught.value.item == str(path)


def test_truncated_files_give_what_is_whole(tfrec):
    data = tfrec.read_bytes()
    for kept in (len(data) - 1, len(data) - 300):
        tfrec.write_bytes(data[:kept])
        np.testing.assert_array_equal(read(f"{tfrec}#ISIC_003"), decoded(photo(3)))
        assert "record 4 has a length of" in failure(f"{tfrec}#ISIC_004")
    tfrec.write_bytes(data + b"12345")
    assert "record 5 has a truncated file (5 bytes left)" in failure(f"{tfrec}#ISIC_005")
    tfrec.write_bytes(b"")
    assert "an empty file" in failure(f"{tfrec}#ISIC_005")


@pytest.mark.parametrize(("packed", "kind"), [(gzip.compress, "gzip"), (zlib.compress, "zlib")])
def test_compressed_files_are_named(tfrec, packed, kind):
    tfrec.write_bytes(packed(tfrec.read_bytes()))
    assert f"compressed ({kind}). Decompress it first" in failure(f"{tfrec}#ISIC_001")


@pytest.mark.parametrize("size", [2**60, 2**64 - 1, MAX_RECORD + 1, 5000])
def test_lengths_that_no_file_has(tmp_path, size):
    length = struct.pack("<Q", size)
    path = tmp_path / "a.tfrec"
    path.write_bytes(length + masked(length) + bytes(1000))
    assert f"a length of {size} bytes" in failure(f"{path}#0")


def test_records_of_something_else(tmp_path):
    path = tmp_path / "a.tfrec"
    path.write_bytes(framed(b"\x0a\xff plain text"))
    assert "record 0 has no tf.train.Example" in failure(f"{path}#0")
    path.write_bytes(framed(b""))
    assert "it has no features" in failure(f"{path}#0")


def test_siim_records(shared_data):
    folder = shared_data / "siim2020"
    table = tfrecord_table(folder / "tfrecords")
    assert len(table) == table["image_name"].nunique() == 103
    listed = pd.read_csv(folder / "train.csv").set_index("image_name")["target"]
    assert (listed[table["image_name"]].to_numpy() == table["target"]).all()
    images = [read(reference) for reference in table["reference"][::5]]
    assert {image.shape for image in images} == {(512, 512, 3)}
    means = np.array([image.mean(axis=(0, 1)) for image in images])
    assert (means[:, 2] > means[:, 0]).all()  # stored as BGR, and left so


# -- HDF5


def test_entries_and_rows(h5):
    for key, number in [*zip(IDS, range(5), strict=True), ("part/flat", 7), ("part/text", 8), ("padded/1", 1)]:
        assert source(f"{h5}#{key}").digest == source(photo(number)).digest
    np.testing.assert_array_equal(read(f"{h5}#images/3"), decoded(photo(3)))
    expected = [*IDS, *(f"images/{i}" for i in range(4)), "part/flat", "part/text"]
    assert sorted(hdf5_references(h5)) == sorted(f"{h5}#{key}" for key in expected)


def test_arrays_of_other_byte_order(tmp_path):
    deep = (decoded(photo(1)).astype(np.uint16) * 257).astype(">u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = deep
    np.savez(tmp_path / "a.npz", x=deep)
    for container in ("a.h5", "a.npz"):
        rgb = read(f"{tmp_path / container}#x")
        np.testing.assert_array_equal(rgb, decoded(photo(1)))
        rgb[:] = 0  # an own copy, not the kept array


def test_entries_that_are_not_there(h5):
    assert "near it are 'ISIC_003' and 'ISIC_000'" in failure(f"{h5}#ISIC_0003")
    assert "no row 4 in an array of shape (4, 24, 24, 3). Rows count from 0 to 3" in failure(f"{h5}#images/4")
    assert "a group (flat, text ...)" in failure(f"{h5}#part")
    for key in ("/", ".", "images/-1", "images/1/1", "part/", "a\0b", "images/", "Ä" * 300):
        failure(f"{h5}#{key}")
    assert "(4, 24, 24, 3). An image has the shape (H, W, 3); name a row: #images/0." in failure(f"{h5}#images")


def test_entries_that_cannot_be_images(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["text"] = "some text"
        file.create_dataset("vlen", 1, h5py.vlen_dtype(np.uint8))[0] = np.frombuffer(photo(1), np.uint8)
        file["empty"] = h5py.Empty("u1")
        file["fields"] = np.zeros(3, "u1,u1")
        file.create_dataset("huge", (2**40, 64, 64, 3), np.uint8, chunks=(1, 64, 64, 3))
        file.create_dataset("huge_chunk", (2**9, 2**10, 2**10, 3), np.uint8, chunks=(2**8, 2**10, 2**10, 3))
        elsewhere = h5py.VirtualLayout((24, 24, 3), np.uint8)
        elsewhere[:] = h5py.VirtualSource("b.h5", "image", (24, 24, 3))  # h5py 3.11 takes one without sources for empty
        file.create_virtual_dataset("elsewhere", elsewhere)
    with pytest.raises(LesionImageError, match="more than 2097152 images"):
        hdf5_references(path)
    for key in ("text", "vlen/0", "fields"):
        assert "elements of the type" in failure(f"{path}#{key}")
    assert "an empty dataset" in failure(f"{path}#empty")
    assert "a virtual dataset" in failure(f"{path}#elsewhere")
    assert "add the row" in failure(f"{path}#huge")
    assert "chunks of shape" in failure(f"{path}#huge_chunk/3")
    with h5py.File(path, "w") as file:
        file["loop"] = file["/"]
        file["labels"] = np.arange(40, dtype=np.uint8)
        file["empty"] = h5py.Empty("u1")
        file["text"] = "some text"
        file["vlen"] = np.array(["a", "b"], dtype=h5py.string_dtype())
    with pytest.raises(LesionImageError, match="no images"):
        hdf5_references(path)


def test_truncated_hdf5(h5):
    h5.write_bytes(h5.read_bytes()[:-1000])
    assert "a damaged file, or not HDF5" in failure(f"{h5}#ISIC_001")


def test_many_entries_are_listed_unopened(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for number in range(1001):
            file[f"ISIC_{number:07d}"] = np.void(photo(number % 7)) if number < 9 else np.void(b"no image")
    references = hdf5_references(path)
    assert len(references) == 1001
    np.testing.assert_array_equal(read(references[8]), decoded(photo(1)))
    assert "not an image" in failure(references[9])


def test_large_files_stay_open_until_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "LARGE", 0)
    paths = [tmp_path / f"{number}.h5" for number in range(6)]
    for number, path in enumerate(paths):
        with h5py.File(path, "w") as file:
            file["x"] = np.void(photo(number))
    for number, path in enumerate(paths):
        for _ in range(2):
            np.testing.assert_array_equal(read(f"{path}#x"), decoded(photo(number)))
    kept = list(hdf5._kept)
    assert [place[0] for place in kept] == [str(path) for path in paths[2:]]
    new = tmp_path / "new"
    with h5py.File(new, "w") as file:
        file["x"] = np.void(photo(30) + b"longer")
    paths[5].write_bytes(new.read_bytes())  # the same file on the disk, other content
    np.testing.assert_array_equal(read(f"{paths[5]}#x"), decoded(photo(30)))
    hdf5._kept.clear()


WRITER = """
import h5py, sys
with h5py.File(sys.argv[1], "a"):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the file locks of POSIX")
def test_a_file_that_is_being_written_to_is_not_called_damaged(h5):
    command = [sys.executable, "-c", WRITER, str(h5)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        message = failure(f"{h5}#ISIC_002")
        with pytest.raises(LesionImageError, match=r"cannot be opened.*no other process has open for writing"):
            hdf5_references(h5)
    assert "cannot be opened" in message
    np.testing.assert_array_equal(read(f"{h5}#ISIC_002"), decoded(photo(2)))


FORK = """
import os, sys
from dermfeat.reading import hdf5, hdf5_references, sources
hdf5.LARGE = 0
references = hdf5_references(sys.argv[1])
expected = [source.digest for source in sources(references)]
children = [os.fork() for _ in range(2)]
for _ in range(30):
    assert [source.digest for source in sources(references)] == expected
if 0 not in children:
    assert [os.wait()[1] for _ in children] == [0, 0]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_read_a_file_that_is_open(h5):
    paths = os.pathsep.join([str(Path(dermfeat.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", FORK, str(h5)]
    subprocess.run(command, check=True, timeout=60, env=os.environ | {"PYTHONPATH": paths})


# -- NPZ


def test_dermamnist_layout(dermamnist):
    table = npz_table(dermamnist)
    assert list(table.columns) == ["reference", "split", "label"]
    assert list(table["split"]) == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert list(table["label"]) == [0, 1, 2, 3, 0, 1, 0, 1, 2]
    assert table["reference"][4] == f"{dermamnist}#val_images/0"
    for number, reference in enumerate(table["reference"]):
        np.testing.assert_array_equal(read(reference), decoded(photo(number)))


def test_rows_that_are_not_there(dermamnist):
    assert "no row 4 in an array of shape (4, 24, 24, 3)" in failure(f"{dermamnist}#train_images/4")
    assert "near it are 'train_images' and" in failure(f"{dermamnist}#train_image/1")
    for key in (
        "train_images/-1",
        "train_images/1/1",
        "train_images/",
        "train_images/1.0",
        "/",
        "train_images/" + "9" * 30,
    ):
        failure(f"{dermamnist}#{key}")
    assert "(4, 24, 24, 3). An image has the shape (H, W, 3); name a row: #train_images/0." in failure(
        f"{dermamnist}#train_images"
    )


def test_arrays_of_every_kind(tmp_path):
    rgb = decoded(photo(1))
    path = tmp_path / "a.npz"
    arrays = {"one": rgb, "gray": rgb[np.newaxis, ..., 0], "fortran": np.asfortranarray(np.stack([rgb, 255 - rgb]))}
    arrays |= {"floats": rgb[np.newaxis] / 255, "in/it": rgb[np.newaxis], "objects": np.array([{}]), "number": 3}
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        for key in ("one", "floats/0", "fortran/0", "in/it/0"):
            np.testing.assert_array_equal(read(f"{path}#{key}"), rgb)
        np.testing.assert_array_equal(read(f"{path}#fortran/1"), 255 - rgb)
        np.testing.assert_array_equal(read(f"{path}#gray/0")[..., 1], rgb[..., 0])
        assert "elements of the type object" in failure(f"{path}#objects/0")
        assert "no row 0 in an array of shape ()" in failure(f"{path}#number/0")
        with pytest.raises(LesionImageError, match="no images among the arrays"):
            npz_table(path)
    np.savez(path, images=np.empty((2**40, 0, 8, 3), np.uint8))
    with pytest.raises(LesionImageError, match="found images of shape"):
        npz_table(path)


def test_labels_of_other_shapes(tmp_path):
    images = np.stack([decoded(photo(i)) for i in range(3)])
    np.savez(tmp_path / "none.npz", images=images)
    table = npz_table(tmp_path / "none.npz")
    assert table[["split", "label"]].isna().all(axis=None)
    np.savez(tmp_path / "several.npz", images=images, labels=np.eye(3))
    np.testing.assert_array_equal(npz_table(tmp_path / "several.npz")["label"][1], [0, 1, 0])
    np.savez(tmp_path / "part.npz", images=images, test_images=images[:0], test_labels=np.empty((0, 1), int))
    assert len(npz_table(tmp_path / "part.npz")) == 3
    np.savez(tmp_path / "fewer.npz", train_images=images, train_labels=np.arange(2))
    with pytest.raises(LesionImageError, match=r"3 images and labels of shape \(2,\) for train_images"):
        npz_table(tmp_path / "fewer.npz")


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(2**40, 8, 8, 3), (2**62, 2**62), (-1, 8, 8, 3), (3, 8, 8, 3)])
def test_shapes_that_no_file_has(tmp_path, shape, kind):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(8 * 8 * 3))
    assert "claims" in failure(f"{path}#x/0")


def test_damaged_pixels_are_noticed(dermamnist):
    data = bytearray(dermamnist.read_bytes())
    with zipfile.ZipFile(dermamnist) as archive:
        info = archive.getinfo("train_images.npy")
    data[info.header_offset + 30 + info.compress_size // 2] ^= 1
    dermamnist.write_bytes(data)
    for _ in range(2):
        assert "a damaged file" in failure(f"{dermamnist}#train_images/0")
    np.testing.assert_array_equal(read(f"{dermamnist}#val_images/0"), decoded(photo(4)))


def test_unpacked_arrays_are_kept_within_bounds(tmp_path, monkeypatch):
    images = np.stack([decoded(photo(i)) for i in range(3)])
    monkeypatch.setattr(npz, "MAX_UNPACKED", int(2.5 * images.nbytes))
    npz._unpacked.clear()
    np.savez_compressed(tmp_path / "a.npz", a=images, b=images, c=images, all=np.concatenate([images] * 3))
    for key in "abc":
        for row in range(3):
            np.testing.assert_array_equal(read(f"{tmp_path / 'a.npz'}#{key}/{row}"), images[row])
    assert [member for _, member in npz._unpacked] == ["b.npy", "c.npy"]
    assert "numpy.savez" in failure(f"{tmp_path / 'a.npz'}#all/0")
