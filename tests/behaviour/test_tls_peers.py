"""TLS with grpcio on the other side, both ways; and peers that try something."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clarion.experimental.session_cache
import clarion.tls
from support.credentials import (
    CERTIFICATES,
    CLIENT_NAMES,
    certificate,
    client_tls,
    key,
    pair,
    server_tls,
)
from support.front_end import FrontEnd
from support.libraries import LIMIT, PATTERNS, load
from support.simple import ECHOES
from support.tls import Witness, tls_rig


@pytest.fixture(params=["clarion serves", "grpcio serves"])
def sides(
    request: pytest.FixtureRequest, front: FrontEnd, loop: Any
) -> Iterator[tuple[FrontEnd, FrontEnd]]:
    """Who serves, and who calls."""
    front.clarion_only("it is the other side here")
    pytest.importorskip("grpc", reason="grpcio is not installed")
    other = FrontEnd(load("grpc"), "sync", loop)
    yield (front, other) if request.param == "clarion serves" else (other, front)
    other.close()


def _call(client: Any, pattern: str = "unary_unary", requests: Any = (b"x",)) -> Any:
    path = "".join(each.capitalize() for each in pattern.split("_"))
    return client.call(f"/test.Service/{path}", pattern, list(requests))


def _meet(
    sides: tuple[FrontEnd, FrontEnd], server: Any, client: Any, handlers: Any = ECHOES, **more: Any
) -> Any:
    served = sides[0].serve(handlers, credentials=server)
    # Channels of grpcio share connections otherwise.
    options = [("grpc.use_local_subchannel_pool", 1), *more.pop("options", ())]
    return sides[1].connect(served.target, credentials=client, options=options)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_calls(sides: tuple[FrontEnd, FrontEnd], pattern: str) -> None:
    client = _meet(sides, server_tls(sides[0].library), client_tls(sides[1].library))
    requests = [bytes(100_000)] * (3 if pattern.startswith("stream") else 1)
    outcome = _call(client, pattern, requests)
    assert outcome.code == "OK", outcome
    assert len(b"".join(outcome.responses)) in (300_000, 100_000)


def test_who_the_client_is(sides: tuple[FrontEnd, FrontEnd]) -> None:
    witness = Witness()
    server = server_tls(sides[0].library, roots="ca", require=True)
    client = _meet(
        sides,
        server,
        client_tls(sides[1].library, "client"),
        {"unary_unary": witness},
        options=[("grpc.ssl_target_name_override", "a.clarion.test")],
    )
    assert _call(client).code == "OK"
    assert (witness.identities, witness.key) == (CLIENT_NAMES, "x509_subject_alternative_name")
    assert witness.auth["peer_spiffe_id"] == CLIENT_NAMES[:1]
    assert witness.auth["x509_pem_cert"] == [certificate("client")]
    assert witness.auth["ssl_tls_version"] == [b"TLSv1.3"]
    if sides[0].library.name == "clarion":
        assert witness.auth["ssl_requested_server_name"] == [b"a.clarion.test"]
        assert witness.auth["x509_pem_cert_chain"] == [certificate("client")]


@pytest.mark.parametrize(
    "name", ["wrong-name", "expired", "future", "no-server", "self-signed", "other"]
)
def test_servers_that_are_not_trusted(sides: tuple[FrontEnd, FrontEnd], name: str) -> None:
    client = _meet(sides, server_tls(sides[0].library, name), client_tls(sides[1].library))
    outcome = _call(client)
    assert outcome.code == "UNAVAILABLE"
    if sides[1].library.name == "clarion":
        assert "the peer presented the certificate 'O=Clarion tests, CN=" in outcome.details


@pytest.mark.parametrize("name", [None, "other-client", "expired", "self-signed", "server"])
def test_clients_that_are_not_trusted(sides: tuple[FrontEnd, FrontEnd], name: str | None) -> None:
    # `server` may be used by servers only, and `expired` is that, too, besides being for servers.
    server = server_tls(sides[0].library, roots="ca", require=True)
    client = _meet(sides, server, client_tls(sides[1].library, name))
    outcome = _call(client)
    assert outcome.code == "UNAVAILABLE", outcome
    if sides[1].library.name == "clarion":
        # grpcio sends no alert in TLS 1.3.
        assert "right after the TLS handshake" in outcome.details


def test_files_that_change_on_our_side(sides: tuple[FrontEnd, FrontEnd], tmp_path: Path) -> None:
    ours_serves = sides[0].library.name == "clarion"
    names = ("server", "good") if ours_serves else ("client", "good")
    roots = certificate("ca") + certificate("revoking-ca")

    def put(name: str) -> None:
        (tmp_path / "key").write_bytes(key(name))
        (tmp_path / "chain").write_bytes(certificate(name))

    put(names[0])
    files = {"private_key": tmp_path / "key", "certificate_chain": tmp_path / "chain"}
    witness = Witness()
    if ours_serves:
        server = clarion.tls.server_credentials(**files)
    else:
        server = sides[0].library.root.ssl_server_credentials([pair("server")], roots, True)
    served = sides[0].serve({**ECHOES, "unary_unary": witness}, credentials=server)

    def connect(trusted: bytes) -> Any:
        if ours_serves:
            credentials = sides[1].library.root.ssl_channel_credentials(trusted)
        else:
            credentials = clarion.tls.channel_credentials(root_certificates=trusted, **files)
        return sides[1].connect(
            served.target,
            credentials=credentials,
            options=[("grpc.use_local_subchannel_pool", 1)],
        )

    before = connect(certificate("ca"))
    call = before.open("/test.Service/StreamStream", "stream_stream")
    call.write(b"a")
    assert call.read() == b"a"
    put(names[1])
    after = connect(certificate("revoking-ca") if ours_serves else certificate("ca"))
    assert _call(after).code == "OK"
    if not ours_serves:
        assert witness.auth["peer_spiffe_id"] == [b"spiffe://clarion.test/good"]
    call.write(b"b")
    assert call.read() == b"b"
    call.done_writing()
    assert call.finish().code == "OK"


# Peers that try something


def _attack(
    front: FrontEnd, context: ssl.SSLContext, data: bytes = b""
) -> tuple[str | None, bytes]:
    """A handshake as `context` has it: the version agreed on, and what came after sending `data`."""
    server = front.serve(ECHOES, credentials=server_tls(front.library))
    context.load_verify_locations(CERTIFICATES / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", server.ports[0])) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as secured,
    ):
        secured.settimeout(LIMIT)
        if data:
            secured.sendall(data)
        return secured.version(), secured.recv(9)


def test_tls_1_2_is_enough(front: FrontEnd) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    version, settings = _attack(front, context, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert version == "TLSv1.2"
    # A SETTINGS frame is what a server of HTTP/2 begins with.
    assert settings[3] == 4


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_client_that_wants_an_older_version(front: FrontEnd, version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = getattr(ssl.TLSVersion, version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version|no.protocols|unsupported"):
        _attack(front, context)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL"])
def test_a_client_that_wants_weak_ciphers(front: FrontEnd, cipher: str) -> None:
    front.clarion_only("grpcio allows some of them")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        _attack(front, context)


def test_a_client_that_speaks_another_protocol_by_alpn(front: FrontEnd) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    try:
        _, answer = _attack(front, context, b"GET / HTTP/1.1\r\n\r\n")
    except OSError:
        # Refused in the handshake, or reset after it.
        return
    assert answer == b""


def test_contexts_take_no_renegotiation_no_compression_and_nothing_old() -> None:
    from clarion.credentials.kinds import CertificateConfiguration, Ssl
    from clarion.security.contexts import client_context, server_context

    configuration = CertificateConfiguration((pair("server"),), certificate("ca"))
    for context in (
        client_context(Ssl(certificate("ca"), None, None)),
        server_context(configuration, pair("server"), True),
    ):
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_client_that_wants_to_renegotiate(front: FrontEnd) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which can renegotiate, is not on the path")
    rig = tls_rig(front)
    peer = f"127.0.0.1:{rig.server.ports[0]}"
    command = [openssl, "s_client", "-connect", peer, "-tls1_2", "-alpn", "h2"]
    command += ["-CAfile", str(CERTIFICATES / "ca.pem")]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **pipes) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        watchdog = threading.Timer(LIMIT, client.kill)
        watchdog.start()
        said = b""
        # The server's SETTINGS come first, or they would come into the middle of the other handshake.
        while b"\x04\0\0\0\0\0" not in said and (data := client.stdout.read1()):
            said += data
        # A line with this letter alone asks for that. The program ends if it fails, and goes on if not.
        client.stdin.write(b"R\n")
        client.stdin.flush()
        words = client.stdout.read().decode(errors="replace")
        watchdog.cancel()
    assert "RENEGOTIATING" in words
    if front.library.name == "clarion":
        assert "no renegotiation" in words or "unexpected record" in words
    # Nobody else is the worse for it.
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_sessions_are_resumed(sides: tuple[FrontEnd, FrontEnd]) -> None:
    serving, calling = sides
    witness = Witness()
    served = serving.serve(
        {"unary_unary": witness}, credentials=server_tls(serving.library, roots="ca", require=True)
    )
    if calling.library.name == "clarion":
        cache = clarion.experimental.session_cache.ssl_session_cache_lru(4)
    else:
        from grpc.experimental import session_cache

        cache = session_cache.ssl_session_cache_lru(4)
    options = [
        ("grpc.ssl_session_cache", cache),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.ssl_target_name_override", "a.clarion.test"),
    ]
    credentials = client_tls(calling.library, "client")
    resumed = []
    for _ in range(2):
        client = calling.connect(served.target, credentials=credentials, options=options)
        assert _call(client).code == "OK"
        resumed.append(witness.auth["ssl_session_reused"])
        assert witness.identities == CLIENT_NAMES
        client.close()
    assert resumed == [[b"false"], [b"true"]]


@pytest.mark.parametrize("option", ["grpc.ssl_target_name_override", "grpc.default_authority"])
def test_the_name_that_is_expected(sides: tuple[FrontEnd, FrontEnd], option: str) -> None:
    server = server_tls(sides[0].library, "wrong-name")
    for name, code in (("elsewhere.test", "OK"), ("localhost", "UNAVAILABLE")):
        client = _meet(sides, server, client_tls(sides[1].library), options=[(option, name)])
        assert _call(client).code == code


def test_the_certificate_with_the_name_that_is_asked_for(sides: tuple[FrontEnd, FrontEnd]) -> None:
    server = server_tls(sides[0].library, "wrong-name", "server")
    for name in ("a.clarion.test", "elsewhere.test"):
        client = _meet(
            sides,
            server,
            client_tls(sides[1].library),
            options=[("grpc.ssl_target_name_override", name)],
        )
        assert _call(client).code == "OK"


def test_files_that_change_under_traffic(sides: tuple[FrontEnd, FrontEnd], tmp_path: Path) -> None:
    """Connections come and go while files change; no call is lost."""
    ours_serves = sides[0].library.name == "clarion"
    roots = certificate("ca") + certificate("revoking-ca")
    names = ("server", "good") if ours_serves else ("client", "good")

    def put(name: str) -> None:
        for kind, text in (("key", key(name)), ("chain", certificate(name))):
            (tmp_path / f"{kind}.new").write_bytes(text)
            (tmp_path / f"{kind}.new").replace(tmp_path / kind)

    put(names[0])
    files = {"private_key": tmp_path / "key", "certificate_chain": tmp_path / "chain"}
    if ours_serves:
        server = clarion.tls.server_credentials(**files)
        credentials = sides[1].library.root.ssl_channel_credentials(roots)
    else:
        server = sides[0].library.root.ssl_server_credentials([pair("server")], roots, True)
        credentials = clarion.tls.channel_credentials(root_certificates=roots, **files)
    served = sides[0].serve(ECHOES, credentials=server)
    options = [("grpc.use_local_subchannel_pool", 1)]
    outcomes = []
    for turn in range(6):
        put(names[turn % 2])
        client = sides[1].connect(served.target, credentials=credentials, options=options)
        outcomes += [_call(client).code for _ in range(5)]
        client.close()
    assert outcomes == ["OK"] * 30
