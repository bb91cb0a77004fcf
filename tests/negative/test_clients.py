"""gRPC's negative HTTP/2 cases for clients (doc/negative-http2-interop-test-descriptions.md).

The server of each test misbehaves as its case says. The messages have the sizes of the descriptions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.front_end import SERVICE, FrontEnd
from support.http2 import (
    DATA,
    GOAWAY,
    HEADERS,
    RESPONSE,
    RST,
    TRAILERS,
    WINDOW,
    frame,
    goaway,
    headers,
    rst,
)
from support.libraries import LIMIT
from support.raw_peer import RawPeer, RawServer, message

Make = Callable[..., RawServer]

REQUEST = bytes(271_828)
ANSWER = b"\7" * 314_159
# The status for each error code (PROTOCOL-HTTP2, "Errors"); the descriptions use the first.
CODES = [(0, "INTERNAL"), (2, "INTERNAL"), (8, "CANCELLED"), (11, "RESOURCE_EXHAUSTED")]
RESETS = pytest.mark.parametrize(("code", "status"), CODES)


def serve_one(peer: RawPeer) -> int:
    sid, body = peer.request()
    assert body == message(REQUEST)
    peer.respond(sid, ANSWER)
    return sid


def serve_all(peer: RawPeer) -> None:
    while True:
        peer.until(lambda: peer.queue)
        serve_one(peer)


def check(front: FrontEnd, server: RawServer, *statuses: str) -> None:
    """Make unary calls one after another, which end with `statuses`, and let the scripts end."""
    client = front.connect(server.target)
    for status in statuses:
        outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
        assert outcome.code == status, outcome
        assert outcome.responses == ([ANSWER] if status == "OK" else [])
    client.close()
    server.join()


# goaway


def test_goaway(front: FrontEnd, raw_server: Make) -> None:
    """The call under way completes, and the next one goes elsewhere, without the application's doing."""

    def say_goodbye(peer: RawPeer) -> None:
        sid, _ = peer.request()
        peer.send(goaway(sid))
        peer.respond(sid, ANSWER)
        peer.until_closed()
        assert not [each for each in peer.queue if each.kind == HEADERS]

    server = raw_server(say_goodbye, lambda peer: serve_one(peer) and None)
    check(front, server, "OK", "OK")
    assert server.accepted == 2


def test_goaway_after_the_answer(front: FrontEnd, raw_server: Make) -> None:
    """A call that is on its way already when GOAWAY comes is repeated on the next connection."""

    def say_goodbye(peer: RawPeer) -> None:
        peer.send(goaway(serve_one(peer)))

    server = raw_server(say_goodbye, lambda peer: serve_one(peer) and None)
    check(front, server, "OK", "OK")
    assert server.accepted == 2


def test_goaway_that_disowns_the_call(front: FrontEnd, raw_server: Make) -> None:
    """RFC 9113 §6.8: a stream above the last one was not acted on; the call is repeated unseen."""

    def disown(peer: RawPeer) -> None:
        peer.request()
        peer.send(goaway(0))

    server = raw_server(disown, lambda peer: serve_one(peer) and None)
    check(front, server, "OK")
    assert server.accepted == 2


# rst_after_header, rst_during_data, rst_after_data


def resets(code: int, *, after: float | None) -> Callable[[RawPeer], None]:
    """Resets its first call after headers and that share of the answer, then serves another."""

    def script(peer: RawPeer) -> None:
        sid, _ = peer.request()
        peer.send(headers(sid, RESPONSE))
        if after is not None:
            whole = message(ANSWER)
            peer.body(sid, whole[: int(len(whole) * after)])
        peer.send(rst(sid, code))
        serve_one(peer)

    return script


@RESETS
def test_rst_after_header(front: FrontEnd, raw_server: Make, code: int, status: str) -> None:
    server = raw_server(resets(code, after=None))
    check(front, server, status, "OK")
    assert server.accepted == 1


@RESETS
def test_rst_during_data(front: FrontEnd, raw_server: Make, code: int, status: str) -> None:
    server = raw_server(resets(code, after=0.5))
    check(front, server, status, "OK")
    assert server.accepted == 1


@RESETS
def test_rst_after_data(front: FrontEnd, raw_server: Make, code: int, status: str) -> None:
    """The answer is there, and its status is not: the call has failed."""
    server = raw_server(resets(code, after=1))
    check(front, server, status, "OK")
    assert server.accepted == 1


