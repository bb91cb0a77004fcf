"""Calls that go on when their caller's credentials run out."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from clarion.auth import Authenticator, CallInfo, Identity, identity
from support.auth import authenticate, bearer
from support.front_end import FrontEnd, Rig
from support.handlers import ServerCall
from support.libraries import LIMIT

EXPIRED = "the caller's credentials have expired"


class Expiring(Authenticator):
    """Takes any call. The token says for how many seconds from now; `never` for ever."""

    def authenticate(self, call: CallInfo) -> Identity | None:
        for key, value in call.metadata:
            if key == "authorization":
                word = str(value).removeprefix("Bearer ")
                ends = None if word == "never" else time.time() + float(word)
                return Identity(method="test", subject="somebody", expires_at=ends)
        return None


class Echo:
    """Echoes, and keeps its call."""

    def __init__(self) -> None:
        self.call: Any = None
        self.subjects: list[str] = []

    async def __call__(self, call: ServerCall) -> None:
        context: Any = call.context
        self.call = context._call
        caller = identity(context)
        assert caller is not None
        self.subjects.append(caller.subject)
        while (request := await call.read()) is not None:
            await call.write(request)


def rig(front: FrontEnd, **options: Any) -> tuple[Rig, Echo]:
    echo = Echo()
    interceptor = authenticate(front, Expiring(), **options)
    return front.rig(stream_stream=echo, interceptors=(interceptor,)), echo


def let_it_pass(front: FrontEnd, call: Any) -> None:
    """As if the time at which the call ends had come."""
    assert call._timer is not None
    if front.name == "sync":
        call.link.io.post(call._expire)
    else:
        call.link.loop.call_soon_threadsafe(call.deadline_passed)


def test_a_stream_ends_when_its_token_does(front: FrontEnd) -> None:
    called, echo = rig(front, expiry_grace=0)
    call = called.open("stream_stream", metadata=bearer("3600"))
    call.write(b"a")
    assert call.read() == b"a"
    assert echo.call.deadline is None
    assert 3000 < echo.call.expiry - echo.call.connection.now() <= 3600
    let_it_pass(front, echo.call)
    outcome = call.finish()
    assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", EXPIRED)
    # Its connection and other calls go on.
    assert called.call("stream_stream", [b"x"], metadata=bearer("3600")).code == "OK"


def test_it_does_so_by_itself(front: FrontEnd) -> None:
    called, _ = rig(front, expiry_grace=0.1)
    call = called.open("stream_stream", metadata=bearer("0.3"), timeout=LIMIT)
    outcome = call.finish()
    assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", EXPIRED)


def test_the_grace_is_added_and_the_past_is_refused_before_the_handler(front: FrontEnd) -> None:
    called, echo = rig(front, expiry_grace=1000)
    assert called.call("stream_stream", [b"x"], metadata=bearer("-500")).code == "OK"
    assert len(echo.subjects) == 1
    outcome = called.call("stream_stream", [b"x"], metadata=bearer("-2000"))
    assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", EXPIRED)
    assert len(echo.subjects) == 1


@pytest.mark.parametrize("ends", ["never", "1e12"])
def test_credentials_that_do_not_run_out(front: FrontEnd, ends: str) -> None:
    called, echo = rig(front, expiry_grace=0)
    assert called.call("stream_stream", [b"x"], metadata=bearer(ends)).code == "OK"
    assert echo.call.expiry is None


def test_without_a_grace_calls_go_on(front: FrontEnd) -> None:
    called, echo = rig(front)
    assert called.call("stream_stream", [b"x"], metadata=bearer("-2000")).code == "OK"
    assert echo.call.expiry is None


def test_a_deadline_that_is_earlier_is_what_counts(front: FrontEnd) -> None:
    called, echo = rig(front, expiry_grace=0)
    call = called.open("stream_stream", metadata=bearer("3600"), timeout=LIMIT)
    call.write(b"a")
    assert call.read() == b"a"
    assert echo.call.expiry is None
    let_it_pass(front, echo.call)
    assert call.finish().code == "DEADLINE_EXCEEDED"


def test_a_deadline_that_is_later_does_not_come(front: FrontEnd) -> None:
    called, echo = rig(front, expiry_grace=0)
    call = called.open("stream_stream", metadata=bearer("3600"), timeout=7200)
    call.write(b"a")
    assert call.read() == b"a"
    # The handler's time is its deadline still.
    assert echo.call.time_left() > 3700
    let_it_pass(front, echo.call)
    assert call.finish().code == "UNAUTHENTICATED"


def test_nothing_is_left_of_a_call_that_ended_before(front: FrontEnd) -> None:
    called, echo = rig(front, expiry_grace=0)
    assert called.call("stream_stream", [b"x"], metadata=bearer("3600")).code == "OK"
    timer = echo.call._timer
    assert timer is None or timer.cancelled()


def test_of_two_interceptors_the_earlier_expiry_counts(front: FrontEnd) -> None:
    class Later(Expiring):
        def authenticate(self, call: CallInfo) -> Identity | None:
            found = super().authenticate(call)
            assert found is not None
            return dataclasses.replace(found, expires_at=time.time() + 9000)

    echo = Echo()
    chain = [authenticate(front, each, expiry_grace=0) for each in (Expiring(), Later())]
    called = front.rig(stream_stream=echo, interceptors=chain)
    assert called.call("stream_stream", [b"x"], metadata=bearer("3600")).code == "OK"
    assert echo.call.expiry - echo.call.connection.now() <= 3600


@pytest.mark.parametrize(
    ("grace", "error"),
    [(-1, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("1", TypeError)],
)
def test_a_grace_that_cannot_be_used(front: FrontEnd, grace: Any, error: Any) -> None:
    with pytest.raises(error, match="expiry_grace must be"):
        authenticate(front, Expiring(), expiry_grace=grace)
