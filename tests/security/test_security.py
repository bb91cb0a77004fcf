"""TLS without sockets: contexts, the filter byte by byte, names of certificates, and words for failures."""

from __future__ import annotations

import os
import ssl
import threading
from typing import Any

import pytest

from clarion.credentials.kinds import CertificateConfiguration, LocalConnectionType, Ssl
from clarion.resolver.target import HostPort, UnixAddress
from clarion.security import TlsFilter, contexts, explain
from clarion.security.client import _host
from clarion.security.contexts import BadCredentials, client_context, server_context
from clarion.security.local import is_local_address
from clarion.security.names import certificate_names, matches
from clarion.security.sessions import SessionCache
from support.credentials import certificate, key, pair
from support.libraries import LIMIT


def _client(name: str | None = None, expect: str = "localhost", **options: Any) -> TlsFilter:
    own = (None, None) if name is None else pair(name)
    context = client_context(Ssl(certificate("ca"), *own))
    return TlsFilter(context, server_side=False, server_name=expect, **options)


def _server(name: str = "server", require: bool = False) -> TlsFilter:
    configuration = CertificateConfiguration((pair(name),), certificate("ca"))
    context = server_context(configuration, pair(name), require)
    return TlsFilter(context, server_side=True)


def _shake(client: TlsFilter, server: TlsFilter, size: int = 1 << 20) -> None:
    """The handshake, in pieces of `size`."""
    agreed = {client: client.handshake(b""), server: False}
    for _ in range(4):
        for sender, receiver in ((client, server), (server, client)):
            data = sender.take()
            for start in range(0, len(data), size):
                if agreed[receiver]:
                    assert receiver.decrypt(data[start : start + size]) == b""
                else:
                    agreed[receiver] = receiver.handshake(data[start : start + size])
    assert agreed == {client: True, server: True}


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_the_handshake_and_what_follows_in_pieces(size: int) -> None:
    client, server = _client(), _server()
    _shake(client, server, size)
    assert client.speaks_http2
    assert server.speaks_http2
    for sender, receiver in ((client, server), (server, client)):
        data = sender.encrypt(b"x" * 40_000) + sender.encrypt(b"end")
        got = b"".join(
            receiver.decrypt(data[start : start + size]) for start in range(0, len(data), size)
        )
        assert got == b"x" * 40_000 + b"end"
        assert (receiver.failure, receiver.peer_closed) == (None, False)


def test_the_end_is_said() -> None:
    client, server = _client(), _server()
    _shake(client, server)
    data = client.encrypt(b"last") + client.close()
    assert server.decrypt(data) == b"last"
    assert server.peer_closed
    assert server.failure is None


def test_a_record_that_was_changed_on_its_way() -> None:
    client, server = _client(), _server()
    _shake(client, server)
    good, bad = client.encrypt(b"good"), bytearray(client.encrypt(b"bad"))
    bad[-1] ^= 1
    assert server.decrypt(good + bytes(bad)) == b"good"
    assert server.failure is not None
    assert "bad record mac" in server.failure


def test_a_closed_connection_in_the_handshake() -> None:
    client = _client()
    client.handshake(b"")
    with pytest.raises(ssl.SSLError) as raised:
        client.handshake(None)
    assert client.gone
    text = explain(raised.value, client)
    assert text == "the peer closed the connection during the TLS handshake"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"HTTP/1.1 400 Bad", "HTTP/1"),
        (b"\x00\x00\x12\x04", "plain text"),
        (b"\x16x", "plain text"),
    ],
)
def test_a_peer_without_tls(data: bytes, what: str) -> None:
    client, server = _client(), _server()
    client.handshake(b"")
    client.take()
    for side in (client, server):
        with pytest.raises(ssl.SSLError) as raised:
            side.handshake(data)
        text = explain(raised.value, side)
        assert text == f"TLS handshake failed: the peer speaks {what} on this port, not TLS"
    # The client learns what the port is for; the server, which has the port, need not.
    assert server.take() == bytes.fromhex("15 0303 0002 02 46")
    assert client.take() == b""


