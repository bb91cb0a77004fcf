"""How many connections of HTTP/1.1 a channel opens, and when: without sockets, threads or time."""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from typing import Any

import pytest

from clarion.client_core import ChannelOptions, Pending
from clarion.protocol.outcome import Outcome
from clarion.resolver.registry import target_of
from clarion.status import StatusCode
from support.channels import CONNECTING, FAILED, ONE, READY, states
from support.wire import Call, Network, WireLink, begin

pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.client.core import WebChannelCore
from clarion.web.client.options import WebClient

AT_ONCE = 8
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 2\r\n\r\nhi"


class Far:
    """A server's end of a connection, which answers what a test says."""

    def __init__(self) -> None:
        self.requests = 0
        self.closed = False
        self._out = b""

    def answer(self, answer: bytes = ANSWER) -> None:
        self._out += answer

    def take(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def feed(self, data: bytes) -> None:
        self.requests += data.count(b"POST /")

    def lost(self) -> None:
        self.closed = True


class Link1(WireLink):
    """The client's end, of HTTP/1.1."""

    speaks_http1 = True

    def __init__(self, network: Wire, owner: Any, far: Far) -> None:
        self.connection = network.web.make_connection(self, network.now, owner.options.http2)
        self.pending: deque[Pending] = deque()
        self.far = far
        self.lock = nullcontext()
        self.flushes = self.unattended = 0
        self._network = network
        self._owner = owner
        self.connection.start()

    def due_changed(self) -> None: ...


class Wire(Network):
    """Connections of HTTP/1.1. What connects late waits in `late`."""

    def __init__(self, **web: Any) -> None:
        super().__init__()
        self.posts = True
        self.web = WebClient(http="1.1", **web)
        self.fars: list[Far] = []

    def _link(self, config: Any, owner: Any, far: Far) -> WireLink:
        link = Link1(self, owner, far)
        self.links.append(link)
        return link

    def make(self) -> Far:
        """The far end of a connection."""
        self.fars.append(Far())
        return self.fars[-1]

    def let(self, count: int = 1) -> None:
        """Let attempts succeed, the oldest first."""
        for _ in range(count):
            self.late.pop(0)(self.make())
        self.run()

    def refuse(self, count: int = 1) -> None:
        """Let attempts fail."""
        for _ in range(count):
            self.late.pop(0)("Connection refused")
        self.run()

    def core(self) -> WebChannelCore:
        options = ChannelOptions.read([])
        return WebChannelCore(self, target_of("ipv4:1.1.1.1:1"), options, None, self.web)

    def calls(self, core: WebChannelCore, count: int) -> list[Call]:
        calls = [begin(self, core) for _ in range(count)]
        self.run()
        return calls

    def busy(self) -> list[Far]:
        """Those that have a request to answer."""
        return [far for far in self.fars if far.requests and not far.closed]

    def answer_all(self) -> None:
        """Answer one request after the other, until there is none."""
        while busy := self.busy():
            for far in busy:
                far.requests -= 1
                far.answer()
            self.run()


def test_calls_that_come_together_have_connections_together() -> None:
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 50)
    # Of an address that nothing is known of, one is asked.
    assert len(wire.late) == 1
    wire.let()
    assert len(wire.late) == AT_ONCE + 1
    wire.let(AT_ONCE + 1)
    assert len(wire.late) == 2 * (AT_ONCE + 1)
    while wire.late:
        wire.let()
    assert len(wire.attempts) == len(wire.busy()) == 50
    wire.answer_all()
    assert {call.code for call in calls} == {StatusCode.OK}
    # They are kept.
    wire.calls(core, 50)
    assert len(wire.attempts) == len(wire.busy()) == 50


def test_no_more_connections_than_calls() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 3)
    wire.let()
    assert len(wire.late) == 2
    wire.calls(core, 1)
    assert len(wire.late) == 3
    wire.let(3)
    assert len(wire.attempts) == 4


def test_no_more_connections_than_the_limit() -> None:
    wire = Wire(max_connections=4)
    core = wire.core()
    calls = wire.calls(core, 10)
    wire.let()
    assert len(wire.late) == 3
    wire.let(3)
    assert len(wire.attempts) == 4
    wire.answer_all()
    assert {call.code for call in calls} == {StatusCode.OK}
    assert len(wire.attempts) == 4


def test_connections_that_are_there_at_once() -> None:
    """As those of Unix sockets."""
    wire = Wire()
    core = wire.core()
    wire.calls(core, 1)
    (address, _) = wire.attempts[0]
    wire.answers[address] = wire.make
    wire.let()
    assert len(wire.attempts) == 1
    wire.calls(core, 2)
    assert len(wire.attempts) == 3
    wire.calls(core, 20)
    assert len(wire.attempts) == len(wire.busy()) == 23


