"""A call on the server: admission, the four patterns' rules, and exactly one end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clarion.http2 import Connection
from clarion.method import (
    Compression,
    GenericRpcHandler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.server_core import STOPPED, ServerCall, cut_off_calls
from clarion.status import StatusCode
from support.http2 import HEADERS, RST, Frame, data, headers, rst, window_update
from support.wire import HandledCall, Server, ServerSide, message, request_fields

HANDLERS = {
    "UnaryUnary": unary_unary_rpc_method_handler(print),
    "UnaryStream": unary_stream_rpc_method_handler(print),
    "StreamUnary": stream_unary_rpc_method_handler(print),
    "StreamStream": stream_stream_rpc_method_handler(print),
}
ONE_REQUEST = ["UnaryUnary", "UnaryStream"]
MANY_REQUESTS = ["StreamUnary", "StreamStream"]


class Rig:
    def __init__(self, *, values: dict[int, int] | None = None, **server: Any) -> None:
        self.server = Server(HANDLERS, **server)
        self.core = self.server.core
        make: Callable[[Connection, int], Any] = self.server.make_call
        self.side = ServerSide(config=self.core.options.http2, values=values, make=make)

    def open(
        self, sid: int, method: str, *extra: tuple[bytes, bytes], end: bool = False
    ) -> HandledCall:
        fields = request_fields(*extra)
        fields = (*fields[:2], (b":path", b"/test.Test/" + method.encode()), *fields[3:])
        self.side.feed(headers(sid, fields, end=end))
        return self.server.calls[-1]

    def answer(self, *pieces: bytes) -> dict[str, str]:
        return self.side.answer(self.side.exchange(*pieces))

    def frames(self, *pieces: bytes) -> list[Frame]:
        return self.side.exchange(*pieces)


@pytest.fixture
def rig() -> Rig:
    return Rig()


# The four patterns


@pytest.mark.parametrize("method", ONE_REQUEST)
def test_a_handler_of_one_request_runs_when_it_is_there(rig: Rig, method: str) -> None:
    call = rig.open(1, method)
    assert not call.ran
    rig.side.feed(data(1, message(b"hello")))
    assert call.ran
    assert call.request == b"hello"
    assert not call.requests_done
    rig.side.feed(data(1, b"", end=True))
    assert call.requests_done
    assert call.method is not None
    assert call.method.path == f"/test.Test/{method}"


@pytest.mark.parametrize("method", MANY_REQUESTS)
def test_a_handler_of_many_requests_runs_at_once(rig: Rig, method: str) -> None:
    call = rig.open(1, method)
    assert call.ran
    rig.side.feed(data(1, message(b"1") + message(b"2")))
    assert list(call.inbox) == [b"1", b"2"]
    assert call.changes == 2
    rig.side.feed(data(1, b"", end=True))
    assert call.requests_done
    assert call.changes == 3


@pytest.mark.parametrize("method", MANY_REQUESTS)
def test_no_requests_at_all(rig: Rig, method: str) -> None:
    call = rig.open(1, method, end=True)
    assert call.ran
    assert call.requests_done
    assert rig.frames() == []


# Cardinality (statuscodes: UNIMPLEMENTED, by the server)


@pytest.mark.parametrize("method", ONE_REQUEST)
@pytest.mark.parametrize("how", ["headers", "data", "trailers"])
def test_no_request_where_one_belongs(rig: Rig, method: str, how: str) -> None:
    call = rig.open(1, method, end=how == "headers")
    if how == "data":
        rig.side.feed(data(1, b"", end=True))
    elif how == "trailers":
        rig.side.feed(headers(1, ((b"x", b"y"),), end=True))
    answer = rig.answer()
    assert answer["grpc-status"] == "12"
    assert "no request" in answer["grpc-message"]
    assert not call.ran
    assert call.interruptions == 1
    assert rig.core.active == 0


@pytest.mark.parametrize("method", ONE_REQUEST)
def test_two_requests_where_one_belongs(rig: Rig, method: str) -> None:
    call = rig.open(1, method)
    frames = rig.frames(data(1, message(b"1") + message(b"2"), end=True))
    answer = rig.side.answer(frames)
    assert answer["grpc-status"] == "12"
    assert "more than one request" in answer["grpc-message"]
    assert not call.ran
    assert rig.core.active == 0


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("method", ONE_REQUEST)
@pytest.mark.parametrize("first", ["handler", "request"])
def test_an_answer_to_the_first_of_two_requests(
    rig: Rig, method: str, first: str, plain: bool
) -> None:
    call = rig.open(1, method)
    assert rig.frames(data(1, message(b"1"))) == []
    assert call.ran

    def answer() -> None:
        if plain:
            call.finish_ok(b"response")
        else:
            call.finish(StatusCode.OK)

    if first == "handler":
        answer()
        assert not call.over
        rig.side.feed(data(1, message(b"2")))
    else:
        rig.side.feed(data(1, message(b"2")))
        answer()
    assert call.over
    ended = [frame for frame in rig.frames() if frame.kind == HEADERS and frame.flags & 1]
    assert rig.side.answer(ended)["grpc-status"] == "12"
    assert rig.core.active == 0


@pytest.mark.parametrize("plain", [True, False])
def test_an_early_answer_waits_for_the_client_s_end(rig: Rig, plain: bool) -> None:
    call = rig.open(1, "UnaryUnary")
    rig.side.feed(data(1, message(b"1")))
    if plain:
        call.finish_ok(b"response")
    else:
        call.finish(StatusCode.OK)
    assert not call.over
    assert call.late_ends == 0
    rig.side.feed(data(1, b"", end=True))
    assert call.over
    assert call.late_ends == 1
    assert rig.core.active == 0
    # Nothing more can come of it.
    call.finish_ok(b"again")
    call.finish(StatusCode.INTERNAL)


def test_a_deadline_counts_while_an_early_answer_waits(rig: Rig) -> None:
    call = rig.open(1, "UnaryUnary", (b"grpc-timeout", b"1S"))
    rig.side.feed(data(1, message(b"1")))
    call.finish_ok(b"response")
    call.deadline_passed()
    assert call.interruptions == 1
    rig.side.feed(data(1, b"", end=True))
    assert call.late_ends == 0
    assert rig.core.active == 0


def test_an_early_refusal_does_not_wait(rig: Rig) -> None:
    call = rig.open(1, "UnaryUnary")
    rig.side.feed(data(1, message(b"1")))
    call.finish(StatusCode.UNAUTHENTICATED, "who are you?")
    assert rig.answer()["grpc-status"] == "16"
    rig.side.feed(data(1, message(b"2"), end=True))
    assert rig.core.active == 0


def test_out_of_time(rig: Rig) -> None:
    call = rig.open(1, "UnaryUnary")
    assert not call.out_of_time()
    assert call.time_left() is None
    call.deadline = call.connection.now() + 10
    assert call.time_left() == 10
    assert not call.out_of_time()
    call.deadline = call.connection.now() + 0.001
    assert call.out_of_time()
    call.finish(StatusCode.OK)
    assert call.time_left() is None


# Admission


def test_an_unknown_method(rig: Rig) -> None:
    call = rig.open(1, "Nope", end=True)
    answer = rig.answer()
    assert answer["grpc-status"] == "12"
    assert "/test.Test/Nope" in answer["grpc-message"]
    assert "gzip" in answer["grpc-accept-encoding"]
    assert not call.ran
    assert call.interruptions == 0


def test_messages_for_an_unknown_method_are_dropped(rig: Rig) -> None:
    call = rig.open(1, "Nope")
    rig.side.feed(data(1, message(b"x"), end=True))
    assert list(call.inbox) == []
    assert call.request is None
    assert rig.answer()["grpc-status"] == "12"


class Fails(GenericRpcHandler):
    def service(self, handler_call_details: Any) -> Any:
        raise RuntimeError("broken rule")


def test_a_rule_that_raises() -> None:
    rig = Rig(generic=[Fails()])
    rig.open(1, "Nope", end=True)
    answer = rig.answer()
    assert answer["grpc-status"] == "2"
    assert answer["grpc-message"] == "Error in service handler"
    assert [str(error) for error in rig.server.failures] == ["broken rule"]
    assert rig.core.active == 0


def test_max_concurrent_rpcs() -> None:
    rig = Rig(max_concurrent=2)
    calls = [rig.open(sid, "StreamUnary") for sid in (1, 3)]
    assert rig.core.active == 2
    refused = rig.open(5, "StreamUnary")
    answer = rig.answer()
    assert answer["grpc-status"] == "8"
    assert "maximum_concurrent_rpcs=2" in answer["grpc-message"]
    assert not refused.ran
    calls[0].finish_ok(b"")
    assert rig.core.active == 1
    assert rig.open(7, "StreamUnary").ran
    rig.side.feed(rst(7), rst(3))
    assert rig.core.active == 0
    # A call that was never admitted gives nothing back.
    assert refused.admitted is False


def test_max_concurrent_rpcs_none_at_all() -> None:
    rig = Rig(max_concurrent=0)
    rig.open(1, "UnaryUnary", end=True)
    assert rig.answer()["grpc-status"] == "8"


def test_a_stopping_server_refuses_safely(rig: Rig) -> None:
    before = rig.open(1, "StreamUnary")
    rig.core.stopping = True
    call = rig.open(3, "UnaryUnary")
    assert [(each.kind, each.sid, each.code) for each in rig.frames()] == [(RST, 3, 7)]
    assert not call.ran
    assert call.interruptions == 0
    call.finish(StatusCode.OK)
    call.fail(StatusCode.OK, "")
    assert rig.frames() == []
    before.finish_ok(b"bye")
    assert rig.answer()["grpc-status"] == "0"


def test_a_stopping_server_refuses_whole_requests_safely(rig: Rig) -> None:
    rig.core.stopping = True
    rig.open(1, "StreamUnary", end=True)
    assert [(each.kind, each.code) for each in rig.frames()] == [(RST, 7)]


# Compression


@pytest.mark.parametrize(
    ("accepts", "used"),
    [(b"gzip", True), (b"identity,deflate , gzip", True), (b"deflate", False), (None, False)],
)
def test_responses_are_compressed_as_the_client_can_read(accepts: bytes | None, used: bool) -> None:
    rig = Rig(compression=Compression.Gzip)
    extra = [(b"grpc-accept-encoding", accepts)] if accepts is not None else []
    call = rig.open(1, "StreamUnary", *extra)
    assert (call.encoder is not None) is used


# Ends


def test_the_usual_end(rig: Rig) -> None:
    call = rig.open(1, "StreamUnary", end=True)
    call.finish_ok(b"bye")
    call.finish_ok(b"again")
    call.finish(StatusCode.INTERNAL)
    call.fail(StatusCode.INTERNAL, "")
    call.deadline_passed()
    assert rig.answer() == {
        ":status": "200",
        "content-type": "application/grpc",
        "grpc-status": "0",
    }
    assert call.interruptions == 0
    assert rig.core.active == 0
    assert rig.side.connection.streams == {}


def test_an_end_with_a_status(rig: Rig) -> None:
    call = rig.open(1, "StreamUnary", end=True)
    call.finish(StatusCode.ABORTED, "no", ((b"x", b"1"),))
    answer = rig.answer()
    assert (answer["grpc-status"], answer["grpc-message"], answer["x"]) == ("10", "no", "1")
    assert rig.core.active == 0


def test_a_cancel(rig: Rig) -> None:
    call = rig.open(1, "StreamUnary")
    rig.side.feed(rst(1, 8))
    assert call.interruptions == 1
    assert call.abort is not None
    assert call.abort.code == 8
    assert rig.core.active == 0
    call.finish_ok(b"late")
    call.deadline_passed()
    assert rig.frames() == []
    assert call.interruptions == 1


def test_the_deadline_is_known(rig: Rig) -> None:
    call = rig.open(1, "StreamUnary", (b"grpc-timeout", b"250m"))
    assert call.deadline == pytest.approx(1000.25)
    assert rig.open(3, "StreamUnary").deadline is None


def test_the_deadline_passes(rig: Rig) -> None:
    call = rig.open(1, "StreamUnary")
    call.deadline_passed()
    frames = rig.frames()
    answer = rig.side.answer(frames)
    assert (answer["grpc-status"], answer["grpc-message"]) == ("4", "Deadline Exceeded")
    assert (frames[-1].kind, frames[-1].code) == (RST, 0)
    assert call.interruptions == 1
    assert rig.core.active == 0


def test_the_deadline_passes_while_the_client_takes_nothing() -> None:
    """Nothing is kept for it: PROTOCOL-HTTP2 wants RST_STREAM with CANCEL."""
    rig = Rig(values={4: 10})
    call = rig.open(1, "UnaryStream")
    rig.side.feed(data(1, message(b""), end=True))
    call.send_initial_metadata(())
    call.send_response(bytes(100_000))
    rig.frames()
    call.deadline_passed()
    call.deadline_passed()
    assert [(each.kind, each.code) for each in rig.frames()] == [(RST, 8)]
    assert call.parked is None
    assert call.interruptions == 1
    assert rig.core.active == 0
    call.send_response(b"late")
    call.finish(StatusCode.OK)
    assert rig.frames() == []


def test_the_deadline_passes_while_the_last_response_waits() -> None:
    """Then the handler has done its work, and the rest is the client's."""
    rig = Rig(values={4: 10})
    call = rig.open(1, "StreamUnary", end=True)
    call.finish_ok(bytes(20))
    call.deadline_passed()
    rig.frames()
    assert rig.answer(window_update(1, 100))["grpc-status"] == "0"


