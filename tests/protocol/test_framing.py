"""Length-prefixed messages, however the stream of octets is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError, RemoteError
from clarion.protocol.framing import (
    PREFIX,
    FramingError,
    MalformedMessage,
    MessageReader,
    MessageTooLarge,
    frame,
    prefix,
)

Outcome = tuple[list[tuple[bool, bytes]], str, bool]


class Huge(bytes):
    """Claims a length that no test wants to have in memory."""

    def __len__(self) -> int:
        return 1 << 32


def read(chunks: Iterable[bytes], limit: int = 1000) -> Outcome:
    """All messages, the fault if there is one, and whether the stream may end."""
    reader = MessageReader(limit)
    messages: list[tuple[bool, bytes]] = []
    for chunk in chunks:
        try:
            messages += reader.feed(chunk)
        except FramingError as error:
            return messages + error.messages, str(error), reader.at_boundary
    return messages, "", reader.at_boundary


@pytest.mark.parametrize("cut", [1, 5, 6, 100, 900, 1100])
def test_views_give_the_same_messages_as_bytes(cut: int) -> None:
    wire = frame(b"a" * 300) + frame(b"b" * 700, True) + frame(b"c" * 50)
    chunks = [wire[at : at + cut] for at in range(0, len(wire), cut)]
    reader = MessageReader(1000)
    messages = [message for chunk in chunks for message in reader.feed(memoryview(chunk))]
    assert messages == read(chunks)[0]
    assert [type(message) for _, message in messages] == [bytes] * 3
    assert reader.feed(memoryview(frame(b"d"))) == [(False, b"d")]


def test_a_partial_message_does_not_keep_all_of_a_large_chunk_alive() -> None:
    chunk = bytearray(frame(b"x" * 10_000) + frame(b"yz")[:6])
    reader = MessageReader(-1)
    assert len(reader.feed(memoryview(chunk))) == 1
    # A bytearray cannot be resized while a view of it lives.
    chunk.clear()
    assert reader.feed(b"z") == [(False, b"yz")]


def bytewise(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


@pytest.mark.parametrize(
    ("payload", "compressed", "framed"),
    [
        (b"", False, b"\0\0\0\0\0"),
        (b"", True, b"\1\0\0\0\0"),
        (b"abc", False, b"\0\0\0\0\3abc"),
        (b"abc", True, b"\1\0\0\0\3abc"),
        (b"x" * 0x10203, False, b"\0\0\1\2\3" + b"x" * 0x10203),
    ],
)
def test_frame(payload: bytes, compressed: bool, framed: bytes) -> None:
    assert frame(payload, compressed) == framed
    assert prefix(len(payload), compressed) == framed[:PREFIX]
    assert read([framed], limit=-1) == ([(compressed, payload)], "", True)


def test_largest_length() -> None:
    assert prefix((1 << 32) - 1, True) == b"\1\xff\xff\xff\xff"
    for compressed in (False, True):
        with pytest.raises(LocalError, match="4294967296 octets"):
            prefix(1 << 32, compressed)
        with pytest.raises(LocalError, match="4294967296 octets"):
            frame(Huge(), compressed)


def test_whole_message_in_one_chunk_holds_nothing() -> None:
    reader = MessageReader(100)
    assert reader.at_boundary
    assert reader.feed(frame(b"hello")) == [(False, b"hello")]
    assert reader.feed(frame(b"hello", True)) == [(True, b"hello")]
    assert reader.feed(frame(b"")) == [(False, b"")]
    assert reader.feed(b"") == []
    assert reader.buffered == 0
    assert reader.at_boundary


def test_several_messages_and_a_part_in_one_chunk() -> None:
    reader = MessageReader(100)
    data = frame(b"a") + frame(b"", True) + frame(b"ccc") + b"\0\0\0\0\5he"
    assert reader.feed(data) == [(False, b"a"), (True, b""), (False, b"ccc")]
    assert reader.buffered == 7
    assert not reader.at_boundary
    assert reader.feed(b"l") == []
    assert reader.buffered == 8
    assert reader.feed(b"") == []
    assert reader.feed(b"lo" + b"\1\0") == [(False, b"hello")]
    assert reader.buffered == 2
    assert not reader.at_boundary
    assert reader.feed(b"\0\0\1z") == [(True, b"z")]
    assert reader.buffered == 0


def test_large_message_in_many_chunks() -> None:
    payload = bytes(range(256)) * 1024
    data = frame(payload, True) + frame(b"next")
    for size in (1, 1000, 1023, 1024, 16384):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert read(chunks, limit=-1) == ([(True, payload), (False, b"next")], "", True)


def test_small_and_large_chunks_in_turn() -> None:
    payload = bytes(range(256)) * 40
    data = frame(payload)
    cuts = [0, 3, 2051, 2052, 2053, 4500, 4600, 9000, len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(cuts)]
    assert read(chunks, limit=len(payload)) == ([(False, payload)], "", True)


def test_octets_fed_one_by_one_are_not_held_one_by_one() -> None:
    reader = MessageReader(-1)
    for octet in bytewise(frame(bytes(5000))[:-1]):
        assert reader.feed(octet) == []
    assert reader.buffered == PREFIX + 4999
    assert len(reader._parts) <= 2


@pytest.mark.parametrize("limit", [0, 1, 10, 4 << 20])
def test_limit_is_exact(limit: int) -> None:
    assert read([frame(bytes(limit))], limit) == ([(False, bytes(limit))], "", True)
    for start in ([prefix(limit + 1)], bytewise(prefix(limit + 1)), [frame(bytes(limit + 1))]):
        messages, fault, at_boundary = read(start, limit)
        assert messages == []
        assert fault == f"Received message larger than max ({limit + 1} vs. {limit})"
        assert not at_boundary


def test_too_large_is_raised_by_the_prefix_alone() -> None:
    reader = MessageReader(10, "SERVER")
    assert reader.feed(b"\0\0\0\0") == []
    with pytest.raises(
        MessageTooLarge, match=r"^SERVER: Received message larger than max \(11 vs. 10\)$"
    ) as caught:
        reader.feed(b"\x0b")
    assert isinstance(caught.value, RemoteError)


def test_unlimited() -> None:
    reader = MessageReader(-1)
    assert reader.feed(b"\0\xff\xff\xff\xffabc") == []
    assert reader.buffered == 8


@pytest.mark.parametrize("flag", [2, 3, 0x80, 0xFF])
@pytest.mark.parametrize("length", [0, 3])
def test_compressed_flag_must_be_0_or_1(flag: int, length: int) -> None:
    data = bytes((flag,)) + frame(bytes(length))[1:]
    with pytest.raises(MalformedMessage) as caught:
        MessageReader(10).feed(data)
    assert isinstance(caught.value, RemoteError)
    text = f"the peer sent a message with compressed flag {flag}; it must be 0 or 1"
    assert read([data], limit=10) == read(bytewise(data), limit=10) == ([], text, False)


def test_error_carries_the_messages_before_it_once() -> None:
    reader = MessageReader(5, "CLIENT")
    with pytest.raises(MessageTooLarge) as first:
        reader.feed(frame(b"good") + frame(b"too large") + frame(b"never"))
    assert first.value.messages == [(False, b"good")]
    assert not reader.at_boundary
    for chunk in (b"", b"\0", frame(b"ok")):
        with pytest.raises(MessageTooLarge) as again:
            reader.feed(chunk)
        assert str(again.value) == str(first.value)
        assert again.value.messages == []


streams = st.lists(
    st.tuples(st.binary(max_size=40), st.booleans()).map(lambda pair: frame(*pair))
    | st.sampled_from([b"\2\0\0\0\0", b"\0\0\0\0\x65", b"\0\0", b"\1\0\0\0\x09abc"]),
    max_size=6,
).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(streams | st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=8))
def test_how_the_stream_is_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    whole = read([data], limit=100)
    points = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert read((data[a:b] for a, b in itertools.pairwise(points)), limit=100) == whole
    assert read(bytewise(data), limit=100) == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=3000), st.booleans()), max_size=5), st.integers(1, 99))
def test_round_trip(messages: list[tuple[bytes, bool]], size: int) -> None:
    data = b"".join(frame(payload, compressed) for payload, compressed in messages)
    chunks = [data[at : at + size * 40] for at in range(0, len(data), size * 40)]
    expected = [(compressed, payload) for payload, compressed in messages]
    assert read(chunks, limit=3000) == (expected, "", True)
