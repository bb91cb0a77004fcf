"""A WebSocket between its connection and its application, without sockets, and with a clock of its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from clarion.errors import LocalError
from clarion.http2 import Config
from clarion.web.options import WebOptions
from support.websockets import KEY, Closed, client_frame

pytest.importorskip("h11", reason="h11 is not installed")
pytest.importorskip("wsproto", reason="wsproto is not installed")

from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, Pong

from clarion.web.apps.exchange import ClientGone
from clarion.web.apps.websocket.exchange import WebSocketExchange
from clarion.web.apps.websocket.limits import WebSocketLimits
from clarion.web.apps.websocket.opening import open_websocket
from clarion.web.http1.connection import Http1Connection
from clarion.web.serving.stream import WebStream

REQUEST = (
    f"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    f"sec-websocket-key: {KEY}\r\nsec-websocket-version: 13\r\n\r\n"
).encode()


class Timer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Rig:
    """A connection with one WebSocket, which is accepted; the link that it is on, and the server."""

    tls = None
    sock = None
    peer = "test"

    def __init__(self, *, accept: bool = True, **limits: Any) -> None:
        self.lock = threading.Lock()
        self.time = 0.0
        self.timers: list[Timer] = []
        self.reading = True
        self.over = ""
        self.woken = 0
        self.options = WebOptions(websocket=WebSocketLimits(**limits))
        self.connection: Any = Http1Connection(
            self,  # type: ignore[arg-type]
            lambda: self.time,
            Config(),
            self._open,
            self.options,
            b"http",
        )
        self.client = Connection(ConnectionType.CLIENT)
        self.connection.receive_data(REQUEST)
        if accept:
            self.exchange.do(self.exchange.accept, None, ())
            head, _end, rest = self.take().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert not rest

    # The server

    def _open(self, connection: Any, stream_id: int) -> Any:
        limits: Any = SimpleNamespace(max_metadata=16384, max_receive=4194304)
        make: Any = None
        return WebStream(
            connection, stream_id, self.options, limits, make, is_http1=True, door=self
        )

    def takes(self, request: Any) -> bool:
        return True

    def open(self, stream: Any, request: Any, *, is_http1: bool) -> WebSocketExchange:
        exchange = open_websocket(stream, request, self, self.options, is_http1=is_http1)
        assert isinstance(exchange, WebSocketExchange)
        self.exchange = exchange
        return exchange

    def begin(self, exchange: WebSocketExchange) -> None:
        exchange.wake = self._wake

    def _wake(self) -> None:
        self.woken += 1

    # The link

    def ready(self) -> None: ...

    def flush_soon(self) -> None: ...

    def later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.time + delay, callback))
        return self.timers[-1]

    def hold_reading(self) -> None:
        self.reading = False

    def go_on_reading(self) -> None:
        self.reading = True

    def finished(self, reason: Any) -> None:
        self.over = reason.message

    # The test

    def take(self) -> bytes:
        out = b""
        while self.connection.outbox:
            out += b"".join(self.connection.take_output())
            self.connection.output_sent()
        return out

    def sent(self) -> list[Any]:
        """What the client got."""
        found: list[Any] = []
        self.client.receive_data(self.take())
        for event in self.client.events():
            if isinstance(event, Message):
                found.append(event.data)
            elif isinstance(event, CloseConnection):
                found.append(Closed((int(event.code), event.reason or "")))
            else:
                found.append(event)
        return found

    def wait(self, seconds: float) -> None:
        end = self.time + seconds
        while True:
            due = [timer for timer in self.timers if not timer.cancelled and timer.due <= end]
            if not due:
                break
            timer = min(due, key=lambda each: each.due)
            self.timers.remove(timer)
            self.time = timer.due
            timer.callback()
        self.time = end

    @property
    def pending(self) -> int:
        return sum(not timer.cancelled for timer in self.timers)


def test_pings_are_asked_and_any_bytes_answer_them() -> None:
    rig = Rig(ping_interval=10, ping_timeout=4)
    rig.wait(9.9)
    assert rig.sent() == []
    rig.wait(0.1)
    assert rig.sent() == [Ping(b"")]
    rig.wait(3.9)
    rig.connection.receive_data(b"\x81")
    rig.wait(9.9)
    assert (rig.sent(), rig.over) == ([], "")
    rig.wait(0.1)
    assert rig.sent() == [Ping(b"")]
    rig.wait(4)
    assert rig.over
    assert rig.exchange.end == (
        1006,
        "the client gave no sign of life within 4 s (ping_timeout)",
    )
    assert rig.exchange.over
    assert rig.pending == 0


def test_a_sign_of_life_that_is_not_read_is_waited_for() -> None:
    rig = Rig(ping_interval=10, ping_timeout=4, max_queue=2)
    rig.wait(10)
    assert rig.sent() == [Ping(b"")]
    # Two messages are kept, and the third is not worked off.
    rig.connection.receive_data(client_frame(0x81, b"a") * 3)
    assert not rig.reading
    rig.wait(1000)
    # It is asked all the same: who is gone is noticed by that.
    assert len(rig.sent()) > 90
    assert rig.over == ""
    for _ in range(3):
        assert rig.exchange.do(rig.exchange.receive) == "a"
        assert rig.reading
        rig.connection.receive_data(b"")
    rig.wait(10)
    assert rig.sent() == [Ping(b"")]
    rig.wait(4)
    assert rig.over


def test_what_is_parked_is_not_interrupted() -> None:
    rig = Rig(ping_interval=10)
    rig.connection.pause()
    exchange = rig.exchange
    exchange.do(exchange.send, exchange.encode("x" * 100_000))
    rig.connection.receive_data(client_frame(0x89, b"one") + client_frame(0x89, b"two"))
    rig.wait(100)
    assert rig.take() == b""
    assert exchange.settled == (False, 100_010)
    rig.connection.resume()
    # The last ping is answered.
    assert (
        "".join(each if isinstance(each, str) else "|" for each in rig.sent())
        == "x" * 100_000 + "|"
    )
    assert exchange.settled == (True, 0)
    rig.connection.pause()
    exchange.do(exchange.send, exchange.encode("y"))
    rig.connection.receive_data(client_frame(0x89, b"three"))
    exchange.do(exchange.close, 1000, "")
    rig.connection.resume()
    assert rig.sent() == ["y", Closed((1000, ""))]


def test_the_queue_is_bounded_by_bytes_too() -> None:
    rig = Rig(max_message=1000)
    rig.connection.receive_data(client_frame(0x82, bytes(600)) * 4)
    assert not rig.reading
    assert rig.exchange.do(rig.exchange.receive) == bytes(600)
    # What is left is as much as one message may have.
    assert rig.reading
    rig.connection.receive_data(b"")
    assert not rig.reading
    for _ in range(2):
        assert rig.exchange.do(rig.exchange.receive) == bytes(600)
        rig.connection.receive_data(b"")
    assert rig.exchange.do(rig.exchange.receive) == bytes(600)
    assert rig.exchange.do(rig.exchange.receive) is None
    assert rig.reading


def test_idleness() -> None:
    rig = Rig(idle_timeout=8, ping_interval=1, ping_timeout=math.inf)
    exchange = rig.exchange
    for _ in range(3):
        rig.wait(7)
        exchange.do(exchange.send, exchange.encode("a"))
        rig.wait(7)
        rig.connection.receive_data(client_frame(0x81, b"a"))
        rig.wait(1000)
        # It is the application that is idle.
        assert not exchange.over
        assert exchange.do(exchange.receive) == "a"
    rig.wait(12)
    assert exchange.end == (1001, "no message came or went within 8 s (idle_timeout)")
    rig.connection.receive_data(client_frame(0x88, b"\x03\xe9"))
    assert rig.over
    assert rig.pending == 0


def test_a_close_is_waited_for() -> None:
    rig = Rig(close_timeout=5)
    exchange = rig.exchange
    rig.connection.receive_data(client_frame(0x81, b"unheard"))
    exchange.do(exchange.close, 4000, "why")
    exchange.do(exchange.close, 4001, "too late")
    assert rig.sent() == [Closed((4000, "why"))]
    # Nothing of this is the application's, and none of it is answered.
    rig.connection.receive_data(client_frame(0x81, b"late") + client_frame(0x89, b"late"))
    assert exchange.do(exchange.receive) is None
    with pytest.raises(ClientGone):
        exchange.encode("a")
    with pytest.raises(ClientGone):
        exchange.do(exchange.send, b"")
    rig.wait(4.9)
    assert (rig.take(), rig.over) == (b"", "")
    rig.wait(0.1)
    assert rig.over
    assert (exchange.end, rig.take()) == ((4000, "why"), b"")
    patient = Rig(close_timeout=math.inf)
    patient.exchange.do(patient.exchange.close, 1000, "")
    patient.wait(10_000)
    assert patient.over == ""


@pytest.mark.parametrize(
    "answer",
    [client_frame(0x88, b"\x0f\xa0"), client_frame(0x83), client_frame(0x89) * 201],
    ids=["close", "garbage", "pings"],
)
def test_what_ends_the_wait_for_a_close(answer: bytes) -> None:
    rig = Rig()
    rig.exchange.do(rig.exchange.close, 4000, "why")
    assert rig.sent() == [Closed((4000, "why"))]
    rig.connection.receive_data(answer)
    assert rig.over
    assert rig.exchange.end == (4000, "why")
    assert rig.pending == 0


def test_behind_the_end_nothing_is_read() -> None:
    rig = Rig()
    rig.connection.pause()
    rig.exchange.do(rig.exchange.send, rig.exchange.encode(bytes(1000)))
    rig.connection.receive_data(client_frame(0x83) + client_frame(0x81, b"a"))
    assert (rig.exchange.end or (0,))[0] == 1002
    # The transport has not taken the close yet.
    assert rig.over == ""
    rig.connection.receive_data(client_frame(0x81, b"a"))
    rig.connection.receive_data(b"")
    assert rig.exchange.do(rig.exchange.receive) is None
    rig.connection.resume()
    assert [each if isinstance(each, tuple) else len(each) for each in rig.sent()] == [
        1000,
        Closed((1002, "Invalid opcode 0x3")),
    ]
    assert rig.over


def test_pings_have_a_budget() -> None:
    rig = Rig()
    rig.connection.receive_data(client_frame(0x89) * 200)
    assert rig.sent() == [Pong(b"")] * 200
    rig.connection.receive_data(client_frame(0x8A))
    assert rig.sent()[0][0] == 1008
    busy = Rig()
    for _ in range(300):
        busy.connection.receive_data(client_frame(0x81, b"a") + client_frame(0x89))
        assert busy.exchange.do(busy.exchange.receive) == "a"
    assert busy.over == ""


def test_a_message_that_was_encoded_when_the_websocket_closed() -> None:
    rig = Rig()
    frame = rig.exchange.encode("a")
    rig.connection.receive_data(client_frame(0x88))
    with pytest.raises(ClientGone):
        rig.exchange.do(rig.exchange.send, frame)
    rig = Rig()
    frames: Any = rig.exchange._frames
    frames.close(1000)
    with pytest.raises(ClientGone):
        rig.exchange.encode("a")


def test_cut_off() -> None:
    rig = Rig()
    rig.exchange.do(rig.exchange.cut_off, "why")
    assert rig.sent() == [Closed((1001, "the server is going away"))]
    assert rig.over
    closing = Rig()
    closing.exchange.do(closing.exchange.close, 4000, "")
    closing.exchange.do(closing.exchange.cut_off, "why")
    assert closing.sent() == [Closed((4000, ""))]
    assert closing.over
    early = Rig(accept=False)
    early.exchange.do(early.exchange.cut_off, "stopped")
    assert early.take().startswith(b"HTTP/1.1 503 ")
    with pytest.raises(ClientGone):
        early.exchange.do(early.exchange.accept, None, ())
    with pytest.raises(ClientGone):
        early.exchange.encode("a")


@pytest.mark.parametrize("name", ["max_message", "max_frames", "max_queue", "ping_interval"])
def test_limits_that_cannot_be(name: str) -> None:
    with pytest.raises(LocalError, match=name):
        WebSocketLimits(**{name: 0})
    with pytest.raises(LocalError, match=name):
        WebSocketLimits(**{name: -1})
