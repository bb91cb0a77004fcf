"""Sequences of header lists through encoder and decoder, with changes of the table's size; and through those of the
library `hpack` where it is installed: our encoder to its decoder, its encoder to our decoder.

Checked: every list arrives as it was sent, whoever encodes it.

Its encoder announces several changes of the size between two blocks one by one, and none where the last equals the
first; RFC 7541 §4.2 wants the lowest and the last. So to our decoder it sends a block after each change.
"""

from __future__ import annotations

from typing import Any

from clarion.hpack import Decoder, Encoder
from fuzz.reader import Reader

try:
    import hpack
except ImportError:
    hpack = None

__all__ = ["fuzz_one"]

_SIZES = (4096, 0, 64, 100, 256, 1000, 65_536)
_NAMES = (
    b":path",
    b":status",
    b"authorization",
    b"cookie",
    b"content-type",
    b"grpc-timeout",
    b"grpc-status",
    b"te",
    b"user-agent",
    b"x-a",
    b"x-b",
    b"x-c-bin",
)
_VALUES = (b"", b"0", b"trailers", b"/s/m", b"v" * 30, b"v" * 150, b"w" * 1200)
_GET = ((b":method", b"GET"),)

Fields = tuple[tuple[bytes, bytes], ...]


def _field(reader: Reader) -> tuple[bytes, bytes]:
    form = reader.byte()
    name = reader.choose(_NAMES) if form & 1 else reader.piece()
    value = reader.choose(_VALUES) if form & 2 else reader.piece()
    return name or b"x", value


class _Peers:
    """The same session through the other library."""

    def __init__(self, library: Any) -> None:
        self.decoder = library.Decoder(max_header_list_size=10**9)
        self.encoder = library.Encoder()
        self.ours = Decoder(max_list_size=10**9)

    def resize(self, size: int) -> None:
        self.decoder.max_allowed_table_size = size
        self.encoder.header_table_size = size
        self.ours.max_table_size = size
        assert self.ours.decode(self.encoder.encode(_GET)).fields == _GET

    def check(self, block: bytes, fields: Fields, huffman: bool) -> None:
        assert tuple(map(tuple, self.decoder.decode(block, raw=True))) == fields
        assert self.ours.decode(self.encoder.encode(fields, huffman=huffman)).fields == fields


def fuzz_one(data: bytes) -> None:
    """Each step is a list of fields, one from before, or a change of the size."""
    reader = Reader(data)
    encoder, decoder = Encoder(reader.choose(_SIZES)), Decoder(max_list_size=10**9)
    peers = _Peers(hpack) if hpack is not None else None
    before: list[Fields] = []
    while reader.left:
        step = reader.byte()
        if step % 8 == 7:
            size = reader.choose(_SIZES)
            encoder.set_max_table_size(size)
            decoder.max_table_size = size
            if peers is not None:
                peers.resize(size)
            continue
        if step % 8 == 6 and before:
            fields = reader.choose(before)
        else:
            fields = tuple(_field(reader) for _ in range(step % 6))
            before.append(fields)
        block = encoder.encode(fields)
        headers = decoder.decode(block)
        assert headers.fields == fields
        assert encoder._table._used <= encoder._table.capacity
        if peers is not None:
            peers.check(block, fields, bool(step & 0x80))
