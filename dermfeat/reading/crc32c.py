"""The checksum CRC-32C (Castagnoli) with NumPy alone, some hundred megabytes a second."""

from functools import cache

import numpy as np

_POLYNOMIAL = np.uint32(0x82F63B78)  # bits reversed
_START = np.array([0xFFFFFFFF], dtype=np.uint32)
_PIECE = 2**16  # bytes worked on at once


def crc32c(data):
    """Return the CRC-32C of bytes (RFC 3720, appendix B.4).

    The remainder of a message is the sum of its words' remainders, each moved on by the bytes that follow it: so
    neighbours are added in pairs, all pairs at once, until one is left.
    """
    data = memoryview(data)
    head = len(data) % _PIECE
    crc = _remainder(bytes(data[:head]), _advance(_START, head))
    for at in range(head, len(data), _PIECE):
        piece = np.frombuffer(data[at : at + _PIECE], "<u4").copy()
        piece[0] ^= crc[0]
        crc = _sum(piece)
    return int(crc[0]) ^ 0xFFFFFFFF


def _remainder(piece, start):
    """Add the remainder of a piece of any length to a start that was moved past it; zeros in front change nothing."""
    padded = piece.rjust(-(-len(piece) // 4) * 4 or 4, b"\0")
    return _sum(np.frombuffer(padded, "<u4")) ^ start


def _sum(words):
    crc = _moved(words.astype(np.uint32, copy=False), _tables(2))
    power = 2
    while len(crc) > 1:
        crc = np.concatenate([np.zeros(len(crc) % 2, np.uint32), crc])
        crc = _moved(np.ascontiguousarray(crc[::2]), _tables(power)) ^ crc[1::2]
        power += 1
    return crc


def _advance(crc, n_bytes):
    """Return remainders moved on by any number of bytes."""
    for power in range(n_bytes.bit_length()):
        if n_bytes >> power & 1:
            crc = _moved(crc, _tables(power))
    return crc


def _moved(crc, tables):
    low, high = tables
    return low.take(crc & np.uint32(0xFFFF)) ^ high.take(crc >> np.uint32(16))


@cache
def _tables(power):
    """Return what 2**power bytes of zeros make of each low and each high half of a remainder."""
    halves = np.arange(2**16, dtype=np.uint32)
    halves = halves, halves << np.uint32(16)
    if power:
        return tuple(_moved(_moved(half, _tables(power - 1)), _tables(power - 1)) for half in halves)
    for _ in range(8):
        halves = tuple((half >> np.uint32(1)) ^ (half & np.uint32(1)) * _POLYNOMIAL for half in halves)
    return halves
