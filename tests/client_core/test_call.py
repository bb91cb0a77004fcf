"""A call from the client's side: what it sends, how it ends, and when it is tried again."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from clarion.client_core import Attempt, ChannelCore, ClientCall, Pending, cancel_calls
from clarion.method import Compression
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import HostPort
from clarion.status import StatusCode
from support.http2 import (
    DATA,
    END_STREAM,
    HEADERS,
    RESPONSE,
    RST,
    TRAILERS,
    Recorder,
    data,
    goaway,
    headers,
    rst,
    settings,
    window_update,
)
from support.wire import Call, Network, RawFar, begin, message

ONE = HostPort("1.1.1.1", 1)
CANCELLED = Outcome(StatusCode.CANCELLED, "enough")


class Rig:
    """A channel that is connected to a server of raw frames."""

    def __init__(
        self,
        *,
        posts: bool = False,
        values: dict[int, int] | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        self.network = Network()
        self.network.posts = posts
        self.fars: list[RawFar] = []
        self.values = values
        self.network.answers[ONE] = self._far
        self.core = self.network.channel(options=options)
        self.core.connect()
        self.network.run()

    def _far(self) -> RawFar:
        self.fars.append(RawFar(settings(self.values)))
        return self.fars[-1]

    @property
    def far(self) -> RawFar:
        return self.fars[-1]

    def begin(self, payload: bytes | None = b"request", **options: Any) -> Call:
        call = begin(self.network, self.core, payload, **options)
        self.network.run()
        return call

    def send(self, *pieces: bytes) -> None:
        self.far.send(*pieces)
        self.network.run()

    def sent(self) -> list[tuple[int, bytes | int, bool]]:
        """What came since the last look: kind, payload (of RST: code), END_STREAM."""
        received, self.far.received = self.far.received, []
        return [
            (
                each.kind,
                each.code if each.kind == RST else b"" if each.kind == HEADERS else each.payload,
                bool(each.kind != RST and each.flags & END_STREAM),
            )
            for each in received
        ]


@pytest.fixture(params=[False, True], ids=["told at once", "told later"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(posts=bool(request.param))


# The four patterns


def test_one_request_one_response(rig: Rig) -> None:
    call = rig.begin(b"hello")
    assert rig.sent() == [(HEADERS, b"", False), (DATA, message(b"hello"), True)]
    rig.send(headers(1, (*RESPONSE, (b"x", b"1"))))
    assert call.head_metadata == (("x", "1"),)
    assert call.events == ["opened", "head"]
    rig.send(data(1, message(b"bye")), headers(1, TRAILERS, end=True))
    assert (call.code, call.response) == (StatusCode.OK, b"bye")
    assert call.events == ["opened", "head", "finished"]
    assert rig.sent() == []


def test_a_stream_of_responses(rig: Rig) -> None:
    call = rig.begin(response_streaming=True)
    rig.send(headers(1, RESPONSE), data(1, message(b"1") + message(b"2")))
    assert call.attempt is not None
    assert list(call.attempt.inbox) == [b"1", b"2"]
    rig.send(headers(1, TRAILERS, end=True))
    assert call.events == ["opened", "head", "response", "response", "finished"]
    assert call.code is StatusCode.OK
    assert list(call.attempt.inbox) == [b"1", b"2"]


def test_a_stream_of_requests(rig: Rig) -> None:
    call = rig.begin(None)
    assert call.events == ["opened"]
    assert rig.sent() == [(HEADERS, b"", False)]
    for payload in (b"1", b"2"):
        call.send(call.pack(payload))
    call.half_close()
    call.half_close()
    rig.network.run()
    assert rig.sent() == [
        (DATA, message(b"1"), False),
        (DATA, message(b"2"), False),
        (DATA, b"", True),
    ]
    rig.send(headers(1, RESPONSE), data(1, message(b"bye")), headers(1, TRAILERS, end=True))
    assert call.response == b"bye"


def test_a_stream_of_requests_that_ended_before_it_began(rig: Rig) -> None:
    rig.core.close()
    fresh = rig.network.channel()
    call = begin(rig.network, fresh, None)
    call.half_close()
    rig.network.run()
    assert rig.sent() == [(HEADERS, b"", True)]


def test_a_stream_of_requests_with_nothing_in_it(rig: Rig) -> None:
    call = rig.begin(None, response_streaming=True)
    rig.send(headers(1, (*RESPONSE, *TRAILERS), end=True))
    assert call.code is StatusCode.OK
    assert rig.sent() == [(HEADERS, b"", False), (RST, 0, False)]


def test_an_answer_before_the_end_of_the_requests(rig: Rig) -> None:
    call = rig.begin(None)
    rig.send(headers(1, RESPONSE), data(1, message(b"bye")), headers(1, TRAILERS, end=True))
    assert call.code is StatusCode.OK
    rig.sent()
    call.send(call.pack(b"late"))
    call.half_close()
    rig.network.run()
    assert rig.sent() == []


# Cardinality (statuscodes: UNIMPLEMENTED, by the client)


def test_no_response(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, RESPONSE), headers(1, TRAILERS, end=True))
    assert call.code is StatusCode.UNIMPLEMENTED
    assert "no response" in call.details


def test_no_response_in_trailers_only(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, (*RESPONSE, *TRAILERS), end=True))
    assert call.code is StatusCode.UNIMPLEMENTED


def test_two_responses(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, RESPONSE), data(1, message(b"1") + message(b"2") + message(b"3")))
    assert call.code is StatusCode.UNIMPLEMENTED
    assert "more than one" in call.details
    assert rig.sent()[-1] == (RST, 8, False)


def test_an_error_with_a_response_is_the_error(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, RESPONSE), data(1, message(b"1")))
    rig.send(headers(1, ((b"grpc-status", b"5"),), end=True))
    assert call.code is StatusCode.NOT_FOUND


def test_an_error_without_a_response_is_the_error(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, (*RESPONSE, (b"grpc-status", b"5")), end=True))
    assert call.code is StatusCode.NOT_FOUND
    assert call.head_metadata is None
    assert call.events == ["opened", "finished"]


# What is sent


def test_headers(rig: Rig) -> None:
    rig.begin(metadata=[("x", "1")], timeout=1.5, compression=Compression.Gzip)
    [head] = [each for each in rig.far.received if each.kind == HEADERS]
    fields = rig.far.heads.read(head.payload)
    assert fields[":path"] == "/test.Test/Method"
    assert fields["grpc-timeout"] == "1500000u"
    assert fields["grpc-encoding"] == "gzip"
    assert fields["x"] == "1"


def test_the_timeout_is_what_is_left(rig: Rig) -> None:
    rig.core.close()
    core = rig.network.channel()
    del rig.network.answers[ONE]
    begin(rig.network, core, timeout=10)
    rig.network.advance(4)
    far = RawFar(settings())
    rig.network.late[0](far)
    rig.network.run()
    [head] = [each for each in far.received if each.kind == HEADERS]
    assert far.heads.read(head.payload)["grpc-timeout"] == "6000000u"


def test_compressed_requests(rig: Rig) -> None:
    rig.begin(b"hello", compression=Compression.Deflate)
    [_, (_, body, _)] = rig.sent()
    assert isinstance(body, bytes)
    assert body[0] == 1
    assert zlib.decompress(body[5:]) == b"hello"


@pytest.mark.parametrize("posts", [False, True])
def test_a_request_larger_than_the_window(posts: bool) -> None:
    rig = Rig(posts=posts, values={4: 10})
    rig.begin(b"x" * 20)
    assert rig.sent() == [(HEADERS, b"", False), (DATA, message(b"x" * 20)[:10], False)]
    rig.send(window_update(1, 100))
    assert rig.sent() == [(DATA, message(b"x" * 20)[10:], True)]


def test_a_stream_of_requests_waits_for_the_window() -> None:
    rig = Rig(values={4: 10})
    call = rig.begin(None)
    call.send(call.pack(b"x" * 20))
    rig.network.run()
    assert call.attempt is not None
    assert call.attempt.parked is not None
    assert "writable" not in call.events
    rig.send(window_update(1, 100))
    assert call.attempt.parked is None
    assert call.events == ["opened", "writable"]


def test_more_metadata_than_the_server_takes_stays_here() -> None:
    """Sent, it could cost the other calls their connection."""
    rig = Rig(values={6: 500})
    other = rig.begin()
    call = rig.begin(metadata=[("x", "y" * 500)])
    assert call.code is StatusCode.RESOURCE_EXHAUSTED
    assert "the server takes 500 at most" in call.details
    rig.send(headers(1, RESPONSE), data(1, message(b"")), headers(1, TRAILERS, end=True))
    assert other.code is StatusCode.OK
    assert [kind for kind, _, _ in rig.sent()] == [HEADERS, DATA]


# Ends that this side makes


def test_cancel(rig: Rig) -> None:
    call = rig.begin()
    call.end(CANCELLED)
    call.end(Outcome(StatusCode.OK))
    assert call.outcome is CANCELLED
    rig.network.run()
    assert rig.sent()[-1] == (RST, 8, False)
    rig.send(headers(1, RESPONSE), data(1, message(b"")), headers(1, TRAILERS, end=True))
    assert call.outcome is CANCELLED
    assert call.events == ["opened", "finished"]


def test_cancel_while_connecting() -> None:
    network = Network()
    core = network.channel()
    call, other = begin(network, core), begin(network, core)
    call.end(CANCELLED)
    assert call.outcome is CANCELLED
    network.run()
    far = RawFar(settings())
    network.late[0](far)
    network.run()
    assert far.requests() == [1]
    assert other.outcome is None
    assert other.attempt is not None
    call.link_available(other.attempt.link)
    assert call.attempt is None
    call.link_failed(Outcome(StatusCode.INTERNAL))
    assert call.outcome is CANCELLED


def test_cancel_after_the_end_says_nothing(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, (*RESPONSE, (b"grpc-status", b"5")), end=True))
    call.end(CANCELLED)
    assert call.code is StatusCode.NOT_FOUND
    assert rig.sent()[2:] == []


def test_the_deadline(rig: Rig) -> None:
    call = rig.begin(timeout=3)
    rig.network.advance(2.9)
    assert call.outcome is None
    rig.network.advance(0.2)
    rig.network.run()
    assert (call.code, call.details) == (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    assert rig.sent()[-1] == (RST, 8, False)


def test_the_deadline_is_not_met_by_a_call_that_is_over(rig: Rig) -> None:
    call = rig.begin(timeout=3)
    rig.send(headers(1, (*RESPONSE, (b"grpc-status", b"5")), end=True))
    # That of the channel, which looks whether it is in use.
    assert rig.network.timers == [450.0]
    call.deadline_passed()
    assert call.code is StatusCode.NOT_FOUND


def test_the_deadline_while_connecting() -> None:
    network = Network()
    call = begin(network, network.channel(), timeout=3)
    network.advance(3)
    assert call.code is StatusCode.DEADLINE_EXCEEDED
    assert call.details == "Deadline Exceeded while waiting for a connection"


@pytest.mark.parametrize(
    "cut", [rst(1, 8), headers(1, (*RESPONSE, (b"grpc-status", b"1")), end=True)]
)
@pytest.mark.parametrize(
    ("passed", "code"), [(2.0, StatusCode.CANCELLED), (3.0, StatusCode.DEADLINE_EXCEEDED)]
)
def test_a_server_that_saw_the_deadline_first(cut: bytes, passed: float, code: StatusCode) -> None:
    rig = Rig()
    call = rig.begin(timeout=3)
    assert call.timer is not None
    # The front end's timer is late.
    call.timer.cancel()
    rig.network.advance(passed)
    rig.send(cut)
    assert call.code is code


def test_a_cancel_after_the_deadline_is_a_cancel(rig: Rig) -> None:
    call = rig.begin(timeout=3)
    assert call.timer is not None
    call.timer.cancel()
    rig.network.advance(4)
    call.end(CANCELLED)
    assert call.outcome is CANCELLED


def test_cancel_calls(rig: Rig) -> None:
    calls = [rig.begin(), rig.begin(None)]
    assert rig.core.link is not None
    connection = rig.core.link.connection
    # A stream of another kind, such as a later layer may have.
    stream = Recorder(connection)
    connection.open_stream(stream, b"")
    cancel_calls(connection, "closing")
    assert stream.abort is None
    assert [(call.code, call.details) for call in calls] == [(StatusCode.CANCELLED, "closing")] * 2


# Trying again


def unprocessed(rig: Rig, how: str, sid: int) -> bytes:
    return rst(sid, 7) if how == "refused" else goaway(max(sid - 2, 0), 0, b"restarting")


@pytest.mark.parametrize("how", ["refused", "goaway"])
@pytest.mark.parametrize("pattern", ["unary", "stream", "half-closed stream"])
def test_what_was_not_looked_at_is_tried_again(rig: Rig, how: str, pattern: str) -> None:
    call = rig.begin(b"hello" if pattern == "unary" else None)
    if pattern == "half-closed stream":
        call.half_close()
        rig.network.run()
    rig.send(unprocessed(rig, how, 1))
    assert call.outcome is None
    assert "detached" in call.events
    sid = 3 if how == "refused" else 1
    assert len(rig.fars) == (1 if how == "refused" else 2)
    opened = [each for each in rig.far.received if each.kind == HEADERS]
    assert opened[-1].sid == sid
    expected = {
        "unary": (DATA, message(b"hello"), True),
        "stream": (HEADERS, b"", False),
        "half-closed stream": (HEADERS, b"", True),
    }
    sent = rig.sent()
    assert sent[-1] == expected[pattern]
    rig.send(headers(sid, RESPONSE), data(sid, message(b"bye")), headers(sid, TRAILERS, end=True))
    assert (call.code, call.response) == (StatusCode.OK, b"bye")
    assert call.events.count("finished") == 1
    assert call.events.count("detached") == 1


@pytest.mark.parametrize("how", ["refused", "goaway"])
def test_only_once(rig: Rig, how: str) -> None:
    call = rig.begin()
    rig.send(unprocessed(rig, how, 1))
    rig.send(unprocessed(rig, how, 3 if how == "refused" else 1))
    assert call.code is StatusCode.UNAVAILABLE
    assert call.outcome is not None
    assert call.outcome.unprocessed
    if how == "goaway":
        assert "restarting" in call.details


@pytest.mark.parametrize("how", ["refused", "goaway"])
def test_never_where_that_is_switched_off(how: str) -> None:
    rig = Rig(options=(("grpc.enable_retries", 0),))
    call = rig.begin()
    rig.send(unprocessed(rig, how, 1))
    assert call.code is StatusCode.UNAVAILABLE
    assert "detached" not in call.events


def test_an_error_says_who_answered(rig: Rig) -> None:
    call = rig.begin()
    rig.send(headers(1, ((b":status", b"200"), (b"content-type", b"text/html")), end=False))
    assert call.outcome is not None
    assert call.outcome.debug == "peer ipv4:1.1.1.1:1"


@pytest.mark.parametrize("how", ["refused", "goaway"])
def test_never_after_a_request_of_a_stream_was_sent(rig: Rig, how: str) -> None:
    call = rig.begin(None)
    call.send(call.pack(b"1"))
    rig.network.run()
    rig.send(unprocessed(rig, how, 1))
    assert call.code is StatusCode.UNAVAILABLE
    assert "detached" not in call.events


def test_a_request_between_two_attempts_is_not_taken(rig: Rig) -> None:
    call = rig.begin(None)
    seen: list[bool] = []
    again = rig.core.retry

    def retry(waiting: Pending) -> None:
        seen.append(call.send(call.pack(b"early")))
        again(waiting)

    rig.core.retry = retry  # type: ignore[method-assign]
    rig.send(unprocessed(rig, "goaway", 1))
    # It was not sent, and whoever has it knows.
    assert seen == [False]
    assert call.send(call.pack(b"1"))
    rig.network.run()
    assert rig.sent()[-1] == (DATA, message(b"1"), False)
    call.end(CANCELLED)
    assert call.send(call.pack(b"too late"))


def test_never_what_may_have_been_looked_at(rig: Rig) -> None:
    call = rig.begin()
    rig.far.close()
    rig.network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert len(rig.fars) == 1


def test_never_what_was_cancelled(rig: Rig) -> None:
    call = rig.begin()
    call.end(CANCELLED)
    rig.send(rst(1, 7))
    assert call.outcome is CANCELLED
    assert rig.far.requests() == [1]


def test_a_cancel_between_the_tries(rig: Rig) -> None:
    call = rig.begin()
    assert call.attempt is not None
    link = call.attempt.link
    link.connection.receive_data(rst(1, 7))
    assert call.attempt is None
    # Nothing to send it on.
    call.send(call.pack(b"x"))
    call.half_close()
    call.end(CANCELLED)
    rig.network.run()
    assert call.outcome is not None
    assert call.outcome[:2] == CANCELLED[:2]
    assert rig.far.requests() == [1]


def test_the_message_of_the_first_try_has_no_weight(rig: Rig) -> None:
    """An attempt that was given up may still be told something."""
    call = rig.begin()
    first = call.attempt
    assert first is not None
    rig.send(rst(1, 7))
    assert call.attempt is not first
    call.attempt_ended(first, CANCELLED)
    assert call.outcome is None


def test_a_channel_that_closes_between_the_tries(rig: Rig) -> None:
    call = rig.begin()
    assert rig.core.link is not None
    rig.core.link.connection.receive_data(rst(1, 7))
    rig.core.close()
    rig.network.run()
    assert (call.code, call.details) == (StatusCode.CANCELLED, "Channel closed!")


# Back-pressure


def test_responses_that_nobody_reads_stop_the_server() -> None:
    rig = Rig()
    call = rig.begin(response_streaming=True)
    attempt = call.attempt
    assert isinstance(attempt, Attempt)
    rig.send(headers(1, RESPONSE))
    piece = message(b"x" * 16_000)
    while attempt.recv_window >= len(piece):
        rig.send(data(1, piece))
    window = attempt.connection.recv_stream_window
    assert sum(map(len, attempt.inbox)) <= window + len(piece)
    while attempt.inbox:
        attempt.take_message()
    assert attempt.held == 0
    assert attempt.recv_window + attempt.recv_credit == attempt.connection.recv_stream_window


def test_what_the_front_end_must_do() -> None:
    rig = Rig()
    call = ClientCall(rig.core, rig.begin().start, response_streaming=False)
    call.opened()
    call.detached(None)  # type: ignore[arg-type]
    for method in (call.head_received, call.response_received, call.writable, call.finished):
        with pytest.raises(NotImplementedError):
            method()
    assert isinstance(rig.core, ChannelCore)
