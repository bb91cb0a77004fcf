"""What a WebSocket takes of its client, and for how long it waits. See docs/web.md."""

from __future__ import annotations

import dataclasses
import math

from clarion.errors import LocalError

__all__ = ["WebSocketLimits"]


@dataclasses.dataclass(frozen=True, slots=True)
class WebSocketLimits:
    """The limits of WebSockets (RFC 6455). Sizes are bytes, times are seconds; `math.inf` is no limit.

    Attributes:
        max_message: the largest message of a client, decompressed; a larger one ends the WebSocket with 1009.
        max_frames: the most frames that one message may come in; more end it with 1009.
        max_queue: how many messages may wait for the application, with as many bytes as one message may have. The socket
            is not read while there are more.
        ping_interval: how often the client is asked for a sign of life.
        ping_timeout: how long it may take to give one; then it counts as gone, which is 1006 to the application.
        idle_timeout: how long there may be no message either way; then the WebSocket is closed with 1001.
        close_timeout: how long a client may take to close its side; then the connection is closed without.
        compress: permessage-deflate (RFC 7692) is agreed to, where clients offer it.

    Raises:
        LocalError: a value cannot be.
    """

    max_message: int = 4_194_304
    max_frames: int = 4096
    max_queue: int = 32
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    idle_timeout: float = math.inf
    close_timeout: float = 10.0
    compress: bool = True

    def __post_init__(self) -> None:
        for name in ("max_message", "max_frames", "max_queue"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise LocalError(f"{name} is {value!r}; it must be a whole number, and at least 1")
        for name in ("ping_interval", "ping_timeout", "idle_timeout", "close_timeout"):
            if not getattr(self, name) > 0:
                raise LocalError(f"{name} is {getattr(self, name)!r}; it must be positive")
