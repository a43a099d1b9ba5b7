"""The store: rows survive, damage is set aside, processes share it, it stays bounded."""

import os
import sqlite3
import subprocess
import sys
import time
import warnings

import cv2
import numpy as np
import pytest

from dermfeat import LesionFeatures, LesionImageError, LesionReader
from dermfeat.datasets import make_lesions
from dermfeat.extraction.keys import _digest_of, content_digest
from dermfeat.extraction.store import Store
from dermfeat.reading import Source, sources


def rows(start, stop, width=7):
    return {i.to_bytes(16, "big"): np.full(width, i, np.float32) for i in range(start, stop)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "rows.sqlite"


def test_rows_come_back_and_unknown_keys_do_not(path):
    store = Store(path, 100)
    store.put(rows(0, 1200))
    store.close()
    again = Store(path, 100)
    found = again.get(list(rows(0, 1500)))
    assert len(found) == 1200
    for key, row in rows(0, 1200).items():
        np.testing.assert_array_equal(found[key], row)


@pytest.mark.parametrize("damage", [b"this is no database at all" * 50, b""])
def test_damaged_file(path, damage):
    store = Store(path, 100)
    store.put(rows(0, 10))
    store.close()
    path.write_bytes(damage)
    if damage:
        with pytest.warns(UserWarning, match="damaged.*set aside"):
            store = Store(path, 100)
        assert len(list(path.parent.glob("*.damaged-*"))) == 1
    else:
        store = Store(path, 100)
    assert store.get(list(rows(0, 10))) == {}
    store.put(rows(0, 10))
    assert len(store.get(list(rows(0, 10)))) == 10


def test_damaged_pages_are_never_returned_as_rows(path):
    store = Store(path, 100)
    store.put(rows(0, 3000))
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    store.close()
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for i in rng.integers(4096, len(data), 4000):
        data[i] ^= 0xFF
    path.write_bytes(bytes(data))
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        store = Store(path, 100)
        found = store.get(list(rows(0, 3000)))
    assert len(found) < 3000
    for key, row in found.items():
        np.testing.assert_array_equal(row, rows(int.from_bytes(key, "big"), int.from_bytes(key, "big") + 1)[key])
    store.put(rows(5000, 5010))
    assert len(store.get(list(rows(5000, 5010)))) == 10


def test_folder_that_cannot_be_written_warns_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="cannot be used"):
        store = Store(tmp_path / "file" / "rows.sqlite", 100)
    store.put(rows(0, 5))  # a second warning would be an error here
    assert store.get(list(rows(0, 5))) == {}


def test_the_oldest_rows_go_when_the_file_is_full(path):
    store = Store(path, 1)
    for start in range(0, 6000, 500):
        store.put(rows(start, start + 500, width=100))
    assert path.stat().st_size < 1.5 * 2**20
    held = store.get(list(rows(0, 6000)))
    assert 1000 < len(held) < 6000
    assert next(iter(rows(5999, 6000))) in held
    assert next(iter(rows(0, 1))) not in held


def test_two_processes_find_the_same_damage(path):
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all" * 50)
    code = (
        "import sys, warnings; from pathlib import Path; from dermfeat.extraction.store import Store\n"
        "import numpy as np; warnings.simplefilter('ignore')\n"
        "key = sys.argv[2].encode() * 16; store = Store(Path(sys.argv[1]), 100)\n"
        "store.put({key: np.ones(3, np.float32)}); store.close()\n"
        "assert len(Store(Path(sys.argv[1]), 100).get([key])) == 1\n"
    )
    openers = [subprocess.Popen([sys.executable, "-c", code, path, name]) for name in "abcd"]
    assert [opener.wait(60) for opener in openers] == [0] * 4
    assert len(list(path.parent.glob("*.damaged-*"))) >= 1


def test_two_processes_write_at_once(path):
    code = (
        "import sys, numpy as np; from pathlib import Path; from dermfeat.extraction.store import Store\n"
        "store = Store(Path(sys.argv[1]), 100); start = int(sys.argv[2])\n"
        "for i in range(start, start + 300):\n"
        "    store.put({i.to_bytes(16, 'big'): np.full(7, i, np.float32)})\n"
    )
    writers = [subprocess.Popen([sys.executable, "-W", "error", "-c", code, path, str(s)]) for s in (0, 300)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = Store(path, 100).get(list(rows(0, 600)))
    assert len(found) == 600
    assert sqlite3.connect(path).execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_reading_writes_nothing(path):
    store = Store(path, 100)
    store.put(rows(0, 100))
    store.close()
    before = path.read_bytes(), path.stat().st_mtime_ns
    store = Store(path, 100)
    assert len(store.get(list(rows(0, 100)))) == 100
    assert store._connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)  # incremental
    store.close()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_rows_of_10_000_images_are_read_in_well_under_a_second(path):
    keys = list(rows(0, 40_000, width=1))
    store = Store(path, 2048)
    store.put(dict.fromkeys(keys, np.ones(66, np.float32)))
    start = time.process_time()
    assert len(store.get(keys)) == 40_000
    assert time.process_time() - start < 1


@pytest.fixture
def loads(monkeypatch):
    """Names of the sources that are read, in order."""
    names, load = [], Source._load
    monkeypatch.setattr(Source, "_load", lambda self: names.append(self.name) or load(self))
    return names


def settled(path, data, seconds_ago=60):
    """Write a file as if some time ago; the time of the inode itself cannot be set."""
    path.write_bytes(data)
    when = time.time_ns() - int(seconds_ago * 1e9)
    os.utime(path, ns=(when, when))
    return path


