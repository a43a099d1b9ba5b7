"""TFRecord files of ``tf.train.Example``, read without TensorFlow."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from struct import Struct
from urllib.parse import parse_qsl, quote, urlencode

import numpy as np
import pandas as pd

from dermfeat._errors import LesionImageError
from dermfeat.reading.containers import ENDINGS, Bgr, container_file, no_such_key, short, stamp
from dermfeat.reading.crc32c import crc32c
from dermfeat.reading.example import Damage, image_feature, key_feature, key_of, parse_example

MAX_RECORD = 2**26
_CHANNELS = ("rgb", "bgr")
_HEAD, _CRC = Struct("<QI"), Struct("<I")
_PACKED = {b"\x1f\x8b": "gzip", b"\x78\x01": "zlib", b"\x78\x5e": "zlib", b"\x78\x9c": "zlib", b"\x78\xda": "zlib"}


def tfrecord_table(path, *, image=None, key=None, channels=None):
    """List the records of TFRecord files; every checksum is checked.

    Parameters
    ----------
    path : str, path-like, or a list of them
        A file, or a folder, of which all files that end like TFRecords are taken, in order of their names, hidden ones
        left out.
    image, key : str, optional
        Name of the feature that holds the image file, and of the one that names the record. By default the first of
        the usual names that is there (``dermfeat.reading.example.IMAGES`` and ``KEYS``). An empty `key` names
        records by position.
    channels : {"rgb", "bgr"}, optional
        The order of the channels in the images; "rgb", as image files have it, unless told. Some TFRecord files were
        written from arrays in OpenCV's order, and hold BGR as if it were RGB: skin then looks blue.

    Returns
    -------
    DataFrame
        One row a record, in the files' order. ``reference`` : str, ``path#key``, or ``path#17`` where no feature
        names the records; `image`, `key` and `channels` follow where they are given, ``path#key?image=picture``,
        ``path#17?key=``, ``path#key?channels=bgr&image=picture``, and may be written by hand. Images of
        ``channels=bgr`` are read with their channels reversed, and their digest is not that of the stored file. Then
        one column for each other feature (``reference_`` for one called reference): numbers and text as they are,
        several values as an ndarray; bytes that are no UTF-8 text, such as a mask, as the reference that reads them.
        What a record lacks is missing (NaN or None).

    Raises
    ------
    LesionImageError
        If there are no such files; if the name of one does not end like a TFRecord's; if a file is damaged, compressed
        or no TFRecord; if a record lacks the image or the key; if two records of a file have the same key; if there are
        no such `channels`.
    """
    options = {"image": image, "key": key, "channels": channels}
    given = {name: value for name, value in options.items() if value is not None}
    _require_channels(given, "channels")
    return pd.DataFrame([row for file in _files(path) for row in _rows(file, given)])


def load(path, key, name):
    """Return the bytes of the image that ``path#key`` names; `name` is what errors call it."""
    key, given = _split_options(key)
    _require_channels(given, name)
    index = _index(stamp(path), given.get("key"))
    positions = index.positions.get(key, ())
    if len(positions) > 1:
        raise LesionImageError(name, *_repeated(key, positions))
    if not positions:
        fault = index.fault or _crc_fault(stamp(path))
        cure = "Check the key; #key?key=feature names another feature, #17?key= takes the position."
        raise LesionImageError(name, *fault) if fault else no_such_key(name, key, index.positions, cure)
    offset, size = index.spans[positions[0]]
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            features = parse_example(_checked(file.read(size)))
        stored = features[image_feature(features, given.get("image"))][0]
        return Bgr(stored) if given.get("channels") == "bgr" else bytes(stored)
    except Damage as damage:
        raise LesionImageError(name, *_fault(positions[0], damage)) from None


@dataclass
class _Index:
    """Where each record and its checksum lie, and under which key; `fault` is the first thing that cannot be read."""

    spans: list
    positions: dict
    fault: tuple | None = None


@lru_cache(maxsize=512)
def _index(stamp, key):
    """Index a file by its framing and the names in it; the data of a record are checked when it is read."""
    index = _Index([], defaultdict(list))
    try:
        for position, (offset, data) in enumerate(_frames(stamp[0])):
            index.spans.append((offset, len(data)))
            try:
                features = _parsed(data)
                key = key_feature(features) if key is None else key
                index.positions[key_of(features, key) if key else str(position)].append(position)
            except Damage as damage:
                index.fault = index.fault or _fault(position, damage)
    except LesionImageError as error:
        index.fault = index.fault or (error.found, error.cure)
    return index


@lru_cache(maxsize=64)
def _crc_fault(stamp):
    """Return the first record whose data are damaged: the key that is missed may have been its name."""
    for position, (_, data) in enumerate(_frames(stamp[0])):
        try:
            _checked(data)
        except Damage as damage:
            return _fault(position, damage)
    return None


