"""Integers with an N-bit prefix (RFC 7541 §5.1).

The prefix is named by its mask, the largest number it holds: 127 for 7 bits, 31 for 5, and so on.
Numbers from the wire are bounded to 32 bits, which no legitimate index, length or table size
exceeds, and to five continuation bytes, so that padding with zero bytes cannot stretch them.
"""

from __future__ import annotations

from clarion.hpack.errors import HpackError

__all__ = ["decode_integer", "encode_integer"]

_MAX_SHIFT = 28
_MAX_VALUE = 2**32 - 1


def encode_integer(value: int, mask: int, flags: int = 0) -> bytes:
    """Encode `value` behind the bits `flags`, which lie outside `mask` in the first byte."""
    if value < mask:
        return bytes((flags | value,))
    value -= mask
    out = bytearray((flags | mask,))
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_integer(block: bytes, pos: int, mask: int) -> tuple[int, int]:
    """Decode the integer whose first byte is `block[pos]`.

    Returns the number and the position behind it. Raises `HpackError` if the block ends before the
    number does, or if the number does not fit in 32 bits.
    """
    try:
        value = block[pos] & mask
        pos += 1
        if value < mask:
            return value, pos
        shift = 0
        while True:
            byte = block[pos]
            pos += 1
            value += (byte & 127) << shift
            if byte < 128:
                break
            if shift == _MAX_SHIFT:
                raise HpackError("an integer has more than 5 continuation bytes (RFC 7541 §5.1)")
            shift += 7
    except IndexError:
        raise HpackError("the header block ends inside an integer") from None
    if value > _MAX_VALUE:
        raise HpackError("an integer does not fit in 32 bits (RFC 7541 §5.1)")
    return value, pos
