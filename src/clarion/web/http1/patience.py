"""How long an HTTP/1.1 connection waits for its client: for heads, bodies, the next request, and for what is sent to be read.

It costs requests nothing: its timer looks at what the connection is waiting for, four times in the shortest period there is; so
what is due happens up to that much late, never early. It has no lock and no clock of its own; see `clarion.http2.upkeep`.
"""

from __future__ import annotations

import math

from clarion.http2.upkeep import CallLater, Timer
from clarion.web.http1.connection import Http1Connection
from clarion.web.http1.limits import Http1Limits

__all__ = ["Patience"]

_LOOKS = 4


class Patience:
    """Ends a connection whose client takes too long.

    Args:
        connection: the connection.
        call_later: does what a callback needs around it.
        options: how long is too long.
    """

    __slots__ = (
        "_brought",
        "_call_later",
        "_connection",
        "_limits",
        "_options",
        "_phase",
        "_since",
        "_timer",
    )

    def __init__(
        self, connection: Http1Connection, call_later: CallLater, options: Http1Limits
    ) -> None:
        self._connection = connection
        self._call_later = call_later
        self._options = options
        self._limits = {
            "idle": options.idle_timeout,
            "head": options.head_timeout,
            "body": options.body_timeout,
            "write": options.write_timeout,
        }
        self._phase = connection.phase
        self._since = connection.now()
        self._brought = 0
        self._timer: Timer = self._wait()

    def stop(self) -> None:
        """The connection is over."""
        self._timer.cancel()

    def _wait(self) -> Timer:
        return self._call_later(min(self._limits.values()) / _LOOKS, self._look)

    def _look(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        phase, now = connection.phase, connection.now()
        if phase != self._phase:
            self._phase, self._since, self._brought = phase, now, connection.bytes_received
        elif now - self._since >= self._limits.get(phase[0], math.inf):
            self._lose_patience(phase[0], now)
        elif phase[0] == "idle":
            connection.rest()
        if not connection.closed:
            self._timer = self._wait()

    def _lose_patience(self, what: str, now: float) -> None:
        connection, options = self._connection, self._options
        if what == "idle":
            connection.close(f"no request came within {options.idle_timeout:g} s (idle_timeout)")
        elif what == "head":
            why = f"the head of a request was not there within {options.head_timeout:g} s (head_timeout)"
            connection.refuse(408, why)
        elif what == "write":
            connection.connection_lost(
                f"the client read nothing within {options.write_timeout:g} s (write_timeout)"
            )
        elif not connection.patient:
            brought = connection.bytes_received - self._brought
            least = options.min_body_rate * (now - self._since)
            self._since, self._brought = now, connection.bytes_received
            if brought < least:
                connection.refuse(
                    408,
                    f"a request's body came with less than {options.min_body_rate} bytes a second "
                    f"(min_body_rate)",
                )
