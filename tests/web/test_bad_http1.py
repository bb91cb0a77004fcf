"""What is wrong in HTTP/1.1 itself, and clients that are slow or go away, on servers of both front ends over real sockets."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clarion.server_core import admission
from clarion.web import WebOptions
from support.footprint import Footprint, settled
from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang, echo

LINE = b"POST /test.Service/UnaryUnary HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
TYPE = b"Content-Type: application/proto\r\n"
HEAD = LINE + HOST + TYPE
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"\r\nhello"
CHUNKS = b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
GOOD = HEAD + LENGTH + BODY
HIDDEN = HEAD + b"Content-Length: 6\r\n\r\nhidden"

_STATUS = re.compile(rb"HTTP/1\.1 (\d+) ")


def web(**options: Any) -> list[tuple[str, Any]]:
    return [("clarion.web", WebOptions(**options))]


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    yield opened
    for sock in opened:
        sock.close()


def dial(server: Any, opened: list[socket.socket]) -> socket.socket:
    opened.append(socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT))
    opened[-1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened[-1]


def until_closed(sock: socket.socket) -> bytes:
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionError:
        # What was on its way to the server when it closed the connection is answered like that.
        pass
    return received


def until(sock: socket.socket, what: bytes) -> bytes:
    received = b""
    while what not in received:
        data = sock.recv(65536)
        assert data, received
        received += data
    return received


def statuses(answer: bytes) -> list[int]:
    return [int(each) for each in _STATUS.findall(answer)]


def still_serves(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(GOOD)
        assert until(sock, b"hello").startswith(b"HTTP/1.1 200 OK\r\n")


def nothing_left(front: FrontEnd, server: Any) -> None:
    """No call is open, no connection, and no handshake."""
    raw = server.raw
    gone = threading.Event()

    def count() -> int:
        return raw.core.active + len(raw.open_links) + len(raw.handshakes)

    async def counted() -> int:
        return count()

    for _ in range(int(LIMIT / 0.02)):
        if not (count() if front.name == "sync" else front.loop.run(counted)):
            return
        # Nobody says when the last of them is closed.
        gone.wait(0.02)
    raise AssertionError(f"{raw.core.active} calls, {raw.open_links}, {raw.handshakes}")


# Served like any other, and so is what follows.
HARMLESS = {
    "length": GOOD,
    "chunks": HEAD + CHUNKED + CHUNKS,
    "upper case": HEAD + CHUNKED.upper() + CHUNKS,
    "chunk extensions": HEAD + CHUNKED + b'\r\n5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n',
    "trailers": HEAD + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 7\r\n\r\n",
    "the same length twice": HEAD + LENGTH + LENGTH + BODY,
    "the same length in a list": HEAD + b"Content-Length: 5, 5\r\n" + BODY,
    "zeros": HEAD + b"Content-Length: 0000000005\r\n" + BODY,
    "lines that end with LF": (HEAD + LENGTH).replace(b"\r\n", b"\n") + b"\nhello",
    "folded lines": HEAD + b"X: a\r\n b\r\n" + LENGTH + BODY,
    "absolute target": GOOD.replace(b"POST ", b"POST http://other.example"),
    "no host": GOOD.replace(HOST, b"Host: \r\n"),
    "connection names content-length": HEAD + b"Connection: content-length\r\n" + LENGTH + BODY,
    "HTTP/1.2": GOOD.replace(b"1.1", b"1.2"),
    "h2c": HEAD
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    + LENGTH
    + BODY,
}

# The status; each ends the connection, for what follows may be a body or another request.
DOUBTFUL = {
    "both framings": (HEAD + CHUNKED + LENGTH + b"\r\n0\r\n\r\n", 400),
    "both framings, the other first": (HEAD + LENGTH + CHUNKED + b"\r\n0\r\n\r\n", 400),
    "two codings": (HEAD + CHUNKED + CHUNKED + CHUNKS, 501),
    "chunked and identity": (HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n" + CHUNKS, 501),
    "another coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS, 501),
    "no coding": (HEAD + b"Transfer-Encoding: \r\n" + CHUNKS, 501),
    "xchunked": (HEAD + b"Transfer-Encoding: xchunked\r\n" + CHUNKS, 501),
    "quoted": (HEAD + b'Transfer-Encoding: "chunked"\r\n' + CHUNKS, 501),
    "parameter": (HEAD + b"Transfer-Encoding: chunked;a=b\r\n" + CHUNKS, 501),
    "vertical tab": (HEAD + b"Transfer-Encoding: \x0bchunked\r\n" + CHUNKS, 400),
    "space before the colon": (HEAD + b"Transfer-Encoding : chunked\r\n" + CHUNKS, 400),
    "bare CR": (HEAD + b"Transfer-Encoding: chunked\rX: y\r\n" + CHUNKS, 400),
    "NUL behind chunked": (HEAD + b"Transfer-Encoding: chunked\0\r\n" + CHUNKS, 400),
    "coding in HTTP/1.0": ((HEAD + CHUNKED).replace(b"1.1", b"1.0") + CHUNKS, 400),
    "two lengths": (HEAD + LENGTH + b"Content-Length: 6\r\n" + BODY, 400),
    "two lengths in a list": (HEAD + b"Content-Length: 5,6\r\n" + BODY, 400),
    "plus": (HEAD + b"Content-Length: +5\r\n" + BODY, 400),
    "minus": (HEAD + b"Content-Length: -5\r\n" + BODY, 400),
    "hexadecimal length": (HEAD + b"Content-Length: 0x5\r\n" + BODY, 400),
    "underscore": (HEAD + b"Content-Length: 0_5\r\n" + BODY, 400),
    "no length": (HEAD + b"Content-Length: \r\n" + BODY, 400),
    "other digits": (HEAD + "Content-Length: \u0665\r\n".encode() + BODY, 400),
    "long length": (HEAD + b"Content-Length: " + b"1" * 5000 + b"\r\n" + BODY, 400),
    "length beyond 64 bits": (HEAD + b"Content-Length: 18446744073709551621\r\n" + BODY, 400),
    "chunk of less than nothing": (HEAD + CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk with 0x": (HEAD + CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk beyond 80 bits": (HEAD + CHUNKED + b"\r\n1" + b"0" * 20 + b"5\r\nhello\r\n", 400),
    "chunk without size": (HEAD + CHUNKED + b"\r\n\r\nhello\r\n0\r\n\r\n", 400),
    "chunk behind a space": (HEAD + CHUNKED + b"\r\n 5\r\nhello\r\n0\r\n\r\n", 400),
    "chunk without end": (HEAD + CHUNKED + b"\r\n5\r\nhelloXX0\r\n\r\n", 400),
    "chunk longer than said": (HEAD + CHUNKED + b"\r\n4\r\nhello\r\n0\r\n\r\n", 400),
    "chunks with LF": (HEAD + CHUNKED + b"\r\n5\nhello\n0\n\n", 400),
    "LF in an extension": (HEAD + CHUNKED + b"\r\n5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
    "trailers without a colon": (HEAD + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nX y\r\n\r\n", 400),
    "fold at the beginning": (LINE + b" X: a\r\n" + HOST + TYPE + LENGTH + BODY, 400),
    "NUL in a value": (HEAD + b"X: a\0b\r\n" + LENGTH + BODY, 400),
    "NUL in a name": (HEAD + b"X\0: a\r\n" + LENGTH + BODY, 400),
    "no colon": (HEAD + b"X\r\n" + LENGTH + BODY, 400),
    "no name": (HEAD + b": x\r\n" + LENGTH + BODY, 400),
    "space in a name": (HEAD + b"X Y: x\r\n" + LENGTH + BODY, 400),
    "pseudo-header": (HEAD + b":path: /x\r\n" + LENGTH + BODY, 400),
    "authority": (GOOD.replace(b"/test.Service/UnaryUnary", b"localhost:1"), 400),
    "no path": (GOOD.replace(b"/test.Service/UnaryUnary", b"*"), 400),
    "another scheme": (GOOD.replace(b"POST ", b"POST ftp://other"), 400),
    "user in the target": (GOOD.replace(b"POST ", b"POST http://me@other"), 400),
    "space in the target": (GOOD.replace(b"UnaryUnary ", b"Unary Unary "), 400),
    "control character": (GOOD.replace(b"UnaryUnary ", b"Unary\1 "), 400),
    "bytes in the target": (GOOD.replace(b"UnaryUnary ", b"Unary\xff "), 400),
    "host missing": (LINE + TYPE + LENGTH + BODY, 400),
    "two hosts": (HEAD + HOST + LENGTH + BODY, 400),
    "space in the host": (GOOD.replace(b"localhost", b"a b"), 400),
    "path in the host": (GOOD.replace(b"localhost", b"a/b"), 400),
    "user in the host": (GOOD.replace(b"localhost", b"me@a"), 400),
    "no target": (GOOD.replace(b"/test.Service/UnaryUnary", b""), 400),
    "HTTP/2.0": (GOOD.replace(b"1.1", b"2.0"), 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/11": (GOOD.replace(b"1.1", b"11"), 400),
    "http/1.1": (GOOD.replace(b"HTTP", b"http"), 400),
    "no method": (GOOD.replace(b"POST", b"P@ST"), 400),
    "CONNECT": (b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "expectation": (HEAD + b"Expect: tea\r\n" + LENGTH + BODY, 417),
    "long line": (GOOD.replace(b"UnaryUnary ", b"a" * 20_000 + b" "), 431),
    "long line without end": (b"POST /" + b"a" * 80_000, 431),
    "long header": (HEAD + b"X: " + b"y" * 20_000 + b"\r\n" + LENGTH + BODY, 431),
    "many headers": (HEAD + b"X: y\r\n" * 3000 + LENGTH + BODY, 431),
    "headers without end": (HEAD + b"X: y\r\n" * 15_000, 431),
    "chunk extension without end": (HEAD + CHUNKED + b"\r\n5;" + b"a" * 80_000, 431),
    "trailers without end": (HEAD + CHUNKED + b"\r\n0\r\nX: " + b"y" * 80_000, 431),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", 400),
    "zeros": (bytes(1000), 400),
}


class Served:
    """An echo that remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, call: ServerCall) -> Any:
        self.requests.append(call.request)
        return await echo(call)


