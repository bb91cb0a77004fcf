"""What sync calls raise."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from clarion.metadata import Metadatum
from clarion.protocol.outcome import Outcome
from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.sync.interfaces import CallFuture

__all__ = [
    "LOCALLY_CANCELLED",
    "CallError",
    "CallOver",
    "FutureCancelledError",
    "FutureTimeoutError",
]

LOCALLY_CANCELLED = "Locally cancelled by application!"
"""The details of a call that the client's application cancelled, as grpcio has them."""


class FutureTimeoutError(Exception):
    """A result was not there in time. The call goes on."""


class FutureCancelledError(Exception):
    """The computation was cancelled."""


class CallOver(RpcError):
    """The call ended while its handler ran: it was cancelled or out of time, or the connection went."""


class CallError(RpcError, CallFuture[Any]):
    """A call ended with a status other than OK. It answers what the call answers."""

    def __init__(self, outcome: Outcome, initial_metadata: tuple[Metadatum, ...] | None) -> None:
        super().__init__(outcome.code, outcome.details)
        self._outcome = outcome
        self.attempts = outcome.attempts
        self._history = outcome.history
        self._initial_metadata = initial_metadata or ()

    def code(self) -> StatusCode:
        """The status."""
        return self._outcome.code

    def details(self) -> str:
        """The status message."""
        return self._outcome.details

    def initial_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata before the response."""
        return self._initial_metadata

    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata after the response."""
        return self._outcome.trailing_metadata

    def debug_error_string(self) -> str:
        """What happened, in more detail than `details`."""
        return self._outcome.describe()

    def is_active(self) -> bool:
        """False: the call is over."""
        return False

    def time_remaining(self) -> float | None:
        """None: the call is over."""
        return None

    def cancel(self) -> bool:
        """False: the call is over."""
        return False

    def cancelled(self) -> bool:
        """Whether the call was cancelled by this side's application."""
        return self._outcome.details == LOCALLY_CANCELLED

    def running(self) -> bool:
        """False: the call is over."""
        return False

    def done(self) -> bool:
        """True: the call is over."""
        return True

    def add_callback(self, callback: Any) -> bool:
        """False: the call is over, so the callback will not be called."""
        return False

    def result(self, timeout: float | None = None) -> NoReturn:
        """Raises this error."""
        raise self

    def exception(self, timeout: float | None = None) -> CallError:
        """This error."""
        return self

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Where this error was raised."""
        return self.__traceback__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Calls `fn(self)` at once."""
        fn(self)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of RPC that terminated with:\n"
            f"\tstatus = {self.code()}\n"
            f'\tdetails = "{self.details()}"\n'
            f'\tdebug_error_string = "{self.debug_error_string()}"\n>'
        )

    def __str__(self) -> str:
        return self.__repr__()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._outcome, self._initial_metadata)