def test_a_connection_that_is_free_is_used_before_others_are_there() -> None:
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 3)
    wire.let()
    assert len(wire.late) == 2
    wire.answer_all()
    assert {call.code for call in calls} == {StatusCode.OK}
    # What was begun is for the calls that come.
    wire.let(2)
    wire.calls(core, 3)
    assert len(wire.attempts) == len(wire.busy()) == 3


def test_calls_that_were_given_up_need_no_connections() -> None:
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 30)
    wire.let()
    for call in calls[1:]:
        call.end(Outcome(StatusCode.CANCELLED))
    wire.run()
    while wire.late:
        wire.let()
    assert len(wire.attempts) == 1 + AT_ONCE + 1


def test_attempts_that_fail_together_count_once() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 30)
    wire.let()
    wire.refuse(AT_ONCE + 1)
    count = len(wire.attempts)
    assert not wire.late
    wire.advance(0.9)
    wire.calls(core, 5)
    assert not wire.late
    # After the backoff there is one, and it is the second one that is longer.
    wire.advance(0.2)
    assert len(wire.late) == 1
    wire.refuse()
    wire.advance(1.4)
    assert not wire.late
    wire.advance(0.1)
    assert len(wire.late) == 1
    assert len(wire.attempts) == count + 2
    # It works again: as many as there were, and one more.
    wire.let()
    assert len(wire.late) == 2
    wire.let(2)
    assert len(wire.late) == 4


def test_the_backoff_holds_for_those_that_are_still_under_way() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 30)
    wire.let()
    wire.refuse()
    assert len(wire.late) == AT_ONCE
    wire.let(2)
    assert len(wire.late) == AT_ONCE - 2
    wire.advance(1.1)
    # Each that was made since earned one.
    assert len(wire.late) == AT_ONCE - 2
    wire.let(AT_ONCE - 2)
    assert len(wire.late) > 1


def test_a_connection_that_served_a_call_shortens_the_backoff() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 30)
    wire.let()
    wire.refuse(AT_ONCE + 1)
    wire.advance(1.1)
    wire.let()
    wire.refuse(2)
    # Nothing came over that connection yet.
    wire.advance(1.5)
    assert not wire.late
    wire.advance(0.1)
    wire.let()
    wire.fars[-1].answer()
    wire.run()
    wire.refuse(2)
    wire.advance(1.1)
    assert len(wire.late) == 1


def test_a_server_that_closes_what_it_accepts() -> None:
    """Beside one connection that works: it shows that there may be no more."""
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 100)
    wire.let()
    turns = 0
    while wire.late:
        wire.let()
        wire.fars[-1].closed = True
        wire.run()
        turns += 1
    assert turns < 20
    wire.advance(0.5)
    assert not wire.late
    wire.advance(0.6)
    assert len(wire.late) == 1
    wire.answer_all()
    codes = [call.code for call in calls]
    assert codes.count(StatusCode.OK) >= 100 - turns


def test_the_first_connection_is_lost_while_others_are_under_way() -> None:
    wire = Wire()
    core = wire.core()
    seen = states(core)
    calls = wire.calls(core, 3)
    wire.let()
    assert len(wire.late) == 2
    wire.fars[0].closed = True
    wire.run()
    assert calls[0].code is StatusCode.UNAVAILABLE
    assert seen == [CONNECTING, READY, CONNECTING]
    wire.refuse()
    assert core.state is CONNECTING
    wire.let()
    assert core.state is READY
    wire.answer_all()
    assert calls[1].code is StatusCode.OK


def test_none_is_left() -> None:
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 3)
    wire.let()
    wire.fars[0].closed = True
    wire.run()
    wire.refuse(2)
    assert core.state is FAILED
    assert "Connection refused" in calls[2].details
    wire.answers[ONE] = wire.make
    wire.advance(1.1)
    assert core.state is READY
    assert len(wire.attempts) == 4


def test_the_last_fails_after_the_backoff_for_another() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 3)
    wire.let()
    wire.refuse()
    wire.fars[0].closed = True
    wire.run()
    wire.advance(1.1)
    assert core.state is CONNECTING
    wire.refuse()
    assert core.state is FAILED
    assert wire.timers[0] <= 1.6


def test_attempts_that_take_too_long() -> None:
    wire = Wire()
    core = wire.core()
    wire.calls(core, 5)
    wire.let()
    assert len(wire.late) == 4
    wire.advance(20)
    # They took longer than any backoff: the next one is begun at once, alone.
    assert len(wire.late) == 5
    # Those are told apart from it.
    for done in wire.late[:4]:
        done(wire.make())
    wire.run()
    assert [far.closed for far in wire.fars] == [False, True, True, True, True]
    assert len(core.links) == 1


def test_closing_ends_all_attempts() -> None:
    wire = Wire()
    core = wire.core()
    calls = wire.calls(core, 5)
    wire.let()
    core.close()
    wire.let(4)
    assert all(far.closed for far in wire.fars)
    assert {call.code for call in calls} == {StatusCode.CANCELLED}
    assert not wire.timers
