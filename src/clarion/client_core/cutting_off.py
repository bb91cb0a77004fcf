"""The attempts at calls that a connection has, and their end with it."""

from __future__ import annotations

from clarion.client_core.call import Attempt
from clarion.http2 import Connection
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

__all__ = ["attempts_on", "cancel_calls"]


def cancel_calls(connection: Connection, message: str) -> None:
    """End every call on `connection` with CANCELLED: the application closed the channel."""
    outcome = Outcome(StatusCode.CANCELLED, message)
    for attempt in attempts_on(connection):
        attempt.end(outcome)


def attempts_on(connection: Connection) -> list[Attempt]:
    """The attempts at calls among the streams of `connection`."""
    # A stream of another protocol stands for one; see `clarion.web.client`.
    found = (getattr(stream, "attempt", stream) for stream in list(connection.streams.values()))
    return [each for each in found if isinstance(each, Attempt)]
