"""What calls and connections counted, read when somebody asks.

Nothing is counted for this that is not there already, but for a few integers. What is not counted follows from the rest:
calls that succeeded are those that began, did not fail, and are not in progress. So numbers are exact when no call begins
or ends meanwhile, and may be off by those that do.

Times are noted only of connections that somebody asked about, from then on until nobody asked for ten minutes: such a
connection changes its class to one that looks at its counters whenever bytes come or go.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from clarion.channelz_data import Times, Totals
from clarion.client_core import Attempt

if TYPE_CHECKING:
    from clarion.client_core import ChannelCore
    from clarion.client_core.subchannel import Subchannel
    from clarion.http2 import Connection

__all__ = ["CallCounts", "StreamCounts", "of_channel", "of_server", "of_socket", "of_subchannel"]

_INTEREST = 600.0


class CallCounts(NamedTuple):
    """Of calls; `last` is when one began last, in seconds since 1970, or 0 where nobody knows."""

    started: int
    succeeded: int
    failed: int
    last: float


class StreamCounts(NamedTuple):
    """Of a connection's streams and messages, and when they were, in seconds since 1970, or 0."""

    started: int
    succeeded: int
    failed: int
    messages_sent: int
    messages_received: int
    last_stream: float
    last_sent: float
    last_received: float


def of_channel(cores: Iterable[ChannelCore]) -> CallCounts:
    """What a channel counted, with all its event loops."""
    started = failed = in_progress = 0
    last = 0.0
    for core in cores:
        # In this order: what begins meanwhile is not counted, what ends is.
        started += core.calls
        in_progress += core.calls_in_progress()
        failed += core.calls_failed
        last = max(last, core.totals.last, *(_last_stream(link) for link in core.links.copy()))
    return _counts(started, in_progress, failed, last)


def of_subchannel(subchannel: Subchannel) -> CallCounts:
    """What a subchannel counted: attempts of calls, and all of them on a connection that it shares."""
    return _of_links(subchannel.totals, [*subchannel.links, *subchannel.ending], _is_attempt)


def of_server(server: Any) -> CallCounts:
    """What a server of either front end counted."""
    return _of_links(server.core.totals, server.open_links, _is_served)


def of_socket(link: Any) -> StreamCounts:
    """What a connection counted."""
    with link.lock:
        connection: Connection = link.connection
        times = _watch(connection)
        succeeded = connection.completed + connection.cut_short
        return StreamCounts(
            connection.opened,
            succeeded,
            max(connection.opened - succeeded - len(connection.streams), 0),
            connection.messages_sent,
            connection.messages_received,
            times.stream,
            times.sent,
            times.received,
        )


def _is_attempt(stream: Any) -> bool:
    # What stands for one; see `clarion.client_core.attempts_on`.
    attempt = getattr(stream, "attempt", stream)
    return isinstance(attempt, Attempt) and attempt.outcome is None


def _is_served(stream: Any) -> bool:
    return not stream.over


def _of_links(totals: Totals, links: Iterable[Any], in_progress: Any) -> CallCounts:
    started, failed, last = totals.started, totals.failed, totals.last
    running = 0
    for link in links:
        with link.lock:
            connection: Connection = link.connection
            last = max(last, _watch(connection).stream)
            started += connection.opened - connection.own_streams
            running += sum(map(in_progress, connection.streams.copy().values()))
            failed += connection.calls_failed
    return _counts(started, running, failed, last)


def _counts(started: int, in_progress: int, failed: int, last: float) -> CallCounts:
    return CallCounts(started, max(started - in_progress - failed, 0), failed, last)


def _last_stream(link: Any) -> float:
    with link.lock:
        return _watch(link.connection).stream


# Times


class _Watched:
    """What a connection does while its times are noted."""

    __slots__ = ()
    plain: type[Connection]

    def receive_data(self, data: bytes) -> None:
        super().receive_data(data)  # type: ignore[misc]
        _note(self)

    def take_output(self) -> list[bytes | memoryview]:
        output: list[bytes | memoryview] = super().take_output()  # type: ignore[misc]
        # Last, for it may change the class.
        _note(self)
        return output


_kinds: dict[type[Connection], Any] = {}


def _watched(kind: type[Connection]) -> Any:
    watched = _kinds.get(kind)
    if watched is None:
        # A class with the same slots, so that an object of the one can become one of the other.
        names = {"__slots__": (), "plain": kind}
        watched = _kinds.setdefault(kind, type(f"Watched{kind.__name__}", (_Watched, kind), names))
    return watched


def _watch(connection: Connection) -> Times:
    """Note times of `connection` from now on (with its link's lock)."""
    times = connection.times
    if times is None:
        times = connection.times = Times()
    times.until = time.monotonic() + _INTEREST
    if not isinstance(connection, _Watched):
        _forget_old(times, _seen(connection))
        connection.__class__ = _watched(type(connection))
    return times


def _forget_old(times: Times, seen: tuple[int, int, int]) -> None:
    """When what happened since the times were noted last was, nobody knows."""
    before = times.seen or seen
    if seen[0] != before[0]:
        times.stream = 0.0
    if seen[1] != before[1]:
        times.sent = 0.0
    if seen[2] != before[2]:
        times.received = 0.0
    times.seen = seen


def _seen(connection: Connection) -> tuple[int, int, int]:
    return connection.opened, connection.messages_sent, connection.messages_received


def _note(connection: Any) -> None:
    times: Times = connection.times
    before, seen = times.seen, _seen(connection)
    if seen != before:
        now = time.time()
        assert before is not None
        if seen[0] != before[0]:
            times.stream = now
        if seen[1] != before[1]:
            times.sent = now
        if seen[2] != before[2]:
            times.received = now
        times.seen = seen
    if time.monotonic() > times.until:
        connection.__class__ = connection.plain
