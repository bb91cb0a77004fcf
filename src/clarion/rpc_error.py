"""The root of every exception that a call raises to an application."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from clarion.history import History, Timeline

if TYPE_CHECKING:
    from clarion.status import StatusCode

__all__ = ["FailedAttempt", "RpcError"]


class FailedAttempt(NamedTuple):
    """An attempt of a call that came to nothing, after which there was another.

    Attributes:
        peer: the server's address, or "" if there was no connection.
        code: how it ended.
        details: the status message.
    """

    peer: str
    code: StatusCode
    details: str

    def __str__(self) -> str:
        """As `debug_error_string` shows it."""
        where = f" at {self.peer}" if self.peer else ""
        return f"{self.code.name}{where}: {self.details}"


class RpcError(Exception):
    """Raised when an RPC ended with a status other than OK.

    What a call raises tells its status by the methods that are declared here. As in grpcio, this class itself has none
    of them: applications that raise errors of their own bring theirs.

    Attributes:
        attempts: the attempts before the last one, where the call was tried again or hedged (gRFC A6).
    """

    attempts: tuple[FailedAttempt, ...] = ()
    _history: History | None = None

    @property
    def timeline(self) -> Timeline:
        """What happened, and when, where that is known; `print(error.timeline)` shows it.

        It is for calls that had to wait for a connection, and for all calls of channels with the argument
        `clarion.timeline`.
        """
        return Timeline() if self._history is None else self._history.timeline()

    if TYPE_CHECKING:

        def code(self) -> StatusCode:
            """The status."""

        def details(self) -> str | None:
            """The status message."""

        def initial_metadata(self) -> Collection[tuple[str, str | bytes]]:
            """The metadata before the response."""

        def trailing_metadata(self) -> Collection[tuple[str, str | bytes]]:
            """The metadata after the response."""

        def debug_error_string(self) -> str:
            """What happened, in more detail than `details`."""
