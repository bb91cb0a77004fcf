"""What an HTTP/1.1 connection takes of a server, and for how long it is kept. See docs/web.md."""

from __future__ import annotations

import dataclasses

from clarion.errors import LocalError

__all__ = ["Http1ClientLimits"]


@dataclasses.dataclass(frozen=True, slots=True)
class Http1ClientLimits:
    """Sizes are bytes, times are seconds.

    Attributes:
        max_head: the largest status line with headers.
        max_fields: how many headers an answer may have.
        max_informational: how many answers 1xx may come before the final one.
        idle_timeout: how long a connection is kept without a call, unless the server says less (`keep-alive: timeout`).
            A server that closes it first may cost a call, so less than servers have is better.
        max_discard: what is read and dropped of an answer that nobody wants; with more to come the connection is closed.
        discard_timeout: how long that may take.

    Raises:
        LocalError: a value cannot be.
    """

    max_head: int = 32_768
    max_fields: int = 200
    max_informational: int = 16
    idle_timeout: float = 30.0
    max_discard: int = 65_536
    discard_timeout: float = 2.0

    def __post_init__(self) -> None:
        for name in ("max_head", "max_fields", "idle_timeout", "discard_timeout"):
            if not getattr(self, name) > 0:
                raise LocalError(f"{name} is {getattr(self, name)!r}; it must be positive")
        for name in ("max_informational", "max_discard"):
            if getattr(self, name) < 0:
                raise LocalError(f"{name} is {getattr(self, name)!r}; it must not be negative")