def _fail(client: TlsFilter, server: TlsFilter) -> tuple[str, str]:
    """What both sides say of a handshake that fails at the client."""
    client.handshake(b"")
    server.handshake(client.take())
    with pytest.raises(ssl.SSLError) as at_client:
        client.handshake(server.take())
    with pytest.raises(ssl.SSLError) as at_server:
        server.handshake(client.take())
    return explain(at_client.value, client), explain(at_server.value, server)


def test_words_for_a_name_that_does_not_fit() -> None:
    ours, theirs = _fail(_client(expect="127.0.0.2"), _server())
    assert ours == (
        "TLS handshake failed: certificate verify failed: IP address mismatch, certificate is not"
        " valid for '127.0.0.2'; the peer presented the certificate 'O=Clarion tests,"
        " CN=server.clarion.test' for localhost, *.clarion.test, 127.0.0.1, ::1, issued by"
        " 'O=Clarion tests, CN=intermediate CA', valid from Jan  1 00:00:00 2025 GMT until"
        " Jan  1 00:00:00 2125 GMT"
    )
    assert theirs == "the peer refused the TLS connection: bad certificate"


def test_words_for_a_certificate_without_names() -> None:
    ours, _ = _fail(_client(expect="elsewhere.test"), _server("common-name"))
    assert "'O=Clarion tests, CN=localhost' for no alternative names, issued by" in ours


