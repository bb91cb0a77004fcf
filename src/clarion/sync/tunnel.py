"""Connections through an HTTP proxy, on the I/O thread: CONNECT, before TLS or HTTP/2 begin."""

from __future__ import annotations

import socket
from collections.abc import Callable

from clarion.protocol.http_connect import ConnectAnswer, ConnectRefused, connect_request
from clarion.resolver.target import ProxiedAddress
from clarion.sync.io_thread import READ, WRITE, IoThread

__all__ = ["Tunnel"]

_READ_SIZE = 4096


class Tunnel:
    """Asks for the server, and goes on until the proxy answers, is gone, or the time is up.

    Args:
        io: the thread.
        sock: connected to the proxy.
        address: the server and its proxy.
        seconds: how long it may take.
        done: told "", or what went wrong; the socket is then closed.
    """

    def __init__(
        self,
        io: IoThread,
        sock: socket.socket,
        address: ProxiedAddress,
        seconds: float,
        done: Callable[[str], None],
    ) -> None:
        self._io = io
        self._sock = sock
        self._address = address
        self._done = done
        self._unsent = connect_request(address.server, address.authorization)
        self._answer = ConnectAnswer()
        self._timer = io.call_later(
            seconds, lambda: self._finish(f"did not answer within {seconds:.3g} s")
        )
        io.watch(sock, WRITE, self)

    def io_ready(self, events: int) -> None:
        """See `IoThread.watch`."""
        try:
            if self._unsent:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
                if not self._unsent:
                    self._io.watch(self._sock, READ, self)
            else:
                self._receive()
        except (BlockingIOError, InterruptedError):
            return
        except ConnectRefused as error:
            self._finish(str(error))
        except OSError as error:
            self._finish(f"closed the connection: {error.strerror or error}")

    def _receive(self) -> None:
        # What follows the answer is for whoever reads next.
        data = self._sock.recv(_READ_SIZE, socket.MSG_PEEK)
        if not data:
            raise self._answer.ended()
        self._sock.recv(self._answer.feed(data))
        if self._answer.done:
            self._finish("")

    def _finish(self, failure: str) -> None:
        self._timer.cancel()
        self._io.watch(self._sock, 0, self)
        if failure:
            self._sock.close()
        self._done(self._address.explain(failure) if failure else "")
