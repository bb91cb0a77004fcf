"""How a call ended, as one value."""

from __future__ import annotations

from typing import NamedTuple

from clarion.history import History, Timeline
from clarion.metadata import Metadatum
from clarion.rpc_error import FailedAttempt
from clarion.status import StatusCode

__all__ = ["OK", "Metadata", "Outcome"]

Metadata = tuple[Metadatum, ...]


class Outcome(NamedTuple):
    """The final status of a call.

    Attributes:
        code: the status code.
        details: the status message.
        trailing_metadata: what the server sent with the status.
        debug: more than `details` says: which side decided, and what was seen on the wire.
        unprocessed: the server certainly did not act on the call; it is safe to repeat.
        attempts: the attempts before the last one.
        history: what is known of how it came to that, or None.
    """

    code: StatusCode
    details: str = ""
    trailing_metadata: Metadata = ()
    debug: str = ""
    unprocessed: bool = False
    attempts: tuple[FailedAttempt, ...] = ()
    history: History | None = None

    @property
    def timeline(self) -> Timeline:
        """What happened, and when; empty if that is not known."""
        return Timeline() if self.history is None else self.history.timeline()

    def describe(self) -> str:
        """`CODE:details [debug]` on one line; empty for OK. It is what `debug_error_string` gives."""
        if self.code is StatusCode.OK:
            return ""
        text = f"{self.code.name}:{self.details}"
        if self.debug and self.debug != self.details:
            text += f" [{self.debug}]"
        for number, attempt in enumerate(self.attempts, 1):
            text += f"; attempt {number}: {attempt}"
        if self.history is not None and self.history.marks:
            text += f"; timeline: {'; '.join(map(str, self.timeline))}"
        return text


OK = Outcome(StatusCode.OK)
