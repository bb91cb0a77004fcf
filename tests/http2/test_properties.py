"""What must hold for all bytes and all interleavings."""

from __future__ import annotations

import struct
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clarion.http2 import Config
from support.http2 import (
    DATA,
    GOAWAY,
    PREFACE,
    REQUEST,
    RESPONSE,
    TRAILERS,
    Recorder,
    Side,
    block,
    client,
    frame,
    headers,
    parse,
    server,
    settings,
    shuttle,
)

BLOCKS = st.sampled_from(
    [
        block(REQUEST),
        block(RESPONSE),
        block(TRAILERS),
        b"",
        b"\x82\x86",
        b"\x40\1a\1b",
        b"\xbe",
        b"\x20",
        b"\x3f\xe1\x1f",
    ]
)
SIDS = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 7, 2, 4, 2**31 - 1])
U32 = st.one_of(
    st.sampled_from([0, 1, 5, 16_384, 65_535, 2**31 - 1, 2**31, 2**32 - 1]),
    st.integers(0, 2**32 - 1),
)
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    BLOCKS,
    U32.map(lambda number: struct.pack(">I", number)),
    st.tuples(U32, U32).map(lambda pair: struct.pack(">II", *pair)),
    st.lists(st.tuples(st.integers(0, 7), U32), max_size=4).map(
        lambda items: b"".join(struct.pack(">HI", *item) for item in items)
    ),
    st.integers(0, 20_000).map(bytes),
)
FRAMES = st.builds(
    frame,
    st.integers(0, 11),
    st.sampled_from([0, 1, 4, 5, 8, 9, 0x0D, 0x20, 0x24, 0x2D, 0xFF]),
    SIDS,
    PAYLOADS,
)
# Frames that mostly make sense, so that deep states are reached.
SENSIBLE = st.one_of(
    st.builds(frame, st.just(1), st.sampled_from([4, 5]), SIDS, BLOCKS),
    st.builds(frame, st.just(DATA), st.sampled_from([0, 0, 1]), SIDS, st.binary(max_size=50)),
    st.just(settings({4: 0})),
    st.just(settings({4: 70_000, 1: 0, 3: 1})),
    FRAMES,
)


def answer(stream: Recorder) -> None:
    if stream.ended and not stream.local_closed:
        connection = stream.connection
        connection.send_headers(stream, connection.encoder.encode(RESPONSE))
        connection.send_message(stream, b"", stream.body)
        connection.send_trailers(stream, TRAILERS)


def prepare(stream: Recorder) -> None:
    stream.on_headers = stream.on_data = answer


def feed_all(side: Side, sent: bytes, cut: int) -> None:
    """Feed in pieces of `cut` bytes; the output must be whole frames and no flood."""
    answered = 0
    for at in range(0, len(sent), cut):
        side.feed(sent[at : at + cut])
        output = side.output()
        answered += len(output)
        frames = parse(output)
        if side.connection.closed:
            assert sum(f.kind == GOAWAY for f in frames) <= 1
    assert answered <= 30 * len(sent) + 2000
    connection = side.connection
    assert len(connection._partial) <= 9 + connection.max_frame_size
    assert (side.observer.reason is not None) is connection.closed
    if connection.closed:
        assert not connection.streams
        side.feed(b"more")
        assert side.output() == b""
    for stream in side.opened.values():
        if stream.stream_id not in connection.streams:
            assert stream.local_closed
            assert stream.remote_closed
    assert all(stream in connection.streams.values() for stream in connection.turns)


@given(st.lists(SENSIBLE, max_size=25), st.sampled_from([1, 7, 100, 1 << 20]))
@hypothesis_settings(max_examples=150, deadline=None)
def test_a_server_takes_any_frames(frames: list[bytes], cut: int) -> None:
    side = server(Config(max_concurrent_streams=3), setup=prepare)
    feed_all(side, b"".join(frames), cut)


@given(st.lists(SENSIBLE, max_size=25), st.sampled_from([1, 7, 100, 1 << 20]), st.booleans())
@hypothesis_settings(max_examples=150, deadline=None)
def test_a_client_takes_any_frames(frames: list[bytes], cut: int, end: bool) -> None:
    side = client()
    for _ in range(3):
        side.open(end=end)
    side.output()
    feed_all(side, b"".join(frames), cut)


@given(st.binary(max_size=200), st.integers(1, 30), st.booleans(), st.booleans())
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_bytes(sent: bytes, cut: int, is_client: bool, after_handshake: bool) -> None:
    side = Side(client=is_client)
    side.connection.start()
    side.output()
    if after_handshake:
        side.feed(b"" if is_client else PREFACE, settings())
        side.output()
    feed_all(side, sent, cut)


