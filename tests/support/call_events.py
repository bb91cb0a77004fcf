"""Call tracers that write down what they hear."""

from __future__ import annotations

import threading
from typing import Any

from clarion.call_tracing import (
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMethodTracing,
    ClientTracing,
    Fields,
    ServerCallStart,
    ServerCallTracer,
    ServerTracing,
)

__all__ = ["ClientEvents", "ServerEvents"]

_ATTEMPT = "headers_sent message_sent half_closed headers_received message_received".split()
_SERVER = "message_received half_closed headers_sent message_sent".split()


class Log:
    """What was heard, in order.

    Attributes:
        events: the name of the event and what belongs to it.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self._changed = threading.Condition()

    def add(self, *event: Any) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    @property
    def names(self) -> list[str]:
        return [event[0] for event in self.events]

    def of(self, name: str) -> list[Any]:
        """What belongs to each event of that name."""
        return [
            event[1] if len(event) == 2 else event[1:] for event in self.events if event[0] == name
        ]

    def wait_for(self, name: str, times: int = 1) -> None:
        with self._changed:
            heard = self._changed.wait_for(lambda: self.names.count(name) >= times, 30)
        assert heard, f"no {name!r} among {self.names}"


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bytes, tuple)) else None


class ClientEvents(ClientTracing, Log):
    """Hears of the calls of channels."""

    def __init__(self, fields: Fields = ()) -> None:
        Log.__init__(self)
        self.fields = fields

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing:
        self.add("method", target, method, registered)

        def begin(deadline: float | None, metadata: Fields) -> CallTracer:
            self.add("begin", dict(metadata)[b":path"].decode())
            return _Call(self)

        return begin


class _Call(CallTracer):
    def __init__(self, log: ClientEvents) -> None:
        self.log = log

    def name_resolved(self) -> None:
        self.log.add("name_resolved")

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        self.log.add("attempt", start)
        return _Attempt(self.log)

    def retry_in(self, delay: float) -> None:
        self.log.add("retry_in", delay)

    def ended(self, outcome: Any) -> None:
        self.log.add("ended", outcome.code.name)


class _Attempt(AttemptTracer):
    def __init__(self, log: ClientEvents) -> None:
        self.log = log
        self.fields = log.fields

    def __getattribute__(self, name: str) -> Any:
        if name in _ATTEMPT:
            return lambda *values: self.log.add(name, *map(_plain, values))
        return object.__getattribute__(self, name)

    def ended(self, outcome: Any, **how: bool) -> None:
        self.log.add("attempt_ended", outcome.code.name, {key for key in how if how[key]})


class ServerEvents(ServerTracing, Log):
    """Hears of the calls to servers."""

    def call(self, start: ServerCallStart) -> ServerCallTracer:
        self.add("call", start)
        return _Served(self)


class _Served(ServerCallTracer):
    def __init__(self, log: ServerEvents) -> None:
        self.log = log

    def __getattribute__(self, name: str) -> Any:
        if name in _SERVER:
            return lambda *values: self.log.add(name, *map(_plain, values))
        return object.__getattribute__(self, name)

    def handler_starts(self) -> None:
        self.log.add("handler_starts", threading.get_ident())

    def ended(self, code: Any, details: str, fields: Fields, **how: bool) -> None:
        self.log.add("ended", code.name, {key for key in how if how[key]})
