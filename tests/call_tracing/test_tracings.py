"""Tracings without calls: installing them, several at a time, and tracers that raise."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import clarion
from clarion import call_tracing
from clarion.call_tracing import (
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientTracing,
    ServerCallStart,
    ServerCallTracer,
    ServerTracing,
    client_tracing,
    install,
    server_tracing,
)
from clarion.protocol.outcome import OK
from clarion.status import StatusCode
from support.call_events import ClientEvents, ServerEvents
from support.traced_echo import call_aio, call_sync, run_aio

ATTEMPT = AttemptStart(0, False, False, "peer", False, (), None)
CALL = ServerCallStart("/a/b", True, "peer", "name", (), None)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told once is told again in the next test."""
    monkeypatch.setattr(call_tracing, "_told_of", set())


def test_none() -> None:
    assert client_tracing(None) is None
    assert server_tracing("no tracing") is None


def test_for_the_process() -> None:
    client, server = ClientEvents(), ServerEvents()
    with install(client, server) as installed:
        assert client_tracing(None) is client
        assert server_tracing(None) is server
        assert client_tracing(client) is client
        assert server_tracing(server) is server
        own = ClientEvents()
        both: Any = client_tracing(own)
        assert both.method("target", "/a/b", True) is not None
        assert client.names == own.names == ["method"]
    installed.remove()
    assert client_tracing(None) is None
    assert server_tracing(None) is None
    with install(server=server):
        assert client_tracing(None) is None


def test_as_channel_arguments() -> None:
    tracing = ClientEvents()
    assert int(tracing) == id(tracing)


def drive_client(tracing: Any) -> None:
    begin = tracing.method("target", "/a/b", True)
    call = begin(None, ((b":path", b"/a/b"),))
    call.name_resolved()
    call.never_placed(OK, hedged=False)
    attempt = call.attempt(ATTEMPT)
    attempt.headers_sent()
    attempt.message_sent(b"1", b"1")
    attempt.half_closed()
    attempt.headers_received(())
    attempt.message_received(b"2", None)
    attempt.ended(OK, by_server=True, trailers_only=False, here=False)
    call.retry_in(1.0)
    call.ended(OK)


def drive_server(tracing: Any) -> None:
    call = tracing.call(CALL)
    call.handler_starts()
    call.message_received(b"1", None)
    call.half_closed()
    call.headers_sent(())
    call.message_sent(b"2", b"2")
    call.ended(StatusCode.OK, "", (), sent=True, trailers_only=False)


def test_several_hear_the_same() -> None:
    clients = [ClientEvents(((b"x-a", b"1"),)), ClientEvents(((b"x-b", b"2"),))]
    both: Any = call_tracing.client_tracings(clients)
    drive_client(both)
    alone = ClientEvents()
    drive_client(alone)
    assert clients[0].names == clients[1].names == alone.names
    call = both.method("target", "/a/b", True)(None, ((b":path", b""),))
    assert call.marks == ()
    attempt = call.attempt(ATTEMPT)
    assert attempt.fields == ((b"x-a", b"1"), (b"x-b", b"2"))
    servers = [ServerEvents(), ServerEvents()]
    drive_server(call_tracing.server_tracings(servers))
    lone = ServerEvents()
    drive_server(lone)
    assert servers[0].names == servers[1].names == lone.names


class Quiet(ClientTracing):
    """Traces no call, or no attempt."""

    def __init__(self, what: str) -> None:
        self.what = what

    def method(self, target: str, method: str, registered: bool) -> Any:
        if self.what == "method":
            return None
        if self.what == "call":
            return lambda deadline, metadata: None
        return lambda deadline, metadata: CallTracer()


def test_several_that_trace_nothing() -> None:
    quiet = [Quiet("call"), Quiet("call")]
    methods: Any = call_tracing.client_tracings(quiet)
    assert methods.method("t", "/a/b", True)(None, ()) is None
    calls: Any = call_tracing.client_tracings([Quiet("attempt"), Quiet("attempt")])
    assert calls.method("t", "/a/b", True)(None, ()).attempt(ATTEMPT) is None
    one: Any = call_tracing.client_tracings([Quiet("method"), Quiet("method")])
    assert one.method("t", "/a/b", True) is None
    heard = ClientEvents()
    drive_client(call_tracing.client_tracings([Quiet("method"), heard]))
    assert "ended" in heard.names

    class NoCalls(ServerTracing):
        def call(self, start: ServerCallStart) -> ServerCallTracer | None:
            return None

    none: Any = call_tracing.server_tracings([NoCalls(), NoCalls()])
    assert none.call(CALL) is None


def test_what_is_left_out() -> None:
    """All of a tracer may be left as it is."""

    class Some(ClientTracing):
        def method(self, target: str, method: str, registered: bool) -> Any:
            return lambda deadline, metadata: CallTracerWithAttempt()

    class CallTracerWithAttempt(CallTracer):
        def attempt(self, start: AttemptStart) -> AttemptTracer:
            assert CallTracer.attempt(self, start) is None
            return AttemptTracer()

    drive_client(Some())

    class SomeCalls(ServerTracing):
        def call(self, start: ServerCallStart) -> ServerCallTracer:
            return ServerCallTracer()

    drive_server(SomeCalls())
    with pytest.raises(NotImplementedError):
        ClientTracing().method("t", "/a/b", True)
    with pytest.raises(NotImplementedError):
        ServerTracing().call(CALL)


