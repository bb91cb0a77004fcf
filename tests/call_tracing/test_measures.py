"""Measures: what a call tells when it ends, on both front ends and with every pattern."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import clarion
from clarion.aio import traced_calls as aio_calls
from clarion.call_tracing import (
    ClientMeasure,
    ClientTracing,
    MethodMeasure,
    ServerCallStart,
    ServerMeasure,
    install,
)
from clarion.protocol.outcome import OK
from clarion.server_core import ServerCall
from clarion.server_core.measuring import MeasuredServerCall
from clarion.status import StatusCode
from clarion.sync import traced_calls as sync_calls
from support.traced_echo import PATTERNS, Rig, call_aio, call_sync, method, run_aio


class Client(ClientMeasure):
    """Writes down what it hears; its clock goes on by one each time it is looked at."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.now = itertools.count().__next__
        self.begun = 0

    def attempt_started(self) -> None:
        self.begun += 1

    def ended_with_attempt(
        self, code: StatusCode, attempt_took: float, sent: int, received: int, took: float
    ) -> None:
        assert 0 < attempt_took <= took
        self.heard.append(("both", code.name, sent, received))

    def attempt_ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        assert took > 0
        self.heard.append(("attempt", code.name, sent, received))

    def ended(self, code: StatusCode, took: float, never_tried: bool) -> None:
        assert took > 0
        self.heard.append(("call", code.name, never_tried))


class Clients(ClientTracing):
    def __init__(self) -> None:
        self.measure = Client()

    def method(self, target: str, method: str, registered: bool) -> ClientMeasure:
        return self.measure


class Served(MethodMeasure):
    def __init__(self, heard: list[tuple[Any, ...]]) -> None:
        self.heard = heard
        self.now = itertools.count().__next__
        self.begun = 0

    def started(self) -> None:
        self.begun += 1

    def ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        assert took > 0
        self.heard.append((code.name, sent, received))


class Servers(ServerMeasure):
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.known: dict[str, MethodMeasure] = {}

    def method(self, path: str, registered: bool) -> MethodMeasure:
        found = Served(self.heard)
        if registered:
            self.known[path] = found
        return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sync(pattern: str) -> None:
    clients, servers = Clients(), Servers()
    with install(clients, servers):
        rig = Rig(listen=False)
        for _ in range(2):
            call_sync(rig.channel, pattern)
        rig.close()
    check(clients, servers, pattern)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_aio(pattern: str) -> None:
    async def use(channel: Any) -> None:
        for _ in range(2):
            await call_aio(channel, pattern)

    clients, servers = Clients(), Servers()
    with install(clients, servers):
        run_aio(use, listen=False)
    check(clients, servers, pattern)


def check(clients: Clients, servers: Servers, pattern: str) -> None:
    answered = 4 if pattern == "unary_stream" else 2
    assert clients.measure.heard == [("both", "OK", 2, answered)] * 2
    assert clients.measure.begun == 2
    assert servers.heard == [("OK", answered, 2)] * 2
    assert list(servers.known) == [method(pattern)]


def test_without_a_connection() -> None:
    clients = Clients()
    with (
        install(clients),
        clarion.insecure_channel("unix:/nowhere/at/all") as channel,
    ):
        for timeout in (None, 0):
            with pytest.raises(clarion.RpcError):
                channel.unary_unary("/a/b")(b"", timeout=timeout)
    assert clients.measure.heard == [
        ("attempt", "UNAVAILABLE", 0, 0),
        ("call", "UNAVAILABLE", True),
        ("call", "DEADLINE_EXCEEDED", True),
    ]
    assert clients.measure.begun == 1


def test_a_server_that_stops() -> None:
    """A call that is refused so that it may be tried elsewhere, and is not tried a second time in vain."""
    clients, servers = Clients(), Servers()
    with install(clients, servers):
        rig = Rig(listen=False)
        call_sync(rig.channel, "unary_unary")
        rig.running.core.stopping = True
        with pytest.raises(clarion.RpcError):
            call_sync(rig.channel, "unary_unary")
        rig.close()
    refused = clients.measure.heard[1:]
    assert [what for what, *_ in refused] == ["attempt", "both"]
    assert {code for _, code, *_ in refused} == {"UNAVAILABLE"}
    assert servers.heard[1:] == [("UNAVAILABLE", 0, 0)] * 2


def test_what_a_measure_has_to_do() -> None:
    client, server, served = ClientMeasure(), ServerMeasure(), MethodMeasure()
    for demand in (
        lambda: client(None, ()),
        lambda: client.ended_with_attempt(OK.code, 0, 0, 0, 0),
        lambda: client.attempt_ended(OK.code, 0, 0, 0),
        lambda: client.ended(OK.code, 0, True),
        lambda: server.method("/a/b", True),
        lambda: server.call(ServerCallStart("/a/b", True, "", "", (), None)),
        lambda: served.ended(OK.code, 0, 0, 0),
    ):
        with pytest.raises(NotImplementedError):
            demand()


@pytest.mark.parametrize("hook", ["call_started", "message_received", "send_ok_response"])
def test_nothing_of_a_front_end_is_passed_over(hook: str) -> None:
    """Measured calls go on with `ServerCall`'s methods, without a look at the classes between."""
    kinds = [
        kind
        for room in (aio_calls, sync_calls)
        for kind in (
            room.server_call_type(ServerMeasure(), intercepted=False),
            room.server_call_type(ServerMeasure(), intercepted=True),
        )
    ]
    for kind in kinds:
        having = [each for each in kind.__mro__ if hook in vars(each)]
        assert having[0] is MeasuredServerCall
        assert getattr(having[1], hook) is getattr(ServerCall, hook)
