"""A server closes a connection in good order: what it said before arrives, whatever the client still says."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.http2 import (
    ACK,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    Frame,
    data,
    frame,
    headers,
    parse,
    settings,
    window_update,
)
from support.libraries import LIMIT

UNARY = SERVICE + camel("unary_unary")
SIZE = 100_000
WINDOW = 2**31 - 1


class Slow:
    """A client of raw frames with a small buffer, so that most of what it has not read is still with the server."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(LIMIT)
        self.sock.connect((host, int(port)))
        self._received = b""
        fields = (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", UNARY.encode()),
            (b":authority", b"localhost"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        )
        self.send(
            PREFACE,
            settings({4: WINDOW}),
            window_update(0, WINDOW - 65_535),
            headers(1, fields),
            data(1, bytes(5), end=True),
        )

    def send(self, *pieces: bytes) -> None:
        self.sock.sendall(b"".join(pieces))

    def read(self) -> bool:
        """Read a little; return whether there may be more."""
        more = self.sock.recv(2000)
        self._received += more
        return bool(more)

    def frames(self) -> list[Frame]:
        """All complete frames so far."""
        complete = 0
        while len(self._received) >= complete + 9:
            size = int.from_bytes(self._received[complete : complete + 3], "big")
            if len(self._received) < complete + 9 + size:
                break
            complete += 9 + size
        return parse(self._received[:complete])

    def until_drained(self) -> None:
        """Take part in the server's two steps, up to the second."""
        answered = False
        while sum(each.kind == GOAWAY for each in self.frames()) < 2:
            assert self.read()
            for each in self.frames():
                if each.kind == PING and not answered:
                    answered = True
                    self.send(frame(PING, ACK, 0, each.payload))


@contextlib.contextmanager
def stopping(front: FrontEnd) -> Iterator[tuple[Slow, Callable[[], None]]]:
    """A server that stops with one call in flight, whose large response it sends now."""
    front.clarion_only("the reference makes no such promise")
    served, go = threading.Event(), threading.Event()

    async def large(call: ServerCall) -> bytes:
        served.set()
        await call.wait(go)
        return bytes(SIZE)

    server = front.serve({"unary_unary": large})
    client = Slow(server.target)
    with client.sock:
        assert served.wait(LIMIT)
        stopped = server.stop(LIMIT)
        client.until_drained()
        go.set()
        yield client, stopped


def test_who_still_sends_can_read_all_of_it(front: FrontEnd) -> None:
    with stopping(front) as (client, stopped):
        client.send(frame(PING, 0, 0, b"12345678"))
        while client.read():
            # What a socket that is closed would answer with a reset.
            client.send(frame(PING, 0, 0, b"12345678"))
        frames = client.frames()
        assert sum(len(each.payload) for each in frames if each.kind == DATA) == SIZE + 5
        assert frames[-1].kind == HEADERS
        assert frames[-1].flags & END_STREAM
        client.sock.close()
        stopped()


def test_who_does_not_close_is_not_waited_for(front: FrontEnd) -> None:
    with stopping(front) as (client, stopped):
        while client.read():
            pass
        # It has all there is, and keeps its side open.
        assert client.frames()[-1].flags & END_STREAM
        stopped()


def test_who_does_not_read_is_not_waited_for(front: FrontEnd) -> None:
    with stopping(front) as (_client, stopped):
        stopped()
