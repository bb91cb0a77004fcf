"""An HTTP proxy that knows CONNECT and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["ConnectProxy"]

LIMIT = 20.0


class ConnectProxy:
    """Connects to `server`, whatever it is asked for.

    Attributes:
        heads: the requests, in order.
        answer: what it says in place of connecting, or b"".
        greeting: what it says when it has connected.
        mute: it says nothing.
    """

    def __init__(self, server: int = 0) -> None:
        self.heads: list[str] = []
        self.answer = b""
        self.greeting = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.mute = False
        self.server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, sock)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._watch(client)
            client.settimeout(LIMIT)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                data = client.recv(1)
                if not data:
                    return
                head += data
            self.heads.append(head.decode())
            if self.mute:
                client.recv(1)
            elif self.answer:
                client.sendall(self.answer)
                client.shutdown(socket.SHUT_WR)
                client.recv(65536)
            else:
                with socket.create_connection(("127.0.0.1", self.server), LIMIT) as server:
                    self._watch(server)
                    # The server's first bytes come with the answer, as they may.
                    first = server.recv(65536) if b"early" in self.greeting else b""
                    client.sendall(self.greeting + first)
                    self._start(self._relay, client, server)
                    self._relay(server, client)

    def _watch(self, sock: socket.socket) -> None:
        self._open.add(sock)
        if self._closing:
            # `close` may have looked already.
            sock.shutdown(socket.SHUT_RDWR)

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._closing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(LIMIT)
            assert not thread.is_alive()
