"""A server of HTTP/1.1 on a real socket that says what a test wants, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from support.libraries import LIMIT

__all__ = ["Http1Peer", "Http1Server"]


class Http1Peer:
    """A connection that a client opened.

    Attributes:
        number: how many came before it.
        head, body: the last request that `request` read.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(LIMIT)
        self.sock = sock
        self.number = number
        self.head = b""
        self.body = b""
        self._buffer = b""

    def _more(self) -> bool:
        data = self.sock.recv(1 << 16)
        self._buffer += data
        return bool(data)

    def read_until(self, end: bytes) -> bytes:
        """What comes before `end`, which is taken, too. Raises EOFError."""
        while end not in self._buffer:
            if not self._more():
                raise EOFError
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise EOFError
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def read_head(self) -> bytes:
        """The head of a request. Raises EOFError."""
        self.head = self.read_until(b"\r\n\r\n")
        return self.head

    def request(self) -> bytes:
        """A whole request; returns its body. Raises EOFError."""
        head = self.read_head().lower()
        if b"transfer-encoding: chunked" in head:
            pieces = []
            while size := int(self.read_until(b"\r\n"), 16):
                pieces.append(self._take(size))
                self._take(2)
            self._take(2)
            self.body = b"".join(pieces)
        else:
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self.body = self._take(int(length or 0))
        return self.body

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def shut(self) -> None:
        """Say that nothing more comes (with TLS, in its words)."""
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                # The client closes in turn, which is the end of the handshake there is.
                self.sock.unwrap()
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def gone(self) -> bool:
        """Wait until the client has closed the connection."""
        try:
            while self._more():
                self._buffer = b""
        except ConnectionError:
            return True
        return True


class Http1Server:
    """Runs `script` on a thread for each connection, and keeps what it raises.

    Args:
        script: what to do; the connection is closed after it. `EOFError`, and a connection that breaks, are the end of it.
        context: of TLS.

    Attributes:
        connections: how many there were.
        agreed: what ALPN brought, for each connection with TLS.
    """

    def __init__(
        self, script: Callable[[Http1Peer], object], context: ssl.SSLContext | None = None
    ) -> None:
        self._script = script
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.agreed: list[str | None] = []
        self._errors: list[BaseException] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                number, self.connections = self.connections, self.connections + 1
                thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            sock.settimeout(LIMIT)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
                self.agreed.append(sock.selected_alpn_protocol())
            self._script(Http1Peer(sock, number))
        except (EOFError, ConnectionError, ssl.SSLError):
            pass
        except BaseException as error:
            self._errors.append(error)
        finally:
            sock.close()

    def close(self) -> None:
        """Stop, and raise what a script raised."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # First, so that no connection is missed.
        self._threads[0].join(LIMIT)
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive(), "a script of the server did not end"
        if self._errors:
            raise self._errors[0]
