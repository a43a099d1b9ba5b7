"""Damaged containers give the one documented error, in bounded time and memory; what does read is what was stored.

``DERMFEAT_FUZZ=1000`` sets the number of damaged files a format.
"""

import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from container_files import example, framed, masked, photo
from PIL import Image

import dermfeat
from dermfeat import LesionImageError
from dermfeat.reading import hdf5_references, npz_table, sources, tfrecord_table

N_FILES = int(os.environ.get("DERMFEAT_FUZZ", 150))
SECONDS = 20  # for one damaged file
LISTING = {"tfrec": tfrecord_table, "hdf5": hdf5_references, "npz": npz_table}
HOSTILE = [(2**60).to_bytes(8, "little"), b"\xff" * 8, (2**31).to_bytes(8, "little"), (2**40).to_bytes(8, "little")]
PHOTOS = [photo(number) for number in range(4)]
PIXELS = [np.asarray(Image.open(io.BytesIO(data))) for data in PHOTOS]


# -- whole files: bytes and the keys of the four photos


def tfrec_file(variant):
    return b"".join(framed(record) for record in _examples(variant)), [f"ISIC_{i}" for i in range(4)]


def _examples(variant):
    numbers = {"ages": [0.5, 40.0], "box": [7, 300, -1]}
    features = [{"image": data, "image_name": f"ISIC_{i}", **numbers} for i, data in enumerate(PHOTOS)]
    return [example(item, packed=variant % 2 == 0) for item in features]


def hdf5_file(variant):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "latest")[variant // 2 % 2]) as file:
        if variant % 2:
            for number, data in enumerate(PHOTOS):
                file[f"ISIC_{number}"] = np.void(data)
            keys = [f"ISIC_{number}" for number in range(4)]
        else:
            file.create_dataset("g/images", data=np.stack(PIXELS), compression="gzip" if variant % 8 >= 4 else None)
            keys = [f"g/images/{number}" for number in range(4)]
    return buffer.getvalue(), keys


def npz_file(variant):
    buffer = io.BytesIO()
    save = (np.savez, np.savez_compressed)[variant // 2 % 2]
    save(buffer, train_images=np.stack(PIXELS), train_labels=np.arange(4)[:, np.newaxis])
    return buffer.getvalue(), [f"train_images/{number}" for number in range(4)]


WHOLE = {"tfrec": tfrec_file, "hdf5": hdf5_file, "npz": npz_file}


# -- damage


def flip_bits(data, chance):
    for _ in range(chance.randint(1, 8)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def truncate(data, chance):
    del data[chance.randrange(len(data)) :]


def insert(data, chance):
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randint(1, 40))


def zero(data, chance):
    at = chance.randrange(len(data))
    data[at : at + 64] = bytes(len(data[at : at + 64]))


def hostile_length(data, chance):
    """Write a number that no length can be, at a place where the format may have one."""
    width = chance.choice([2, 4, 8])
    at = chance.randrange(0, max(1, len(data) - width), 2)
    data[at : at + width] = chance.choice(HOSTILE)[:width]


def metadata_bits(data, chance):
    """Flip bits near the beginning and the end, where the formats keep their tables."""
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(min(800, len(data)))
        data[chance.choice([at, -1 - at])] ^= 1 << chance.randrange(8)


DAMAGE = [flip_bits, truncate, insert, zero, hostile_length, metadata_bits]


def damaged(kind, seed):
    """Return the bytes of a damaged container, its keys, and whether a checksum still vouches for the images."""
    chance = random.Random(seed)
    variant, number = divmod(seed, len(DAMAGE))
    data, keys = WHOLE[kind](variant)
    damage = DAMAGE[number]
    if kind == "tfrec" and seed % 5 in (0, 1):
        records = [bytearray(record) for record in _examples(variant)]
        damage(chance.choice(records), chance)
        return b"".join(map(framed, map(bytes, records))), keys, False
    if kind == "tfrec" and seed % 5 == 2:
        length = chance.choice(HOSTILE)
        return data + length + masked(length) + chance.randbytes(chance.randrange(100)), keys, True
    if kind == "npz" and seed % 5 in (0, 1):
        return _repacked(data, damage, chance), keys, False
    data = bytearray(data)
    damage(data, chance)
    return bytes(data), keys, kind != "hdf5"


def _repacked(data, damage, chance):
    """Damage an array inside the zip file, whose own checksums are right again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = bytearray(old.read(info))
            head, tail = content[:128], content[128:]
            damage(head if chance.random() < 0.7 else tail, chance)
            new.writestr(info.filename, bytes(head + tail), info.compress_type)
    return out.getvalue()


# -- one file, in a process of its own kind


def outcomes(kind, seed, folder):
    """Read all there is in a damaged file; yield what became of each reference and of the listing."""
    data, keys, vouched = damaged(kind, seed)
    path = Path(folder) / f"{seed}.{kind}"
    path.write_bytes(data)
    yield _outcome(str(path), lambda: LISTING[kind](path))
    for key, pixels in zip(keys, PIXELS, strict=True):
        reference = f"{path}#{key}"
        what, rgb = _outcome(reference, lambda reference=reference: sources([reference])[0].read()[0])
        if what == "read" and vouched and not np.array_equal(rgb, pixels):
            what = "other content"
        yield what, None
    path.unlink()


def _outcome(item, action):
    try:
        return "read", action()
    except LesionImageError as error:
        return ("error" if error.item == item and error.found and error.cure else f"item {error.item}"), None
    except BaseException as error:
        return f"{type(error).__name__}: {error}", None


def child(kind, first, last):
    """Print the outcomes of a range of seeds, and the most memory that was taken; the current seed goes first."""
    import resource

    from memory import peak_bytes

    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
    counts, bad = Counter(), {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last):
            print(seed, flush=True)
            signal.alarm(SECONDS)
            for what, _ in outcomes(kind, seed, folder):
                counts[what] += 1
                if what not in ("read", "error"):
                    bad.setdefault(what, seed)
            signal.alarm(0)
    print(json.dumps({"counts": counts, "bad": bad, "peak": peak_bytes()}))


@pytest.mark.parametrize("kind", ["tfrec", "hdf5", "npz"])
def test_damaged_files(kind):
    pytest.importorskip("resource", reason="memory and time are limited by means of Unix")
    env = os.environ | {"PYTHONPATH": str(Path(dermfeat.__file__).parents[1])}
    command = [sys.executable, __file__, kind, "0", str(N_FILES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 10 + N_FILES, env=env)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"exit {done.returncode} after seed {lines[-1:]}: {done.stderr[-800:]}"
    result = json.loads(lines[-1])
    print(kind, N_FILES, "files:", result)
    assert not result["bad"]
    assert result["counts"]["error"] > N_FILES
    assert result["counts"]["read"] > N_FILES / 4
    assert result["peak"] < 2**30


@pytest.mark.parametrize("kind", ["tfrec", "hdf5", "npz"])
@pytest.mark.parametrize("seed", range(4))
def test_the_files_are_whole_before_they_are_damaged(kind, seed, tmp_path):
    data, keys = WHOLE[kind](seed)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    assert len(LISTING[kind](path)) == 4
    for key, pixels in zip(keys, PIXELS, strict=True):
        np.testing.assert_array_equal(sources([f"{path}#{key}"])[0].read()[0], pixels)


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