def test_words_for_an_old_version() -> None:
    server = _server()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    # Bytes by hand: a ClientHello of TLS 1.0, which no OpenSSL of today sends.
    body = bytes.fromhex("0301") + bytes(32) + b"\x00" + bytes.fromhex("0002002f") + b"\x01\x00"
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    with pytest.raises(ssl.SSLError) as raised:
        server.handshake(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
    assert "(TLS 1.2 or newer is needed)" in explain(raised.value, server)


def test_a_client_that_must_have_a_certificate() -> None:
    client, server = _client("client"), _server(require=True)
    _shake(client, server)
    assert server.ssl.getpeercert(binary_form=True)
    client, server = _client(), _server(require=True)
    client.handshake(b"")
    server.handshake(client.take())
    client.handshake(server.take())
    with pytest.raises(ssl.SSLError) as raised:
        server.handshake(client.take())
    assert "the client presented no certificate" in explain(raised.value, server)
    client.decrypt(server.take())
    assert client.failure == "the peer refused the TLS connection: certificate required"


# Contexts


@pytest.fixture(params=["memory", "directory"])
def _files(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "directory":
        monkeypatch.delattr(os, "memfd_create", raising=False)


@pytest.mark.usefixtures("_files")
def test_keys_leave_no_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _shake(_client("client"), _server())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("roots", "own", "why"),
    [
        (b"x", (None, None), "root_certificates have no PEM certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            (None, None),
            "root_certificates cannot be read",
        ),
        (
            certificate("ca"),
            (key("client"), None),
            "private_key was given without certificate_chain",
        ),
        (
            certificate("ca"),
            (None, certificate("client")),
            "certificate_chain was given without private_key",
        ),
        (certificate("ca"), (key("client"), b"x"), "the certificate chain has no PEM certificate"),
        (certificate("ca"), (b"x", certificate("client")), "no usable PEM key"),
        (certificate("ca"), (key("server"), certificate("client")), "do not belong together"),
    ],
)
def test_what_no_context_can_be_made_of(roots: bytes, own: Any, why: str) -> None:
    with pytest.raises(BadCredentials, match=why) as raised:
        client_context(Ssl(roots, *own))
    assert "PRIVATE" not in str(raised.value)


def test_roots_from_a_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "roots.pem"
    monkeypatch.setenv(contexts.ROOTS_VARIABLE, str(path))
    with pytest.raises(BadCredentials, match="cannot be read: No such file"):
        client_context(Ssl(None, None, None))
    path.write_bytes(b"nothing")
    with pytest.raises(BadCredentials, match="have no PEM certificate"):
        client_context(Ssl(None, None, None))
    path.write_bytes(certificate("ca"))
    assert client_context(Ssl(None, None, None)).get_ca_certs()


def test_ciphers_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(contexts.CIPHERS_VARIABLE, "ECDHE-ECDSA-AES128-GCM-SHA256")
    names = [each["name"] for each in client_context(Ssl(None, None, None)).get_ciphers()]
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in names
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" not in names
    monkeypatch.setenv(contexts.CIPHERS_VARIABLE, "none of these")
    with pytest.raises(BadCredentials, match="names no known cipher"):
        client_context(Ssl(None, None, None))


def test_a_server_that_asks_for_certificates_of_nobody() -> None:
    with pytest.raises(BadCredentials, match="there are no root_certificates"):
        server_context(CertificateConfiguration((pair("server"),), None), pair("server"), True)


def test_defaults() -> None:
    for context in (
        client_context(Ssl(certificate("ca"), None, None)),
        server_context(CertificateConfiguration((pair("server"),), None), pair("server"), False),
    ):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION
        # RFC 9113, appendix A.
        tls12 = [each["name"] for each in context.get_ciphers() if each["protocol"] == "TLSv1.2"]
        assert tls12
        assert all(name.startswith("ECDHE-") for name in tls12)
        assert all("GCM" in name or "CHACHA20" in name for name in tls12)


# Names


def test_names_of_certificates() -> None:
    assert certificate_names(certificate("server")) == [
        "localhost",
        "*.clarion.test",
        "127.0.0.1",
        "::1",
    ]
    assert certificate_names(certificate("rsa")) == [
        "localhost",
        "*.clarion.test",
        "127.0.0.1",
        "::1",
    ]
    assert certificate_names(certificate("common-name")) == ["localhost"]
    assert certificate_names(certificate("plain-client")) == ["plain client"]
    for wrong in (b"", b"-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----"):
        with pytest.raises(ValueError, match="certificate"):
            certificate_names(wrong)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.test", "a.test", True),
        ("A.test.", "a.TEST", True),
        ("b.test", "a.test", False),
        ("a.b.test", "*.b.test", True),
        ("a.a.b.test", "*.b.test", False),
        ("b.test", "*.b.test", False),
    ],
)
def test_patterns(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, pattern) is expected


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("host", "host"),
        ("host:1", "host"),
        ("1.2.3.4:1", "1.2.3.4"),
        ("[::1]:1", "::1"),
        ("[fe80::1%eth0]:1", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_hosts(authority: str, host: str) -> None:
    assert _host(authority) == host


@pytest.mark.parametrize(
    ("address", "kinds"),
    [
        (HostPort("127.0.0.5", 1), {"LOCAL_TCP"}),
        (HostPort("::1", 1), {"LOCAL_TCP"}),
        (HostPort("::ffff:127.0.0.1", 1), {"LOCAL_TCP"}),
        (HostPort("10.0.0.1", 1), set()),
        (HostPort("fe80::1%lo", 1), set()),
        (UnixAddress("/x"), {"UDS"}),
    ],
)
def test_local_addresses(address: Any, kinds: set[str]) -> None:
    assert {kind.name for kind in LocalConnectionType if is_local_address(address, kind)} == kinds


# Sessions


def test_sessions_are_forgotten_in_the_order_of_their_use() -> None:
    client, server = _client(), _server()
    _shake(client, server)
    session = client.ssl.session
    context = client.ssl.context
    cache = SessionCache(2)
    cache.put(context, "nobody", None)
    assert cache.get(context, "nobody") is None
    for name in ("a", "b"):
        cache.put(context, name, session)
    assert cache.get(context, "a") is session
    cache.put(context, "c", session)
    assert [cache.get(context, name) is not None for name in "abc"] == [True, False, True]


def test_contexts_are_made_at_the_same_time() -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            _shake(_client("client"), _server())
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert not failures