@given(st.lists(SENSIBLE, max_size=12), st.data())
@hypothesis_settings(max_examples=100, deadline=None)
def test_cuts_do_not_matter(frames: list[bytes], draw: st.DataObject) -> None:
    sent = b"".join(frames)
    cuts = draw.draw(st.lists(st.integers(0, len(sent)), max_size=6))
    marks = [0, *sorted(cuts), len(sent)]
    whole, pieces = server(setup=prepare), server(setup=prepare)
    whole.feed(sent)
    for a, b in pairwise(marks):
        pieces.feed(sent[a:b])
    assert whole.output() == pieces.output()
    assert whole.observer.events == pieces.observer.events
    assert list(whole.opened) == list(pieces.opened)
    for sid, stream in whole.opened.items():
        other = pieces.opened[sid]
        assert (stream.ended, stream.abort) == (other.ended, other.abort)
        # A piece that came before its frame turned out to be bad was delivered in good faith.
        assert stream.body == other.body or stream.abort is not None


MESSAGES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 9, 100, 5_000, 16_385, 70_000])),
    max_size=12,
)


@given(
    MESSAGES,
    MESSAGES,
    st.sampled_from([1, 100, 16_384, 65_535, 1 << 20]),
    st.sampled_from([1, 100, 65_535, 1 << 20]),
    st.sampled_from([100, 20_000, 1 << 18]),
    st.randoms(use_true_random=False),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_messages_arrive_intact_and_in_order(
    requests: list[tuple[int, int]],
    responses: list[tuple[int, int]],
    client_window: int,
    server_window: int,
    send_buffer: int,
    random: Random,
) -> None:
    """Four streams, both directions, windows and cuts at random; readers rest and go on."""
    if min(client_window, server_window) == 1:
        # One byte for each frame: keep the number of frames in reason.
        requests = [(n, min(size, 100)) for n, size in requests]
        responses = [(n, min(size, 100)) for n, size in responses]
    left = Side(
        Config(initial_window=client_window, max_window=1 << 20, send_buffer=send_buffer),
        client=True,
    )
    right = Side(Config(initial_window=server_window, max_window=1 << 20, send_buffer=send_buffer))
    left.connection.start()
    right.connection.start()
    shuttle(left, right)
    streams = [left.open() for _ in range(4)]
    shuttle(left, right)
    served = [right.opened[stream.stream_id] for stream in streams]
    for stream in served:
        right.connection.send_headers(stream, right.connection.encoder.encode(RESPONSE))
    ends = [*streams, *served]
    for end in ends:
        end.credit = False
    sent = [b""] * 8
    unread = [0] * 8
    work = [(n, size) for n, size in requests] + [(n + 4, size) for n, size in responses]
    random.shuffle(work)
    wires = {left: b"", right: b""}

    def deliver(source: Side, target: Side) -> bool:
        wires[source] += source.output()
        wire = wires[source]
        size = random.choice([1, 9, 50, 3_000, len(wire)])
        target.feed(wire[:size])
        wires[source] = wire[size:]
        return bool(wire)

    def read(n: int) -> bool:
        size = len(ends[n].body) - unread[n]
        unread[n] += size
        ends[n].connection.consumed(ends[n], size)
        return bool(size)

    mark = 0
    while work:
        n, size = work.pop()
        mark += 1
        payload = (b"%d:" % mark) + bytes(size)
        ends[n].connection.send_message(ends[n], b"", payload)
        sent[n] += payload
        if random.random() < 0.3:
            deliver(*random.sample([left, right], 2))
        if random.random() < 0.3:
            read(random.randrange(8))
        if random.random() < 0.1:
            side = random.choice([left, right])
            side.connection.pause()
            deliver(*random.sample([left, right], 2))
            side.connection.resume()
    for stream in streams:
        left.connection.send_end(stream)
    for stream in served:
        right.connection.send_trailers(stream, TRAILERS)
    busy = True
    while busy:
        busy = deliver(left, right) | deliver(right, left)
        for n in range(8):
            busy |= read(n)
    assert not left.connection.closed
    assert not right.connection.closed
    for n in range(4):
        # The response may have ended first, which stops the request (§8.1).
        assert streams[n].body == sent[n + 4]
        assert sent[n].startswith(served[n].body)
        assert streams[n].ended
        assert served[n].body == sent[n] or not served[n].ended
    assert not right.connection.streams


@given(st.lists(st.integers(0, 200_000), max_size=30), st.integers(0, 2**31 - 1))
@hypothesis_settings(max_examples=100, deadline=None)
def test_data_never_exceeds_a_window_however_it_moves(windows: list[int], last: int) -> None:
    side = server(values={4: 1000})
    side.feed(headers(1, end=True))
    connection = side.connection
    connection.send_window = 2**31 - 1
    stream = side.opened[1]
    sent = 0
    for window in [*windows, last]:
        connection.send_message(stream, b"", bytes(30_000))
        sent += sum(len(f.payload) for f in side.frames() if f.kind == DATA)
        side.feed(settings({4: window}))
        sent += sum(len(f.payload) for f in side.frames() if f.kind == DATA)
        assert stream.send_window == window - sent
        assert sent <= max([1000, *windows, last])
        assert (stream.parked_size == 0) is (stream.parked is None)
        if side.connection.closed:
            return
        side.clock.time += 1
