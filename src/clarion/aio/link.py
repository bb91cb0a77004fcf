"""An asyncio transport under an HTTP/2 connection.

Writes coalesce: what one turn of the loop produces leaves in one `transport.write`. While received bytes are
being worked off nothing is written; the answer to all of them goes out at the end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import Context
from typing import Any, cast

from clarion.http2 import Connection, ErrorCode, Keepalive

__all__ = ["LAST_WORDS", "Link", "describe_address"]

_LOG = logging.getLogger(__name__)

# A turn of the loop that a handler keeps for longer than this is not waited for with the flush: messages of
# a stream whose handler computes without awaiting must still leave one by one.
_PATIENCE = 0.001
# How long a closed connection waits for its peer to read, in seconds.
LAST_WORDS = 1.0


class Link(asyncio.Protocol):
    """Moves bytes between a transport and `connection`, which the owner sets before bytes can arrive.

    Attributes:
        connection: the HTTP/2 connection.
        transport: the socket's transport; None once it is lost.
    """

    connection: Connection
    _keepalive: Keepalive
    # All happens on the loop's thread.
    lock = nullcontext()
    # What encrypts, on a connection with TLS.
    tls: Any = None
    # Ends the connection if its peer does not read our last words.
    _last_words: asyncio.TimerHandle | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self._receiving = False
        self._flush_due = 0.0
        # The timers', which are renewed as long as the connection lives, whoever's call began it.
        self._context = Context()

    # What asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        self._receiving = True
        try:
            connection.receive_data(data)
        except Exception:
            # Not the peer's doing: whatever it sends is dealt with below. Do not take other connections along.
            _LOG.exception("internal error; the connection is given up")
            connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
        self._receiving = False
        if connection.outbox or connection.closed:
            self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._last_words is not None:
            # asyncio's transports fail when they are aborted after they closed by themselves.
            self._last_words.cancel()
        reason = f"the connection was lost: {exc}" if exc else "the peer closed the connection"
        self.connection.connection_lost(reason)

    def pause_writing(self) -> None:
        self.connection.pause()

    def resume_writing(self) -> None:
        self.connection.resume()
        self.flush_soon()

    # What the owner does

    def flush_soon(self) -> None:
        """Write what is in the outbox at the end of this turn of the loop."""
        if self._receiving:
            return
        if not self._flush_due:
            self._flush_due = time.monotonic() + _PATIENCE
            self.loop.call_soon(self.flush)
        elif time.monotonic() > self._flush_due:
            self.flush()
            self._flush_due = time.monotonic() + _PATIENCE

    def flush(self) -> None:
        """Write what is in the outbox now; close the transport if the connection is over."""
        self._flush_due = 0.0
        transport = self.transport
        connection = self.connection
        if transport is None:
            connection.take_output()
            return
        while connection.outbox:
            output = connection.take_output()
            transport.write(output[0] if len(output) == 1 else b"".join(output))
            if transport.is_closing():
                # It has failed. It says so in a later turn of the loop, complains of every write until then, and takes
                # all of them: a handler that never has to wait would never let that turn come.
                connection.pause()
                break
            if not connection.output_sent():
                break
        if connection.closed:
            self._end(transport)

    def _end(self, transport: asyncio.Transport) -> None:
        """The connection is over, and all that there is to say is said."""
        transport.close()
        if self._last_words is None and transport.get_write_buffer_size():
            # A peer that does not read gets a moment for our last words, not the socket for good.
            self._last_words = self.loop.call_later(LAST_WORDS, transport.abort)

    @property
    def keepalives_sent(self) -> int:
        """How often the peer was asked for a sign of life."""
        return self._keepalive.sent

    def later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `callback` after `delay` seconds, and write what that brought out."""

        def due() -> None:
            callback()
            self.flush()

        return self.loop.call_later(delay, due, context=self._context)

    def close(self, message: str) -> None:
        """Close the connection; calls on it hear `message`."""
        self.connection.close(message)
        self.flush()

    def drain(self) -> None:
        """Take no more calls; close the connection when those on it are over."""
        self.connection.drain()
        self.flush_soon()

    def peer(self) -> str:
        """The other end, in grpcio's form: `ipv4:127.0.0.1:50051`, `ipv6:[::1]:50051`, `unix:path`."""
        return describe_address(
            self.transport.get_extra_info("socket") if self.transport is not None else None
        )


def describe_address(sock: Any) -> str:
    """The peer of a socket in grpcio's form."""
    try:
        address = sock.getpeername()
    except (AttributeError, OSError):
        return "unknown"
    if sock.family == socket.AF_INET:
        return f"ipv4:{address[0]}:{address[1]}"
    if sock.family == socket.AF_INET6:
        return f"ipv6:%5B{address[0]}%5D:{address[1]}"
    if isinstance(address, tuple):
        return f"vsock:{address[0]}:{address[1]}"
    if isinstance(address, bytes):
        address = address.decode("utf-8", "replace").replace("\0", "@")
    return f"unix:{address}"
