"""A small HTTP server of the standard library whose threads come to an end.

As it is there, a client that connects and says nothing keeps a thread for good, and with TLS all of the server: the
handshake is done where connections are accepted. Here both are the handler's, and bounded.
"""

from __future__ import annotations

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.libraries import LIMIT

__all__ = ["BoundedServer"]


class BoundedServer(ThreadingHTTPServer):
    """Listens on `port` of 127.0.0.1 from `start` to `close`.

    Args:
        handler: the class that answers.
        context: for TLS.
    """

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.port: int = self.server_address[1]
        self._context = context
        self._handlers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def get_request(self) -> tuple[Any, Any]:
        sock, address = super().get_request()
        sock.settimeout(LIMIT)
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._handlers.append(thread)
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is what some tests are about."""

    def refuse(self) -> None:
        """Accept no more."""
        self.shutdown()
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the server did not stop"
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It is closed already.
            pass

    def close(self) -> None:
        """Accept no more, and wait for the answers under way."""
        self.refuse()
        self.server_close()
        for thread in self._handlers:
            thread.join(LIMIT)