def test_a_stream_keeps_what_came_before_the_reset(front: FrontEnd, raw_server: Make) -> None:
    read = threading.Event()

    def script(peer: RawPeer) -> None:
        sid, _ = peer.request()
        peer.send(headers(sid, RESPONSE))
        peer.body(sid, message(b"one") + message(b"two") + message(b"three")[:7])
        assert read.wait(LIMIT)
        peer.send(rst(sid, 0))

    server = raw_server(script)
    client = front.connect(server.target)
    call = client.open(SERVICE + "UnaryStream", "unary_stream", [b"x"], timeout=20)
    assert [call.read(), call.read()] == [b"one", b"two"]
    read.set()
    outcome = call.finish()
    assert (outcome.code, outcome.responses) == ("INTERNAL", [])
    client.close()
    server.join()


# ping


def test_ping(front: FrontEnd, raw_server: Make) -> None:
    """Every PING is answered, in order and with its data, wherever in a call it comes."""
    half = len(message(ANSWER)) // 2

    def script(peer: RawPeer) -> None:
        peer.ping(b"at first")
        sid, _ = peer.request()
        peer.ping(b"headers?")
        peer.send(headers(sid, RESPONSE))
        peer.ping(b"headers.")
        peer.body(sid, message(ANSWER)[:half])
        peer.ping(b"in data.")
        peer.body(sid, message(ANSWER)[half:])
        peer.ping(b"all data")
        peer.send(headers(sid, TRAILERS, end=True))
        peer.ping(b"trailers")
        peer.until(lambda: not peer.unanswered)
        answered.set()

    answered = threading.Event()
    server = raw_server(script)
    client = front.connect(server.target)
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
    assert (outcome.code, outcome.responses) == ("OK", [ANSWER])
    assert answered.wait(LIMIT), "a PING was not answered"
    client.close()
    server.join()


# max_streams


def test_max_streams(front: FrontEnd, raw_server: Make) -> None:
    """With MAX_CONCURRENT_STREAMS at one, ten calls at once go one after another, on one connection."""

    def script(peer: RawPeer) -> None:
        sid, _ = peer.request()
        peer.set({3: 1})
        peer.respond(sid, ANSWER)
        for _ in range(10):
            sid, _ = peer.request()
            # All that the client sent meanwhile has come: no second stream.
            peer.settle()
            assert not peer.queue
            peer.respond(sid, ANSWER)

    server = raw_server(script)
    client = front.connect(server.target)

    def call(_: int = 0) -> None:
        outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
        assert (outcome.code, outcome.responses) == ("OK", [ANSWER])

    call()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(call, range(10)))
    client.close()
    server.join()
    assert server.accepted == 1


# data_frame_padding


@pytest.mark.parametrize("pad", [None, 0, 255], ids=["no padding", "empty padding", "padding"])
def test_data_frame_padding(front: FrontEnd, raw_server: Make, pad: int | None) -> None:
    """Padding counts for flow control; unless it is credited too, the window runs dry before the answer's end."""

    def script(peer: RawPeer) -> None:
        sid, body = peer.request()
        assert body == message(REQUEST)
        assert peer.settings[4] == 65_535
        peer.send(headers(sid, RESPONSE))
        peer.body(sid, message(ANSWER), chunk=101, pad=pad)
        peer.send(headers(sid, TRAILERS, end=True))

    server = raw_server(script)
    options = [("grpc.http2.lookahead_bytes", 65_535), ("grpc.http2.bdp_probe", 0)]
    client = front.connect(server.target, options=options)
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
    assert (outcome.code, outcome.responses) == ("OK", [ANSWER])
    client.close()
    server.join()


# What a server can say against the protocol ends the call, or the connection, with the reason.


@pytest.mark.parametrize(
    ("said", "text"),
    [
        pytest.param(lambda sid: rst(sid + 2), "RST_STREAM", id="reset of an idle stream"),
        pytest.param(lambda sid: headers(2, RESPONSE), "HEADERS", id="a stream of the server's"),
        pytest.param(
            lambda sid: frame(WINDOW, 0, 0, b"12345"),
            "WINDOW_UPDATE",
            id="WINDOW_UPDATE of five bytes",
        ),
    ],
)
def test_a_broken_connection(
    front: FrontEnd, raw_server: Make, said: Callable[[int], bytes], text: str
) -> None:
    def script(peer: RawPeer) -> None:
        sid, _ = peer.request()
        peer.send(said(sid))
        peer.until(lambda: any(each.kind == GOAWAY for each in peer.queue))
        assert not [each for each in peer.queue if each.kind in (DATA, RST)]

    server = raw_server(script, lambda peer: serve_one(peer) and None)
    client = front.connect(server.target)
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
    assert outcome.code == "UNAVAILABLE"
    assert text in outcome.details
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [REQUEST], timeout=20)
    assert outcome.code == "OK", outcome
    client.close()
    server.join()
