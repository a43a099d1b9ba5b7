"""Containers to read in tests, written here byte by byte where the format is the project's own reader's."""

import io
import struct

import numpy as np
from PIL import Image


def photo(number, side=24):
    """Return the bytes of a small JPEG; each number gives another picture."""
    rows, columns = np.mgrid[:side, :side]
    rgb = np.stack([rows * 5 + number, columns * 4 + 9 * number, (rows + columns) * 3], axis=2) % 256
    buffer = io.BytesIO()
    Image.fromarray(rgb.astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _crc_row(byte):
    for _ in range(8):
        byte = byte >> 1 ^ 0x82F63B78 * (byte & 1)
    return byte


_CRC_ROWS = [_crc_row(byte) for byte in range(256)]


def plain_crc32c(data):
    """Compute CRC-32C byte by byte."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_ROWS[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = plain_crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(values, packed=True):
    """Encode a list of bytes, str, float or int; an ndarray's kind decides in the same way."""
    values = [value.encode() if isinstance(value, str) else value for value in values]
    if not values:
        return b""
    if isinstance(values[0], bytes):
        return field(1, b"".join(field(1, value) for value in values))
    number, encoded = (2, [struct.pack("<f", v) for v in values]) if isinstance(values[0], float) else (3, None)
    encoded = encoded or [varint(value) for value in values]
    if packed:
        return field(number, field(1, b"".join(encoded)))
    tag = varint(1 << 3 | (5 if number == 2 else 0))
    return field(number, b"".join(tag + value for value in encoded))


def example(features, packed=True):
    """Encode a dict of scalars or lists as ``tf.train.Example``."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in features.items()}
    entries = [field(1, field(1, name.encode()) + field(2, feature(v, packed))) for name, v in lists.items()]
    return field(1, b"".join(entries))


def framed(data):
    """Put the length and the two checksums around a record."""
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def write_tfrecord(path, records, packed=True):
    path.write_bytes(b"".join(framed(example(record, packed)) for record in records))
    return path
