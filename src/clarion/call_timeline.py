"""A tracer that keeps what happens to a call: for `RpcError.timeline`, and for traces of calls.

It is on for channels with the argument `clarion.timeline`, and while `clarion.trace` shows calls. What is kept of a call has a
limit: of a long stream the first messages are told one by one, the others are counted.
"""

from __future__ import annotations

import time

from clarion.call_tracing import (
    CLIENT_TRACING,
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMethodTracing,
    ClientTracing,
    Stream,
    client_tracing,
)
from clarion.protocol.arguments import Arguments
from clarion.protocol.outcome import Metadata, Outcome

__all__ = ["CallTimeline", "TimelineTracing", "channel_tracing"]

_MESSAGES = 20
_MARKS = 200

Fields = tuple[tuple[bytes, bytes], ...]


class CallTimeline(CallTracer):
    """What happened to one call.

    Args:
        deadline: see `ClientMethodTracing`.
    """

    __slots__ = ("_attempts", "began", "kept")

    def __init__(self, deadline: float | None) -> None:
        self.began = time.time()
        self.kept: list[tuple[float, str]] = []
        self._attempts = 0
        limit = ""
        if deadline is not None:
            limit = f", with {max(deadline - time.monotonic(), 0.0):.6g} s until its deadline"
        self.mark(f"the call begins{limit}")

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """See `CallTracer`."""
        return tuple(self.kept)

    def mark(self, text: str) -> None:
        """Something happened now; from any thread."""
        if len(self.kept) < _MARKS:
            self.kept.append((time.time(), text))

    def name_resolved(self) -> None:
        self.mark("the name is resolved")

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        self._attempts += 1
        kind = "hedged attempt" if start.hedged else "attempt"
        waited = ", after it waited for a connection" if start.delayed_pick else ""
        self.mark(f"{kind} {self._attempts} on the connection to {start.peer}{waited}")
        return _AttemptTimeline(self, self._attempts)

    def retry_in(self, delay: float) -> None:
        self.mark(f"the next attempt is in {delay * 1000:.0f} ms")

    def ended(self, outcome: Outcome) -> None:
        """The call is over; how is part of what is made of the marks."""


class _AttemptTimeline(AttemptTracer):
    __slots__ = ("_call", "_number", "_received", "_sent")

    def __init__(self, call: CallTimeline, number: int) -> None:
        self._call = call
        self._number = number
        self._sent = self._received = 0

    def _mark(self, text: str) -> None:
        self._call.mark(text if self._number == 1 else f"attempt {self._number}: {text}")

    def headers_sent(self) -> None:
        self._mark("request headers sent")

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._sent += 1
        if self._sent <= _MESSAGES:
            self._mark(f"request of {len(payload)} bytes sent")

    def half_closed(self) -> None:
        self._mark(f"no more requests{_counted(self._sent)}")

    def headers_received(self, metadata: Metadata) -> None:
        self._mark("response headers received")

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._received += 1
        if self._received <= _MESSAGES:
            self._mark(f"response of {len(wire)} bytes received")

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        if by_server:
            who = "the server sent a status without response headers" if trailers_only else ""
            who = who or "the server sent a status"
        else:
            who = "this side gave it up" if here else "the connection or the server cut it off"
        details = f": {outcome.details}" if outcome.details else ""
        if outcome.debug and not by_server:
            # Such as the RST_STREAM or GOAWAY that it was.
            details += f" [{outcome.debug}]"
        self._mark(f"{who}, {outcome.code.name}{details}{_counted(self._received)}")


def _counted(messages: int) -> str:
    return f" ({messages} in all)" if messages > _MESSAGES else ""


class TimelineTracing(ClientTracing):
    """Timelines for all calls of a channel."""

    __slots__ = ()

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing | None:
        return _begin


def _begin(deadline: float | None, metadata: Fields) -> CallTracer:
    return CallTimeline(deadline)


_TRACING = TimelineTracing()


def channel_tracing(arguments: Arguments, timeline: bool) -> ClientTracing | None:
    """What traces the calls of a channel with these arguments, or None.

    Args:
        timeline: whether its errors are to have timelines.
    """
    return client_tracing(arguments.value(CLIENT_TRACING), _TRACING if timeline else None)
