"""Channels through HTTP proxies."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.connect_proxy import ConnectProxy
from support.credentials import client_tls, server_tls
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.simple import ECHOES

NAMES = ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    proxy = ConnectProxy()
    yield proxy
    proxy.close()


def call(front: FrontEnd, target: str, **arguments: Any) -> Any:
    client = front.connect(target, **arguments)
    return client.call(SERVICE + camel("unary_unary"), "unary_unary", [b"x"], timeout=20)


@pytest.mark.parametrize("name", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_the_proxy_looks_the_name_up(
    front: FrontEnd, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy.server = front.serve(ECHOES).ports[0]
    monkeypatch.setenv(name, f"http://user:pass%3A@127.0.0.1:{proxy.port}")
    outcome = call(front, "dns:///no-such-host.test:5")
    assert (outcome.code, outcome.responses) == ("OK", [b"x"]), outcome.details
    [head] = proxy.heads
    assert head.startswith("CONNECT no-such-host.test:5 HTTP/1.")
    credentials = re.search(r"Proxy-Authorization: ?Basic (\S+)\r\n", head, re.IGNORECASE)
    assert credentials is not None
    assert base64.b64decode(credentials[1]) == b"user:pass:"


def test_tls_through_the_proxy(front: FrontEnd, proxy: ConnectProxy) -> None:
    proxy.server = front.serve(ECHOES, credentials=server_tls(front.library)).ports[0]
    outcome = call(
        front,
        "some.clarion.test:5",
        options=[("grpc.http_proxy", proxy.url)],
        credentials=client_tls(front.library),
    )
    assert (outcome.code, outcome.responses) == ("OK", [b"x"]), outcome.details
    assert proxy.heads[0].startswith("CONNECT some.clarion.test:5 HTTP/1.")


def test_large_messages_through_the_proxy(front: FrontEnd, proxy: ConnectProxy) -> None:
    proxy.server = front.serve(ECHOES).ports[0]
    # The server's SETTINGS come right behind the answer.
    proxy.greeting = b"HTTP/1.1 200 OK\r\nX-Note: early\r\n\r\n"
    client = front.connect("host.test:5", options=[("grpc.http_proxy", proxy.url)])
    outcome = client.call(
        SERVICE + camel("stream_stream"), "stream_stream", [b"x" * 500_000] * 3, timeout=20
    )
    assert (outcome.code, outcome.responses) == ("OK", [b"x" * 500_000] * 3)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("environ", "options"),
    [
        ({"no_proxy": "127.0.0.1"}, ()),
        ({"no_grpc_proxy": "10.0.0.0/8,127.0.0.0/8", "no_proxy": ""}, ()),
        ({}, [("grpc.enable_http_proxy", 0)]),
        ({"grpc_proxy": ""}, ()),
    ],
)
def test_exceptions(
    front: FrontEnd,
    proxy: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    options: Any,
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    server = front.serve(ECHOES)
    assert call(front, f"127.0.0.1:{server.ports[0]}", options=options).code == "OK"
    assert proxy.heads == []


def test_a_proxy_for_some_addresses(front: FrontEnd, proxy: ConnectProxy) -> None:
    server = front.serve(ECHOES)
    proxy.server = server.ports[0]
    outcome = call(
        front,
        "ipv4:10.1.2.3:5",
        options=[
            ("grpc.address_http_proxy", f"127.0.0.1:{proxy.port}"),
            ("grpc.address_http_proxy_enabled_addresses", "10.0.0.0/8"),
        ],
    )
    assert outcome.code == "OK", outcome.details
    assert proxy.heads[0].startswith("CONNECT 10.1.2.3:5 HTTP/1.")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403 Forbidden"),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answered 407 Proxy Auth"),
        (b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", "answered with what is no HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000, "a head of more than 16384 bytes"),
        (b"HTTP/1.1 200", "closed the connection before it answered"),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_proxy_that_does_not_connect(
    front: FrontEnd, proxy: ConnectProxy, answer: bytes, why: str, secure: bool
) -> None:
    proxy.answer = answer
    outcome = call(
        front,
        "host.test:5",
        options=[("grpc.http_proxy", proxy.url)],
        credentials=client_tls(front.library) if secure else None,
    )
    assert outcome.code == "UNAVAILABLE"
    front.clarion_only("the words are Clarion's")
    assert why in outcome.details
    assert f"the proxy 127.0.0.1:{proxy.port} (from the channel argument" in outcome.details
    assert "host.test:5" in outcome.details


def test_the_channel_recovers(front: FrontEnd, proxy: ConnectProxy) -> None:
    proxy.server = front.serve(ECHOES).ports[0]
    proxy.answer = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    options = [("grpc.http_proxy", proxy.url), ("grpc.initial_reconnect_backoff_ms", 100)]
    client = front.connect("host.test:5", options=options)
    where = SERVICE + camel("unary_unary")
    assert client.call(where, "unary_unary", [b"x"]).code == "UNAVAILABLE"
    proxy.answer = b""
    assert client.call(where, "unary_unary", [b"x"], timeout=20, wait_for_ready=True).code == "OK"


def test_a_proxy_that_says_nothing(front: FrontEnd, proxy: ConnectProxy) -> None:
    front.clarion_only("grpcio takes twenty seconds at least")
    proxy.mute = True
    options = [("grpc.http_proxy", proxy.url), ("grpc.min_reconnect_backoff_ms", 1000)]
    outcome = call(front, "host.test:5", options=options)
    assert outcome.code == "UNAVAILABLE"
    # The time for the connection may be over before what is left of it is for the answer.
    said = r"(did not answer within (1|0\.\d+) s|: no answer within 1 s)"
    assert re.search(said, outcome.details), outcome.details


def test_a_proxy_that_is_not_there(front: FrontEnd, proxy: ConnectProxy) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        options = [("grpc.http_proxy", f"http://127.0.0.1:{port}")]
        outcome = call(front, "host.test:5", options=options)
    assert outcome.code == "UNAVAILABLE"
    front.clarion_only("the words are Clarion's")
    assert f"host.test:5 through the proxy 127.0.0.1:{port}: Connection refused" in outcome.details


def test_unix_sockets_need_no_proxy(
    front: FrontEnd, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    front.serve(ECHOES, addresses=[f"unix:{tmp_path}/s"])
    assert call(front, f"unix:{tmp_path}/s").code == "OK"
    assert proxy.heads == []
