"""The negative HTTP/2 cases turned round: clients that misbehave, against Clarion's servers.

What all of them assert at the end: the connection, or else the server, still does its work.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from support.front_end import FrontEnd, Rig
from support.handlers import Handler, ServerCall
from support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    REQUEST,
    RST,
    SETTINGS,
    WINDOW,
    data,
    frame,
    goaway,
    headers,
    parse,
    rst,
    settings,
)
from support.libraries import LIMIT
from support.raw_peer import RawPeer, dial, message
from support.simple import ECHOES, Hang

BODY = bytes(271_828)
CANCEL, REFUSED = 8, 7


class Recorded:
    """A unary handler that says whether it ran."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, call: ServerCall) -> bytes:
        self.calls += 1
        request: bytes = call.request
        return request


def unary(peer: RawPeer, sid: int) -> None:
    """A call that shows that the connection works."""
    assert peer.call(sid, BODY) == message(BODY)


PATHS = {"unary_unary": b"/test.Service/UnaryUnary", "stream_unary": b"/test.Service/StreamUnary"}


def request(pattern: str = "unary_unary") -> tuple[tuple[bytes, bytes], ...]:
    return tuple(
        (name, PATHS[pattern]) if name == b":path" else (name, value) for name, value in REQUEST
    )


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`RawPeer.call` calls the method of these servers."""
    monkeypatch.setattr("support.raw_peer.REQUEST", request())


def serve(front: FrontEnd, handlers: dict[str, Handler] | None = None, **options: Any) -> int:
    """Start a server that echoes, except where `handlers` says otherwise; returns its port."""
    return front.serve({**ECHOES, **(handlers or {})}, **options).ports[0]


# goaway


def test_goaway(front: FrontEnd) -> None:
    """A client's GOAWAY forbids streams of the server's, of which there are none: its own call completes."""
    hold = threading.Event()

    async def held(call: ServerCall) -> bytes:
        await call.wait(hold)
        answer: bytes = call.request
        return answer

    port = serve(front, {"unary_unary": held})
    with dial(port) as peer:
        peer.send(headers(1, request()))
        peer.body(1, message(BODY))
        peer.send(data(1, b"", end=True), goaway(0))
        peer.settle()
        hold.set()
        body, trailers = peer.response(1)
        assert body == message(BODY)
        assert b"grpc-status\x010" in trailers
    with dial(port) as peer:
        unary(peer, 1)


# rst_after_header, rst_during_data, rst_after_data


def test_rst_after_header(front: FrontEnd) -> None:
    hang = Hang()
    port = serve(front, {"stream_unary": hang})
    with dial(port) as peer:
        peer.send(headers(1, request("stream_unary")))
        hang.wait_started()
        peer.send(rst(1, CANCEL))
        hang.wait_ended()
        unary(peer, 3)
        assert not peer.queue


@pytest.mark.parametrize("code", [0, CANCEL])
def test_rst_during_data(front: FrontEnd, code: int) -> None:
    """The handler of a unary call never sees half a request."""
    recorded = Recorded()
    port = serve(front, {"unary_unary": recorded})
    with dial(port) as peer:
        peer.send(headers(1, request()))
        peer.body(1, message(BODY)[: len(BODY) // 2])
        peer.send(rst(1, code))
        unary(peer, 3)
        assert not peer.queue
    assert recorded.calls == 1


@pytest.mark.parametrize("code", [0, CANCEL])
def test_rst_after_data(front: FrontEnd, code: int) -> None:
    """The request was whole, so the handler runs, and learns that nobody waits for it."""
    hang = Hang()
    port = serve(front, {"unary_unary": hang, "stream_unary": ECHOES["stream_unary"]})
    with dial(port) as peer:
        peer.send(headers(1, request()))
        peer.body(1, message(BODY))
        peer.send(data(1, b"", end=True))
        hang.wait_started()
        peer.send(rst(1, code))
        hang.wait_ended()
        peer.send(headers(3, request("stream_unary")))
        peer.body(3, message(BODY))
        peer.send(data(3, b"", end=True))
        assert peer.response(3)[0] == message(BODY)
        assert not peer.queue


# ping


def test_ping(front: FrontEnd) -> None:
    with dial(serve(front)) as peer:
        peer.ping(b"at first")
        peer.send(headers(1, request()))
        peer.ping(b"headers.")
        peer.body(1, message(BODY)[:1000])
        peer.ping(b"in data.")
        peer.body(1, message(BODY)[1000:])
        peer.ping(b"all data")
        peer.send(data(1, b"", end=True))
        peer.ping(b"the end.")
        assert peer.response(1)[0] == message(BODY)
        peer.until(lambda: not peer.unanswered)
        unary(peer, 3)


# max_streams


def test_max_streams(front: FrontEnd) -> None:
    """A stream above MAX_CONCURRENT_STREAMS is refused, and costs the others nothing."""
    hang = Hang()
    port = serve(
        front,
        {"stream_unary": hang},
        options=[("grpc.max_concurrent_streams", 1)],
    )
    with dial(port) as peer:
        assert peer.settings[3] == 1
        peer.send(headers(1, request("stream_unary")))
        hang.wait_started()
        peer.send(headers(3, request()))
        refused = peer.next(RST)
        assert (refused.sid, refused.code) == (3, REFUSED)
        peer.send(rst(1, CANCEL))
        hang.wait_ended()
        unary(peer, 5)


# data_frame_padding


@pytest.mark.parametrize("pad", [None, 0, 255], ids=["no padding", "empty padding", "padding"])
def test_data_frame_padding(front: FrontEnd, pad: int | None) -> None:
    options = [("grpc.http2.lookahead_bytes", 65_535), ("grpc.http2.bdp_probe", 0)]
    with dial(serve(front, options=options)) as peer:
        assert peer.settings[4] == 65_535
        peer.send(headers(1, request()))
        peer.body(1, message(BODY), chunk=101, pad=pad)
        peer.send(data(1, b"", end=True))
        assert peer.response(1)[0] == message(BODY)


# What servers must survive before a connection is one (the cases of gRPC's tools/http2_interop).


def last_words(port: int, *said: bytes) -> list[tuple[int, int]]:
    """What a server says to bytes after which it closes: kinds of frames, and GOAWAY's code."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.settimeout(LIMIT)
        sock.sendall(b"".join(said))
        sock.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := sock.recv(1 << 16):
                received += part
        except ConnectionError:
            pass
    return [(each.kind, each.code if each.kind == GOAWAY else 0) for each in parse(received)]