def test_a_cancel_while_the_last_response_waits() -> None:
    rig = Rig(values={4: 10})
    call = rig.open(1, "StreamUnary", end=True)
    call.finish_ok(bytes(20))
    assert rig.core.active == 0
    rig.side.feed(rst(1))
    assert call.parked is None
    assert rig.core.active == 0


def test_a_lost_connection(rig: Rig) -> None:
    calls = [rig.open(1, "StreamUnary"), rig.open(3, "UnaryUnary")]
    rig.side.connection.connection_lost("gone")
    assert [call.interruptions for call in calls] == [1, 1]
    assert rig.core.active == 0


def test_a_broken_message(rig: Rig) -> None:
    call = rig.open(1, "UnaryUnary")
    answer = rig.answer(data(1, message(b"x", flag=9), end=True))
    assert answer["grpc-status"] == "13"
    assert not call.ran
    assert rig.core.active == 0


def test_too_large_a_message() -> None:
    rig = Rig(options=[("grpc.max_receive_message_length", 3)])
    call = rig.open(1, "StreamUnary")
    answer = rig.answer(data(1, message(b"123") + message(b"1234")))
    assert answer["grpc-status"] == "8"
    assert "4 vs. 3" in answer["grpc-message"]
    assert list(call.inbox) == [b"123"]
    assert call.interruptions == 1


