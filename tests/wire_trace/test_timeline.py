"""`RpcError.timeline`: what happened to a call, and when."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

import clarion
from clarion.call_timeline import CallTimeline
from clarion.call_tracing import AttemptStart
from clarion.history import History, Timeline, TimelineEntry
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

Serve = Callable[..., int]


def texts(error: Any) -> list[str]:
    timeline = error.timeline
    assert isinstance(timeline, Timeline)
    offsets = [entry.milliseconds for entry in timeline]
    assert offsets == sorted(offsets)
    return [entry.text for entry in timeline]


def test_a_call_that_found_no_server(caller: Any) -> None:
    error = caller.unary(1, b"x", timeout=30)
    assert error.code() is StatusCode.UNAVAILABLE
    told = texts(error)
    assert "the call begins, and waits for a connection" in told
    assert any(each.startswith("Addresses: ") for each in told)
    assert any("TRANSIENT_FAILURE: Connection refused" in each for each in told)
    assert told[-1].startswith("the call ends with UNAVAILABLE: failed to connect")
    # Without the option nothing more is in the error's own text.
    assert "timeline" not in error.debug_error_string()


def test_a_call_whose_time_was_up(caller: Any) -> None:
    error = caller.unary(1, b"x", timeout=0.3, wait_for_ready=True)
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    told = texts(error)
    assert told[-1].startswith(
        "the call ends with DEADLINE_EXCEEDED: Deadline Exceeded while waiting"
    )


def test_all_of_a_call(serve: Serve, caller: Any) -> None:
    error = caller.unary(serve(), b"abort", timeout=30, options=[("clarion.timeline", 1)])
    told = texts(error)
    begins = next(each for each in told if each.startswith("the call begins, with "))
    expected = [
        begins,
        "the name is resolved",
        "request headers sent",
        "request of 5 bytes sent",
        "no more requests",
        "the server sent a status without response headers, NOT_FOUND: no such thing",
        "the call ends with NOT_FOUND: no such thing",
    ]
    assert [each for each in told if each in expected] == expected
    assert any(each.startswith("attempt 1 on the connection to ipv") for each in told)
    assert "; timeline: " in error.debug_error_string()
    assert "the call ends with NOT_FOUND" in str(error)


def test_what_needs_no_waiting_has_no_timeline(serve: Serve) -> None:
    with clarion.insecure_channel(f"localhost:{serve()}") as channel:
        call: Any = channel.unary_unary("/pkg.Service/Unary")
        assert call(b"x") == b"x"
        with pytest.raises(clarion.RpcError) as caught:
            call(b"abort")
    assert caught.value.timeline == ()
    assert clarion.RpcError().timeline == ()


def test_an_error_with_a_timeline_can_be_pickled(caller: Any) -> None:
    error = caller.unary(1, b"x", timeout=30)
    again = pickle.loads(pickle.dumps(error))
    assert again.code() is StatusCode.UNAVAILABLE


def test_as_text() -> None:
    history = History(
        100.0, 100.25, "the end", ((100.0, "begins"), (100.1, "goes on")), ((99.5, "before"),)
    )
    assert str(history.timeline()) == (
        "-500.0 ms before\n+0.0 ms begins\n+100.0 ms goes on\n+250.0 ms the end"
    )
    assert history.timeline()[1] == TimelineEntry(0.0, "begins")


def test_retries_and_long_streams() -> None:
    timeline = CallTimeline(time.monotonic() + 5)
    for number in range(2):
        start = AttemptStart(number, False, False, "ipv4:1.2.3.4:5", False, (), None)
        attempt = timeline.attempt(start)
        attempt.headers_sent()
        for _ in range(100):
            attempt.message_sent(b"x", b"x")
        attempt.half_closed()
        attempt.headers_received(())
        attempt.message_received(b"ab", attempt)  # type: ignore[arg-type]
        attempt.ended(
            Outcome(StatusCode.UNAVAILABLE, "gone", debug="RST_STREAM CANCEL" if number else ""),
            by_server=False,
            trailers_only=False,
            here=bool(number),
        )
        timeline.retry_in(0.1)
    told = [text for _, text in timeline.marks]
    assert told.count("request of 1 bytes sent") == 20
    assert "no more requests (100 in all)" in told
    assert "the connection or the server cut it off, UNAVAILABLE: gone" in told
    assert "the next attempt is in 100 ms" in told
    assert "attempt 2: this side gave it up, UNAVAILABLE: gone [RST_STREAM CANCEL]" in told
    for _ in range(1000):
        timeline.mark("more")
    assert len(timeline.marks) == 200


def test_a_hedged_attempt_says_so() -> None:
    timeline = CallTimeline(None)
    timeline.name_resolved()
    attempt = timeline.attempt(AttemptStart(0, False, True, "unix:x", True, (), None))
    attempt.ended(Outcome(StatusCode.OK), by_server=True, trailers_only=False, here=False)
    timeline.ended(Outcome(StatusCode.OK))
    assert [text for _, text in timeline.marks] == [
        "the call begins",
        "the name is resolved",
        "hedged attempt 1 on the connection to unix:x, after it waited for a connection",
        "the server sent a status, OK",
    ]


def test_a_timeline_and_a_trace_at_a_time(serve: Serve, caller: Any) -> None:
    with clarion.trace("calls", to=lambda event: None):
        error = caller.unary(serve(), b"abort", timeout=30, options=[("clarion.timeline", 1)])
    assert texts(error).count("request headers sent") == 1


def test_a_channel_that_records_nothing(caller: Any) -> None:
    error = caller.unary(1, b"x", timeout=30, options=[("grpc.enable_channelz", 0)])
    assert error.timeline == ()
