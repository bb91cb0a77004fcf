"""What channels, subchannels, servers and connections record of themselves for channelz, and where it is found.

Rules it keeps:

- Only what is rare is recorded as an event: states, addresses, policies, connections. What calls count they count in
  attributes of their channel and connection, which somebody who asks reads (`clarion.channelz`).
- Nothing here keeps anything alive. What is closed, or forgotten, is found no more.
- Any thread may record, and ask. No lock is held: what changes is replaced as a whole.
- A forked child has its parent's channels, which go on there, and nothing else of its parent.
"""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from clarion.trace_points import tell

__all__ = [
    "CHANNEL",
    "ERROR",
    "INFO",
    "NOT_RECORDED",
    "SERVER",
    "SOCKET",
    "SUBCHANNEL",
    "WARNING",
    "Event",
    "Node",
    "Times",
    "Totals",
    "find",
    "nodes",
    "record",
]

CHANNEL: Final = "channel"
SUBCHANNEL: Final = "subchannel"
SERVER: Final = "server"
SOCKET: Final = "socket"

# As channelz numbers them.
INFO: Final = 1
WARNING: Final = 2
ERROR: Final = 3

# What an event takes besides its text, in bytes, and how many there are at most.
_EVENT = 100
_MOST = 1000

Clock = Callable[[], float]


class Event(NamedTuple):
    """Something that happened.

    Attributes:
        at: when, in seconds since 1970.
        text: what, for people.
        severity: INFO, WARNING or ERROR.
        child: kind and number of the subchannel that it is about, or None.
    """

    at: float
    text: str
    severity: int
    child: tuple[str, int] | None


class Node:
    """What is known of one channel, subchannel, server or socket.

    Args:
        kind: CHANNEL, SUBCHANNEL, SERVER or SOCKET.
        number: its own among all; 0: nothing is recorded.
        clock: seconds since 1970.
        memory: bytes that the events may take, about.

    Attributes:
        kind, number: see above.
        created: when, on `clock`.
        logged: how many events there were.
        events: the last of them.
        reference: gives what it is about, or None when that is gone.
    """

    __slots__ = ("_clock", "_memory", "created", "events", "kind", "logged", "number", "reference")

    def __init__(self, kind: str, number: int, clock: Clock, memory: int) -> None:
        self.kind = kind
        self.number = number
        self.created = clock()
        self.logged = 0
        self.events: tuple[Event, ...] = ()
        self.reference: Callable[[], Any] = _nothing
        self._clock = clock
        self._memory = memory

    def log(self, text: str, severity: int = INFO, child: Node | None = None) -> None:
        """Record an event; the oldest ones make room for it."""
        tell(self.kind, self.reference(), text)
        if not self.number:
            return
        about = (child.kind, child.number) if child is not None and child.number else None
        self.logged += 1
        events = (*self.events[1 - _MOST :], Event(self._clock(), text, severity, about))
        room, first = self._memory, len(events)
        while first and room >= _EVENT + len(events[first - 1].text):
            first -= 1
            room -= _EVENT + len(events[first].text)
        self.events = events[first:]

    @property
    def now(self) -> float:
        """The time, in seconds since 1970; 0 where nothing is recorded."""
        return self._clock()

    def child(self, kind: str, entity: Any) -> Node:
        """Begin to record `entity`, which is part of this one; nothing, if nothing is recorded of this one."""
        return record(kind, entity, self._clock, self._memory if self.number else None)

    def close(self) -> None:
        """It is over, and found no more."""
        _nodes[self.kind].pop(self.number, None)


def _nothing() -> None:
    return None


NOT_RECORDED: Final = Node(CHANNEL, 0, lambda: 0.0, 0)
"""Stands for what is not to be recorded."""

_numbers = itertools.count(1)
_nodes: dict[str, dict[int, Node]] = {kind: {} for kind in (CHANNEL, SUBCHANNEL, SERVER, SOCKET)}


def record(kind: str, entity: Any, clock: Clock, memory: int | None) -> Node:
    """Begin to record something.

    Args:
        kind: CHANNEL, SUBCHANNEL, SERVER or SOCKET.
        entity: what; the record goes with it.
        clock: seconds since 1970.
        memory: bytes that its events may take; None: nothing is to be recorded.
    """
    if memory is None:
        return NOT_RECORDED
    here, number = _nodes[kind], next(_numbers)
    node = Node(kind, number, clock, memory)
    node.reference = weakref.ref(entity, lambda _: here.pop(number, None))
    here[number] = node
    return node


def nodes(kind: str) -> list[Node]:
    """All that there are, the oldest first."""
    # The copy is made in one step; another thread may record at any time.
    return sorted(_nodes[kind].copy().values(), key=lambda node: node.number)


def find(kind: str, number: int) -> Node | None:
    """One of them, or None."""
    return _nodes[kind].get(number)


class Times:
    """When something last happened on a connection, in seconds since 1970; 0: not known.

    Attributes:
        stream: a stream began.
        sent, received: a message was sent, or came.
        seen: the connection's counters when that was last noted: streams, messages sent and received.
        until: how long that is noted.
    """

    __slots__ = ("received", "seen", "sent", "stream", "until")

    def __init__(self) -> None:
        self.stream = self.sent = self.received = self.until = 0.0
        self.seen: tuple[int, int, int] | None = None


class Totals:
    """What connections counted that are gone.

    Attributes:
        started, failed: calls, or attempts of calls.
        last: when the last one began that is known of, in seconds since 1970; 0: not known.
    """

    __slots__ = ("failed", "last", "started")

    def __init__(self) -> None:
        self.started = self.failed = 0
        self.last = 0.0

    def add(self, connection: Any) -> None:
        """Count what happened on `connection`, a `clarion.http2.Connection`, too."""
        self.started += connection.opened - connection.own_streams
        self.failed += connection.calls_failed
        if connection.times is not None:
            self.last = max(self.last, connection.times.stream)


def _forget_fork() -> None:
    for kind in (SUBCHANNEL, SERVER, SOCKET):
        _nodes[kind].clear()


# Not on Windows.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_forget_fork)
