"""What WebSockets of ASGI applications take of their clients, and for how long they wait, on both front ends."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from clarion.web import WebSocketLimits
from support.libraries import LIMIT
from support.websockets import Closed, WebSocketClient, client_frame

pytest.importorskip("wsproto", reason="wsproto is not installed")

from wsproto.events import Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

Open = Callable[..., WebSocketClient]

ACCEPT = {"type": "websocket.accept"}
KEPT = WebSocketLimits(max_message=1000, max_frames=5, max_queue=4)


class Echo:
    """Sends back what it gets, and keeps how it ended."""

    def __init__(self) -> None:
        self.ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.got: list[str | bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        assert (await receive())["type"] == "websocket.connect"
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            self.got.append(message.get("text") or message.get("bytes"))
            with contextlib.suppress(OSError):
                await send({**message, "type": "websocket.send"})
        self.ends.put((message["code"], message["reason"]))

    def end(self) -> tuple[int, str]:
        found: tuple[int, str] = self.ends.get(timeout=LIMIT)
        return found


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    packed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return packed[:-4]


TOO_LARGE = "a message has more than 1000 bytes (max_message)"
TOO_MANY = "a message came in more than 5 frames (max_frames)"
# What a client sends, whether it compresses, and the code and the beginning of the reason.
WRONG: dict[str, tuple[bytes, bool, int, str]] = {
    "a frame that says it is too large": (client_frame(0x82, b"", 1 << 62), False, 1009, TOO_LARGE),
    "frames that are too large together": (
        client_frame(0x01, bytes(600)) + client_frame(0x80, bytes(401)),
        False,
        1009,
        TOO_LARGE,
    ),
    "one that is too large decompressed": (
        client_frame(0xC2, deflated(bytes(10_000_000))),
        True,
        1009,
        TOO_LARGE,
    ),
    "too many frames": (
        client_frame(0x01, b"a") + client_frame(0x00) * 5,
        False,
        1009,
        TOO_MANY,
    ),
    "what was compressed is damaged": (client_frame(0xC1, b"\xff\xff"), True, 1007, "what was"),
    "compressed and not agreed to": (client_frame(0xC1, deflated(b"a")), False, 1002, "Reserved"),
    "a text that is not UTF-8": (client_frame(0x81, b"\xc3\x28"), False, 1007, "what has to be"),
    "a text that ends within a character": (client_frame(0x81, b"\xe2\x82"), False, 1007, ""),
    "a reason that is not UTF-8": (client_frame(0x88, b"\x03\xe8\xff"), False, 1007, ""),
    "not masked": (b"\x81\x01a", False, 1002, ""),
    "a reserved bit": (client_frame(0x91, b"a"), False, 1002, ""),
    "an unknown opcode": (client_frame(0x83, b"a"), False, 1002, ""),
    "a ping in two frames": (client_frame(0x09, b"a"), False, 1002, ""),
    "a ping that is too long": (client_frame(0x89, bytes(126)), False, 1002, ""),
    "a frame that continues nothing": (client_frame(0x80, b"a"), False, 1002, ""),
    "a message within a message": (
        client_frame(0x01, b"a") + client_frame(0x81, b"b"),
        False,
        1002,
        "",
    ),
    "a length that is not the shortest": (b"\x82\xfe\x00\x01\0\0\0\0a", False, 1002, ""),
    "a close with half a code": (client_frame(0x88, b"\x03"), False, 1002, ""),
    "a close with a code that is none": (client_frame(0x88, b"\x03\xee"), False, 1002, ""),
    "HTTP": (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", False, 1002, ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_ends_a_websocket(sites: Any, open_websocket: Open, what: str) -> None:
    data, compressed, code, reason = WRONG[what]
    app = Echo()
    server = sites.asgi(app, websocket=KEPT)
    client = open_websocket(server, deflate=PerMessageDeflate() if compressed else None)
    client.raw(client_frame(0x81, b"before") + data + client_frame(0x81, b"behind"))
    found = client.until_closed()
    assert found[0] == code
    assert found[1].startswith(reason)
    assert app.end()[0] == code
    assert app.got == ["before"]
    client.until_gone()
    assert open_websocket(server).status == 101


def test_what_is_just_within_the_limits(sites: Any, open_websocket: Open) -> None:
    server = sites.asgi(Echo(), websocket=KEPT)
    client = open_websocket(server, deflate=PerMessageDeflate())
    for message in (bytes(1000), "x" * 1000):
        client.send(message)
        assert client.next() == message
    client = open_websocket(server)
    client.raw(
        client_frame(0x02, bytes(996)) + client_frame(0x00, b"a") * 3 + client_frame(0x80, b"b")
    )
    assert client.next() == bytes(996) + b"aaab"


@pytest.mark.parametrize("takeover", [True, False])
def test_compression(sites: Any, open_websocket: Open, takeover: bool) -> None:
    deflate = PerMessageDeflate(
        client_no_context_takeover=not takeover,
        server_no_context_takeover=not takeover,
        client_max_window_bits=10,
    )
    client = open_websocket(sites.asgi(Echo()), deflate=deflate)
    assert "permessage-deflate" in dict(client.fields)["sec-websocket-extensions"]
    for message in ("hello " * 1000, b"\0" * 100_000, "", "hello " * 1000):
        client.send(message)
        assert client.next() == message
    for part in (TextMessage("on", message_finished=False), TextMessage("e")):
        client.say(part)
        client.say(Ping(b""))
    assert {type(client.next()) for _ in range(3)} == {str, Pong}
    server = sites.asgi(Echo(), websocket=WebSocketLimits(compress=False))
    client = open_websocket(server, deflate=PerMessageDeflate())
    assert "sec-websocket-extensions" not in dict(client.fields)


def test_an_application_that_does_not_receive_stops_the_client(
    sites: Any, open_websocket: Open
) -> None:
    go_on = threading.Event()
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send(ACCEPT)
        await asyncio.to_thread(go_on.wait, LIMIT)
        while (message := await receive())["type"] == "websocket.receive":
            found.put(message["bytes"])
        found.put(message["code"])

    server = sites.asgi(app, websocket=WebSocketLimits(max_queue=10))
    client = open_websocket(server)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    # More than buffers of sockets hold.
    messages = [bytes([number]) * 400_000 for number in range(40)]

    def send() -> None:
        for message in messages:
            client.send(message)
        client.close(1000)

    sender = threading.Thread(target=send)
    sender.start()
    (link,) = server.raw.open_links
    connection = link.connection
    while not connection.held:
        threading.Event().wait(0.01)
    (stream,) = connection.streams.values()
    assert len(stream._exchange._inbox) <= 10
    assert stream._exchange._queued <= 10 * 400_000
    go_on.set()
    sender.join(LIMIT)
    assert [found.get(timeout=LIMIT) for _ in messages] == messages
    assert found.get(timeout=LIMIT) == 1000


def test_many_small_messages_wait_in_the_socket(sites: Any, open_websocket: Open) -> None:
    client = open_websocket(sites.asgi(Echo(), websocket=WebSocketLimits(max_queue=2)))
    client.raw(b"".join(client_frame(0x81, b"%d" % number) for number in range(500)))
    assert [client.next() for _ in range(500)] == [str(number) for number in range(500)]


def test_a_client_that_does_not_read_stops_the_application(
    sites: Any, open_websocket: Open
) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    sent = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send(ACCEPT)
        try:
            for number in range(1000):
                await send({"type": "websocket.send", "bytes": bytes(100_000)})
                sent.append(number)
        except OSError:
            ends.put(await receive())

    client = open_websocket(sites.asgi(app, write_timeout=0.3))
    end = ends.get(timeout=LIMIT)
    assert len(sent) < 1000
    assert end["code"] == 1006
    assert end["reason"] == "the client read nothing within 0.3 s (write_timeout)"
    client.until_gone()


def test_a_client_that_reads_slowly_gets_all(sites: Any, open_websocket: Open) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send(ACCEPT)
        assert (await receive())["text"] == "go"
        for number in range(30):
            await send({"type": "websocket.send", "bytes": bytes([number]) * 300_000})
        await send({"type": "websocket.close"})

    client = open_websocket(sites.asgi(app))
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.send("go")
    # Asked for while a message is parked: one answer is enough, and it is in the middle of none.
    for number in range(20):
        client.say(Ping(b"%d" % number))
    found = [client.next() for _ in range(30)]
    pongs = [one for one in found if isinstance(one, Pong)]
    while (one := client.next()) != Closed((1000, "")):
        (pongs if isinstance(one, Pong) else found).append(one)
    messages = [one for one in found if not isinstance(one, Pong)]
    assert messages == [bytes([number]) * 300_000 for number in range(30)]
    assert all(int(one.payload) < 20 for one in pongs)


def test_pings_are_asked_and_a_client_that_answers_stays(sites: Any, open_websocket: Open) -> None:
    limits = WebSocketLimits(ping_interval=0.01, ping_timeout=LIMIT)
    client = open_websocket(sites.asgi(Echo(), websocket=limits))
    for _ in range(3):
        ping = client.next()
        assert isinstance(ping, Ping)
        client.say(ping.response())
    client.send("there")
    while (found := client.next()) != "there":
        assert isinstance(found, Ping)


def test_pings_without_a_limit_for_the_answer(sites: Any, open_websocket: Open) -> None:
    limits = WebSocketLimits(ping_interval=0.01, ping_timeout=float("inf"))
    client = open_websocket(sites.asgi(Echo(), websocket=limits))
    assert [type(client.next()) for _ in range(3)] == [Ping] * 3


def test_a_client_that_gives_no_sign_of_life(sites: Any, open_websocket: Open) -> None:
    app = Echo()
    limits = WebSocketLimits(ping_interval=0.05, ping_timeout=0.05)
    client = open_websocket(sites.asgi(app, websocket=limits))
    assert app.end() == (1006, "the client gave no sign of life within 0.05 s (ping_timeout)")
    assert client.next() == Ping(b"")
    assert client.next() is None


def test_too_many_pings(sites: Any, open_websocket: Open) -> None:
    app = Echo()
    client = open_websocket(sites.asgi(app))
    client.raw(client_frame(0x89) * 5000)
    code, reason = client.until_closed()
    assert code == 1008
    assert reason.startswith("too many PING frames")
    assert app.end()[0] == 1008


def test_a_websocket_without_messages(sites: Any, open_websocket: Open) -> None:
    app = Echo()
    limits = WebSocketLimits(idle_timeout=0.1, ping_interval=0.01)
    client = open_websocket(sites.asgi(app, websocket=limits))
    client.send("a")
    why = "no message came or went within 0.1 s (idle_timeout)"
    assert client.until_closed() == Closed((1001, why))
    assert app.end() == (1001, why)


def test_a_client_that_does_not_close_its_side(sites: Any, open_websocket: Open) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close"})

    client = open_websocket(sites.asgi(app, websocket=WebSocketLimits(close_timeout=0.05)))
    assert client.next() == Closed((1000, ""))
    client.until_gone()


def test_a_close_behind_what_the_client_does_not_read(sites: Any, open_websocket: Open) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send(ACCEPT)
        await receive()
        sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": bytes(8_000_000)}))
        await asyncio.sleep(0.05)
        assert not sending.done()
        await send({"type": "websocket.close"})
        await sending
        ends.put(await receive())

    server = sites.asgi(app, websocket=WebSocketLimits(close_timeout=0.1))
    client = open_websocket(server)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.send("go")
    assert ends.get(timeout=LIMIT)["code"] == 1000
    client.until_gone()
