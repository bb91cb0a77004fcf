"""HEADERS and CONTINUATION: padding, priority fields and cuts do not change what arrives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clarion.http2.connection import Connection
from clarion.http2.header_blocks import HeaderBlocks
from clarion.http2.lifecycle import ConnectionObserver
from support.http2 import (
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PRIORITISED,
    REQUEST,
    RESPONSE,
    TRAILERS,
    block,
    client,
    data,
    frame,
    headers,
    server,
)

BLOCK = block(REQUEST)
SHAPES = {
    "plain": frame(HEADERS, 5, 1, BLOCK),
    "padded": frame(HEADERS, 5 | PADDED, 1, b"\7" + BLOCK + bytes(7)),
    "padded with nothing": frame(HEADERS, 5 | PADDED, 1, b"\0" + BLOCK),
    "with priority": frame(HEADERS, 5 | PRIORITISED, 1, b"\x80\0\0\0\x0f" + BLOCK),
    "with both": frame(HEADERS, 5 | PADDED | PRIORITISED, 1, b"\2\0\0\0\3\1" + BLOCK + b"xx"),
    "in two": frame(HEADERS, 1, 1, BLOCK[:20]) + frame(CONTINUATION, 4, 1, BLOCK[20:]),
    "in three with empty ones": frame(HEADERS, 1, 1, b"")
    + frame(CONTINUATION, 0, 1, BLOCK)
    + frame(CONTINUATION, 4, 1, b""),
    "padded and cut": frame(HEADERS, 1 | PADDED, 1, b"\1" + BLOCK[:5] + b"\0")
    + frame(CONTINUATION, 4, 1, BLOCK[5:]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str, bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    assert side.exchange(SHAPES[shape], headers(3)) == []
    assert [head.fields for head in side.opened[1].heads] == [REQUEST]
    assert side.opened[1].ended
    assert not side.opened[3].ended


@given(st.lists(st.integers(0, len(BLOCK)), max_size=10), st.data())
@hypothesis_settings(max_examples=60, deadline=None)
def test_any_cut(cuts: list[int], draw: st.DataObject) -> None:
    marks = [0, *sorted(cuts), len(BLOCK)]
    pieces = [BLOCK[a:b] for a, b in pairwise(marks)]
    sent = b""
    for n, piece in enumerate(pieces):
        flags = END_HEADERS if n == len(pieces) - 1 else 0
        sent += frame(CONTINUATION if n else HEADERS, flags | (not n), 1, piece)
    side = server()
    at = draw.draw(st.integers(0, len(sent)))
    side.feed(sent[:at])
    side.feed(sent[at:])
    assert side.opened[1].heads[0].fields == REQUEST
    assert side.opened[1].ended


def test_repeated_blocks_yield_the_same_list() -> None:
    """What the layer above derives from a list is derived once."""
    side = server()
    side.feed(*(headers(sid) for sid in (1, 3)))
    assert side.opened[1].heads[0] is side.opened[3].heads[0]


def test_trailers(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    side.feed(headers(1), data(1, b"x"), headers(1, TRAILERS, end=True))
    stream = side.opened[1]
    assert [head.fields for head in stream.heads] == [REQUEST, TRAILERS]
    assert stream.ended
    assert side.connection.streams == {1: stream}


def test_a_whole_response(bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    stream = side.open(end=True)
    side.feed(
        headers(1, ((b":status", b"103"),)),
        headers(1, RESPONSE),
        data(1, b"body"),
        headers(1, TRAILERS, end=True),
    )
    assert [head.fields for head in stream.heads] == [((b":status", b"103"),), RESPONSE, TRAILERS]
    assert (stream.body, stream.ended) == (b"body", True)
    assert side.connection.completed == 1
    assert side.connection.streams == {}


def test_a_large_block_within_the_limits() -> None:
    side = server()
    value = bytes(b"v" * 50_000)
    whole = block((*REQUEST, (b"big", value)))
    sent = frame(HEADERS, END_STREAM, 1, whole[:16_384])
    for at in range(16_384, len(whole), 16_384):
        last = END_HEADERS if at + 16_384 >= len(whole) else 0
        sent += frame(CONTINUATION, last, 1, whole[at : at + 16_384])
    side.feed(sent)
    assert side.opened[1].heads[0].size > 50_000


def test_a_room_is_no_connection() -> None:
    class Bare(HeaderBlocks):
        pass

    observer: ConnectionObserver = client().observer
    bare = Bare(observer, lambda: 0.0, client().connection.config, is_client=False)
    with pytest.raises(NotImplementedError):
        bare._accept_stream(1)
    assert issubclass(Connection, HeaderBlocks)
