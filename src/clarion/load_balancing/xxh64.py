"""XXH64, the hash function of ring_hash (gRFC A42); https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.

Other implementations of gRPC place servers on the ring by it, so the same key leads to the same server everywhere.
"""

from __future__ import annotations

import struct

__all__ = ["xxh64"]

_MASK = 0xFFFF_FFFF_FFFF_FFFF

_PRIME_1 = 0x9E37_79B1_85EB_CA87
_PRIME_2 = 0xC2B2_AE3D_27D4_EB4F
_PRIME_3 = 0x1656_67B1_9E37_79F9
_PRIME_4 = 0x85EB_CA77_C2B2_AE63
_PRIME_5 = 0x27D4_EB2F_1656_67C5

_STRIPES = struct.Struct("<4Q")
_LANES = struct.Struct("<Q")


def xxh64(data: bytes) -> int:
    """The hash of `data` with seed 0, as a number of 64 bits."""
    size = len(data)
    at = size & ~31
    if at:
        value = _stripes(data, at)
    else:
        value = _PRIME_5
    value = (value + size) & _MASK
    # Rounds and rotations are written out here: a ring takes thousands of short keys.
    end = at + ((size - at) & ~7)
    for (lane,) in _LANES.iter_unpack(data[at:end]):
        lane = lane * _PRIME_2 & _MASK
        lane = ((lane << 31) | (lane >> 33)) & _MASK
        value ^= lane * _PRIME_1 & _MASK
        value = (((value << 27) | (value >> 37)) & _MASK) * _PRIME_1 + _PRIME_4 & _MASK
    if size - end >= 4:
        value ^= int.from_bytes(data[end : end + 4], "little") * _PRIME_1 & _MASK
        value = (((value << 23) | (value >> 41)) & _MASK) * _PRIME_2 + _PRIME_3 & _MASK
        end += 4
    for byte in data[end:]:
        value ^= byte * _PRIME_5 & _MASK
        value = (((value << 11) | (value >> 53)) & _MASK) * _PRIME_1 & _MASK
    value = ((value ^ (value >> 33)) * _PRIME_2) & _MASK
    value = ((value ^ (value >> 29)) * _PRIME_3) & _MASK
    return value ^ (value >> 32)


def _stripes(data: bytes, end: int) -> int:
    """Steps 1 to 3, for inputs of 32 bytes and more."""
    one = (_PRIME_1 + _PRIME_2) & _MASK
    two = _PRIME_2
    three = 0
    four = -_PRIME_1 & _MASK
    for lanes in _STRIPES.iter_unpack(data[:end]):
        one = _round(one, lanes[0])
        two = _round(two, lanes[1])
        three = _round(three, lanes[2])
        four = _round(four, lanes[3])
    value = _rotate(one, 1) + _rotate(two, 7) + _rotate(three, 12) + _rotate(four, 18)
    for accumulator in (one, two, three, four):
        value = ((value ^ _round(0, accumulator)) * _PRIME_1 + _PRIME_4) & _MASK
    return value


def _round(accumulator: int, lane: int) -> int:
    return (_rotate((accumulator + lane * _PRIME_2) & _MASK, 31) * _PRIME_1) & _MASK


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK
