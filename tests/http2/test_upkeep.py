"""What time alone does to a connection, on a clock that the test moves."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from clarion.http2 import (
    Config,
    ErrorCode,
    Idleness,
    Keepalive,
    KeepaliveConfig,
    Lifetime,
    LifetimeConfig,
    PingRules,
)
from support.http2 import ACK, GOAWAY, PING, RST, Frame, Side, client, frame, headers, server


class Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Later:
    """`call_later` on the clock of a side."""

    def __init__(self, side: Side) -> None:
        self._clock = side.clock
        self._alarms: list[tuple[float, int, Alarm]] = []

    def __call__(self, delay: float, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(callback)
        heapq.heappush(self._alarms, (self._clock.time + delay, id(alarm), alarm))
        return alarm

    @property
    def waiting(self) -> int:
        return sum(alarm.callback is not None for _, _, alarm in self._alarms)

    def advance(self, seconds: float) -> None:
        end = self._clock.time + seconds
        while self._alarms and self._alarms[0][0] <= end:
            when, _, alarm = heapq.heappop(self._alarms)
            self._clock.time = when
            if alarm.callback is not None:
                alarm.callback()
        self._clock.time = end


def pings(side: Side) -> list[Frame]:
    return [each for each in side.frames() if each.kind == PING and not each.flags & ACK]


def asking(side: Side) -> Later:
    """Give `side` keepalive, wired as links do it."""
    later = Later(side)
    keepalive = Keepalive(side.connection, later)
    side.observer.ping_acknowledged = keepalive.answered  # type: ignore[method-assign]
    return later


def lonely_client(**keepalive: float) -> tuple[Side, Later]:
    side = client(Config(keepalive=KeepaliveConfig(**{"time": 40.0, **keepalive})))
    return side, asking(side)


# Keepalive


def test_never_is_the_default() -> None:
    side = client()
    assert asking(side).waiting == 0


@pytest.mark.parametrize("side", [client, server])
def test_silence_is_asked_about_and_ends_the_connection(side: Callable[[Config], Side]) -> None:
    near = side(Config(keepalive=KeepaliveConfig(time=40.0, timeout=20.0, without_calls=True)))
    later = asking(near)
    later.advance(40)
    assert pings(near) == []
    later.advance(10)
    assert len(pings(near)) == 1
    later.advance(19)
    assert not near.connection.closed
    later.advance(1)
    assert near.connection.closed
    reason = near.observer.reason
    assert reason is not None
    assert reason.connection_lost
    assert "did not answer a PING within 20 s" in reason.message
    later.advance(1000)
    assert pings(near) == []


def test_an_answer_keeps_the_connection() -> None:
    side, later = lonely_client(without_calls=True)
    for _ in range(5):
        # A quiet period and the first look, whatever the time for an answer.
        later.advance(50)
        (ping,) = pings(side)
        side.feed(frame(PING, ACK, 0, ping.payload))
    assert not side.connection.closed


def test_answers_to_other_pings_are_not_the_answer() -> None:
    side, later = lonely_client(without_calls=True)
    later.advance(50)
    side.observer.ping_acknowledged(b"87654321")
    later.advance(30)
    assert side.connection.closed


def test_an_answer_that_nobody_waits_for() -> None:
    side, later = lonely_client(without_calls=True)
    later.advance(50)
    (ping,) = pings(side)
    for _ in range(2):
        side.feed(frame(PING, ACK, 0, ping.payload))
        assert later.waiting == 1


def test_whatever_comes_is_a_sign_of_life() -> None:
    side, later = lonely_client(without_calls=True)
    for _ in range(20):
        later.advance(15)
        side.feed(frame(PING, 0, 0, b"12345678"))
    assert pings(side) == []


def test_a_frame_that_is_no_answer_is_one_too() -> None:
    side, later = lonely_client(without_calls=True)
    later.advance(60)
    assert len(pings(side)) == 1
    side.feed(frame(PING, 0, 0, b"12345678"))
    later.advance(30)
    assert not side.connection.closed


def test_nothing_is_asked_without_calls() -> None:
    side, later = lonely_client()
    later.advance(1000)
    assert pings(side) == []
    side.open()
    later.advance(10)
    assert len(pings(side)) == 1


def test_the_number_of_pings_without_data_can_be_limited() -> None:
    side, later = lonely_client(max_pings=2)
    side.open()

    def count(seconds: int) -> int:
        found = 0
        for _ in range(seconds):
            later.advance(1)
            for ping in pings(side):
                found += 1
                side.feed(frame(PING, ACK, 0, ping.payload))
        return found

    assert count(1000) == 2
    side.open()
    assert count(1000) == 2


def test_a_connection_that_is_over_asks_nothing() -> None:
    side, later = lonely_client(without_calls=True)
    side.connection.close()
    side.frames()
    later.advance(1000)
    assert later.waiting == 0
    assert side.frames() == []


def test_one_that_ends_while_it_waits_for_an_answer() -> None:
    side, later = lonely_client(without_calls=True)
    later.advance(60)
    side.connection.close()
    later.advance(100)
    assert later.waiting == 0
    assert side.observer.events.count("finished") == 1


def test_stop_cancels() -> None:
    side = client(Config(keepalive=KeepaliveConfig(time=1.0)))
    later = Later(side)
    keepalive = Keepalive(side.connection, later)
    assert later.waiting == 1
    keepalive.stop()
    keepalive.stop()
    assert later.waiting == 0


# Idleness


def test_idleness_is_noticed_once() -> None:
    side = client()
    later = Later(side)
    said: list[float] = []
    Idleness(side.connection, later, 100.0, lambda: said.append(side.clock.time))
    start = side.clock.time
    later.advance(1000)
    assert [when - start for when in said] == [125.0]


def test_streams_and_their_traces_are_no_idleness() -> None:
    side = client()
    later = Later(side)
    said: list[float] = []
    Idleness(side.connection, later, 100.0, lambda: said.append(side.clock.time))
    stream = side.open()
    later.advance(1000)
    assert said == []
    side.connection.reset(stream, 8)
    for _ in range(20):
        later.advance(60)
        side.connection.reset(side.open(), 8)
    assert said == []
    later.advance(125)
    assert len(said) == 1


def test_idleness_of_a_connection_that_is_over() -> None:
    side = client()
    later = Later(side)
    Idleness(side.connection, later, 100.0, lambda: pytest.fail("it is over"))
    side.connection.close()
    later.advance(1000)
    assert later.waiting == 0


# Lifetime


def living(random: float = 0.5, **lifetime: float) -> tuple[Side, Later, Lifetime]:
    side = server(Config(lifetime=LifetimeConfig(**lifetime)))
    later = Later(side)
    return side, later, Lifetime(side.connection, later, lambda: random)


def test_a_server_keeps_connections_by_default() -> None:
    _, later, lifetime = living()
    assert later.waiting == 0
    lifetime.stop()


def test_an_unused_connection_is_drained() -> None:
    side, later, _ = living(max_idle=100.0)
    later.advance(124)
    assert side.frames() == []
    later.advance(1)
    first, ping = side.frames()
    assert (first.kind, first.code, first.payload[8:]) == (GOAWAY, ErrorCode.NO_ERROR, b"max_idle")
    (second,) = side.exchange(frame(PING, ACK, 0, ping.payload))
    assert (second.kind, second.payload[8:]) == (GOAWAY, b"max_idle")
    assert side.connection.closed


@pytest.mark.parametrize(("random", "age"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_an_old_connection_is_drained(random: float, age: float) -> None:
    side, later, _ = living(random, max_age=100.0)
    side.feed(headers(1, end=True))
    side.frames()
    later.advance(age - 1)
    assert side.frames() == []
    later.advance(1)
    first, _ping = side.frames()
    assert (first.kind, first.payload[8:]) == (GOAWAY, b"max_age")
    later.advance(10_000)
    # No grace period was set, so the call goes on.
    assert not side.connection.closed
    assert list(side.connection.streams) == [1]


def test_the_grace_period_ends_what_is_left() -> None:
    side, later, _ = living(max_age=100.0, age_grace=50.0)
    side.feed(headers(1, end=True))
    later.advance(149)
    assert not side.connection.closed
    side.frames()
    later.advance(1)
    assert side.connection.closed
    assert [each.kind for each in side.frames()] == [RST, GOAWAY]
    assert side.observer.reason is not None
    assert "maximum age" in side.observer.reason.message


def test_a_connection_that_is_over_does_not_age() -> None:
    side, later, _ = living(max_age=100.0, max_idle=100.0, handshake=10.0, age_grace=5.0)
    side.connection.close()
    side.frames()
    later.advance(1000)
    assert later.waiting == 0
    assert side.frames() == []


def test_a_client_that_says_nothing_is_cut_off() -> None:
    side = Side(Config(lifetime=LifetimeConfig(handshake=10.0)))
    side.connection.start()
    later = Later(side)
    Lifetime(side.connection, later, lambda: 0.5)
    later.advance(9)
    assert not side.connection.closed
    later.advance(1)
    assert side.connection.closed
    assert side.observer.reason is not None
    assert "no SETTINGS within 10 s" in side.observer.reason.message


def test_a_client_that_said_something_is_not() -> None:
    side, later, _ = living(handshake=10.0)
    later.advance(100)
    assert not side.connection.closed


def test_established_and_stop_cancel() -> None:
    _, later, lifetime = living(handshake=10.0, max_age=5.0, max_idle=6.0)
    assert later.waiting == 3
    lifetime.established()
    lifetime.established()
    assert later.waiting == 2
    lifetime.stop()
    lifetime.stop()
    assert later.waiting == 0


@pytest.mark.parametrize("end", [True, False])
def test_who_does_not_answer_the_ping_of_a_drain_is_not_waited_for(end: bool) -> None:
    side, later, lifetime = living()
    side.feed(headers(1, end=True))
    side.frames()
    lifetime.drain(b"why")
    lifetime.drain(b"again")
    first, ping = side.frames()
    assert (first.kind, first.payload[8:], ping.kind) == (GOAWAY, b"why", PING)
    later.advance(9)
    # A stream that the client opened before it heard of it is taken.
    side.feed(headers(3, end=end))
    assert side.frames() == []
    later.advance(1)
    (second,) = side.frames()
    assert (second.kind, second.payload[:4], second.payload[8:]) == (GOAWAY, b"\0\0\0\3", b"why")
    # What is open goes on; what comes now is too late.
    side.feed(headers(5, end=True))
    assert list(side.connection.streams) == [1, 3]
    for sid in (1, 3):
        side.connection.reset(side.connection.streams[sid], 0)
    assert side.connection.closed
    lifetime.drain()
    lifetime.stop()


def test_an_idle_connection_whose_peer_is_gone_is_closed() -> None:
    side, later, _ = living(max_idle=100.0)
    later.advance(135)
    assert side.connection.closed


def test_a_drain_that_is_over_is_not_finished_again() -> None:
    side, later, lifetime = living()
    side.connection.finish_drain()
    side.feed(headers(1, end=True))
    side.frames()
    lifetime.drain()
    _, ping = side.frames()
    assert [each.kind for each in side.exchange(frame(PING, ACK, 0, ping.payload))] == [GOAWAY]
    later.advance(100)
    assert side.frames() == []
    assert later.waiting == 0
    lifetime.stop()


def test_stop_ends_the_wait_for_a_drain() -> None:
    _, later, lifetime = living()
    lifetime.drain()
    assert later.waiting == 1
    lifetime.stop()
    assert later.waiting == 0


# PING from a client


def too_many(side: Side) -> bool:
    last = side.frames()[-1]
    if last.kind != GOAWAY:
        return False
    assert last.code == ErrorCode.ENHANCE_YOUR_CALM
    assert last.payload[8:] == b"too_many_pings"
    return True


def ping(side: Side) -> None:
    side.feed(frame(PING, 0, 0, b"12345678"))


def test_pings_that_come_too_early_end_the_connection() -> None:
    side = server(Config(ping_rules=PingRules(interval=10.0, max_strikes=2, without_calls=True)))
    for wait in (0, 10, 10, 9, 9):
        side.clock.time += wait
        ping(side)
        assert not too_many(side)
    side.clock.time += 9
    ping(side)
    assert too_many(side)


def test_streams_between_them_excuse_pings() -> None:
    side = server(Config(ping_rules=PingRules(interval=10.0, max_strikes=1)))
    for sid in range(1, 21, 2):
        side.feed(headers(sid, end=True))
        ping(side)
        assert not too_many(side)
    ping(side)
    assert not too_many(side)
    ping(side)
    assert too_many(side)


def test_without_calls_the_interval_is_two_hours() -> None:
    side = server(Config(ping_rules=PingRules(interval=10.0, max_strikes=1)))
    for wait in (0, 7200, 20):
        side.clock.time += wait
        ping(side)
        assert not too_many(side)
    side.clock.time += 20
    ping(side)
    assert too_many(side)
