"""The wire format of ``tf.train.Example`` (names to lists of bytes, floats or integers), and the names in use."""

import numpy as np

from dermfeat.reading.containers import AGAIN, short

IMAGES = (
    "image", "image/encoded", "image_raw", "image_bytes", "image_encoded", "encoded_image", "encoded", "image/raw",
    "image_data", "image_jpeg", "jpeg", "jpeg_bytes", "jpg", "image_png", "png", "img",
)  # fmt: skip
KEYS = (
    "image_name", "image_id", "isic_id", "img_id", "image/filename", "image/id", "image/image_id", "image/source_id",
    "filename", "file_name", "name", "key", "id",
)  # fmt: skip
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_MAX_INTEGERS = 2**24  # bytes of a list of integers


class Damage(ValueError):
    """What is wrong with a record, without its place, and what to do about it."""

    def __init__(self, found, cure=AGAIN):
        super().__init__(found)
        self.cure = cure


def parse_example(data):
    """Return the features of an Example.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    dict
        From each name to its values: a list of memoryview, a float32 ndarray, an int64 ndarray, or, where it holds
        no value, an empty list.

    Raises
    ------
    Damage
        If the bytes are no Example.
    """
    features = {}
    try:
        for part in _messages(memoryview(data), 1):
            for entry in _messages(part, 1):
                pair = {number: value for number, wire, value in _fields(entry) if wire == _LENGTH}
                features[str(pair.get(1, b""), "utf-8", "replace")] = _values(pair.get(2, b""))
    except Damage as damage:
        raise Damage(f"no tf.train.Example ({damage})") from None
    return features


def key_feature(features):
    """Return the name of the feature that names records, or "" where no known one is there."""
    return next((name for name in KEYS if _is_key(features.get(name, ()))), "")


def key_of(features, key):
    """Return the text or integer that the feature `key` holds, as str."""
    values = features.get(key, ())
    try:
        name = str(values[0], "utf-8") if isinstance(values, list) else str(values[0])
    except (IndexError, UnicodeDecodeError):
        name = ""
    if not name or not _is_key(values):
        raise Damage(f"no text or integer {key!r} to name it; {_described(features)}", "Name another one, key=.")
    return name


def image_feature(features, image=None):
    """Return the name of the feature that holds the image: `image`, or the first known one that is there."""
    names = IMAGES if image is None else (image,)
    found = next((name for name in names if isinstance(values := features.get(name), list) and len(values) == 1), None)
    if found is None:
        wanted = "known image feature" if image is None else f"image feature {image!r} of one file's bytes"
        raise Damage(f"no {wanted}; {_described(features)}", "Name the one that holds it, #key?image=feature.")
    return found


def _is_key(values):
    return len(values) == 1 and (isinstance(values, list) or values.dtype.kind == "i")


def _described(features):
    kinds = [f"{name} ({'bytes' if isinstance(v, list) else v.dtype.name})" for name, v in sorted(features.items())]
    return f"it has {short(', '.join(kinds), 400) or 'no features'}"


def _messages(data, wanted):
    return (value for number, wire, value in _fields(data) if (number, wire) == (wanted, _LENGTH))


def _fields(data):
    """Yield the number, wire type and value of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if number == 0 or wire not in (_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES):
            raise Damage(f"a field {number} of wire type {wire}")
        size, at = _varint(data, at) if wire in (_VARINT, _LENGTH) else ({_EIGHT_BYTES: 8, _FOUR_BYTES: 4}[wire], at)
        if wire == _VARINT:
            yield number, wire, size
            continue
        if size > len(data) - at:
            raise Damage(f"a field of {size} bytes where {len(data) - at} are left")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data, at):
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise Damage("an integer without end")


def _values(feature):
    lists = [(number, value) for number, wire, value in _fields(feature) if wire == _LENGTH and number in (1, 2, 3)]
    if not lists:
        return []
    number, values = lists[-1]
    return {1: _bytes_list, 2: _float_list, 3: _int64_list}[number](values)


def _bytes_list(data):
    return list(_messages(data, 1))


def _float_list(data):
    values = b"".join(value for number, wire, value in _fields(data) if number == 1 and wire in (_LENGTH, _FOUR_BYTES))
    if len(values) % 4:
        raise Damage(f"a list of floats of {len(values)} bytes")
    return np.frombuffer(values, "<f4").astype(np.float32, copy=False)


def _int64_list(data):
    if len(data) > _MAX_INTEGERS:
        raise Damage(f"a list of integers of {len(data)} bytes, more than {_MAX_INTEGERS}")
    parts = [_integers(value, wire) for number, wire, value in _fields(data) if number == 1]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _integers(value, wire):
    """Return one integer, or those of a packed list, as int64."""
    if wire == _VARINT:
        return np.array([value], np.uint64).view(np.int64)
    if wire != _LENGTH:
        raise Damage(f"an integer of wire type {wire}")
    data = np.frombuffer(value, np.uint8)
    if not len(data):
        return np.empty(0, np.int64)
    ends = np.flatnonzero(data < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not len(ends) or ends[-1] != len(data) - 1 or (ends - starts).max() > 9:
        raise Damage("an integer without end")
    shifts = 7 * (np.arange(len(data)) - np.repeat(starts, ends - starts + 1))
    return np.bitwise_or.reduceat((data & 0x7F).astype(np.uint64) << shifts.astype(np.uint64), starts).view(np.int64)
