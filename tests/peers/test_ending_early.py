"""Deadlines and cancellation: the client's call ends, and the handler learns of it."""

from __future__ import annotations

import pytest

from support.libraries import PATTERNS
from support.peers import Pair, requests_for, script

TIMEOUT = 0.4


def test_a_deadline_ends_the_call_on_both_sides(pair: Pair) -> None:
    assert pair.call("unary_unary", [b"connect"]).code == "OK"
    keys = {pattern: pair.key() for pattern in PATTERNS}
    # All at once, so that the time is spent once.
    calls = {
        pattern: pair.open(pattern, requests_for(pattern, b"x"), script(hang=key), timeout=TIMEOUT)
        for pattern, key in keys.items()
    }
    for pattern, call in calls.items():
        outcome = call.finish()
        assert outcome.code == "DEADLINE_EXCEEDED", (pattern, outcome)
        assert outcome.responses == []
    for pattern, key in keys.items():
        remaining = pair.recorded(f"{key}:started")
        assert remaining is not None, f"the handler of {pattern} saw no deadline"
        assert remaining <= TIMEOUT * 1.5
        assert pair.recorded(f"{key}:ended")


def test_a_call_without_a_deadline_has_none_on_the_server(pair: Pair) -> None:
    key = pair.key()
    call = pair.open("unary_unary", [b"x"], script(hang=key))
    remaining = pair.recorded(f"{key}:started")
    # grpcio's sync context says 292 billion years instead of None.
    assert remaining is None or (pair.server_kind == "grpc-sync" and remaining > 1e18)
    call.cancel()
    assert call.finish().code == "CANCELLED"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_passed_deadline_needs_no_server(pair: Pair, pattern: str) -> None:
    outcome = pair.call(pattern, requests_for(pattern, b"x"), timeout=-1)
    assert outcome.code == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_cancelled_call_reaches_the_handler(pair: Pair, pattern: str) -> None:
    key = pair.key()
    call = pair.open(pattern, requests_for(pattern, b"x"), script(hang=key))
    pair.recorded(f"{key}:started")
    call.cancel()
    outcome = call.finish()
    assert outcome.code == "CANCELLED"
    assert outcome.responses == []
    assert pair.recorded(f"{key}:ended")


def test_cancel_in_mid_conversation(pair: Pair) -> None:
    call = pair.open("stream_stream", None)
    call.write(b"hello")
    assert call.read() == b"hello"
    call.cancel()
    assert call.finish().code == "CANCELLED"
    assert pair.call("unary_unary", [b"the channel lives"]).code == "OK"
