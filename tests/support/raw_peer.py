"""One end of an HTTP/2 connection on a real socket, of raw frames: servers and clients that misbehave on purpose.

`RawServer` runs a script, a function of one connection, for every connection that comes. `RawPeer` answers what
only keeps a connection going (SETTINGS, PING, credit for DATA) and obeys the other side's windows, so that a
script says nothing but what it is about. Frames are built and read with `support.http2`, never with the engine.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from support.http2 import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    REQUEST,
    RESPONSE,
    RST,
    SETTINGS,
    TRAILERS,
    WINDOW,
    Frame,
    data,
    frame,
    headers,
    settings,
    window_update,
)
from support.libraries import LIMIT

__all__ = ["PeerClosed", "RawPeer", "RawServer", "Script", "dial", "message"]

_MAX_DATA = 16_384


class PeerClosed(Exception):
    """The other side closed the connection."""


def message(payload: bytes) -> bytes:
    """A length-prefixed message, not compressed."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


class RawPeer:
    """A connection after both sides' SETTINGS.

    Attributes:
        queue: frames that came and were not looked at: HEADERS, DATA, RST_STREAM and GOAWAY.
        unanswered: the data of our PINGs that have no answer yet, in order.
        settings: what the other side's SETTINGS said.
    """

    def __init__(self, sock: socket.socket, *, server: bool) -> None:
        sock.settimeout(LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.queue: deque[Frame] = deque()
        self.unanswered: deque[bytes] = deque()
        self.settings: dict[int, int] = {}
        self._buffer = b""
        self._acknowledged = 0
        self._sent_settings = 0
        self._connection_window = 65_535
        self._windows: dict[int, int] = {}
        if server:
            assert self._take(len(PREFACE)) == PREFACE
        else:
            sock.sendall(PREFACE)

    # Bytes and frames

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                received = self.sock.recv(1 << 16)
            except ConnectionError:
                received = b""
            if not received:
                raise PeerClosed(self._buffer)
            self._buffer += received
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def send(self, *pieces: bytes) -> None:
        try:
            self.sock.sendall(b"".join(pieces))
        except ConnectionError:
            raise PeerClosed from None

    def _pump(self) -> None:
        """Take one frame, and do what it asks for."""
        head = self._take(9)
        kind, flags, sid = struct.unpack_from(">BBI", head, 3)
        payload = self._take(int.from_bytes(head[:3], "big"))
        received = Frame(kind, flags, sid, payload)
        if kind == SETTINGS and flags & ACK:
            self._acknowledged += 1
        elif kind == SETTINGS:
            before = self.settings.get(4, 65_535)
            self.settings.update(received.settings)
            for each in self._windows:
                self._windows[each] += self.settings.get(4, 65_535) - before
            self.send(frame(SETTINGS, ACK))
        elif kind == PING and flags & ACK:
            assert self.unanswered.popleft() == payload
        elif kind == PING:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW:
            if sid:
                self._windows[sid] = self._window(sid) + received.number
            else:
                self._connection_window += received.number
        elif kind in (HEADERS, DATA, RST, GOAWAY):
            self.queue.append(received)
            if kind == DATA and payload:
                self.send(window_update(0, len(payload)), window_update(sid, len(payload)))

    def _window(self, sid: int) -> int:
        return self._windows.get(sid, self.settings.get(4, 65_535))

    # Steps of a script

    def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self._pump()

    def set(self, values: dict[int, int]) -> None:
        """Send SETTINGS and wait until the other side has taken them."""
        self._sent_settings += 1
        self.send(settings(values))
        self.until(lambda: self._acknowledged == self._sent_settings)

    def ping(self, payload: bytes) -> None:
        """Send a PING; its answer is checked when it comes."""
        self.unanswered.append(payload)
        self.send(frame(PING, 0, 0, payload))

    def settle(self) -> None:
        """Wait until the other side has taken all that was sent, and all that it sent to that came."""
        self.ping(b"settled?")
        self.until(lambda: not self.unanswered)

    def next(self, *kinds: int) -> Frame:
        """The next frame in the queue, which must be of one of `kinds` (all four if none is named)."""
        self.until(lambda: self.queue)
        received = self.queue.popleft()
        assert not kinds or received.kind in kinds, received
        return received

    def find(self, kind: int, sid: int = 0) -> Frame:
        """The next frame of that kind and stream; others stay in the queue."""
        while True:
            for each in self.queue:
                if (each.kind, each.sid) == (kind, sid):
                    self.queue.remove(each)
                    return each
            self._pump()

    def until_closed(self) -> None:
        """Wait until the other side closes."""
        with contextlib.suppress(PeerClosed):
            while True:
                self._pump()

    def request(self) -> tuple[int, bytes]:
        """Take a request whole: its stream and its body."""
        opened = self.next(HEADERS)
        body = b""
        ended = opened.flags & END_STREAM
        while not ended:
            part = self.find(DATA, opened.sid)
            body += part.payload
            ended = part.flags & END_STREAM
        return opened.sid, body

    def response(self, sid: int) -> tuple[bytes, bytes]:
        """Take a response whole: its body, and the header block that ended it."""
        body = b""
        self.find(HEADERS, sid)
        while True:
            self.until(lambda: any(each.sid == sid for each in self.queue))
            received = next(each for each in self.queue if each.sid == sid)
            self.queue.remove(received)
            if received.kind == HEADERS:
                assert received.flags & END_STREAM
                return body, received.payload
            assert received.kind == DATA, received
            body += received.payload

    def body(
        self, sid: int, body: bytes, *, chunk: int = _MAX_DATA, pad: int | None = None
    ) -> None:
        """Send DATA as the windows allow it: `chunk` bytes a frame, and `pad` bytes of padding with each."""
        for at in range(0, len(body), chunk):
            part = body[at : at + chunk]
            sent = data(sid, part)
            if pad is not None:
                padded = bytes([pad]) + part + bytes(pad)
                sent = frame(DATA, PADDED, sid, padded)
            size = len(sent) - 9
            self.until(lambda size=size: min(self._connection_window, self._window(sid)) >= size)
            self._connection_window -= size
            self._windows[sid] = self._window(sid) - size
            self.send(sent)

    def respond(self, sid: int, payload: bytes) -> None:
        """Answer a call with one message and status OK."""
        self.send(headers(sid, RESPONSE))
        self.body(sid, message(payload))
        self.send(headers(sid, TRAILERS, end=True))

    def call(self, sid: int, payload: bytes) -> bytes:
        """As a client: make a whole unary call; return the body of the response."""
        self.send(headers(sid, REQUEST))
        self.body(sid, message(payload))
        self.send(data(sid, b"", end=True))
        body, trailers = self.response(sid)
        assert b"grpc-status\x010" in trailers, trailers
        return body

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


Script = Callable[[RawPeer], None]


class RawServer:
    """Listens on `port`; the n-th connection is served by the n-th script, and the last one by all others."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self.accepted = 0
        self._scripts = scripts
        self._failures: list[BaseException] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
                self.accepted += 1
                thread = threading.Thread(target=self._serve, args=(sock, script), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket, script: Script) -> None:
        try:
            peer = RawPeer(sock, server=True)
            peer.set({})
            script(peer)
            peer.until_closed()
        except PeerClosed:
            self._failures.append(AssertionError("the client closed before the script's end"))
        except BaseException as error:
            self._failures.append(error)
        finally:
            sock.close()

    def join(self) -> None:
        """Wait until every connection is over; raises what a script did. Close the channel before."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(LIMIT)
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive(), "a script did not end"
        if self._failures:
            raise self._failures[0]

    def stop(self) -> None:
        """End everything at once, as after a test that failed."""
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def dial(port: int, values: dict[int, int] | None = None) -> Iterator[RawPeer]:
    """A client's connection to 127.0.0.1:`port`."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        peer = RawPeer(sock, server=False)
        peer.set(values or {})
        yield peer