def test_harmless_requests_are_served(front: FrontEnd, opened: list[socket.socket]) -> None:
    served = Served()
    server = front.serve({"unary_unary": served}, options=web())
    for name, request in HARMLESS.items():
        served.requests.clear()
        sock = dial(server, opened)
        sock.sendall(request + HIDDEN)
        assert statuses(until(sock, b"hidden")) == [200, 200], name
        assert served.requests == [b"hello", b"hidden"], name
        sock.close()
    nothing_left(front, server)


def test_doubtful_requests_end_the_connection(front: FrontEnd, opened: list[socket.socket]) -> None:
    served = Served()
    server = front.serve({"unary_unary": served}, options=web())
    for name, (request, status) in DOUBTFUL.items():
        sock = dial(server, opened)
        sock.sendall(request if "without end" in name else request + HIDDEN)
        answer = until_closed(sock)
        # Where the server closes a connection with much unread, what it said may be lost on the way.
        assert statuses(answer) == [status] or (not answer and len(request) > 60_000), name
        assert b"hello" not in answer, name
        sock.close()
    assert served.requests == []
    still_serves(server)
    nothing_left(front, server)


def test_a_handler_that_never_waits_keeps_nobody_waiting_when_its_client_is_gone(
    front: FrontEnd, opened: list[socket.socket]
) -> None:
    ended = threading.Event()

    async def endless(call: ServerCall) -> None:
        try:
            while True:
                await call.write(b"x" * 1000)
        finally:
            ended.set()

    server = front.serve({"unary_stream": endless, "unary_unary": echo}, options=web())
    sock = dial(server, opened)
    request = HEAD.replace(b"UnaryUnary", b"UnaryStream").replace(b"tion/", b"tion/connect+")
    sock.sendall(request + b"Content-Length: 5\r\n\r\n\0\0\0\0\0")
    until(sock, b"xxx")
    # A reset, which the server's next write meets.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    assert ended.wait(LIMIT)
    still_serves(server)


