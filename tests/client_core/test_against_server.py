"""Both cores, back to back: every pattern through two HTTP/2 engines, without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.method import (
    Compression,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import HostPort
from clarion.status import StatusCode
from support.wire import Network, Server, begin

ONE = HostPort("1.1.1.1", 1)

HANDLERS = {
    "UnaryUnary": unary_unary_rpc_method_handler(print),
    "UnaryStream": unary_stream_rpc_method_handler(print),
    "StreamUnary": stream_unary_rpc_method_handler(print),
    "StreamStream": stream_stream_rpc_method_handler(print),
}


class Rig:
    def __init__(self, *, channel: Any = (), posts: bool = False, **server: Any) -> None:
        self.network = Network()
        self.network.posts = posts
        self.server = Server(HANDLERS, **server)
        self.network.answers[ONE] = self.server.far(self.network)
        self.core = self.network.channel(options=channel)

    def begin(self, method: str, payload: bytes | None = b"request", **options: Any) -> Any:
        call = begin(
            self.network,
            self.core,
            payload,
            path=f"/test.Test/{method}",
            response_streaming=method.endswith("Stream"),
            **options,
        )
        self.network.run()
        return call

    @property
    def handled(self) -> Any:
        return self.server.ran[-1]

    def run(self) -> None:
        self.network.run()


@pytest.fixture(params=[False, True], ids=["told at once", "told later"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(posts=bool(request.param))


def test_unary_unary(rig: Rig) -> None:
    call = rig.begin("UnaryUnary", b"hello")
    assert rig.handled.request == b"hello"
    rig.handled.finish_ok(b"bye")
    rig.run()
    assert (call.code, call.response) == (StatusCode.OK, b"bye")
    assert rig.server.core.active == 0


def test_unary_stream(rig: Rig) -> None:
    call = rig.begin("UnaryStream")
    handled = rig.handled
    handled.send_initial_metadata(((b"x", b"1"),))
    for n in range(3):
        handled.send_response(bytes([n]))
    handled.finish(StatusCode.OK, "", ((b"y", b"2"),))
    rig.run()
    assert list(call.attempt.inbox) == [b"\0", b"\1", b"\2"]
    assert call.head_metadata == (("x", "1"),)
    assert call.outcome.trailing_metadata == (("y", "2"),)


def test_stream_unary(rig: Rig) -> None:
    call = rig.begin("StreamUnary", None)
    handled = rig.handled
    for n in range(3):
        call.send(call.pack(bytes([n])))
    call.half_close()
    rig.run()
    assert [handled.take_message() for _ in range(3)] == [b"\0", b"\1", b"\2"]
    assert handled.requests_done
    handled.finish_ok(b"bye")
    rig.run()
    assert call.response == b"bye"


def test_stream_stream(rig: Rig) -> None:
    call = rig.begin("StreamStream", None)
    handled = rig.handled
    handled.send_initial_metadata(())
    for n in range(3):
        call.send(call.pack(bytes([n])))
        rig.run()
        handled.send_response(handled.take_message())
        rig.run()
        assert call.attempt.take_message() == bytes([n])
    call.half_close()
    rig.run()
    handled.finish(StatusCode.OK)
    rig.run()
    assert call.code is StatusCode.OK


def test_an_error(rig: Rig) -> None:
    call = rig.begin("UnaryUnary")
    rig.handled.finish(StatusCode.NOT_FOUND, "nöthing", ((b"x-bin", b"AQ"),))
    rig.run()
    assert (call.code, call.details) == (StatusCode.NOT_FOUND, "nöthing")
    assert call.outcome.trailing_metadata == (("x-bin", b"\1"),)


def test_metadata_and_path(rig: Rig) -> None:
    rig.begin("UnaryUnary", metadata=[("x", "1"), ("y-bin", b"\1\2")])
    head = rig.handled.head
    assert head.path == "/test.Test/UnaryUnary"
    assert head.authority == "1.1.1.1:1"
    assert {("x", "1"), ("y-bin", b"\1\2")} <= set(head.metadata)


def test_an_unknown_method(rig: Rig) -> None:
    call = rig.begin("UnaryNope")
    assert call.code is StatusCode.UNIMPLEMENTED
    assert "/test.Test/UnaryNope" in call.details


@pytest.mark.parametrize("size", [0, 1, 65_535, 1_000_000, 4 << 20])
def test_sizes(rig: Rig, size: int) -> None:
    payload = bytes(size)
    call = rig.begin("UnaryUnary", payload)
    assert rig.handled.request == payload
    rig.handled.finish_ok(payload)
    rig.run()
    assert call.response == payload


@pytest.mark.parametrize("size", [1_000_000, 10_000_000])
def test_messages_larger_than_the_window(size: int) -> None:
    small = [("grpc.http2.lookahead_bytes", 65_535), ("grpc.max_receive_message_length", -1)]
    rig = Rig(channel=small, options=small)
    payload = bytes(size)
    call = rig.begin("StreamStream", None)
    call.send(call.pack(payload))
    rig.run()
    assert rig.handled.take_message() == payload
    rig.handled.send_initial_metadata(())
    rig.handled.send_response(payload)
    rig.run()
    assert call.attempt.take_message() == payload


def test_windows_do_not_leak() -> None:
    rig = Rig()
    call = rig.begin("StreamStream", None)
    handled = rig.handled
    handled.send_initial_metadata(())
    for _ in range(500):
        for _ in range(3):
            call.send(call.pack(bytes(10_000)))
        rig.run()
        while handled.inbox:
            handled.send_response(handled.take_message())
        rig.run()
        while call.attempt.inbox:
            call.attempt.take_message()
    rig.run()
    for sender, receiver in ((call.attempt, handled), (handled, call.attempt)):
        assert receiver.held == 0
        assert sender.send_window == receiver.recv_window
        assert receiver.recv_window + receiver.recv_credit == receiver.connection.recv_stream_window


def test_a_handler_that_rests_stops_the_client() -> None:
    small = [("grpc.http2.lookahead_bytes", 65_535)]
    rig = Rig(channel=small, options=small)
    call = rig.begin("StreamUnary", None)
    for _ in range(100):
        call.send(call.pack(bytes(10_000)))
    rig.run()
    handled = rig.handled
    assert call.attempt.parked_size > 800_000
    assert sum(map(len, handled.inbox)) < 100_000
    taken = 0
    while taken < 100:
        handled.take_message()
        taken += 1
        rig.run()
    assert call.attempt.parked is None


def test_compression() -> None:
    rig = Rig(compression=Compression.Gzip)
    call = rig.begin("UnaryUnary", b"hello", compression=Compression.Deflate)
    handled = rig.handled
    assert handled.request != b"hello"
    assert handled.unpack(handled.request) == b"hello"
    handled.send_initial_metadata(())
    handled.send_response(b"bye")
    handled.finish(StatusCode.OK)
    rig.run()
    assert call.response != b"bye"
    assert call.attempt.unpack(call.response) == b"bye"


# Cancellation and deadlines, both ways


def test_a_cancel_reaches_the_handler(rig: Rig) -> None:
    call = rig.begin("UnaryUnary")
    call.end(Outcome(StatusCode.CANCELLED))
    rig.run()
    handled = rig.handled
    assert handled.interruptions == 1
    assert handled.abort.remote
    assert rig.server.core.active == 0
    handled.finish_ok(b"late")
    handled.finish(StatusCode.OK)
    rig.run()
    assert call.code is StatusCode.CANCELLED


def test_a_cancel_reaches_the_handler_while_it_sends() -> None:
    small = [("grpc.http2.lookahead_bytes", 65_535)]
    rig = Rig(channel=small)
    call = rig.begin("UnaryStream")
    rig.handled.send_initial_metadata(())
    rig.handled.send_response(b"nobody reads this")
    rig.handled.send_response(bytes(1_000_000))
    rig.run()
    assert rig.handled.parked is not None
    call.end(Outcome(StatusCode.CANCELLED))
    rig.run()
    assert rig.handled.parked is None
    assert rig.handled.interruptions == 1


def test_the_deadline_travels(rig: Rig) -> None:
    rig.begin("UnaryUnary", timeout=2.5)
    assert rig.handled.deadline == pytest.approx(1002.5)


def test_the_server_enforces_the_deadline(rig: Rig) -> None:
    call = rig.begin("UnaryUnary", timeout=2.5)
    call.timer.cancel()
    rig.network.advance(2.5)
    rig.handled.deadline_passed()
    rig.run()
    assert call.code is StatusCode.DEADLINE_EXCEEDED
    assert rig.handled.interruptions == 1


def test_a_lost_connection_reaches_both(rig: Rig) -> None:
    call = rig.begin("UnaryUnary")
    rig.network.links[0].far.connection.connection_lost("gone")
    rig.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert rig.handled.interruptions == 1
    assert rig.handled.abort.connection_lost
    assert rig.server.core.active == 0


# Draining


def test_a_draining_connection_finishes_its_calls(rig: Rig) -> None:
    call = rig.begin("UnaryUnary")
    far = rig.network.links[0].far
    far.connection.drain()
    rig.run()
    rig.handled.finish_ok(b"bye")
    rig.run()
    assert call.response == b"bye"
    assert far.closed


def test_calls_of_a_draining_server_go_elsewhere_unnoticed(rig: Rig) -> None:
    rig.begin("UnaryUnary")
    old = rig.network.links[0].far
    other = Server(HANDLERS)
    rig.network.answers[ONE] = other.far(rig.network)
    old.connection.drain()
    # The client opens a stream before it hears of it.
    call = rig.begin("UnaryUnary")
    rig.run()
    if rig.server.ran[1:]:
        rig.server.ran[1].finish_ok(b"old")
    else:
        other.ran[0].finish_ok(b"new")
    rig.run()
    assert call.code is StatusCode.OK


def test_a_stopping_server_refuses_so_that_the_call_is_safe_to_repeat(rig: Rig) -> None:
    rig.begin("UnaryUnary")
    rig.server.core.stopping = True
    call = rig.begin("UnaryUnary")
    # Tried again, once, by the same means.
    assert call.code is StatusCode.UNAVAILABLE
    assert call.outcome.unprocessed
    assert len(rig.server.calls) == 3
    assert len(rig.server.ran) == 1
    rig.handled.finish_ok(b"bye")


# Limits


def test_too_large_a_request() -> None:
    rig = Rig(options=[("grpc.max_receive_message_length", 100)])
    call = rig.begin("UnaryUnary", bytes(101))
    assert call.code is StatusCode.RESOURCE_EXHAUSTED
    assert call.details == "SERVER: Received message larger than max (101 vs. 100)"
    assert rig.server.ran == []
    assert rig.server.core.active == 0


def test_too_large_a_response() -> None:
    rig = Rig(channel=[("grpc.max_receive_message_length", 100)])
    call = rig.begin("UnaryUnary")
    rig.handled.finish_ok(bytes(101))
    rig.run()
    assert call.code is StatusCode.RESOURCE_EXHAUSTED
    assert call.details == "CLIENT: Received message larger than max (101 vs. 100)"


def test_more_calls_than_streams_all_get_served() -> None:
    rig = Rig(options=[("grpc.max_concurrent_streams", 2)])
    calls = [rig.begin("UnaryUnary", bytes([n])) for n in range(10)]
    served = 0
    while served < 10:
        assert 0 < len(rig.server.ran) - served <= 2
        for handled in rig.server.ran[served:]:
            served += 1
            handled.finish_ok(handled.request)
        rig.run()
    assert [call.response for call in calls] == [bytes([n]) for n in range(10)]
    assert len(rig.network.links) == 1