def _rows(path, given):
    """Yield the table's row of each record of a file."""
    key, seen = given.get("key"), {}
    for position, (_, data) in enumerate(_frames(path)):
        try:
            features = parse_example(_checked(data))
            key = key_feature(features) if key is None else key
            name = key_of(features, key) if key else str(position)
            image = image_feature(features, given.get("image"))
        except Damage as damage:
            raise LesionImageError(path, *_fault(position, damage)) from None
        if seen.setdefault(name, position) != position:
            raise LesionImageError(path, *_repeated(name, (seen[name], position)))
        del features[image]
        yield {"reference": _with(f"{path}#{name}", given)} | _cells(features, f"{path}#{name}", given)


def _cells(features, reference, given):
    cells = {}
    for name, values in features.items():
        if isinstance(values, list):
            own = {option: value for option, value in given.items() if option != "channels"} | {"image": name}
            values = _texts(values, _with(reference, own))
        cells["reference_" if name == "reference" else name] = values if len(values) > 1 else next(iter(values), None)
    return cells


def _texts(values, reference):
    try:
        return np.array([str(value, "utf-8") for value in values], dtype=object)
    except UnicodeDecodeError:
        return [reference] if len(values) == 1 else np.array([bytes(value) for value in values], dtype=object)


def _frames(path):
    """Yield where each record's data begin, and the data with their checksum."""
    with open(path, "rb") as file:
        end, position = os.fstat(file.fileno()).st_size, 0
        while (at := file.tell()) < end or at == 0:
            try:
                size = _size(file.read(_HEAD.size), end - at, at) + _CRC.size
            except Damage as damage:
                raise LesionImageError(path, *_fault(position, damage)) from None
            yield at + _HEAD.size, file.read(size)
            position += 1


def _size(head, left, at):
    """Return the length of the record that begins with `head`, checked."""
    if len(head) < _HEAD.size:
        raise Damage(f"a truncated file ({len(head)} bytes left)" if head else "an empty file")
    size, crc = _HEAD.unpack(head)
    if _masked(head[:8]) != crc:
        if at == 0 and head[:2] in _PACKED:
            raise Damage(f"a length that is none: the file is compressed ({_PACKED[head[:2]]})", "Decompress it first.")
        raise Damage("a CRC mismatch of its length" + ("" if at else ", or the file is no TFRecord"))
    if size > MAX_RECORD:
        raise Damage(f"a length of {size} bytes, more than {MAX_RECORD}")
    if size > left - _HEAD.size - _CRC.size:
        raise Damage(f"a length of {size} bytes in a file truncated to fewer")
    return size


def _masked(data):
    """Return the checksum as TFRecords store it: rotated by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _checked(data):
    """Return a record's data without their checksum, which must be right."""
    data, crc = memoryview(data)[: -_CRC.size], data[-_CRC.size :]
    if len(crc) < _CRC.size or _masked(data) != _CRC.unpack(crc)[0]:
        raise Damage("a CRC mismatch of its data")
    return data


def _parsed(data):
    """Parse a record whose checksum is looked at only where it cannot be parsed."""
    try:
        return parse_example(memoryview(data)[: -_CRC.size])
    except Damage:
        _checked(data)
        raise


def _fault(position, damage):
    return f"record {position} has {damage}", damage.cure


def _repeated(key, positions):
    shown = " and ".join(map(str, positions[:2]))
    return f"the key {short(key)!r} names the records {shown}", "Name another feature, ?key=feature, or none, ?key=."


def _with(reference, given):
    return f"{reference}?{urlencode(given, safe='/', quote_via=quote)}" if given else reference


def _split_options(key):
    head, mark, tail = key.rpartition("?")
    options = dict(parse_qsl(tail, keep_blank_values=True)) if mark else {}
    return (head, options) if options and options.keys() <= {"image", "key", "channels"} else (key, {})


def _require_channels(given, item):
    if given.get("channels", "rgb") not in _CHANNELS:
        raise LesionImageError(item, f"found channels {given['channels']!r}", f"Choose one of {list(_CHANNELS)}.")


def _files(path):
    if isinstance(path, (list, tuple)):
        return [file for entry in path for file in _files(entry)]
    folder = Path(path)
    if not folder.is_dir():
        return [container_file(path, "tfrecord")]
    ending = re.compile(rf"[^.].*\.(?:{ENDINGS['tfrecord']})", re.I)
    files = [str(file) for file in sorted(folder.iterdir()) if ending.fullmatch(file.name)]
    if not files:
        raise LesionImageError(str(path), "no TFRecord files in this folder", "They end in .tfrec or .tfrecord.")
    return files
