"""Messages out of DATA in any pieces, and the credit that holds back a peer whose messages nobody reads."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.http2 import Config, Connection
from clarion.protocol.message_stream import MessageStream
from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode


class Ledger:
    """In a connection's place: counts credit."""

    peer_initial_window = recv_stream_window = 65_535
    messages_received = 0

    def __init__(self) -> None:
        self.credits: list[int] = []

    def consumed(self, stream: MessageStream, size: int) -> None:
        assert size >= 0
        self.credits.append(size)


class Inbox(MessageStream):
    ROLE = "SERVER"

    def __init__(self, max_receive: int = 1000) -> None:
        self.ledger = Ledger()
        MessageStream.__init__(self, self.ledger, 1, max_receive)  # type: ignore[arg-type]
        self.end: object = None
        self.limit: int | None = None

    def message_received(self, message: bytes) -> None:
        assert not self.over
        self.put(message)
        if self.limit is not None and len(self.inbox) >= self.limit:
            self.over = True

    def messages_ended(self) -> None:
        assert self.end is None
        self.end = "ended"

    def messages_failed(self, code: StatusCode, details: str) -> None:
        assert self.end is None
        self.end = (code, details)
        self.over = True

    @property
    def credited(self) -> int:
        return sum(self.ledger.credits)


def packed(*messages: bytes, flag: int = 0) -> bytes:
    return b"".join(bytes([flag]) + len(each).to_bytes(4, "big") + each for each in messages)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    points = [0, *sorted(point % (len(data) + 1) for point in at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(points)]


STREAMS = [
    b"",
    packed(b""),
    packed(b"hello"),
    packed(b"hello", b"", b"x" * 1000),
    packed(b"a") + packed(b"zipped", flag=1) + packed(b"b"),
    packed(b"a", b"b" * 1001, b"c"),
    packed(b"a") + packed(b"b", flag=2),
    packed(b"a") + packed(b"hello")[:7],
    packed(b"a") + b"\0\0",
    packed(b"x" * 1001)[:5],
]


@pytest.mark.parametrize("data", STREAMS)
def test_whole_and_bytewise_are_the_same(data: bytes) -> None:
    whole, bytewise = Inbox(), Inbox()
    whole.data_received(data, True)
    for at in range(len(data)):
        bytewise.data_received(data[at : at + 1], False)
    bytewise.data_received(b"", True)
    assert whole.inbox == bytewise.inbox
    assert [type(each) for each in whole.inbox] == [type(each) for each in bytewise.inbox]
    assert whole.end == bytewise.end
    assert whole.end is not None


messages_strategy = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1]), st.binary(max_size=40)), max_size=6
)


