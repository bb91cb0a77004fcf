"""A TCP forwarder that counts the bytes of each direction, to see from outside what went over the wire."""

from __future__ import annotations

import contextlib
import socket
import threading

from support.libraries import LIMIT

__all__ = ["Wiretap"]


class Wiretap:
    """Listens on `port`, forwards every connection to 127.0.0.1:`target_port`, and counts."""

    def __init__(self, target_port: int) -> None:
        self.sent = 0
        """Bytes that clients sent to the server."""
        self.received = 0
        """Bytes that the server sent to clients."""
        self._target = target_port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                server = socket.create_connection(("127.0.0.1", self._target), LIMIT)
                self._sockets.append(server)
                for each in client, server:
                    each.settimeout(None)
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for source, sink, name in (client, server, "sent"), (server, client, "received"):
                    threading.Thread(
                        target=self._forward, args=(source, sink, name), daemon=True
                    ).start()

    def _forward(self, source: socket.socket, sink: socket.socket, counter: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                setattr(self, counter, getattr(self, counter) + len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # First, so that no connection is missed.
        self._accepting.join(LIMIT)
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
