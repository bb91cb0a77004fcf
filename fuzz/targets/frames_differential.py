"""Frames to our connection and to the parser of the library `hyperframe`.

Checked: what the library cannot parse is an error to us too; the payload of DATA without its padding is the same; a
PING is answered with the data that the library reads; and every frame that we send parses there, and is written by
it exactly as we wrote it.

Accepted differences: it knows extensions (ALTSVC, PRIORITY_UPDATE), which we ignore as RFC 9113 §4.1 has it, so they
are left out; and it takes the reserved bit of WINDOW_UPDATE for a part of the increment, where §6.9 says to ignore
it, so the bit is cleared for it; and it refuses HEADERS whose payload is all padding, where §6.2 refuses only more
padding than there is payload, so these are left out.
"""

from __future__ import annotations

from typing import Any

import hyperframe.exceptions
import hyperframe.frame

from clarion.http2 import Config
from fuzz.connections import frames_of
from support.http2 import (
    DATA,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    RST,
    WINDOW,
    Recorder,
    Side,
    client,
    headers,
    parse,
    server,
)

__all__ = ["fuzz_one"]

_CONFIG = Config(initial_window=1 << 20)
_KNOWN = range(10)


def _reads(one: bytes) -> tuple[Any, str]:
    """The library's frame, or why it is none."""
    if one[3] == WINDOW and len(one) == 13:
        one = one[:9] + bytes([one[9] & 0x7F]) + one[10:]
    try:
        parsed, _ = hyperframe.frame.Frame.parse_frame_header(memoryview(one[:9]))
        parsed.parse_body(memoryview(one[9:]))
    except hyperframe.exceptions.HyperframeError as error:
        return None, repr(error)
    return parsed, ""


def _all_padding(one: bytes) -> bool:
    return (
        one[3] == HEADERS and bool(one[4] & PADDED) and one[9:10] == bytes([(len(one) - 10) & 0xFF])
    )


def _check_output(output: bytes) -> None:
    at = 0
    for each in parse(output):
        one = output[at : at + 9 + len(each.payload)]
        at += len(one)
        parsed, reason = _reads(one)
        assert parsed is not None, reason
        assert parsed.serialize() == one


def _fresh(is_client: bool) -> Side:
    if is_client:
        side = client(_CONFIG)
        for _ in range(3):
            side.open()
        side.output()
    else:
        side = server(_CONFIG)
        side.feed(headers(1), headers(3))
        side.output()
    return side


def fuzz_one(data: bytes) -> None:
    """The first byte's low bit chooses the role; each frame meets a connection with two or three streams open."""
    is_client = bool(data[:1] and data[0] & 1)
    for kind, one in frames_of(data[1:]):
        if kind not in _KNOWN or _all_padding(one):
            continue
        side = _fresh(is_client)
        side.feed(one)
        output = side.output()
        _check_output(output)
        parsed, reason = _reads(one)
        refused = side.connection.closed or any(
            each.kind in (RST, GOAWAY) for each in parse(output)
        )
        if parsed is None:
            assert refused, f"only the library refuses it: {reason}"
        elif kind == PING and not refused and "ACK" not in parsed.flags:
            assert [each.payload for each in parse(output) if each.kind == PING] == [
                parsed.opaque_data
            ]
        elif kind == DATA and not refused:
            stream = side.opened.get(parsed.stream_id)
            assert isinstance(stream, Recorder)
            assert stream.body == parsed.data
