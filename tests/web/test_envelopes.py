"""Messages behind five octets, in requests and in both kinds of responses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError
from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode
from clarion.web.envelopes import (
    COMPRESSED,
    CONNECT_END,
    GRPC_WEB_END,
    EnvelopeReader,
    envelope,
    prefix,
)
from clarion.web.errors import WebError

Result = tuple[list[tuple[bool, bytes]], Any, str]


def read(chunks: Iterable[bytes], **options: Any) -> Result:
    """All messages with their flag, the end, and the fault."""
    reader = EnvelopeReader(100, max_end_size=50, **options)
    messages: list[bytes] = []
    fault = ""
    try:
        for chunk in chunks:
            messages += reader.feed(chunk)
        messages += reader.finish()
    except WebError as error:
        messages += error.messages
        fault = f"{error.code.name}: {error}"
    return [(type(each) is CompressedMessage, bytes(each)) for each in messages], reader.end, fault


def cut(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


ITEMS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 0x80, 0x81, 0xFF]), st.binary(max_size=120)),
    max_size=5,
)


@settings(max_examples=50, deadline=None)
@given(
    ITEMS,
    st.integers(1, 60),
    st.sampled_from([0, CONNECT_END, GRPC_WEB_END]),
    st.binary(max_size=7),
)
def test_how_a_body_is_cut_changes_nothing(
    items: list[tuple[int, bytes]], step: int, end: int, rest: bytes
) -> None:
    body = b"".join(envelope(payload, flags) for flags, payload in items) + rest
    whole = read([body], end_flag=end)
    assert read(cut(body, step), end_flag=end) == whole
    assert read([memoryview(body)], end_flag=end) == whole  # type: ignore[list-item]


@pytest.mark.parametrize("end", [CONNECT_END, GRPC_WEB_END])
def test_a_response_has_messages_and_an_end(end: int) -> None:
    body = envelope(b"one") + envelope(b"", COMPRESSED) + envelope(b"two") + envelope(b"x", end)
    for step in range(1, len(body) + 1):
        messages, found, fault = read(cut(body, step), end_flag=end)
        assert messages == [(False, b"one"), (True, b""), (False, b"two")]
        assert (found, fault) == (b"x", "")


def test_the_end_may_be_compressed() -> None:
    reader = EnvelopeReader(-1, end_flag=CONNECT_END, max_end_size=9)
    assert reader.feed(envelope(b"end", CONNECT_END | COMPRESSED)) == []
    assert type(reader.end) is CompressedMessage


@pytest.mark.parametrize(
    ("body", "end", "fault"),
    [
        (envelope(b"a", 2), 0, "INTERNAL: a message has flags 0x02, which mean nothing"),
        (envelope(b"a", 0x80), 2, "INTERNAL: a message has flags 0x80, which mean nothing"),
        (envelope(b"a", 2), 0x80, "INTERNAL: a message has flags 0x02, which mean nothing"),
        (envelope(b"a", 0x82), 0x80, "INTERNAL: a message has flags 0x82, which mean nothing"),
        (prefix(101), 0, "RESOURCE_EXHAUSTED: Received message larger than max (101 vs. 100)"),
        (prefix(51, 2), 2, "RESOURCE_EXHAUSTED: Received trailers larger than max (51 vs. 50)"),
        (envelope(b"a")[:-1], 0, "INTERNAL: the body ended in the middle of a message"),
        (envelope(b"")[:3], 0, "INTERNAL: the body ended in the middle of a message"),
        (envelope(b"a"), 2, "INTERNAL: the response was cut off: it ended without its status"),
        (envelope(b"", 2) + b"x", 2, "INTERNAL: the response goes on behind its end"),
        (envelope(b"", 2) + envelope(b"a"), 2, "INTERNAL: the response goes on behind its end"),
    ],
)
def test_faults(body: bytes, end: int, fault: str) -> None:
    before = envelope(b"before")
    for step in (1, 6, 1000):
        messages, _, found = read(cut(before + body, step), end_flag=end)
        assert found == fault
        assert messages[0] == (False, b"before")


def test_the_status_of_a_broken_body_is_the_protocols() -> None:
    reader = EnvelopeReader(9, fault=StatusCode.INVALID_ARGUMENT)
    with pytest.raises(WebError) as caught:
        reader.feed(envelope(b"", 8))
    assert (caught.value.code, caught.value.http_status) == (StatusCode.INVALID_ARGUMENT, 400)


def test_a_broken_body_stays_broken() -> None:
    reader = EnvelopeReader(9)
    for _ in range(2):
        with pytest.raises(WebError, match="flags 0x08"):
            reader.feed(envelope(b"", 8))
    with pytest.raises(WebError, match="flags 0x08"):
        reader.finish()


def test_nothing_is_held_for_what_is_announced() -> None:
    reader = EnvelopeReader(-1)
    assert reader.feed(prefix(0xFFFFFFFF)) == []
    assert (reader.buffered, reader.at_boundary) == (5, False)


def test_between_messages_nothing_is_held() -> None:
    reader = EnvelopeReader(9)
    reader.feed(envelope(b"abc")[:4])
    assert reader.feed(envelope(b"abc")[4:]) == [b"abc"]
    assert (reader.buffered, reader.at_boundary) == (0, True)


def test_a_length_beyond_four_octets_is_our_fault() -> None:
    with pytest.raises(LocalError, match="cannot be sent"):
        prefix(1 << 32)
