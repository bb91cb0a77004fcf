"""A socket under an HTTP/2 connection, shared by threads.

One lock per connection. Whoever has it changes the connection and writes what that brought out, in one
critical section; nothing blocks and no user code runs inside it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable

from clarion.http2 import Connection, ErrorCode, Keepalive
from clarion.sync.io_thread import READ, WRITE, IoThread, Timer

__all__ = ["LAST_WORDS", "USUAL_RECEIVE", "Link", "describe_address"]

_LOG = logging.getLogger(__name__)

# Below the size from which the allocator maps memory anew each time, which costs more than small reads do.
USUAL_RECEIVE = 1 << 16
_LARGE_RECEIVE = 1 << 18


# How long a closed connection waits for its peer to read, in seconds.
LAST_WORDS = 1.0


class Link:
    """Moves bytes between a socket and `connection`, which the subclass sets.

    Attributes:
        lock: held by whoever touches the connection or anything on it.
        receiving: received bytes are being worked off; what that brings out is written after it.
    """

    connection: Connection
    _keepalive: Keepalive
    LARGE_RECEIVE = _LARGE_RECEIVE

    def __init__(self, sock: socket.socket, io: IoThread) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.io = io
        self.lock = threading.Lock()
        self.receiving = False
        self.peer = describe_address(sock)
        self._receive_size = USUAL_RECEIVE
        self._writing = False
        self._closing = False
        self._unsent: list[bytes | memoryview] = []
        self._events = 0
        self._open = True

    def close(self, message: str) -> None:
        """Close the connection; calls on it hear `message`."""
        with self.lock:
            self.connection.close(message)
            self.flush()

    def drain(self) -> None:
        """Take no more calls; close the connection when those on it are over."""
        with self.lock:
            self.connection.drain()
            self.flush()

    @property
    def keepalives_sent(self) -> int:
        """How often the peer was asked for a sign of life."""
        return self._keepalive.sent

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` with the lock after `delay` seconds, and write what that brought out."""

        def due() -> None:
            with self.lock:
                if self._open:
                    callback()
                    self.flush()

        return self.io.call_later(delay, due)

    # With the lock

    def flush_soon(self) -> None:
        """Write what is in the outbox; while receiving, that is done at its end."""
        if not self.receiving:
            self.flush()

    def flush(self) -> None:
        """Write what is in the outbox, as far as the socket takes it.

        The lock is not held during the system call. Output that other threads add meanwhile goes out with the
        next call of the thread that writes, so threads neither wait for each other's writes nor write in
        portions smaller than need be.
        """
        if self._writing:
            return
        connection = self.connection
        self._writing = True
        try:
            while self._open and not self._unsent and connection.outbox:
                output = connection.take_output()
                self._write(output[0] if len(output) == 1 else b"".join(output))
                if self._unsent:
                    connection.pause()
                    self.io.post(self._watch_writable)
                else:
                    connection.output_sent()
        finally:
            self._writing = False
        if not self._open:
            connection.take_output()
        elif connection.closed:
            if not self._unsent:
                self._close()
            elif not self._closing:
                # A peer that does not read gets a moment for our last words, not the socket for good.
                self._closing = True
                self.io.call_later(LAST_WORDS, self._close_unsent)

    def _send(self, data: bytes | memoryview) -> None:
        """Send `data`; keep what the socket does not take. The lock is released meanwhile."""
        failure: OSError | None = None
        self.lock.release()
        try:
            while True:
                sent = self.sock.send(data)
                if sent == len(data):
                    data = b""
                    break
                data = memoryview(data)[sent:]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            failure = error
        except BaseException:
            # Ctrl-C: how much was sent nobody knows.
            failure = OSError("the program was interrupted while it wrote")
            raise
        finally:
            self.lock.acquire()
            if failure is not None:
                # The reader hears of it too, but a connection that is only written to has none.
                self.send_failed(_lost(failure))
        if failure is None and data:
            self._unsent = [data]

    # What is in the outbox goes this way; TLS turns it into something else first.
    _write = _send

    def receive(self, data: bytes) -> None:
        """Work off bytes from the socket (none: the peer closed it), and write the answers."""
        connection = self.connection
        if not data:
            self.peer_closed()
        else:
            if len(data) == self._receive_size:
                self._receive_size = _LARGE_RECEIVE
            elif self._receive_size != USUAL_RECEIVE and len(data) < USUAL_RECEIVE:
                self._receive_size = USUAL_RECEIVE
            self.receiving = True
            try:
                connection.receive_data(data)
            except Exception:
                _LOG.exception("internal error; the connection is given up")
                connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
            except BaseException:
                # Ctrl-C struck in the middle: what state this is in nobody knows.
                connection.connection_lost("the program was interrupted while it read")
                raise
            finally:
                self.receiving = False
        if connection.outbox or connection.closed:
            self.flush()

    def peer_closed(self) -> None:
        """The peer sends no more."""
        self.connection.connection_lost("the peer closed the connection")

    def send_failed(self, why: str) -> None:
        """The socket takes nothing any more."""
        self.connection.connection_lost(why)

    def lose(self, error: OSError) -> None:
        """The socket failed."""
        self.connection.connection_lost(_lost(error))
        self.flush()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._unsent = []
            self.io.post(self._close_socket)

    # On the I/O thread

    def _close_unsent(self) -> None:
        with self.lock:
            self._close()

    def watch(self, events: int) -> None:
        """Have the I/O thread look for `events`."""
        if self._open and events != self._events:
            self._events = events
            self.io.watch(self.sock, events, self)

    def _watch_writable(self) -> None:
        self.watch(self._events | WRITE)

    def _close_socket(self) -> None:
        if self._events:
            self._events = 0
            self.io.watch(self.sock, 0, self)
        # Our last words (GOAWAY) reach the peer even if it is still sending.
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.sock.close()
        self.closed()

    def closed(self) -> None:
        """The socket is closed."""

    def io_ready(self, events: int) -> None:
        """The socket is ready; see `IoThread.watch`."""
        if events & WRITE:
            self._continue_writing()
        if events & READ:
            self.read_ready()

    def _continue_writing(self) -> None:
        with self.lock:
            if not self._open or self._writing:
                return
            self._writing = True
            output, self._unsent = self._unsent, []
            try:
                if output:
                    self._send(output[0])
            finally:
                self._writing = False
            if self._unsent:
                return
            self.watch(self._events & ~WRITE)
            self.connection.resume()
            self.flush()

    def read_ready(self) -> None:
        """The socket is readable."""
        raise NotImplementedError


def _lost(error: OSError) -> str:
    return f"the connection was lost: {error.strerror or error}"


def describe_address(sock: socket.socket) -> str:
    """The peer of a socket in grpcio's form: `ipv4:127.0.0.1:50051`, `ipv6:%5B::1%5D:50051`, `unix:path`."""
    try:
        address = sock.getpeername()
    except OSError:
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
