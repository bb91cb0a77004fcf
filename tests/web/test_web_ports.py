"""Ports with local credentials, and what HTTP/2 alone has of odd requests, on servers of both front ends."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import pytest

import clarion
from clarion.errors import LocalError
from clarion.web import WebOptions
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES
from support.web_clients import Http2Client, WebClient

Connect = Callable[..., WebClient]

UNARY = {"content-type": "application/proto"}
ECHO = SERVICE + "UnaryUnary"
OPTIONS = [("clarion.web", WebOptions())]
ALONE = [("clarion.web", WebOptions(http1=False))]


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


async def _who(call: ServerCall) -> bytes:
    context = call.context.auth_context()
    return b",".join(context["transport_security_type"])


def test_ports_with_local_credentials(front: FrontEnd, connect: Connect) -> None:
    credentials = clarion.local_server_credentials(clarion.LocalConnectionType.LOCAL_TCP)
    rig = front.rig(
        unary_unary=_who,
        options=OPTIONS,
        credentials=credentials,
        client_credentials=clarion.local_channel_credentials(),
    )
    client = connect(rig.server)
    for _ in range(2):
        assert client.request(ECHO, UNARY, b"").body == b"local"
    assert rig.call("unary_unary", [b""]).responses == [b"local"]


def test_who_is_not_local_is_turned_away(front: FrontEnd) -> None:
    credentials = clarion.local_server_credentials(clarion.LocalConnectionType.UDS)
    server = front.serve(ECHOES, options=OPTIONS, credentials=credentials)
    # In one piece: nobody waits for more than its beginning.
    request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(request)
        answer = sock.recv(65536)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"within the machine" in answer
    client = Http2Client(server.ports[0])
    with pytest.raises((AssertionError, ConnectionError)):
        client.request(ECHO, UNARY, b"x")
    client.close()


def test_local_credentials_without_http1(front: FrontEnd) -> None:
    credentials = clarion.local_server_credentials(clarion.LocalConnectionType.LOCAL_TCP)
    server = front.serve({"unary_unary": _who}, options=ALONE, credentials=credentials)
    client = Http2Client(server.ports[0])
    assert client.request(ECHO, UNARY, b"").body == b"local"
    client.close()


@pytest.fixture
def http2(front: FrontEnd) -> Any:
    client = Http2Client(front.serve(ECHOES, options=OPTIONS).ports[0])
    yield client
    client.close()


_PROTOCOL_ERROR = 1


def ended_by(client: Any) -> int:
    """The code that the stream of the last request was reset with; -1 if it ended well."""
    while True:
        event = client._event()
        if type(event).__name__ in ("StreamEnded", "StreamReset"):
            return int(getattr(event, "error_code", -1))


def test_trailers_of_requests(http2: Http2Client) -> None:
    http2.send_head(ECHO, UNARY)
    http2.send_piece(b"hello")
    http2.state.send_headers(http2._stream, [("x-checksum", "1")], end_stream=True)
    http2._flush()
    assert http2.answer().body == b"hello"
    # None of the protocols has a use for them, and they cannot stand in for the end of a message.
    http2.send_head(SERVICE + "StreamStream", {"content-type": "application/grpc-web+proto"})
    http2.send_piece(framed(b"hello")[:-1])
    http2.state.send_headers(http2._stream, [("grpc-status", "0")], end_stream=True)
    http2._flush()
    assert dict(http2.answer().fields)["grpc-status"] == "13"


@pytest.mark.parametrize("length", ["4", "6", "0"])
def test_lengths_that_are_not_kept(http2: Http2Client, length: str) -> None:
    http2.state.config.validate_outbound_headers = False
    http2.send_head(ECHO, {**UNARY, "content-length": length})
    http2.state._get_stream_by_id(http2._stream)._expected_content_length = None
    http2.send_piece(b"hello")
    http2.send_end()
    # RFC 9113 §8.1.1: the request is malformed.
    assert ended_by(http2) == _PROTOCOL_ERROR
    assert http2.request(ECHO, UNARY, b"x").body == b"x"


def test_a_length_without_a_body(http2: Http2Client) -> None:
    http2.send_head(ECHO, {**UNARY, "content-length": "5"})
    http2.state._get_stream_by_id(http2._stream)._expected_content_length = None
    http2.state._get_stream_by_id(http2._stream)._actual_content_length = 5
    http2.send_end()
    assert ended_by(http2) == _PROTOCOL_ERROR
    stream = http2._stream = http2.state.get_next_available_stream_id()
    fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", ECHO),
        *UNARY.items(),
        ("content-length", "5"),
    ]
    http2.state.send_headers(stream, fields, end_stream=True)
    http2._flush()
    assert ended_by(http2) == _PROTOCOL_ERROR


def test_headers_of_grpc_that_are_too_large(http2: Http2Client) -> None:
    headers = {"content-type": "application/grpc", "te": "trailers", "x": "y" * 20_000}
    answer = http2.request(ECHO, headers, framed(b"x"))
    assert (answer.status, answer["grpc-status"]) == (200, "8")
    assert "metadata size exceeds" in answer["grpc-message"]
    assert http2.request(ECHO, UNARY, b"x").body == b"x"


def test_clients_that_speak_tls_to_a_plain_port(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=OPTIONS)
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        received = b""
        while data := sock.recv(65536):
            received += data
    assert b"TLS" in received


def test_http1_needs_h11(front: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h11", None)
    with pytest.raises(LocalError, match="pip install"):
        front.serve(ECHOES, options=OPTIONS)
    client = Http2Client(front.serve(ECHOES, options=ALONE).ports[0])
    assert client.request(ECHO, UNARY, b"x").body == b"x"
    client.close()


@pytest.mark.parametrize(
    "fields",
    [
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("Upper", "case")],
        [("content-length", "5"), ("content-length", "6")],
        [("x", "a\nb")],
    ],
    ids=lambda fields: fields[0][0],
)
def test_heads_that_http2_forbids(http2: Http2Client, fields: list[tuple[str, str]]) -> None:
    config = http2.state.config
    config.validate_outbound_headers = config.normalize_outbound_headers = False
    stream = http2._stream = http2.state.get_next_available_stream_id()
    pseudo = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", ECHO),
        ("content-type", "application/proto"),
    ]
    http2.state.send_headers(stream, [*pseudo, *fields], end_stream=True)
    http2._flush()
    assert ended_by(http2) == _PROTOCOL_ERROR
    assert http2.request(ECHO, UNARY, b"x").body == b"x"
