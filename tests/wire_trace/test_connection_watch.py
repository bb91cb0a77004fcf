"""What is told of a connection, without one: bytes of both directions, good and bad."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import Encoder
from clarion.http2 import frames
from clarion.wire_trace import connection_watch
from clarion.wire_trace.connection_watch import ConnectionWatch
from clarion.wire_trace.event import TraceEvent
from clarion.wire_trace.hub import Hub, Recording, Settings
from clarion.wire_trace.masking import Masking

REQUEST = (
    (b":method", b"POST"),
    (b":path", b"/pkg.Service/Method"),
    (b"content-type", b"application/grpc"),
    (b"authorization", b"Bearer x"),
)
RESPONSE = ((b":status", b"200"), (b"content-type", b"application/grpc"))


class Told:
    """A hub that keeps what it is told."""

    def __init__(self, *categories: str, methods: tuple[str, ...] = ()) -> None:
        self.events: list[TraceEvent] = []
        self.hub = Hub()
        chosen = frozenset(categories or ("frames", "messages", "connections"))
        self.hub.add(Recording(chosen, methods, (), Settings(Masking(), 500), cast(Any, self)))

    def put(self, event: TraceEvent) -> None:
        """As a writer."""
        self.events.append(event)

    def texts(self) -> list[str]:
        return [event.text for event in self.events]

    def __getitem__(self, beginning: str) -> str:
        """The one text that begins so."""
        [text] = [each for each in self.texts() if each.startswith(beginning)]
        return text


@pytest.fixture
def told() -> Told:
    return Told()


def watch(told: Told, *, is_client: bool = True) -> ConnectionWatch:
    return ConnectionWatch(told.hub, is_client, lambda: "ipv4:1.2.3.4:5")


def begun(told: Told) -> ConnectionWatch:
    """A client's, after both prefaces."""
    watched = watch(told)
    watched.sent([frames.PREFACE, frames.settings({})])
    watched.received(frames.settings({}) + frames.SETTINGS_ACK)
    watched.sent([frames.SETTINGS_ACK])
    return watched


def headers(
    encoder: Encoder, fields: Any, sid: int = 1, *, end: bool = False, size: int = 16384
) -> bytes:
    return frames.header_frames(sid, encoder.encode(fields), size, end_stream=end)


def data(payload: bytes, sid: int = 1, flags: int = 0) -> bytes:
    return frames.frame_header(len(payload), frames.DATA, flags, sid) + payload


def test_a_call(told: Told) -> None:
    watched = begun(told)
    up, down = Encoder(4096), Encoder(4096)
    message = b"\0\0\0\0\x03\x08\x96\x01"
    watched.sent([headers(up, REQUEST), memoryview(data(message, flags=1))])
    answer = headers(down, RESPONSE) + data(message)
    answer += headers(down, ((b"grpc-status", b"0"),), end=True)
    for at in range(0, len(answer), 5):
        watched.received(answer[at : at + 5])
    watched.over("done")
    assert [re.sub(r"\d+ bytes\n", "so many bytes\n", text) for text in told.texts()] == [
        "opened to ipv4:1.2.3.4:5",
        "connection preface",
        "SETTINGS connection",
        "SETTINGS connection",
        "SETTINGS connection ACK",
        "SETTINGS connection ACK",
        (
            "HEADERS stream 1 END_HEADERS so many bytes\n:method: POST\n:path: /pkg.Service/Method\n"
            "content-type: application/grpc\nauthorization: <masked, 8 bytes>"
        ),
        "DATA stream 1 END_STREAM 8 bytes",
        "request of 3 bytes: 1: 150",
        "HEADERS stream 1 END_HEADERS so many bytes\n:status: 200\ncontent-type: application/grpc",
        "DATA stream 1 8 bytes",
        "response of 3 bytes: 1: 150",
        "HEADERS stream 1 END_STREAM END_HEADERS so many bytes\ngrpc-status: 0",
        "closed: done",
    ]
    by_text = {event.text: event for event in told.events}
    request = by_text["request of 3 bytes: 1: 150"]
    assert (request.direction, request.stream, request.method) == (
        "sent",
        1,
        "/pkg.Service/Method",
    )
    assert (request.side, request.peer, request.category) == (
        "client",
        "ipv4:1.2.3.4:5",
        "messages",
    )
    assert by_text["response of 3 bytes: 1: 150"].direction == "received"
    assert watched._streams == {}


def test_blocks_in_pieces_with_padding_and_priority(told: Told) -> None:
    watched = begun(told)
    encoder = Encoder(4096)
    watched.sent([headers(encoder, REQUEST, size=20)])
    texts = told.texts()
    assert texts[-1].startswith("CONTINUATION stream 1 END_HEADERS")
    assert ":path: /pkg.Service/Method" in texts[-1]
    assert "HEADERS stream 1 20 bytes" in texts
    block = encoder.encode(REQUEST)
    payload = b"\x03" + b"\0\0\0\0\x10" + block + bytes(3)
    watched.sent([frames.frame_header(len(payload), frames.HEADERS, 0x2C, 3) + payload])
    assert ":method: POST" in told.texts()[-1]


def test_padding_is_no_message(told: Told) -> None:
    watched = begun(told)
    watched.sent([headers(Encoder(4096), REQUEST)])
    watched.sent([data(b"\x04" + b"\0\0\0\0\x01x" + bytes(4), flags=0x9)])
    assert told["request"] == 'request of 1 bytes: "x"'


def test_a_broken_block_is_told_and_so_are_those_after_it(told: Told) -> None:
    watched = begun(told)
    for _ in range(2):
        watched.received(frames.header_frames(1, b"\xff\xff\xff", 100, end_stream=False))
    lost = [text for text in told.texts() if "the state of HPACK was lost" in text]
    assert len(lost) == 2


