"""How a call ended, as one value."""

from __future__ import annotations

from typing import NamedTuple

from clarion.metadata import Metadatum
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
    """

    code: StatusCode
    details: str = ""
    trailing_metadata: Metadata = ()
    debug: str = ""
    unprocessed: bool = False


OK = Outcome(StatusCode.OK)
