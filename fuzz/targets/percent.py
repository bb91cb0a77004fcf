"""`grpc-message` values: decoding takes everything, encoding gives printable ASCII, and both together change nothing."""

from __future__ import annotations

import re

from clarion.protocol.percent import decode_message, encode_message, shorten_message

__all__ = ["fuzz_one"]

_CUT_ESCAPE = re.compile(rb"%[0-9A-F]?\Z").search


def fuzz_one(data: bytes) -> None:
    """The bytes are the value as received."""
    text = decode_message(data)
    assert len(text) <= len(data)
    wire = encode_message(text)
    assert all(32 <= octet < 127 for octet in wire)
    assert wire.strip() == wire
    assert len(wire) <= 3 * len(text.encode())
    assert decode_message(wire) == text
    for size in (3, 4, 5, 6, 20, len(wire)):
        short = shorten_message(wire, max(size, 3))
        assert len(short) <= max(size, 3)
        if len(short) < len(wire):
            assert short.endswith(b"...")
            assert not _CUT_ESCAPE(short[:-3])
    # Texts of programs may have lone surrogates, which UTF-8 has no form for.
    lone = data.decode("utf-8", "surrogateescape")
    assert all(32 <= octet < 127 for octet in encode_message(lone))
