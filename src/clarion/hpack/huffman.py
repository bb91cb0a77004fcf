"""Huffman coding of string literals (RFC 7541 §5.2 and Appendix B).

Decoding walks a state machine that eats a whole byte per step. A state is an inner node of the
code tree; the step for a (state, byte) pair is worked out when first met and then kept, so that
importing costs nothing and ordinary traffic needs a few hundred of the 65,536 possible steps, which
would take 8 MB together. All tables are shared by the process; filling them twice from two threads
yields equal entries.
"""

from __future__ import annotations

from functools import cache

from clarion.hpack.errors import HpackError
from clarion.hpack.huffman_table import CODE_LENGTHS, EOS

__all__ = ["decode_huffman", "encode_huffman"]


@cache
def _codes() -> tuple[str, ...]:
    """Return each symbol's code as a string of binary digits."""
    codes = [""] * len(CODE_LENGTHS)
    code = last_length = 0
    for length, symbol in sorted((n, symbol) for symbol, n in enumerate(CODE_LENGTHS)):
        code <<= length - last_length
        codes[symbol] = f"{code:0{length}b}"
        code += 1
        last_length = length
    return tuple(codes)


@cache
def _symbols() -> dict[int, int]:
    """Map each code, with a 1 in front that keeps its leading zeros, to its symbol."""
    return {int("1" + code, 2): symbol for symbol, code in enumerate(_codes())}


class _State(dict[int, "tuple[_State, bytes]"]):
    """An inner node of the code tree: from the next byte to (next state, decoded bytes)."""

    __slots__ = ("may_end", "path")

    def __init__(self, path: int) -> None:
        """Make the node reached by the bits of `path` behind its leading 1."""
        super().__init__()
        self.path = path
        # §5.2: padding is at most 7 bits, all taken from the front of EOS, hence all ones.
        self.may_end = path in _PADDINGS

    def __missing__(self, byte: int) -> tuple[_State, bytes]:
        symbols = _symbols()
        path = self.path
        decoded = bytearray()
        for shift in range(7, -1, -1):
            path = path << 1 | byte >> shift & 1
            symbol = symbols.get(path)
            if symbol is None:
                continue
            if symbol == EOS:
                raise HpackError("a Huffman-coded string contains EOS (RFC 7541 §5.2)")
            decoded.append(symbol)
            path = 1
        step = self[byte] = _state(path), bytes(decoded)
        return step


_PADDINGS = frozenset((1 << bits) - 1 for bits in range(1, 9))
_state = cache(_State)
_ROOT = _state(1)


def decode_huffman(data: bytes) -> bytes:
    """Decode a Huffman-coded string; raise `HpackError` on EOS or on wrong padding."""
    state = _ROOT
    out = []
    for byte in data:
        state, decoded = state[byte]
        out.append(decoded)
    if not state.may_end:
        raise HpackError(
            "a Huffman-coded string does not end in at most 7 bits of ones (RFC 7541 §5.2)"
        )
    return b"".join(out)


def encode_huffman(data: bytes) -> bytes:
    """Return `data` Huffman-coded, which may be longer than `data`."""
    if not data:
        return b""
    codes = _codes()
    bits = "".join([codes[byte] for byte in data])
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