@given(messages_strategy, st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_cut_gives_the_same(messages: list[tuple[int, bytes]], at: list[int]) -> None:
    data = b"".join(packed(body, flag=flag) for flag, body in messages)
    stream = Inbox()
    for piece in cut(data, at):
        stream.data_received(piece, False)
    stream.data_received(b"", True)
    assert list(stream.inbox) == [body for _, body in messages]
    assert [isinstance(each, CompressedMessage) for each in stream.inbox] == [
        bool(flag) for flag, _ in messages
    ]
    assert stream.end == "ended"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_messages_or_a_status(data: bytes, at: list[int]) -> None:
    whole, pieces = Inbox(), Inbox()
    whole.data_received(data, True)
    for piece in cut(data, at):
        pieces.data_received(piece, False)
    pieces.data_received(b"", True)
    assert (whole.inbox, whole.end) == (pieces.inbox, pieces.end)


def test_too_large_a_message() -> None:
    stream = Inbox(max_receive=10)
    stream.data_received(packed(b"x" * 10, b"x" * 11), False)
    assert list(stream.inbox) == [b"x" * 10]
    assert stream.end == (
        StatusCode.RESOURCE_EXHAUSTED,
        "SERVER: Received message larger than max (11 vs. 10)",
    )


def test_the_prefix_alone_shows_that_a_message_is_too_large() -> None:
    stream = Inbox(max_receive=10)
    stream.data_received(b"\0\xff\xff\xff\xff", False)
    assert isinstance(stream.end, tuple)
    assert stream.end[0] is StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("limit", [-1, 5000])
def test_no_limit(limit: int) -> None:
    stream = Inbox(max_receive=limit)
    stream.data_received(packed(b"x" * 5000), True)
    assert list(stream.inbox) == [b"x" * 5000]


def test_a_flag_that_is_neither() -> None:
    stream = Inbox()
    stream.data_received(packed(b"a", flag=3), True)
    assert isinstance(stream.end, tuple)
    assert stream.end[0] is StatusCode.INTERNAL
    assert "flag 3" in stream.end[1]


def test_an_end_within_a_message() -> None:
    stream = Inbox()
    stream.data_received(packed(b"hello")[:-1], True)
    assert stream.end == (StatusCode.INTERNAL, "the stream ended within a message")


@pytest.mark.parametrize("rest", [packed(b"b"), packed(b"b") + packed(b"c", flag=9)])
def test_nothing_is_heard_after_the_end(rest: bytes) -> None:
    stream = Inbox()
    stream.limit = 1
    stream.data_received(packed(b"a") + rest, False)
    stream.data_received(packed(b"d"), True)
    assert list(stream.inbox) == [b"a"]
    assert stream.end is None


def test_the_end_with_the_last_message_of_a_call_that_is_over() -> None:
    stream = Inbox()
    stream.limit = 1
    stream.data_received(packed(b"a"), True)
    assert stream.end is None


# Credit


def test_credit_comes_at_once_while_nothing_waits() -> None:
    stream = Inbox()
    for _ in range(3):
        stream.data_received(packed(b"hello"), False)
        stream.take_message()
    assert stream.ledger.credits == [10, 10, 10]
    assert stream.held == 0


def test_credit_is_held_while_a_message_waits() -> None:
    stream = Inbox()
    stream.data_received(packed(b"one"), False)
    stream.data_received(packed(b"two"), False)
    stream.data_received(packed(b"three"), False)
    assert stream.credited == 8
    assert stream.held == 18
    assert stream.take_message() == b"one"
    assert stream.take_message() == b"two"
    assert stream.credited == 8
    assert stream.take_message() == b"three"
    assert stream.credited == 26
    assert stream.held == 0


def test_no_credit_for_the_last_data() -> None:
    """The peer has closed its side and will never use any."""
    stream = Inbox()
    stream.data_received(packed(b"one"), True)
    stream.take_message()
    assert stream.ledger.credits == []


def test_a_message_larger_than_the_window_arrives() -> None:
    window = 100
    data = packed(b"x" * 1000)
    stream = Inbox()
    for at in range(0, len(data), window):
        assert at + window - stream.credited <= window
        stream.data_received(data[at : at + window], False)
    assert stream.take_message() == b"x" * 1000
    assert stream.credited == len(data)


def test_a_large_message_behind_a_waiting_one() -> None:
    window = 100
    data = packed(b"x" * 1000)
    stream = Inbox()
    stream.data_received(packed(b"waits"), False)
    sent = window - 10
    stream.data_received(data[:sent], False)
    assert stream.held == sent
    assert stream.take_message() == b"waits"
    assert stream.held == 0
    assert stream.credited == 10 + sent
    stream.data_received(data[sent:], False)
    assert stream.take_message() == b"x" * 1000
    assert stream.credited == 10 + len(data)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_every_byte_is_credited_once(sizes: list[int], seed: int) -> None:
    """A peer that keeps to its window, and a reader with moods."""
    chance = random.Random(seed)
    window = 50
    data = b"".join(packed(bytes(size)) for size in sizes)
    stream = Inbox()
    sent = taken = 0
    while sent < len(data) or stream.inbox:
        allowed = min(window + stream.credited - sent, len(data) - sent)
        if allowed and (chance.random() < 0.6 or not stream.inbox):
            size = chance.randint(1, allowed)
            stream.data_received(data[sent : sent + size], False)
            sent += size
        elif stream.inbox:
            stream.take_message()
            taken += 1
        else:
            raise AssertionError("the peer may not send and nothing can be read")
        waiting = sum(len(each) + 5 for each in stream.inbox)
        # The window, the first message, and the piece that ended it.
        assert waiting <= window + 65 + window
        assert stream.credited + stream.held == sent
    assert taken == len(sizes)
    assert stream.credited == len(data)
    assert stream.held == 0


def test_on_a_real_connection_memory_is_bounded() -> None:
    """A peer that sends as much as it may to a stream that nobody reads."""

    class Observer:
        def ready(self) -> None: ...
        def streams_available(self) -> None: ...
        def goaway_received(self, code: int, debug: bytes) -> None: ...
        def ping_acknowledged(self, data: bytes) -> None: ...
        def finished(self, reason: object) -> None: ...

    config = Config(initial_window=65_535, max_window=65_535)
    connection = Connection(Observer(), lambda: 0.0, config, lambda connection, sid: Inbox())
    stream = Inbox()
    MessageStream.__init__(stream, connection, 1, 1000)
    window = stream.recv_window
    data = packed(b"x" * 995)
    received = 0
    while stream.recv_window >= len(data):
        stream.recv_window -= len(data)
        stream.data_received(data, False)
        received += len(data)
    assert received <= window + len(data)
    while stream.inbox:
        stream.take_message()
    assert stream.recv_window + stream.recv_credit == window


def test_what_the_subclass_must_do() -> None:
    stream = MessageStream(Ledger(), 1, 10)  # type: ignore[arg-type]
    for call in (
        lambda: stream.message_received(b""),
        stream.messages_ended,
        lambda: stream.messages_failed(StatusCode.INTERNAL, ""),
    ):
        with pytest.raises(NotImplementedError):
            call()