def test_a_settled_file_is_digested_once(tmp_path, loads, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr("dermfeat.extraction.keys.time.time_ns", lambda: now + 10**10)
    image, mask = settled(tmp_path / "a.png", b"image"), settled(tmp_path / "b.png", b"mask")
    digests = [content_digest(sources([reference])[0]) for reference in (image, (image, mask)) * 2]
    assert digests[:2] == digests[2:]
    assert len(set(digests)) == 2
    assert loads == [str(image)] * 2
    settled(image, b"other", seconds_ago=60)  # the same size
    os.utime(image, ns=(image.stat().st_atime_ns, now - 10**9))
    assert content_digest(sources([image])[0]) not in digests
    assert content_digest(sources([image])[0]) == sources([image])[0].digest


def test_unchanged_files_are_not_read_again_in_another_process(tmp_path, loads, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr("dermfeat.extraction.keys.time.time_ns", lambda: now + 10**10)
    lesions = make_lesions(2, size=(64, 64))
    png = [cv2.imencode(".png", plane)[1].tobytes() for plane in (*lesions.X, lesions.masks[1] * np.uint8(255))]
    files = [settled(tmp_path / f"{i}.png", data) for i, data in enumerate(png)]
    references = [files[0], (files[1], files[2])]
    features = LesionFeatures(["mask", "color"], reader=LesionReader(segmenter="otsu"))
    rows = features.transform(references)
    _digest_of.cache_clear()  # what a process remembers
    loads.clear()
    np.testing.assert_array_equal(features.transform(references), rows)
    assert not loads
    settled(files[0], png[1], seconds_ago=50)
    assert (features.transform(references)[0] != rows[0]).any()
    assert set(loads) == {str(files[0])}


def test_a_digest_is_not_kept_under_the_stamp_of_another_file(tmp_path, monkeypatch):
    """A link that leads to another version while the files are read, and back again."""
    now = time.time_ns()
    monkeypatch.setattr("dermfeat.extraction.keys.time.time_ns", lambda: now + 10**10)
    for name, image in zip("ab", make_lesions(2, size=(64, 64)).X, strict=True):
        settled(tmp_path / f"{name}.png", cv2.imencode(".png", image)[1].tobytes())
    link, features = tmp_path / "link.png", LesionFeatures(["mask", "color"], reader=LesionReader(segmenter="otsu"))

    def lead_to(name):
        link.unlink(missing_ok=True)
        link.symlink_to(f"{name}.png")

    def digest_of_the_other(source):
        lead_to("b")
        return content_digest(source)

    first = features.transform([tmp_path / "a.png"])
    lead_to("a")
    with monkeypatch.context() as patch:
        patch.setattr("dermfeat.extraction.loop.content_digest", digest_of_the_other)
        features.transform([link])
    lead_to("a")
    _digest_of.cache_clear()
    np.testing.assert_array_equal(features.transform([link]), first)


def test_a_digest_that_does_not_hold_is_forgotten(tmp_path, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr("dermfeat.extraction.keys.time.time_ns", lambda: now + 10**10)
    one, other = (cv2.imencode(".png", image)[1].tobytes() for image in make_lesions(2, size=(64, 80)).X)
    file, features = settled(tmp_path / "a.png", one), LesionFeatures(["mask"], reader=LesionReader(segmenter="otsu"))
    monkeypatch.setattr("dermfeat.extraction.keys._stamps", lambda source: ("as before",))  # on a poor file system
    features.transform([file])
    file.write_bytes(other)
    _digest_of.cache_clear()
    features = LesionFeatures(["color"], reader=LesionReader(segmenter="otsu"))
    with pytest.raises(LesionImageError, match="the file changed"):
        features.transform([file])
    _digest_of.cache_clear()
    assert np.isfinite(features.transform([file])).all()


def test_rows_are_read_where_digests_cannot_be_written(tmp_path, monkeypatch, loads):
    file = tmp_path / "a.png"
    file.write_bytes(cv2.imencode(".png", make_lesions(1, size=(80, 64)).X[0])[1].tobytes())
    features = LesionFeatures(["mask"], reader=LesionReader(segmenter="otsu"))
    rows = features.transform([file])  # the file is fresh, so its digest is not kept
    now = time.time_ns()
    monkeypatch.setattr("dermfeat.extraction.keys.time.time_ns", lambda: now + 10**10)
    monkeypatch.setattr(Store, "_insert", lambda self, rows: (_ for _ in ()).throw(sqlite3.OperationalError("full")))
    monkeypatch.setattr("dermfeat.extraction.loop.Batch", None)  # nothing is to be measured
    with pytest.warns(UserWarning, match="cannot be used"):
        np.testing.assert_array_equal(features.transform([file]), rows)


def test_what_may_still_change_is_digested_each_time(tmp_path, loads):
    fresh = tmp_path / "a.png"
    fresh.write_bytes(b"image")
    array = np.zeros((8, 8, 3), np.uint8)
    for reference in (fresh, array, b"image"):
        assert content_digest(sources([reference])[0]) == content_digest(sources([reference])[0])
    assert len(loads) == 6
    array[0] = 1
    assert content_digest(sources([array])[0]) != content_digest(sources([np.zeros_like(array)])[0])
    fresh.write_bytes(b"other")
    assert content_digest(sources([fresh])[0]) == content_digest(sources([b"other"])[0])