class Recording(Quiet):
    """Records what policies tell, or raises, or does not want to hear of it."""

    def __init__(self, error: Exception | None = None, wants: bool = True) -> None:
        super().__init__("call")
        self.error, self.wants = error, wants
        self.heard: list[Any] = []

    def policy_metrics(self, target: str) -> Any:
        return (lambda *what: self.record(target, *what)) if self.wants else None

    def record(self, *what: Any) -> None:
        if self.error is not None:
            raise self.error
        self.heard.append(what)


def test_what_policies_tell(caplog: pytest.LogCaptureFixture) -> None:
    assert call_tracing.policy_metrics(None, "target") is None
    assert call_tracing.policy_metrics(Quiet("call"), "target") is None
    quiet = call_tracing.client_tracings([Quiet("call"), Recording(wants=False)])
    assert call_tracing.policy_metrics(quiet, "target") is None
    first, last = Recording(), Recording()
    alone = call_tracing.policy_metrics(first, "alone")
    assert alone is not None
    alone("metric", 1, {})
    several = [first, Recording(ValueError("no")), Quiet("call"), last]
    both = call_tracing.policy_metrics(call_tracing.client_tracings(several), "target")
    assert both is not None
    both("metric", 2, {"kind": "great"})
    both("metric", 3, {})
    heard = [("target", "metric", 2, {"kind": "great"}), ("target", "metric", 3, {})]
    assert first.heard == [("alone", "metric", 1, {}), *heard]
    assert last.heard == heard
    assert len(caplog.records) == 1


class Broken(ClientTracing):
    """Raises at one event."""

    def __init__(self, event: str) -> None:
        self.event = event

    def method(self, target: str, method: str, registered: bool) -> Any:
        self.at("method")
        return lambda deadline, metadata: self.at("begin") or BrokenCall(self.at)

    def at(self, event: str) -> None:
        if event == self.event:
            raise RuntimeError(f"no {event}")


class BrokenCall(CallTracer):
    def __init__(self, at: Any) -> None:
        self.at = at

    def name_resolved(self) -> None:
        self.at("name_resolved")

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        self.at("attempt")
        return BrokenAttempt(self.at)

    def ended(self, outcome: Any) -> None:
        self.at("ended")


class BrokenAttempt(AttemptTracer):
    EVENTS = "headers_sent message_sent half_closed headers_received message_received".split()

    def __init__(self, at: Any) -> None:
        self.at = at

    def __getattribute__(self, name: str) -> Any:
        if name in BrokenAttempt.EVENTS:
            return lambda *values: self.at(name)
        return object.__getattribute__(self, name)

    def ended(self, outcome: Any, **how: bool) -> None:
        self.at("attempt_ended")


class BrokenServer(ServerTracing):
    def __init__(self, event: str) -> None:
        self.event = event

    def call(self, start: ServerCallStart) -> ServerCallTracer:
        self.at("call")
        return BrokenServed(self.at)

    at = Broken.at


class BrokenServed(ServerCallTracer):
    EVENTS = "handler_starts message_received half_closed headers_sent message_sent".split()

    def __init__(self, at: Any) -> None:
        self.at = at

    def __getattribute__(self, name: str) -> Any:
        if name in BrokenServed.EVENTS:
            return lambda *values: self.at(name)
        return object.__getattribute__(self, name)

    def ended(self, *values: Any, **how: bool) -> None:
        self.at("ended")


CLIENT_EVENTS = ["method", "begin", "attempt", *BrokenAttempt.EVENTS, "attempt_ended", "ended"]


@pytest.mark.parametrize("event", CLIENT_EVENTS)
def test_a_tracer_that_raises(rigs: Any, event: str, caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on, others hear all of it, and the log has it once."""
    rig = rigs()
    options: Any = [(call_tracing.CLIENT_TRACING, Broken(event))]
    with caplog.at_level(logging.ERROR, "clarion.call_tracing"):
        with clarion.insecure_channel(f"127.0.0.1:{rig.port}", options=options) as channel:
            for _ in range(2):
                assert call_sync(channel, "stream_unary") == b"ab"
            assert call_sync(channel, "unary_unary") == b"ab"
        assert len(caplog.records) == 1
        heard = ClientEvents()
        with (
            install(heard),
            clarion.insecure_channel(f"127.0.0.1:{rig.port}", options=options) as channel,
        ):
            assert call_sync(channel, "unary_unary") == b"ab"
    assert heard.of("ended") == ["OK"]


@pytest.mark.parametrize("event", ["call", *BrokenServed.EVENTS, "ended"])
def test_a_server_tracer_that_raises(event: str, caplog: pytest.LogCaptureFixture) -> None:
    async def use(channel: Any) -> None:
        for _ in range(2):
            assert await call_aio(channel, "unary_unary") == b"ab"

    told = caplog.at_level(logging.ERROR, "clarion.call_tracing")
    with told, install(server=BrokenServer(event)):
        _, heard = run_aio(use)
    assert heard.of("ended") == [("OK", {"sent"})] * 2
    assert len(caplog.records) == 1


def test_a_lone_server_tracer_that_raises(rigs: Any, caplog: pytest.LogCaptureFixture) -> None:
    rig = rigs()
    for event in ["call", *BrokenServed.EVENTS, "ended"]:
        rig.running.core.tracing = BrokenServer(event)
        assert call_sync(rig.channel, "unary_unary") == b"ab"
    assert caplog.records