def test_an_unfinished_request(rig: Rig) -> None:
    call = rig.open(1, "UnaryUnary")
    answer = rig.answer(data(1, message(b"hello")[:-1], end=True))
    assert answer["grpc-status"] == "13"
    assert not call.ran


def test_what_the_front_end_must_do(rig: Rig) -> None:
    call = ServerCall(rig.core, rig.side.connection, 1)
    for method in (call.run, call.inbox_changed, call.interrupted):
        with pytest.raises(NotImplementedError):
            method()
    with pytest.raises(NotImplementedError):
        call.handler_failed_lookup(Exception())


# The server stops


def test_a_stop_ends_the_calls_that_can_be_told() -> None:
    rig = Rig(values={4: 10})
    waiting = rig.open(1, "StreamUnary")
    parked = rig.open(3, "UnaryStream")
    rig.side.feed(data(3, message(b""), end=True))
    parked.send_initial_metadata(())
    parked.send_response(bytes(100_000))
    done = rig.open(5, "StreamUnary", end=True)
    done.finish_ok(bytes(20))
    rig.answer()
    cut_off_calls(rig.side.connection)
    frames = rig.frames()
    assert [each.sid for each in frames] == [1, 1]
    answer = rig.side.answer(frames)
    assert (answer["grpc-status"], answer["grpc-message"]) == ("14", STOPPED)
    assert (waiting.interruptions, parked.interruptions, done.interruptions) == (1, 0, 0)
    rig.side.connection.close(STOPPED)
    assert [(each.kind, each.sid) for each in rig.frames()][:2] == [(RST, 3), (RST, 5)]
    assert (waiting.interruptions, parked.interruptions) == (1, 1)
    assert rig.core.active == 0
