"""Channels of both front ends over HTTP/1.1, against a server that does what servers do, and what they should not."""

from __future__ import annotations

import concurrent.futures
import json
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import clarion
from clarion import channelz
from clarion.channelz.answers import ANSWERS
from clarion.channelz.sockets import connection_node
from support.credentials import CERTIFICATES, client_tls
from support.front_end import FrontEnd
from support.http1_peer import Http1Peer, Http1Server
from support.libraries import LIMIT

pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.client.options import OPTION, WebClient

PATH = "/test.Service/Method"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\n"
END = b"\2\0\0\0\2{}"
MIB = 1 << 20

Serve = Callable[..., Http1Server]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def envelope(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


LAST = chunk(END) + b"0\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Http1Server] = []

    def start(script: Callable[[Http1Peer], object], **options: Any) -> Http1Server:
        servers.append(Http1Server(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def connect(front: FrontEnd, server: Http1Server, tls: bool = False, **options: Any) -> Any:
    """A channel of Connect over HTTP/1.1."""
    web = WebClient(**{"http": "1.1", **options})
    if not tls:
        return front.connect(server.target, options=[(OPTION, web)])
    name = ("grpc.ssl_target_name_override", "localhost")
    credentials = client_tls(front.library)
    return front.connect(server.target, options=[(OPTION, web), name], credentials=credentials)


def send_all(peer: Http1Peer, data: bytes, stopped: threading.Event) -> None:
    """Send `data`, which is more than the system's buffers take, and tell when nobody reads it."""
    view, at = memoryview(data), 0
    peer.sock.settimeout(0.3)
    while at < len(view):
        try:
            at += peer.sock.send(view[at : at + MIB])
        except TimeoutError:
            stopped.set()
            peer.sock.settimeout(LIMIT)


def ask(client: Any, request: bytes = b"x") -> Any:
    return client.call(PATH, "unary_unary", [request], timeout=LIMIT)


def tls_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def test_a_connection_serves_call_after_call(front: FrontEnd, serve: Serve) -> None:
    seen = []

    def script(peer: Http1Peer) -> None:
        while True:
            seen.append(peer.request())
            peer.send(HELLO)

    server = serve(script)
    client = connect(front, server)
    for number in range(5):
        outcome = ask(client, b"%d" % number)
        assert (outcome.code, outcome.responses) == ("OK", [b"hello"])
    assert seen == [b"0", b"1", b"2", b"3", b"4"]
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello", OK + b"\r\nhello"],
    ids=["said", "end of connection"],
)
def test_a_server_may_close_after_each_answer(front: FrontEnd, serve: Serve, answer: bytes) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(answer)
        peer.shut()
        peer.gone()

    server = serve(script)
    client = connect(front, server)
    # More often than a channel would take it for a server that is not well.
    for _ in range(6):
        outcome = ask(client)
        assert (outcome.code, outcome.responses) == ("OK", [b"hello"]), outcome.details
    assert server.connections == 6


def test_a_server_may_close_a_connection_that_rests(front: FrontEnd, serve: Serve) -> None:
    closed = threading.Semaphore(0)

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(HELLO)
        peer.shut()
        assert peer.gone()
        closed.release()

    server = serve(script)
    client = connect(front, server)
    for number in range(1, 4):
        assert ask(client).responses == [b"hello"]
        assert closed.acquire(timeout=LIMIT)
        assert server.connections == number


def test_a_server_may_close_when_it_is_asked(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()
        if peer.number == 0:
            peer.send(HELLO)
            peer.request()
        else:
            peer.send(HELLO)
            peer.gone()

    server = serve(script)
    client = connect(front, server)
    assert ask(client).code == "OK"
    outcome = ask(client)
    assert outcome.code == "UNAVAILABLE"
    assert "before it answered" in outcome.details
    assert ask(client).code == "OK"
    assert server.connections == 2


def test_what_nobody_asked_for_is_no_answer(front: FrontEnd, serve: Serve) -> None:
    closed = threading.Event()

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(HELLO)
        if peer.number == 0:
            peer.send(OK + b"content-length: 6\r\n\r\npoison")
            peer.gone()
            closed.set()
        else:
            peer.gone()

    server = serve(script)
    client = connect(front, server)
    assert ask(client).responses == [b"hello"]
    assert closed.wait(LIMIT)
    assert ask(client).responses == [b"hello"]
    assert server.connections == 2


def test_an_answer_that_is_cut_off(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(HELLO[:-1])

    outcome = ask(connect(front, serve(script)))
    assert outcome.code == "UNAVAILABLE"
    assert "within an answer" in outcome.details


def test_a_server_of_http2(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.read_head()
        peer.send(bytes.fromhex("000000040000000000"))
        peer.gone()

    outcome = ask(connect(front, serve(script)))
    assert "it speaks HTTP/2" in outcome.details, outcome


def test_an_answer_may_come_before_the_end_of_the_request(front: FrontEnd, serve: Serve) -> None:
    gone = threading.Event()
    error = json.dumps({"error": {"code": "permission_denied", "message": "no"}}).encode()

    def script(peer: Http1Peer) -> None:
        peer.read_head()
        peer.read_until(b"first")
        peer.send(STREAM + b"content-length: %d\r\n\r\n" % (len(error) + 5) + envelope(error, 2))
        peer.gone()
        gone.set()

    client = connect(front, serve(script))
    call = client.open(PATH, "stream_unary")
    call.write(b"first")
    outcome = call.finish()
    assert (outcome.code, outcome.details) == ("PERMISSION_DENIED", "no")
    assert gone.wait(LIMIT)


def test_a_server_that_answers_and_resets_the_connection(
    front: FrontEnd, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def script(peer: Http1Peer) -> None:
        peer.read_head()
        # What it leaves unread makes the end a reset.
        peer.send(b"HTTP/1.1 429 Slow Down\r\ncontent-length: 0\r\n\r\n")

    outcome = ask(connect(front, serve(script)), bytes(8 * MIB))
    assert outcome.code == "UNAVAILABLE"
    # asyncio complains of writes to what is lost.
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_a_request_larger_than_the_transport_takes(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        while True:
            body = peer.request()
            peer.send(OK + b"content-length: 8\r\n\r\n" + b"%08d" % len(body))

    client = connect(front, serve(script))
    assert ask(client, bytes(8 * MIB)).responses == [b"%08d" % (8 * MIB)]
    assert ask(client, b"x").responses == [b"00000001"]


def test_a_stream_of_requests_is_not_held_back(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        while True:
            body = peer.request()
            assert b"transfer-encoding: chunked" in peer.head
            peer.send(STREAM + b"transfer-encoding: chunked\r\n\r\n")
            peer.send(chunk(envelope(b"%d" % len(body))) + LAST)

    server = serve(script)
    client = connect(front, server)
    for _ in range(2):
        outcome = client.call(
            PATH, "stream_unary", [bytes(100_000) for _ in range(50)], timeout=LIMIT
        )
        assert outcome.code == "OK", outcome.details
        assert outcome.responses == [b"%d" % (50 * 100_005)]
    assert server.connections == 1


@pytest.mark.parametrize("framing", ["chunked", "end of connection"])
def test_a_reader_that_rests_stops_the_server(front: FrontEnd, serve: Serve, framing: str) -> None:
    stopped = threading.Event()
    number = 24
    message = envelope(bytes(MIB))

    def script(peer: Http1Peer) -> None:
        peer.request()
        chunked = framing == "chunked"
        peer.send(STREAM + (b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
        if chunked:
            data = chunk(message) * number + LAST
        else:
            data = message * number + END
        send_all(peer, data, stopped)
        peer.shut()
        peer.gone()

    client = connect(front, serve(script))
    call = client.open(PATH, "unary_stream", [b"x"], timeout=4 * LIMIT)
    assert call.read() == bytes(MIB)
    assert stopped.wait(LIMIT)
    outcome = call.finish()
    assert outcome.code == "OK", outcome.details
    assert len(outcome.responses) == number - 1
    assert set(outcome.responses) == {bytes(MIB)}


def test_who_waits_for_the_end_does_not_read_on(front: FrontEnd, serve: Serve) -> None:
    stopped = threading.Event()
    number = 24

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(STREAM + b"transfer-encoding: chunked\r\n\r\n")
        send_all(peer, chunk(envelope(bytes(MIB))) * number + LAST, stopped)
        peer.gone()

    client = connect(front, serve(script))
    call = client.open(PATH, "unary_stream", [b"x"], timeout=4 * LIMIT)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        if front.name == "sync":
            code = pool.submit(call.raw.code)
        else:
            code = front.loop.start(call.raw.code)
        assert stopped.wait(LIMIT)
        assert not code.done()
        outcome = call.finish()
        assert len(outcome.responses) == number
        assert code.result(LIMIT).name == outcome.code == "OK"


def test_an_answer_is_read_when_nothing_can_be_sent(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.read_head()
        peer.send(OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello")
        # With unread bytes: the client is told that its own have nowhere to go.

    client = connect(front, serve(script))
    for _ in range(3):
        outcome = ask(client, bytes(8 * MIB))
        if front.name == "sync" or outcome.code == "OK":
            assert outcome.responses == [b"hello"], outcome.details
        else:
            # asyncio's transports do not read what is there when they fail to write.
            assert outcome.code == "UNAVAILABLE"


def test_what_http1_cannot_say(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()

    server = serve(script)
    options = [(OPTION, WebClient(http="1.1")), ("grpc.default_authority", "a\r\nx: y")]
    outcome = ask(front.connect(server.target, options=options))
    assert outcome.code == "INTERNAL"
    assert "HTTP/1.1" in outcome.details


def test_channelz_knows_the_connection(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        while True:
            peer.request()
            peer.send(HELLO)

    client = connect(front, serve(script))
    for number in range(1, 3):
        assert ask(client).code == "OK"
        (core,) = client.raw.cores
        ((link,),) = [each.links for each in core.subchannels]
        request = channelz.messages()["GetSocketRequest"](socket_id=connection_node(link).number)
        data = ANSWERS["GetSocket"](request).socket.data
        assert data.streams_started == data.streams_succeeded == number
        assert data.messages_sent == data.messages_received == number
        assert data.peer_max_concurrent_streams == 1
        assert data.keep_alives_sent == data.remote_flow_control_window.value == 0
    request = channelz.messages()["GetChannelRequest"](channel_id=client.raw.node.number)
    channel = ANSWERS["GetChannel"](request).channel
    assert channel.data.max_connections_per_subchannel == WebClient().max_connections
    # The last one's time is known, for somebody asked before.
    assert data.HasField("last_message_received_timestamp")


def test_wire_traces_show_what_is_said(front: FrontEnd, serve: Serve) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(HELLO)
        peer.request()
        peer.send(STREAM + b"transfer-encoding: chunked\r\n\r\n" + chunk(envelope(b"abc")) + LAST)
        peer.gone()

    events: list[Any] = []
    with clarion.trace("all", to=events.append) as trace:
        client = connect(front, serve(script))
        assert ask(client).responses == [b"hello"]
        outcome = client.call(
            PATH, "unary_stream", [b"xy"], timeout=LIMIT, metadata=[("authorization", "secret")]
        )
        assert outcome.responses == [b"abc"]
        client.close()
        assert trace.flush()
    text = "\n".join(f"{each.category} {each.direction} {each.text}" for each in events)
    assert "connections  opened to ipv4:127.0.0.1:" in text
    assert f"frames sent POST {PATH} HTTP/1.1\nhost: " in text
    assert "frames sent 1 bytes of a body" in text
    assert "frames received HTTP/1.1 200\ncontent-type: application/proto" in text
    assert "frames received 5 bytes of a body" in text
    assert "connections  closed: " in text
    assert "secret" not in text
    shown = [each.text for each in events if each.category == "messages"]
    assert [each.partition(",")[0].partition(":")[0] for each in shown] == [
        "request of 2 bytes",
        "response of 3 bytes",
        "response's end of 2 bytes",
    ]


def test_cancelling_closes_the_connection(front: FrontEnd, serve: Serve) -> None:
    closed = threading.Event()

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(STREAM + b"transfer-encoding: chunked\r\n\r\n" + chunk(envelope(b"one")))
        peer.gone()
        closed.set()

    client = connect(front, serve(script))
    call = client.open(PATH, "unary_stream", [b"x"], timeout=LIMIT)
    assert call.read() == b"one"
    call.cancel()
    assert closed.wait(LIMIT)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"idle_timeout": 0.2}, HELLO),
        ({}, OK + b"keep-alive: timeout=0\r\ncontent-length: 5\r\n\r\nhello"),
    ],
    ids=["of the channel", "of the server"],
)
def test_a_connection_that_rests_is_closed(
    front: FrontEnd, serve: Serve, options: dict[str, Any], answer: bytes
) -> None:
    closed = threading.Semaphore(0)

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(answer)
        peer.gone()
        closed.release()

    client = connect(front, serve(script), **options)
    for _ in range(2):
        assert ask(client).responses == [b"hello"]
        assert closed.acquire(timeout=LIMIT)


# TLS


@pytest.mark.parametrize(
    ("protocols", "agreed"), [(("http/1.1",), "http/1.1"), ((), None)], ids=["alpn", "no alpn"]
)
@pytest.mark.parametrize("http", ["auto", "1.1"])
def test_tls_agrees_on_http1(
    front: FrontEnd, serve: Serve, http: str, protocols: tuple[str, ...], agreed: str | None
) -> None:
    def script(peer: Http1Peer) -> None:
        while True:
            peer.request()
            peer.send(HELLO)

    server = serve(script, context=tls_context(*protocols))
    client = connect(front, server, tls=True, http=http)
    for _ in range(3):
        outcome = ask(client)
        assert (outcome.code, outcome.responses) == ("OK", [b"hello"]), outcome.details
    assert server.agreed == [agreed]


def test_tls_offers_http2_first(front: FrontEnd, serve: Serve) -> None:
    came = threading.Semaphore(0)

    def script(peer: Http1Peer) -> None:
        came.release()
        peer.gone()

    server = serve(script, context=tls_context("h2", "http/1.1"))
    client = connect(front, server, tls=True, http="1.1")
    call = client.open(PATH, "unary_unary", [b"x"], timeout=LIMIT)
    auto = connect(front, server, tls=True, http="auto")
    other = auto.open(PATH, "unary_unary", [b"x"], timeout=LIMIT)
    for _ in range(2):
        assert came.acquire(timeout=LIMIT)
    assert sorted(map(str, server.agreed)) == ["h2", "http/1.1"]
    call.cancel()
    other.cancel()


def test_http2_is_insisted_on_where_it_was_asked_for(front: FrontEnd, serve: Serve) -> None:
    server = serve(lambda peer: peer.gone(), context=tls_context("http/1.1"))
    outcome = ask(connect(front, server, tls=True, http="2"))
    assert outcome.code == "UNAVAILABLE"
    assert "did not agree to HTTP/2" in outcome.details


@pytest.mark.parametrize("said", [True, False])
def test_only_tls_says_that_an_answer_is_whole(front: FrontEnd, serve: Serve, said: bool) -> None:
    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(OK + b"\r\nhello")
        if said:
            peer.shut()

    outcome = ask(connect(front, serve(script, context=tls_context("http/1.1")), tls=True))
    assert outcome.code == ("OK" if said else "UNAVAILABLE"), outcome.details
    if said:
        assert outcome.responses == [b"hello"]


def test_large_answers_with_tls(front: FrontEnd, serve: Serve) -> None:
    number = 24

    def script(peer: Http1Peer) -> None:
        peer.request()
        peer.send(STREAM + b"transfer-encoding: chunked\r\n\r\n")
        peer.send(chunk(envelope(bytes(MIB))) * number + LAST)
        peer.gone()

    client = connect(front, serve(script, context=tls_context("http/1.1")), tls=True)
    call = client.open(PATH, "unary_stream", [b"x"], timeout=4 * LIMIT)
    assert call.read() == bytes(MIB)
    outcome = call.finish()
    assert outcome.code == "OK", outcome.details
    assert len(outcome.responses) == number - 1
