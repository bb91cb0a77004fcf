"""A call to a server that something watches until it is over, as `clarion.interceptors` do.

A front end's class of calls to servers with interceptors begins with `ObservedCall`; other calls know nothing of it.
"""

from __future__ import annotations

from typing import Any

from clarion.server_core.call import ServerCall
from clarion.status import StatusCode

__all__ = ["ObservedCall"]

Fields = tuple[tuple[bytes, bytes], ...]


class ObservedCall(ServerCall):
    """A call that may be watched.

    Attributes:
        observer: who watches the call, a `clarion.interceptors.ServedCall`, if one does. It is told once, when the
            call is over and its handler, too.
    """

    observer: Any = None
    _outcome: tuple[StatusCode, str] | None = None

    def fail(self, code: StatusCode, details: str) -> None:
        if not self.over:
            self._outcome = code, details
        ServerCall.fail(self, code, details)

    def finish(self, code: StatusCode, details: str = "", fields: Fields = ()) -> None:
        if not self.over:
            self._outcome = code, details
        ServerCall.finish(self, code, details, fields)

    @property
    def settled(self) -> bool:
        """Whether it is over, or waits only for the client to say that it sent all."""
        return self.over or self._ending is not None

    @property
    def final_status(self) -> tuple[StatusCode, str]:
        """How the call ended, once it is settled: what was sent, or what cut it off."""
        outcome, abort = self._outcome, self.abort
        if abort is not None and (outcome is None or self._ending is not None):
            lost = abort.connection_lost
            return StatusCode.UNAVAILABLE if lost else StatusCode.CANCELLED, abort.message
        if outcome is not None:
            return outcome
        if self.cut_off:
            return StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"
        return StatusCode.OK, ""
