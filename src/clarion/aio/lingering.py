"""How a server's connection is closed so that its client can still read all of it.

A socket that is closed answers what its peer sends afterwards (WINDOW_UPDATE, PING) with a reset, and a reset takes with it
what is still on the way to the peer: the end of a response, or GOAWAY. So only the sending direction is closed at first. The
other one is read, and what comes is dropped, until the client closes it too, or for a moment (RFC 9112 §9.6 describes
the same for HTTP/1.1).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from clarion.aio.link import LAST_WORDS

__all__ = ["Lingering"]


class Lingering(asyncio.Protocol):
    """What a transport is handed to when its connection is over.

    Args:
        loop: the event loop.
        lost: called when the transport is closed.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, lost: Callable[[Exception | None], None]
    ) -> None:
        self._loop = loop
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None

    def take(self, transport: asyncio.Transport) -> None:
        """Close the sending direction of `transport` after what it has to send."""
        if transport.is_closing():
            # The client was quicker. Its protocol hears of the end.
            return
        transport.set_protocol(self)
        self._wait(transport, math.inf)
        try:
            transport.write_eof()
        except OSError:
            transport.abort()

    def _wait(self, transport: asyncio.Transport, left: float) -> None:
        self._timer = self._loop.call_later(LAST_WORDS, self._look, transport, left)

    def _look(self, transport: asyncio.Transport, before: float) -> None:
        left = transport.get_write_buffer_size()
        if 0 < left < before:
            # It is slow, but it reads.
            self._wait(transport, left)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._lost(exc)
