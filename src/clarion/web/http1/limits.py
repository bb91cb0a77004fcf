"""What an HTTP/1.1 connection takes of its client, and for how long it waits. See docs/web.md."""

from __future__ import annotations

import dataclasses

from clarion.errors import LocalError

__all__ = ["Http1Limits"]


@dataclasses.dataclass(frozen=True, slots=True)
class Http1Limits:
    """Sizes are bytes, times are seconds.

    Attributes:
        max_head: the largest request line with headers, of HTTP/1.1.
        head_timeout: how long the head of a request may take, from the connection's or its own first byte.
        idle_timeout: how long a connection is kept between requests.
        body_timeout: the period in which a body has to bring `min_body_rate` bytes for each second.
        min_body_rate: see `body_timeout`; 0 for no such limit.
        write_timeout: how long a client may read nothing of what waits for it.
        max_discard: what is read and dropped of a request that was answered before its end; with more to come the
            connection is closed. By default as much as a message may have.

    Raises:
        LocalError: a value cannot be.
    """

    max_head: int = 16_384
    head_timeout: float = 30.0
    idle_timeout: float = 75.0
    body_timeout: float = 30.0
    min_body_rate: int = 240
    write_timeout: float = 60.0
    max_discard: int = 4_194_304

    def __post_init__(self) -> None:
        for name in ("max_head", "head_timeout", "idle_timeout", "body_timeout", "write_timeout"):
            if not getattr(self, name) > 0:
                raise LocalError(f"{name} is {getattr(self, name)!r}; it must be positive")
        for name in ("min_body_rate", "max_discard"):
            if getattr(self, name) < 0:
                raise LocalError(f"{name} is {getattr(self, name)!r}; it must not be negative")
