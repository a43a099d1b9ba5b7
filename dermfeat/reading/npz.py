"""NPZ files with arrays of many images, as MedMNIST has them."""

import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from threading import Lock

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.reading.containers import AGAIN, container_file, faults, no_such_key, one_image, split_row, stamp

MAX_UNPACKED = 2**31  # bytes of unpacked arrays that a process keeps
_DEFLATE_RATIO = 1032
_PARTS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}
_unpacked, _lock = OrderedDict(), Lock()


def npz_table(path):
    """List the images of an NPZ file in MedMNIST's layout.

    Parameters
    ----------
    path : str or path-like
        A file with arrays of images, (N, H, W) or (N, H, W, 3), named ``train_images``, ``val_images``,
        ``test_images`` or ``images``, and labels of each, (N,) or (N, 1), named ``train_labels`` and so on.

    Returns
    -------
    DataFrame
        One row an image: ``reference`` : str, ``path#train_images/17``; ``split`` : "train", "validation", "test", or
        None; ``label`` : as it is in the file, None without labels, an ndarray where an image has several.

    Raises
    ------
    LesionImageError
        If there is no such file, its name does not end in .npz, it is damaged or no NPZ, has no images, or another
        number of labels than of images.

    Notes
    -----
    Of a compressed file, such as MedMNIST's, each process that reads images unpacks whole arrays, and keeps 2 GB of
    them at most: 1.5 GB for DermaMNIST at 224 pixels. Where `numpy.savez` has saved it again, uncompressed, single
    images are read from the disk.
    """
    path = container_file(path, "npz")
    with faults(path, "NPZ"):
        arrays = _arrays(stamp(path))
        parts = [name.removesuffix("images") for name in arrays if name == "images" or name.endswith("_images")]
        rows = [_part(path, arrays, part) for part in parts]
    if not parts:
        found = f"no images among the arrays {sorted(arrays)[:8]}"
        raise LesionImageError(path, found, "Name the array: path#array/17 reads its row 17.")
    return pd.concat(rows, ignore_index=True)


def load(path, key, name):
    """Return the image that ``path#key`` names, bytes or ndarray; `name` is what errors call it."""
    with faults(name, "NPZ"):
        arrays = _arrays(stamp(path))
        array, row = split_row(key, arrays.__contains__)
        if array not in arrays:
            raise no_such_key(name, key, arrays, "Check the key; a row of an array is #array/17.")
        return one_image(arrays[array], row, name)


def _part(path, arrays, part):
    images, labels = arrays[f"{part}images"], arrays.get(f"{part}labels")
    n_images = images.shape[0] if images.shape else 0
    if n_images and not prod(images.shape):
        raise LesionImageError(path, f"found {part}images of shape {images.shape}", AGAIN)
    if labels is not None and labels.shape[:1] != (n_images,):
        found = f"{n_images} images and labels of shape {labels.shape} for {part}images"
        raise LesionImageError(path, found, AGAIN)
    values = [None] * n_images if labels is None else labels[()]
    if labels is not None and values.ndim > 1:
        values = values[:, 0] if values.shape[1:] == (1,) else list(values)
    name = part.removesuffix("_")
    return pd.DataFrame({
        "reference": [f"{path}#{part}images/{row}" for row in range(n_images)],
        "split": pd.Series([_PARTS.get(name, name) or None] * n_images, dtype=object),
        "label": values,
    })  # fmt: skip


@dataclass(frozen=True)
class _Array:
    """An array in the file: rows of one stored as it is are read alone, one that is compressed is unpacked once."""

    stamp: tuple
    member: str
    shape: tuple
    dtype: np.dtype
    start: int | None

    def __getitem__(self, row):
        if self.start is None:
            return _unpack(self.stamp, self.member)[row]
        if error := _crc_error(self.stamp, self.member):
            raise zipfile.BadZipFile(error)
        shape = self.shape if row == () else self.shape[1:]
        size = prod(shape) * self.dtype.itemsize
        with open(self.stamp[0], "rb") as file:
            file.seek(self.start + (0 if row == () else row * size))
            return np.frombuffer(file.read(size), self.dtype).reshape(shape)


@lru_cache(maxsize=16)
def _arrays(stamp):
    with zipfile.ZipFile(stamp[0]) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        return {info.filename.removesuffix(".npy"): _array(stamp, archive, info) for info in members}


def _array(stamp, archive, info):
    """Read an array's header and check what it claims, before any memory is taken for it."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(file)
        head = file.tell()
    stored = info.compress_type == zipfile.ZIP_STORED
    if not stored and info.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError(f"{info.filename} is compressed in a way that NumPy does not write")
    most = min(info.compress_size, stamp[2]) * (1 if stored else _DEFLATE_RATIO)
    size = info.file_size - head if dtype.hasobject else prod(shape) * dtype.itemsize
    if info.file_size > most or size != info.file_size - head or min(shape, default=0) < 0:
        raise ValueError(f"{info.filename} claims {info.file_size} bytes for shape {shape} and {dtype}")
    start = _start(stamp[0], info) + head if stored and not fortran_order else None
    return _Array(stamp, info.filename, shape, dtype, start)


def _start(path, info):
    """Return where a member's data begin, behind its own header."""
    with open(path, "rb") as file:
        file.seek(info.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2")
    return info.header_offset + 30 + int(lengths.sum(dtype=np.int64))


@lru_cache(maxsize=64)
def _crc_error(stamp, member):
    """Read a member to its end once, which checks its checksum; return what is wrong, or None."""
    try:
        with zipfile.ZipFile(stamp[0]) as archive, archive.open(member) as file:
            while file.read(2**20):
                pass
    except (zipfile.BadZipFile, EOFError) as error:
        return str(error) or "it ends early"


def _unpack(stamp, member):
    place = stamp, member
    with _lock:
        if place not in _unpacked:
            _unpacked[place] = _read(stamp, member)
        _unpacked.move_to_end(place)
        array = _unpacked[place]
        while sum(kept.nbytes for kept in _unpacked.values()) > MAX_UNPACKED:
            _unpacked.popitem(last=False)
    return array


def _read(stamp, member):
    with zipfile.ZipFile(stamp[0]) as archive, archive.open(member) as file:
        size = archive.getinfo(member).file_size
        if size > MAX_UNPACKED:
            cure = "Save it with numpy.savez, uncompressed: single images are then read from the disk."
            raise LesionImageError(stamp[0], f"found {size} bytes in {member}, which is compressed", cure)
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise ValueError(f"{member} is longer than its array")
    array.setflags(write=False)
    return array
