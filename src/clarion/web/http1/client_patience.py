"""How long an HTTP/1.1 connection is kept by its client: without a call, and for the rest of an answer that nobody wants.

It costs calls nothing: nobody reports to it, its timer looks at when the connection is due. It has no lock and no clock of its
own; see `clarion.http2.upkeep`.
"""

from __future__ import annotations

from clarion.http2.upkeep import CallLater, Timer
from clarion.web.http1.client_connection import Http1ClientConnection

__all__ = ["Expiry"]

# How often it looks at most, in seconds.
_OFTEN = 0.1


class Expiry:
    """Ends a connection when it is due.

    Args:
        connection: the connection.
        call_later: does what a callback needs around it.
    """

    __slots__ = ("_call_later", "_connection", "_timer")

    def __init__(self, connection: Http1ClientConnection, call_later: CallLater) -> None:
        self._connection = connection
        self._call_later = call_later
        self._timer: Timer = self._wait()

    def stop(self) -> None:
        """The connection is over."""
        self._timer.cancel()

    def renew(self) -> None:
        """It may be due sooner than it was."""
        self._timer.cancel()
        self._timer = self._wait()

    def _wait(self) -> Timer:
        connection = self._connection
        # While there is a call it is not due sooner than that, counted from now.
        left = min(connection.due - connection.now(), connection.keep)
        return self._call_later(max(left, _OFTEN), self._look)

    def _look(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        if connection.due <= connection.now():
            connection.expire()
        else:
            self._timer = self._wait()
