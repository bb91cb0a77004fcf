"""A server of raw bytes for the proxy's tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

LIMIT = 20.0


class EchoServer:
    """Accepts connections and gives back what they send; ends each when its client does."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.accepted = 0
        self.received = bytearray()
        self.ends: list[str] = []
        self.ended = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._threads.append(threading.Thread(target=self._echo, args=(sock,)))
            self._threads[-1].start()

    def _echo(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(LIMIT)
            try:
                while data := sock.recv(65536):
                    self.received += data
                    sock.sendall(data)
                self.ends.append("end")
            except OSError as error:
                self.ends.append(type(error).__name__)
            self.ended.release()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in list(self._threads):
            thread.join(LIMIT)
            assert not thread.is_alive()


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()
