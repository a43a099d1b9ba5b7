"""HDF5 files: one image file an entry, as in ISIC 2024, or arrays of many images."""

import os
from collections import OrderedDict
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from math import prod

from dermfeat._errors import LesionImageError
from dermfeat._optional import require
from dermfeat.reading.containers import MAX_BYTES, container_file, faults, no_such_key, one_image, split_row, stamp

LARGE = 2**24  # bytes of a file that stays open: the list of its names alone takes milliseconds to read
MAX_IMAGES = 2**21  # of one file
_MANY = 1000  # entries of a group, above which the first one speaks for all
_OPEN = 4
_SIGNATURES = b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"RIFF"
_kept = OrderedDict()


def hdf5_references(path):
    """List the images of an HDF5 file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    list of str
        ``path#key`` for each dataset that holds the bytes of an image file (a scalar, or one byte an element) or an
        (H, W, 3) array, ``path#key/17`` for each row of an (N, H, W, 3) array (1, 3 or 4 channels); in the file's
        order, groups entered, 2 ** 21 at most. Other datasets are passed over. Of a group with more than 1000
        entries that begins with an image file all are taken for such, unopened.

    Raises
    ------
    LesionImageError
        If there is no such file, its name does not end in .h5 or .hdf5, it is damaged or no HDF5, is being written to,
        or holds no image.

    Notes
    -----
    A file of 16 MB or more stays open in a process that read from it, until four others took its place: write to it
    from another process. Smaller files are closed at once.
    """
    path = container_file(path, "hdf5")
    with faults(path, "HDF5"), _file(path) as file:
        references = [f"{path}#{key}" for key in islice(_image_keys(file, {file}), MAX_IMAGES + 1)]
    if not references:
        raise LesionImageError(path, "no images in it", "An image is a file's bytes, or an array (N, H, W, 3).")
    if len(references) > MAX_IMAGES:
        raise LesionImageError(path, f"more than {MAX_IMAGES} images", "Split the file, if it really has so many.")
    return references


def load(path, key, name):
    """Return the image that ``path#key`` names, bytes or ndarray; `name` is what errors call it."""
    with faults(name, "HDF5"), _file(path) as file:
        array, row = split_row(key, file.__contains__)
        if array not in file:
            raise no_such_key(name, key, _names(stamp(path)), "Check the key; a row of an array is #array/17.")
        entry = file[array]
        if not hasattr(entry, "shape"):
            shown = ", ".join(islice(entry, 3)) if hasattr(entry, "keys") else ""
            raise LesionImageError(name, f"found no dataset but a group ({shown} ...)", "Name what is in it.")
        if fault := _unreadable(entry):
            raise LesionImageError(name, *fault)
        return one_image(entry, row, name)


@lru_cache(maxsize=2)
def _names(stamp):
    with _file(stamp[0]) as file:
        return list(file)


def _unreadable(dataset):
    """Return what was found and its cure where a dataset must not be read, else None."""
    if dataset.shape is None:
        return "found an empty dataset", "Save images as uint8 arrays, or files as opaque bytes."
    if dataset.is_virtual:
        return "found a virtual dataset, whose data are elsewhere", "Read those files."
    if dataset.chunks and prod(dataset.chunks) * dataset.dtype.itemsize > MAX_BYTES:
        return f"found chunks of shape {dataset.chunks}", f"Save it in chunks of at most {MAX_BYTES} bytes."
    return None


@contextmanager
def _file(path):
    """Open a file to read; large ones stay open, in this process, until others take their place or they change."""
    h5py = require("h5py")
    mark = stamp(path)
    if mark[2] < LARGE:
        with h5py.File(path, "r") as file:
            yield file
        return
    place = mark[0], os.getpid()
    kept = _kept.pop(place, None)
    if kept is None or kept[0] != mark:
        del kept  # which closes it: opened beside it, the library would give the old content
        kept = mark, h5py.File(path, "r")
    _kept[place] = kept
    while len(_kept) > _OPEN:
        _kept.popitem(last=False)
    yield kept[1]


def _image_keys(group, seen, prefix=""):
    names = list(group)
    if len(names) > _MANY and _is_file(group[names[0]]):
        yield from (prefix + name for name in names)
        return
    for name in names:
        entry = group[name]
        if hasattr(entry, "keys"):
            if entry not in seen:
                seen.add(entry)
                yield from _image_keys(entry, seen, f"{prefix}{name}/")
        elif _unreadable(entry):
            continue
        elif _is_file(entry) or _is_image(entry, entry.shape):
            yield prefix + name
        elif _is_image(entry, entry.shape[1:]):
            yield from (f"{prefix}{name}/{row}" for row in range(entry.shape[0]))


def _is_file(entry):
    """Whether a dataset holds the bytes of an image file."""
    scalar = entry.shape == () and entry.dtype.kind in "SV" and not entry.dtype.names
    if not scalar and (len(entry.shape) != 1 or entry.dtype.itemsize != 1):
        return False
    head = bytes(one_image(entry, None, entry.name)) if scalar else entry[:132].tobytes()
    return head.startswith(_SIGNATURES) or head[128:132] == b"DICM"


def _is_image(entry, shape):
    return len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= 8 and entry.dtype.kind in "uf"