def test_a_block_without_end_is_not_kept(told: Told) -> None:
    watched = begun(told)
    watched.received(frames.frame_header(16_384, frames.HEADERS, 0, 1) + bytes(16_384))
    for _ in range(40):
        watched.received(frames.frame_header(16_384, frames.CONTINUATION, 0, 1) + bytes(16_384))
    assert sum(map(len, watched._received.block)) <= 1 << 18
    watched.received(frames.frame_header(0, frames.CONTINUATION, 4, 1))
    assert "HPACK was lost" in told.texts()[-1]


def test_a_smaller_table_counts_from_its_acknowledgement(told: Told) -> None:
    watched = begun(told)
    peer = Encoder(4096)
    watched.received(headers(peer, RESPONSE, 1))
    watched.sent([frames.settings({frames.HEADER_TABLE_SIZE: 0})])
    # The peer has not heard of it yet.
    watched.received(headers(peer, RESPONSE, 3))
    peer.set_max_table_size(0)
    watched.received(frames.SETTINGS_ACK + headers(peer, RESPONSE, 5))
    watched.sent([frames.settings({frames.HEADER_TABLE_SIZE: 8192})])
    peer.set_max_table_size(8192)
    watched.received(headers(peer, ((b"x", b"y" * 5000),), 7) + frames.SETTINGS_ACK)
    assert not [text for text in told.texts() if "lost" in text]


def test_compressed_messages(told: Told) -> None:
    import zlib

    watched = begun(told)
    watched.sent([headers(Encoder(4096), (*REQUEST, (b"grpc-encoding", b"deflate")))])
    packed = zlib.compress(b"hello")
    watched.sent([data(b"\x01" + len(packed).to_bytes(4, "big") + packed)])
    watched.sent([data(b"\x01\0\0\0\x02ab")])
    watched.sent([headers(Encoder(0), (*REQUEST, (b"grpc-encoding", b"odd")), 3)])
    watched.sent([data(b"\x01\0\0\0\x01x", 3)])
    messages = [text for text in told.texts() if text.startswith("request")]
    assert messages == [
        'request of 13 bytes, deflate of 5 bytes: "hello"',
        "request of 2 bytes, deflate",
        "request of 1 bytes, odd",
    ]


def test_another_protocol(told: Told) -> None:
    watched = watch(told, is_client=False)
    watched.received(b"GET / HTTP/1.1\r\nAuthorization: Basic planted\r\n")
    watched.received(b"more")
    assert told.texts()[-1] == 'this is not HTTP/2: "GET / HTTP/1.1"'


def test_who_begins_in_the_middle_of_a_message_sees_whole_messages() -> None:
    told = Told("frames")
    watched = begun(told)
    watched.sent([headers(Encoder(4096), REQUEST), data(b"\0\0\0\0\x04pa")])
    [recording] = told.hub.recordings
    recording.categories |= {"messages"}
    told.hub.remove(recording)
    told.hub.add(recording)
    watched.sent([data(b"rt\0\0\0\0\x01n")])
    assert [text for text in told.texts() if text.startswith("request")] == [
        'request of 4 bytes: "part"',
        'request of 1 bytes: "n"',
    ]


def test_what_a_peer_says_stays_on_its_line(told: Told) -> None:
    watched = begun(told)
    watched.over("GOAWAY\r\n\x1b[31m00:00:00 forged")
    assert told.texts()[-1] == "closed: GOAWAY\\r\\n\\x1b[31m00:00:00 forged"


def test_streams_are_forgotten(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_watch, "_MOST_STREAMS", 5)
    watched = begun(told)
    encoder = Encoder(4096)
    for sid in range(1, 41, 2):
        watched.sent([headers(encoder, REQUEST, sid)])
    assert len(watched._streams) == 5
    watched.received(frames.rst_stream(39, 8))
    assert 39 not in watched._streams
    # No request began it, as far as is known: it is told all the same.
    watched.received(data(b"\0\0\0\0\0", 1) + headers(Encoder(4096), RESPONSE, 1))
    assert told.texts()[-1].startswith("HEADERS stream 1")


def test_a_push_ends_the_decoding(told: Told) -> None:
    watched = begun(told)
    watched.received(frames.frame_header(5, frames.PUSH_PROMISE, 4, 1) + b"\0\0\0\x02\x88")
    watched.received(headers(Encoder(4096), RESPONSE))
    assert "HPACK was lost" in told.texts()[-1]


def test_only_some_methods() -> None:
    told = Told("frames", methods=("/other/*",))
    watched = begun(told)
    encoder = Encoder(4096)
    watched.sent([headers(encoder, REQUEST, 1)])
    other = (*REQUEST[:1], (b":path", b"/other/M"), *REQUEST[2:])
    watched.sent([headers(encoder, other, 3)])
    watched.received(frames.goaway(3, 0))
    texts = told.texts()
    assert len(texts) == 2
    assert ":path: /other/M" in texts[0]
    assert texts[1].startswith("GOAWAY")


_FRAMES = st.builds(
    lambda kind, flags, sid, payload: frames.frame_header(len(payload), kind, flags, sid) + payload,
    st.integers(0, 10),
    st.integers(0, 255),
    st.integers(0, 5),
    st.binary(max_size=30),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.one_of(_FRAMES, st.binary(max_size=30))), max_size=12))
def test_whatever_comes_nothing_raises(pieces: list[tuple[bool, bytes]]) -> None:
    told = Told()
    watched = begun(told)
    watched.sent([headers(Encoder(4096), REQUEST)])
    for received, piece in pieces:
        if received:
            watched.received(piece)
        else:
            watched.sent([piece])
    watched.over("over")