def test_refusals_around_head(
    front: FrontEnd, opened: list[socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    head = b"HEAD / HTTP/1.1\r\nHost: localhost\r\n"
    requests = {
        # HEAD itself is refused, without a body; what follows it, with one.
        head.replace(b"/ ", b"nowhere ") + b"\r\n": ([400], b""),
        head + b"X: " + b"y" * 16_380 + b"\r\n\r\n": ([431], b""),
        head + b"\r\nno request\r\n\r\n": ([405, 400], b"illegal request line\n"),
        head + b"\r\n" + GOOD.replace(HOST, b"Host: a b\r\n"): ([405, 400], b"the host is none\n"),
    }
    server = front.serve(ECHOES, options=web())
    for request, (expected, body) in requests.items():
        sock = dial(server, opened)
        sock.sendall(request)
        answer = until_closed(sock)
        assert statuses(answer) == expected
        assert answer.rpartition(b"\r\n\r\n")[2] == body
    nothing_left(front, server)
    assert not caplog.records


def test_http_1_0(front: FrontEnd, opened: list[socket.socket]) -> None:
    served = Served()
    server = front.serve({"unary_unary": served}, options=web())
    for extra in (b"", b"Connection: keep-alive\r\n"):
        sock = dial(server, opened)
        head = HEAD.replace(b"1.1", b"1.0").replace(HOST, b"")
        sock.sendall(head + extra + LENGTH + BODY + HIDDEN)
        answer = until_closed(sock)
        assert statuses(answer) == [200]
        assert answer.endswith(b"hello")
    assert served.requests == [b"hello"] * 2


PIPELINED = {
    # Something that is no call, and something that is no HTTP.
    "415": (GOOD.replace(b"application/proto", b"text/plain"), [200, 200, 415, 200, 200]),
    "400": (GOOD.replace(b"Host", b"Ho st"), [200, 200, 400]),
    "505": (GOOD.replace(b"application/proto", b"application/grpc"), [200, 200, 505, 200, 200]),
    "error": (GOOD.replace(b"UnaryUnary", b"Missing"), [200, 200, 404, 200, 200]),
}


@pytest.mark.parametrize("what", PIPELINED)
def test_pipelined_requests_with_a_refused_one(
    front: FrontEnd, opened: list[socket.socket], what: str
) -> None:
    refused, expected = PIPELINED[what]
    server = front.serve({"unary_unary": echo}, options=web())
    last = b"Connection: close\r\n"
    requests = [GOOD, GOOD, refused, GOOD, HEAD + last + LENGTH + BODY]
    sock = dial(server, opened)
    sock.sendall(b"".join(requests))
    assert statuses(until_closed(sock)) == expected
    # One by one, where the connection is free between them.
    sock = dial(server, opened)
    for byte in b"".join(requests):
        try:
            sock.sendall(bytes([byte]))
        except ConnectionError:
            break
    assert statuses(until_closed(sock)) in (expected, [])
    for sock in opened:
        sock.close()
    nothing_left(front, server)


def test_many_pipelined_requests(front: FrontEnd, opened: list[socket.socket]) -> None:
    server = front.serve({"unary_unary": echo}, options=web())
    sock = dial(server, opened)
    count = 500
    requests = b"".join(GOOD.replace(b"hello", b"%05d" % number) for number in range(count))
    sender = threading.Thread(target=sock.sendall, args=(requests,))
    sender.start()
    answers = b""
    while answers.count(b"HTTP/1.1 200 OK") < count or not answers.endswith(b"%05d" % (count - 1)):
        data = sock.recv(65536)
        assert data, answers[-1000:]
        answers += data
    sender.join(LIMIT)
    numbers = [int(each) for each in re.findall(rb"\r\n\r\n(\d{5})", answers)]
    assert numbers == list(range(count))


def test_slow_requests(front: FrontEnd, opened: list[socket.socket]) -> None:
    hang = Hang()
    options = web(head_timeout=0.2, body_timeout=0.2, min_body_rate=1_000_000)
    server = front.serve({"unary_unary": hang}, options=options)
    slow = {
        HEAD: [408],
        HEAD + LENGTH + b"\r\nhel": [408],
        HEAD + CHUNKED + b"\r\n5\r\nhel": [408],
        # A promise of very much.
        HEAD + CHUNKED + b"\r\nFFFFFFFFFFFFFFFF\r\nhello": [408],
        # The second request of a connection.
        GOOD.replace(b"UnaryUnary", b"Missing") + HEAD: [404, 408],
    }
    for begin in slow:
        dial(server, opened).sendall(begin)
    assert [statuses(until_closed(sock)) for sock in opened] == list(slow.values())
    assert not hang.started.acquire(blocking=False)
    for sock in opened:
        sock.close()
    nothing_left(front, server)


def test_who_does_not_read_is_cut_off(front: FrontEnd, opened: list[socket.socket]) -> None:
    over = threading.Event()

    async def pour(call: ServerCall) -> None:
        try:
            while True:
                await call.write(bytes(1_000_000))
        finally:
            over.set()

    server = front.serve({"unary_stream": pour}, options=web(write_timeout=0.2))
    sock = dial(server, opened)
    head = HEAD.replace(b"UnaryUnary", b"UnaryStream")
    head = head.replace(b"application/proto", b"application/grpc-web")
    sock.sendall(head + LENGTH + b"\r\n\0\0\0\0\0")
    assert over.wait(LIMIT)
    nothing_left(front, server)
    assert not until_closed(sock).endswith(b"0\r\n\r\n")


WEB_HEAD = HEAD.replace(b"application/proto", b"application/grpc-web")
DROPPED = {
    "gRPC-Web": WEB_HEAD + b"Content-Length: 7\r\n\r\n\0\0\0\0\2hi",
    "expecting": HEAD + b"Expect: 100-continue\r\n" + LENGTH + BODY,
    "stream": WEB_HEAD.replace(b"UnaryUnary", b"StreamStream")
    + CHUNKED
    + b"\r\n7\r\n\0\0\0\0\2hi\r\n7\r\n\0\0\0\0\2ho\r\n0\r\n\r\n",
}
_RESET = struct.pack("ii", 1, 0)


def _http2_request() -> bytes:
    """What a client of HTTP/2 sends for a call of gRPC-Web."""
    h2 = pytest.importorskip("h2.connection", reason="h2 is not installed")
    config = pytest.importorskip("h2.config").H2Configuration(client_side=True)
    client = h2.H2Connection(config)
    client.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/test.Service/StreamStream"),
        ("content-type", "application/connect+proto"),
    ]
    client.send_headers(1, headers)
    client.send_data(1, b"\0\0\0\0\2hi")
    client.send_data(1, b"\0\0\0\0\2ho", end_stream=True)
    data: bytes = client.data_to_send()
    return data


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_clients_that_go_away_anywhere_leave_nothing(front: FrontEnd, how: str) -> None:
    few: dict[str, Any] = {"workers": 1} if front.name == "sync" else {}
    server = front.serve(ECHOES, options=web(), **few)
    requests = [*DROPPED.values(), _http2_request()]

    def drop(data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.sendall(data)

    # The pool's thread, and all that is made once.
    for request in requests * 2:
        drop(request)
    for _ in range(4):
        still_serves(server)
    nothing_left(front, server)
    before = Footprint.now()
    for request in requests:
        for end in range(1, len(request) + 1):
            drop(request[:end])
    still_serves(server)
    nothing_left(front, server)
    # Another test's loop may have started a thread of its own meanwhile; a leak would be hundreds.
    before.threads += 2
    assert settled(before).more_than(before) == ""


def test_floods_of_connections_that_say_nothing(
    front: FrontEnd, opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 8
    options = [*web(), ("grpc.max_allowed_incoming_connections", limit)]
    server = front.serve(ECHOES, options=options)
    # Those that are not over, and the connections, are so many at most.
    most = limit + 16 + 1
    silent = [dial(server, opened) for _ in range(most + 10)]
    # The last ones are closed at once, for nobody can be told why.
    assert [until_closed(each) for each in silent[-10:]] == [b""] * 10
    assert len(server.raw.handshakes) <= most
    # Who waits for long enough to be no accident goes for others.
    monkeypatch.setattr(admission, "_CHANCE", -1.0)
    still_serves(server)
    assert until_closed(silent[0]) == b""
    # Half a preface, and half a method, are no more than silence.
    for begin in (b"P", b"PR"):
        for sock in (dial(server, opened) for _ in range(most)):
            sock.sendall(begin)
    still_serves(server)
    assert len(server.raw.handshakes) <= most
    for sock in opened:
        sock.close()
    nothing_left(front, server)
