"""Large DATA is handed on as a view of what was received, small DATA as bytes of its own."""

from __future__ import annotations

import pytest

from clarion.http2.config import Config
from support.http2 import data, headers, server


def keep(side):
    """The pieces of stream 1 as they come."""
    pieces = []
    side.connection.streams[1].data_received = lambda piece, end_stream: pieces.append(piece)
    return pieces


@pytest.mark.parametrize(
    ("sizes", "kinds"),
    [
        ([16_384], [memoryview]),
        ([16_383], [bytes]),
        ([100, 16_384], [bytes, memoryview]),
        # A small part of what came: a view would keep all of it alive.
        ([16_384] * 5, [bytes] * 5),
    ],
)
def test_a_view_is_never_a_small_part_of_what_it_keeps(sizes, kinds):
    side = server(Config(initial_window=1 << 20))
    side.feed(headers(1))
    kept = keep(side)
    side.feed(*(data(1, bytes(size)) for size in sizes))
    assert [len(piece) for piece in kept] == sizes
    assert [type(piece) for piece in kept] == kinds


@pytest.mark.parametrize(
    ("first", "kinds"), [(20_000, [memoryview, bytes]), (300, [bytes, memoryview])]
)
def test_a_frame_that_comes_in_two_parts(first, kinds):
    side = server(Config(initial_window=1 << 20, max_frame_size=30_000))
    side.feed(headers(1))
    kept = keep(side)
    wire = data(1, bytes(21_000))
    side.feed(wire[: first + 9])
    side.feed(wire[first + 9 :])
    assert [type(piece) for piece in kept] == kinds
    assert b"".join(kept) == bytes(21_000)
