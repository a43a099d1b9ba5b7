"""Strings that name one image within a container: ``file.tfrec#ISIC_123``, ``images.hdf5#ISIC_123``, ``a.npz#x/17``."""

import os
import re
from bisect import bisect
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from math import prod
from pathlib import PurePath

import numpy as np

from dermfeat._errors import LesionImageError

ENDINGS = {
    "tfrecord": r"tfrec(?:ords?)?(?:-\d+-of-\d+)?",
    "hdf5": r"h5|hdf5",
    "npz": r"npz",
}
LISTED_BY = {"tfrecord": "tfrecord_table", "hdf5": "hdf5_references", "npz": "npz_table"}
MAX_BYTES = 2**28  # of one image as it is stored
AGAIN = "Copy or download it again."
_FEW = 5000  # keys that are compared one by one to find near ones


class Bgr(bytes):
    """The bytes of an image file that holds blue, green and red as if they were red, green and blue."""


_ENDING = re.compile(rf"\.(?:{'|'.join(f'(?P<{kind}>{ending})' for kind, ending in ENDINGS.items())})(?=#|$)", re.I)


def container_of(item):
    """Return the kind, path and key that a string names, or None where it names a file of its own.

    Parameters
    ----------
    item : str or path-like
        ``path#key``, where the path ends as containers do. Of several such ways to split it, the first whose path is
        a file. A file whose whole name is `item` is no container, whatever its name.

    Returns
    -------
    tuple of (str, str, str), or None
        ``kind`` is a key of `ENDINGS`; ``key`` is empty where there is none.
    """
    item = item.as_posix() if isinstance(item, PurePath) else os.fspath(item)  # a Path may turn the slashes of a key
    matches = list(_ENDING.finditer(item)) if isinstance(item, str) else []
    if not matches or (matches[0].end() < len(item) and os.path.isfile(item)):
        return None
    match = next((match for match in matches if os.path.isfile(item[: match.end()])), matches[0])
    return match.lastgroup, item[: match.end()], item[match.end() + 1 :]


def load_contained(kind, path, key, name):
    """Return the image that `container_of` found, as the bytes of a file or as an array.

    Raises
    ------
    LesionImageError
        If the container is damaged or lacks the key.
    OSError
        If the container cannot be opened.
    """
    if not key:
        listed = f"dermfeat.reading.{LISTED_BY[kind]}"
        raise LesionImageError(name, "a file of many images", f"Name one of them, path#key; {listed} lists them.")
    return import_module(f"dermfeat.reading.{kind}").load(path, key, name)


def container_file(path, kind):
    """Return the path of a container as str; refuse one that is not there, or that references could not name."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise LesionImageError(path, "there is no such file", "Check the path.")
    if container_of(f"{path}#key") != (kind, path, "key"):
        raise LesionImageError(path, "its name does not tell its format", f"Rename it, so that it ends in .{kind}.")
    return path


@contextmanager
def faults(name, kind):
    """Turn whatever the reader of a format raises into the one error for images, except that there is no such file."""
    try:
        yield
    except LesionImageError as error:
        raise LesionImageError(name, error.found, error.cure) from None
    except (FileNotFoundError, ImportError):
        raise
    except (BlockingIOError, IsADirectoryError, PermissionError) as error:
        cure = "It must be a file you may read, which no other process has open for writing."
        raise LesionImageError(name, f"cannot be opened ({error})", cure) from None
    except Exception as error:
        raise LesionImageError(name, f"a damaged file, or not {kind} ({error})", AGAIN) from None


def stamp(path):
    """Return what changes when a file is replaced or written to."""
    status = os.stat(path)
    return os.path.abspath(path), status.st_ino, status.st_size, status.st_mtime_ns


def no_such_key(name, key, keys, cure):
    """Return the error for a key that a container lacks, with the two keys most like it."""
    keys = sorted(keys)
    if len(keys) > _FEW:
        place = bisect(keys, key)
        keys = keys[max(0, place - _FEW // 2) : place + _FEW // 2]
    near = " and ".join(repr(short(near)) for near in get_close_matches(key, keys, 2, cutoff=0))
    return LesionImageError(name, f"found no {short(key)!r}; near it are {near or 'none'}", cure)


def short(text, length=80):
    """Return a text cut to a length that an error can show."""
    return text if len(text) <= length else f"{text[:length]}..."


def split_row(key, has):
    """Return the array's name and the row of ``name/row``, or ``(key, None)`` where the key itself is a name."""
    array, _, row = key.rpartition("/")
    if re.fullmatch("[0-9]{1,18}", row) and not has(key) and has(array):
        return array, int(row)
    return key, None


def one_image(array, row, name):
    """Return one image of an array, or of anything that has its shape, dtype and indexing.

    Parameters
    ----------
    array : ndarray, or h5py.Dataset
        An image of its own or a file's bytes (opaque, or one byte an element); with `row` many of them along its
        first axis.
    row : int or None

    Returns
    -------
    bytes or ndarray
    """
    shape, dtype = array.shape, array.dtype
    if dtype.hasobject or dtype.names:
        raise LesionImageError(
            name, f"found elements of the type {dtype}", "Save images as uint8 arrays, or files as opaque bytes."
        )
    if row is not None and not (shape and row < shape[0]):
        found = f"no row {row} in an array of shape {shape}"
        raise LesionImageError(name, found, f"Rows count from 0 to {shape[0] - 1 if shape else 0}.")
    shape = shape if row is None else shape[1:]
    if prod(shape) * dtype.itemsize > MAX_BYTES:
        cure = f"One image may have {MAX_BYTES} bytes; for an array of many images add the row, #key/17."
        raise LesionImageError(name, f"found an array of shape {shape} and {dtype}", cure)
    if row is None and (len(shape) > 3 or (len(shape) == 3 and shape[2] not in (1, 3, 4))):
        cure = f"An image has the shape (H, W, 3); name a row: #{container_of(name)[2]}/0."
        raise LesionImageError(name, f"found an array of shape {shape}", cure)
    data = np.array(array[() if row is None else row], dtype.newbyteorder("="))
    if dtype.kind == "S" and row is not None:
        return data.tobytes().rstrip(b"\0")  # padded to the longest of the array
    is_file = dtype.kind in "SV" if not shape else len(shape) == 1 and dtype.kind in "ui" and dtype.itemsize == 1
    return data.tobytes() if is_file else data