PROTOCOL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR = 1, 6, 9


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param([PREFACE[:-4]], None, id="short preface"),
        pytest.param([b"GET / HTTP/1.1\r\n\r\n" + bytes(20)], PROTOCOL_ERROR, id="HTTP/1"),
        pytest.param(
            [PREFACE, frame(SETTINGS, 0, 0, b"12345")], FRAME_SIZE_ERROR, id="short SETTINGS"
        ),
        pytest.param([PREFACE, frame(SETTINGS, 0, 1)], PROTOCOL_ERROR, id="SETTINGS with a stream"),
        pytest.param([PREFACE, frame(SETTINGS, ACK)], PROTOCOL_ERROR, id="SETTINGS ACK at first"),
        pytest.param([PREFACE, frame(99, 0, 0, b"?")], PROTOCOL_ERROR, id="unknown type at first"),
        pytest.param(
            [PREFACE, settings(), frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff\xff")],
            COMPRESSION_ERROR,
            id="no HPACK",
        ),
        pytest.param(
            [PREFACE, settings(), frame(HEADERS, 0, 1), frame(PING, 0, 0, bytes(8))],
            PROTOCOL_ERROR,
            id="PING within a header block",
        ),
        pytest.param(
            [PREFACE, settings(), frame(CONTINUATION, 4, 1)], PROTOCOL_ERROR, id="CONTINUATION"
        ),
        pytest.param(
            [PREFACE, settings(), frame(WINDOW, 0, 0, bytes(4))], PROTOCOL_ERROR, id="no increment"
        ),
        pytest.param([PREFACE, settings(), data(1, b"x")], PROTOCOL_ERROR, id="DATA at once"),
    ],
)
def test_a_bad_beginning(front: FrontEnd, said: list[bytes], code: int | None) -> None:
    port = serve(front)
    words = last_words(port, *said)
    assert [each for each in words if each[0] == GOAWAY] == (
        [] if code is None else [(GOAWAY, code)]
    )
    with dial(port) as peer:
        unary(peer, 1)


def test_unknown_frames_are_ignored(front: FrontEnd) -> None:
    with dial(serve(front)) as peer:
        peer.send(frame(99, 0xFF, 7, b"what is this"), frame(255, 0, 0))
        unary(peer, 1)
        peer.send(frame(99, 0, 3, bytes(100)))
        unary(peer, 3)
        assert not peer.queue


# Others' calls


def test_others_do_not_notice(front: FrontEnd) -> None:
    """While one client does its worst, a well-behaved one is served."""
    rig: Rig = front.rig(**ECHOES)
    port = rig.server.ports[0]
    worst: list[Callable[[RawPeer], None]] = [
        lambda peer: peer.send(headers(1, request()), data(1, b"\0\0\0\0"), rst(1)),
        lambda peer: peer.send(frame(DATA, 8, 1, b"\xff")),
        lambda peer: peer.send(headers(1, request()), headers(1, request())),
        lambda peer: peer.send(b"\xff" * 100),
        lambda peer: peer.send(headers(2, request())),
    ]
    for misbehave in worst:
        with dial(port) as peer:
            misbehave(peer)
            outcome = rig.call("unary_unary", [BODY], timeout=20)
            assert (outcome.code, outcome.responses) == ("OK", [BODY])
