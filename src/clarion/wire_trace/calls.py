"""Traces of calls: when they begin, each attempt, retries, how they end; of clients and servers."""

from __future__ import annotations

import itertools
import time

from clarion.call_timeline import CallTimeline
from clarion.call_tracing import (
    CallTracer,
    ClientMethodTracing,
    ClientTracing,
    Installed,
    ServerCallStart,
    ServerCallTracer,
    ServerTracing,
    Stream,
    install,
)
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.wire_trace.escaping import one_line
from clarion.wire_trace.hub import HUB

__all__ = ["switch_calls"]

Fields = tuple[tuple[bytes, bytes], ...]

_numbers = itertools.count(1)


class _TracedChannel(ClientTracing):
    __slots__ = ()

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing | None:
        def begin(deadline: float | None, metadata: Fields) -> CallTracer | None:
            # The channel keeps this when the trace is over.
            if "calls" not in HUB.categories:
                return None
            return _Call(method, target, deadline)

        return begin


class _Call(CallTimeline):
    __slots__ = ("_method", "_name", "_peer", "_target")

    def __init__(self, method: str, target: str, deadline: float | None) -> None:
        self._method = method
        self._name = f"call {next(_numbers)}"
        self._target = target
        self._peer = ""
        super().__init__(deadline)

    def mark(self, text: str) -> None:
        first = not self.kept
        super().mark(text)
        where = f" to {self._target}" if first else ""
        passed = "" if first else f" after {(time.time() - self.began) * 1000:.1f} ms"
        shown = one_line(f"{self._name}{where}{passed}: {text}")
        HUB.tell("calls", lambda _: shown, side="client", method=self._method)

    def ended(self, outcome: Outcome) -> None:
        # Only told: what is made of the marks has it by itself.
        passed = (time.time() - self.began) * 1000
        how = outcome.describe() or outcome.code.name
        shown = one_line(f"{self._name} after {passed:.1f} ms: ended, {how}")
        HUB.tell("calls", lambda _: shown, side="client", method=self._method)


class _TracedServer(ServerTracing):
    __slots__ = ()

    def call(self, start: ServerCallStart) -> ServerCallTracer | None:
        return _ServedCall(start) if "calls" in HUB.categories else None


class _ServedCall(ServerCallTracer):
    __slots__ = ("_began", "_method", "_name", "_peer", "_received", "_sent")

    def __init__(self, start: ServerCallStart) -> None:
        self._began = time.time()
        self._method = start.method
        self._name = f"call {next(_numbers)}"
        self._peer = start.peer
        self._received = self._sent = 0
        known = "" if start.registered else ", which the server's tables do not have"
        limit = "" if start.timeout is None else f", within {start.timeout:.6g} s"
        self._tell(f"the call came{limit}{known}")

    def _tell(self, text: str) -> None:
        passed = (time.time() - self._began) * 1000
        shown = one_line(f"{self._name} after {passed:.1f} ms: {text}")
        HUB.tell("calls", lambda _: shown, side="server", peer=self._peer, method=self._method)

    def handler_starts(self) -> None:
        self._tell("the handler starts")

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._received += 1
        self._tell(f"request of {len(wire)} bytes received")

    def half_closed(self) -> None:
        self._tell(f"no more requests, {self._received} in all")

    def headers_sent(self, fields: Fields) -> None:
        self._tell("response headers sent")

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._sent += 1
        self._tell(f"response of {len(wire)} bytes sent")

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        how = "answered" if sent else "cut off"
        text = f"{how} with {code.name}" + (f": {details}" if details else "")
        self._tell(f"{text}; {self._sent} responses")


_CHANNELS, _SERVERS = _TracedChannel(), _TracedServer()
_installed: Installed | None = None


def switch_calls(on: bool) -> None:
    """Trace the calls of channels and servers that are made from now on, or no longer."""
    global _installed
    if on and _installed is None:
        _installed = install(_CHANNELS, _SERVERS)
    elif not on and _installed is not None:
        _installed.remove()
        _installed = None
