"""Channels and ports with credentials: who may connect to whom, what both learn, and what is said when they do not."""

from __future__ import annotations

import importlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

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
from support.libraries import LIMIT, PATTERNS
from support.simple import ECHOES, Hang
from support.tls import SECURE, Witness, refused, tls_rig

# Calls


@pytest.mark.parametrize("pattern", PATTERNS)
def test_calls_of_every_pattern(front: FrontEnd, pattern: str) -> None:
    rig = tls_rig(front)
    requests = [b"a", b"b", b"c"] if pattern.startswith("stream") else [b"a"]
    outcome = rig.call(pattern, requests)
    expected = {
        "unary_unary": [b"a"],
        "unary_stream": [b"a"] * 3,
        "stream_unary": [b"abc"],
        "stream_stream": requests,
    }
    assert (outcome.code, outcome.responses) == ("OK", expected[pattern])


def test_messages_of_many_records(front: FrontEnd) -> None:
    rig = tls_rig(front)
    requests = [bytes([number]) * 1_000_000 for number in range(8)]
    outcome = rig.call("stream_stream", requests)
    assert outcome.code == "OK"
    assert outcome.responses == requests


def test_many_calls_at_the_same_time(front: FrontEnd) -> None:
    rig = tls_rig(front)
    calls = [rig.open("unary_unary", [b"%d" % number]) for number in range(40)]
    assert [call.finish().responses for call in calls] == [[b"%d" % n] for n in range(40)]


def test_many_threads_on_one_channel(front: FrontEnd) -> None:
    rig = tls_rig(front)
    wrong: list[Any] = []

    def work(number: int) -> None:
        for turn in range(20):
            message = b"%d-%d" % (number, turn) * 500
            outcome = rig.call("unary_unary", [message])
            if outcome.responses != [message]:
                wrong.append(outcome)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not wrong


def test_a_conversation_takes_turns(front: FrontEnd) -> None:
    call = tls_rig(front).open("stream_stream")
    for turn in range(10):
        call.write(b"%d" % turn)
        assert call.read() == b"%d" % turn
    call.done_writing()
    assert call.finish().code == "OK"


def test_a_call_is_cancelled(front: FrontEnd) -> None:
    hang = Hang()
    rig = tls_rig(front, unary_unary=hang)
    call = rig.open("unary_unary", [b"x"])
    hang.wait_started()
    call.cancel()
    assert call.finish().code == "CANCELLED"
    hang.wait_ended()


def test_the_server_stops_with_grace(front: FrontEnd) -> None:
    rig = tls_rig(front)
    call = rig.open("stream_stream")
    call.write(b"a")
    assert call.read() == b"a"
    stopped = rig.server.stop(LIMIT)
    call.write(b"b")
    assert call.read() == b"b"
    call.done_writing()
    assert call.finish().code == "OK"
    stopped()


def test_a_secure_and_a_plain_port_of_one_server(front: FrontEnd) -> None:
    library = front.library
    server = front.serve(ECHOES, credentials=server_tls(library))
    plain = front.serve(ECHOES, credentials=library.root.insecure_server_credentials())
    for target, credentials in ((server.target, client_tls(library)), (plain.target, None)):
        client = front.connect(target, credentials=credentials)
        assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"


def test_unix_sockets(front: FrontEnd, tmp_path: Path) -> None:
    if front.library.name == "grpc":
        pytest.skip("grpcio checks the certificate for the path of the socket")
    front.serve(ECHOES, addresses=[f"unix:{tmp_path}/s"], credentials=server_tls(front.library))
    client = front.connect(f"unix:{tmp_path}/s", credentials=client_tls(front.library))
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "OK", outcome


# What the server learns


def test_a_client_without_a_certificate(front: FrontEnd) -> None:
    witness = Witness()
    rig = tls_rig(front, unary_unary=witness)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert SECURE.items() <= witness.auth.items()
    assert witness.auth["ssl_session_reused"] == [b"false"]
    assert witness.auth["ssl_tls_version"] == [b"TLSv1.3"]
    assert (witness.identities, witness.key) == (None, None)
    assert witness.peer.startswith("ipv4:127.0.0.1:")


def test_a_plain_connection(front: FrontEnd) -> None:
    witness = Witness()
    rig = front.rig(unary_unary=witness)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert witness.auth == {
        "transport_security_type": [b"insecure"],
        "security_level": [b"TSI_SECURITY_NONE"],
    }
    assert (witness.identities, witness.key) == (None, None)


def test_the_identity_of_a_client_certificate(front: FrontEnd) -> None:
    witness = Witness()
    library = front.library
    rig = tls_rig(
        front,
        unary_unary=witness,
        credentials=server_tls(library, roots="ca", require=True),
        client_credentials=client_tls(library, "client"),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert (witness.identities, witness.key) == (CLIENT_NAMES, "x509_subject_alternative_name")
    assert SECURE.items() <= witness.auth.items()
    assert witness.auth["x509_common_name"] == [b"client one"]
    assert witness.auth["x509_subject"] == [b"CN=client one,O=Clarion tests"]
    assert witness.auth["x509_subject_alternative_name"] == CLIENT_NAMES
    assert witness.auth["x509_pem_cert"] == [certificate("client")]
    assert witness.auth["peer_spiffe_id"] == witness.auth["peer_uri"] == CLIENT_NAMES[:1]
    assert witness.auth["peer_dns"] == CLIENT_NAMES[1:2]
    assert witness.auth["peer_email"] == CLIENT_NAMES[2:3]
    assert witness.auth["peer_ip"] == CLIENT_NAMES[3:]


def test_a_client_certificate_with_a_common_name_alone(front: FrontEnd) -> None:
    witness = Witness()
    library = front.library
    rig = tls_rig(
        front,
        unary_unary=witness,
        credentials=server_tls(library, roots="ca", require=True),
        client_credentials=client_tls(library, "plain-client"),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert (witness.identities, witness.key) == ([b"plain client"], "x509_common_name")
    assert "x509_subject_alternative_name" not in witness.auth


def test_a_certificate_that_is_not_required_is_not_asked_for(front: FrontEnd) -> None:
    witness = Witness()
    library = front.library
    rig = tls_rig(
        front,
        unary_unary=witness,
        credentials=server_tls(library, roots="ca"),
        client_credentials=client_tls(library, "other-client"),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert (witness.identities, witness.key) == (None, None)


@pytest.mark.parametrize(
    ("name", "why"), [(None, "certificate required"), ("other-client", "unknown ca")]
)
def test_clients_that_a_server_does_not_trust(front: FrontEnd, name: str | None, why: str) -> None:
    library = front.library
    rig = tls_rig(
        front,
        credentials=server_tls(library, roots="ca", require=True),
        client_credentials=client_tls(library, name),
    )
    details = refused(rig)
    if library.name == "clarion":
        assert f"the peer refused the TLS connection: {why}" in details


# Whom the client trusts


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("wrong-name", "certificate is not valid for '127.0.0.1'"),
        ("expired", "certificate has expired"),
        ("future", "certificate is not yet valid"),
        ("no-server", "unsuitable certificate purpose"),
        ("self-signed", "self-signed certificate"),
        ("other", "unable to get local issuer certificate"),
    ],
)
def test_servers_that_a_client_does_not_trust(front: FrontEnd, name: str, why: str) -> None:
    rig = tls_rig(front, credentials=server_tls(front.library, name))
    details = refused(rig)
    if front.library.name == "clarion":
        # OpenSSL's words have changed with its versions.
        details = details.replace("unsupported", "unsuitable").replace("self signed", "self-signed")
        assert "certificate verify failed: " in details
        assert why in details
        assert "the peer presented the certificate 'O=Clarion tests, CN=" in details


@pytest.mark.parametrize("name", ["rsa", "server"])
def test_kinds_of_keys(front: FrontEnd, name: str) -> None:
    rig = tls_rig(front, credentials=server_tls(front.library, name))
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_a_common_name_counts_where_there_is_no_other(front: FrontEnd) -> None:
    server = front.serve(ECHOES, credentials=server_tls(front.library, "common-name"))
    client = front.connect(f"localhost:{server.ports[0]}", credentials=client_tls(front.library))
    assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"


@pytest.mark.parametrize("part", [1, 2])
def test_trust_in_a_certificate_that_is_no_root(front: FrontEnd, part: int) -> None:
    chain = certificate("server").split(b"-----BEGIN ")
    roots = b"-----BEGIN " + chain[part]
    rig = tls_rig(front, client_credentials=front.library.root.ssl_channel_credentials(roots))
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_text_between_roots_is_ignored(front: FrontEnd) -> None:
    roots = "# Größe\n".encode("latin-1") + certificate("other-ca") + b"--\n" + certificate("ca")
    rig = tls_rig(front, client_credentials=front.library.root.ssl_channel_credentials(roots))
    assert rig.call("unary_unary", [b"x"]).code == "OK"


@pytest.mark.parametrize("roots", [None, b""])
def test_without_roots_the_systems_count(front: FrontEnd, roots: bytes | None) -> None:
    rig = tls_rig(front, client_credentials=front.library.root.ssl_channel_credentials(roots))
    details = refused(rig)
    assert "unable to get local issuer certificate" in details


def test_a_file_of_default_roots(
    front: FrontEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.clarion_only("grpcio reads the file once in a process")
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tmp_path / "roots.pem"))
    assert "cannot be read" in refused(
        tls_rig(front, client_credentials=client_tls(front.library, roots=None))
    )
    (tmp_path / "roots.pem").write_bytes(certificate("ca"))
    rig = tls_rig(front, client_credentials=client_tls(front.library, roots=None))
    assert rig.call("unary_unary", [b"x"]).code == "OK"


# Names


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"grpc.ssl_target_name_override": "a.clarion.test"}, b"a.clarion.test"),
        ({"grpc.default_authority": "b.clarion.test"}, b"b.clarion.test"),
        (
            {
                "grpc.ssl_target_name_override": "a.clarion.test",
                "grpc.default_authority": "elsewhere.test",
            },
            b"a.clarion.test",
        ),
    ],
)
def test_the_name_that_a_certificate_must_have(
    front: FrontEnd, options: dict[str, str], name: bytes
) -> None:
    witness = Witness()
    rig = tls_rig(front, unary_unary=witness, client_options=list(options.items()))
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert witness.auth["ssl_requested_server_name"] == [name]


@pytest.mark.parametrize("option", ["grpc.ssl_target_name_override", "grpc.default_authority"])
@pytest.mark.parametrize("name", ["elsewhere.test", "a.b.clarion.test", "clarion.test", "10.0.0.1"])
def test_a_name_that_the_certificate_does_not_have(front: FrontEnd, option: str, name: str) -> None:
    details = refused(tls_rig(front, client_options=[(option, name)]))
    if front.library.name == "clarion":
        assert f"certificate is not valid for '{name}'" in details
        assert "for localhost, *.clarion.test, 127.0.0.1, ::1, issued by" in details


@pytest.mark.parametrize("name", [".localhost", "a..b", "x" * 300, "local\0host"])
def test_a_name_that_no_server_can_have(front: FrontEnd, name: str) -> None:
    rig = tls_rig(front, client_options=[("grpc.ssl_target_name_override", name)])
    details = refused(rig)
    if front.library.name == "clarion":
        assert f"no server can have the name {name!r}" in details


def test_of_several_certificates_the_one_with_the_name(front: FrontEnd) -> None:
    credentials = server_tls(front.library, "wrong-name", "server")
    for options in ([], [("grpc.ssl_target_name_override", "elsewhere.test")]):
        server = front.serve(ECHOES, credentials=credentials)
        client = front.connect(
            f"localhost:{server.ports[0]}",
            options=options,
            credentials=client_tls(front.library),
        )
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
        assert outcome.code == "OK", (options, outcome)


# Peers that speak something else


def test_a_plain_server(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES, client_credentials=client_tls(front.library))
    details = refused(rig)
    if front.library.name == "clarion":
        assert "TLS handshake failed: the peer speaks plain text on this port, not TLS" in details


def test_a_plain_client(front: FrontEnd) -> None:
    details = refused(front.rig(**ECHOES, credentials=server_tls(front.library)))
    if front.library.name == "clarion":
        assert "it does not take plain text" in details


def _serve_once(answer: Any) -> tuple[int, threading.Thread, socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LIMIT)

    def serve() -> None:
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        with sock:
            sock.settimeout(LIMIT)
            answer(sock)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread, listener


def _refused_by(front: FrontEnd, port: int, **options: int) -> str:
    client = front.connect(
        f"127.0.0.1:{port}",
        credentials=client_tls(front.library),
        options=[(f"grpc.{name}", value) for name, value in options.items()],
    )
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE", outcome
    return outcome.details


def test_a_server_without_http2(front: FrontEnd) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")

    def answer(sock: socket.socket) -> None:
        try:
            with context.wrap_socket(sock, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            # The client left without a word, which is its right.
            return

    port, thread, listener = _serve_once(answer)
    with listener:
        details = _refused_by(front, port)
    thread.join(LIMIT)
    if front.library.name == "clarion":
        assert "the server did not agree to HTTP/2 in the TLS handshake (ALPN h2)" in details


def test_a_client_without_http2(front: FrontEnd) -> None:
    server = front.serve(ECHOES, credentials=server_tls(front.library))
    context = ssl.create_default_context(cadata=certificate("ca").decode())
    with (
        socket.create_connection(("127.0.0.1", server.ports[0])) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as secured,
    ):
        secured.settimeout(LIMIT)
        secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            assert secured.recv(100) == b""
        except ConnectionError:
            # That is an end as well.
            pass


def test_an_http1_server(front: FrontEnd) -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(10_000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    port, thread, listener = _serve_once(answer)
    with listener:
        details = _refused_by(front, port)
    thread.join(LIMIT)
    if front.library.name == "clarion":
        assert "TLS handshake failed: the peer speaks HTTP/1 on this port, not TLS" in details


def test_a_server_that_hangs_up_in_the_handshake(front: FrontEnd) -> None:
    port, thread, listener = _serve_once(lambda sock: sock.recv(10_000))
    with listener:
        details = _refused_by(front, port)
    thread.join(LIMIT)
    if front.library.name == "clarion":
        assert "the peer closed the connection during the TLS handshake" in details


def test_a_server_that_is_silent_in_the_handshake(front: FrontEnd) -> None:
    front.clarion_only("grpcio's attempts to connect take 20 seconds at least")
    ended = threading.Event()
    port, thread, listener = _serve_once(lambda sock: ended.wait(LIMIT))
    with listener:
        details = _refused_by(front, port, min_reconnect_backoff_ms=1000)
        ended.set()
    thread.join(LIMIT)
    assert "the TLS handshake was not over within " in details


def test_a_client_that_is_silent_in_the_handshake(front: FrontEnd) -> None:
    server = front.serve(
        ECHOES,
        credentials=server_tls(front.library),
        options=[("grpc.server_handshake_timeout_ms", 300)],
    )
    with socket.create_connection(("127.0.0.1", server.ports[0])) as sock:
        sock.settimeout(LIMIT)
        assert sock.recv(100) == b""


def test_a_server_stops_while_a_client_is_silent_in_the_handshake(front: FrontEnd) -> None:
    server = front.serve(ECHOES, credentials=server_tls(front.library))
    with socket.create_connection(("127.0.0.1", server.ports[0])) as sock:
        # The server has seen the connection when it has served another one.
        client = front.connect(server.target, credentials=client_tls(front.library))
        assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"
        server.stop(None)()
        sock.settimeout(LIMIT)
        try:
            assert sock.recv(100) == b""
        except ConnectionError:
            # That is an end as well.
            pass


def test_nonsense_in_a_handshake_and_after_it(front: FrontEnd) -> None:
    server = front.serve(ECHOES, credentials=server_tls(front.library))
    for nonsense in (
        b"\x16\x03\x01\x00\x05hello",
        b"\x17\x03\x03\xff\xff" + bytes(70_000),
        b"\x80",
    ):
        with socket.create_connection(("127.0.0.1", server.ports[0])) as sock:
            sock.settimeout(LIMIT)
            try:
                sock.sendall(nonsense)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(10_000):
                    pass
            except TimeoutError:
                raise
            except OSError:
                # That is an end as well.
                continue
    client = front.connect(server.target, credentials=client_tls(front.library))
    assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"


# Without TLS


def test_local_credentials(front: FrontEnd) -> None:
    root = front.library.root
    witness = Witness()
    rig = front.rig(
        unary_unary=witness,
        credentials=root.local_server_credentials(),
        client_credentials=root.local_channel_credentials(),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert witness.auth == {
        "transport_security_type": [b"local"],
        "security_level": [b"TSI_PRIVACY_AND_INTEGRITY"],
    }
    assert (witness.identities, witness.key) == ([b"local"], "transport_security_type")


def test_local_credentials_for_unix_sockets(front: FrontEnd, tmp_path: Path) -> None:
    root = front.library.root
    witness = Witness()
    server = root.local_server_credentials(root.LocalConnectionType.UDS)
    front.serve({"unary_unary": witness}, addresses=[f"unix:{tmp_path}/s"], credentials=server)
    for kind, code in (("UDS", "OK"), ("LOCAL_TCP", "UNAVAILABLE")):
        credentials = root.local_channel_credentials(getattr(root.LocalConnectionType, kind))
        client = front.connect(f"unix:{tmp_path}/s", credentials=credentials)
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
        assert outcome.code == code, outcome
    assert witness.key == "transport_security_type"


def test_local_credentials_turn_other_connections_away(front: FrontEnd) -> None:
    root = front.library.root
    credentials = root.local_server_credentials(root.LocalConnectionType.UDS)
    details = refused(front.rig(**ECHOES, credentials=credentials))
    if front.library.name == "clarion":
        assert "this port takes connections from within the machine only" in details


def test_local_credentials_do_not_connect_elsewhere(front: FrontEnd) -> None:
    root = front.library.root
    credentials = root.local_channel_credentials(root.LocalConnectionType.UDS)
    details = refused(front.rig(**ECHOES, client_credentials=credentials))
    if front.library.name == "clarion":
        assert "not a Unix socket, which LocalConnectionType.UDS credentials ask for" in details


def test_the_fallback_of_xds_credentials(front: FrontEnd) -> None:
    root = front.library.root
    rig = tls_rig(
        front,
        credentials=root.xds_server_credentials(server_tls(front.library)),
        client_credentials=root.xds_channel_credentials(client_tls(front.library)),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_credentials_do_not_show_secrets(front: FrontEnd) -> None:
    root = front.library.root
    made = [
        root.ssl_channel_credentials(certificate("ca"), key("client"), certificate("client")),
        root.ssl_server_credentials([pair("server")]),
        root.ssl_server_certificate_configuration([pair("server")]),
        root.access_token_call_credentials("secret-token"),
    ]
    composite = root.composite_channel_credentials(made[0], made[3])
    for each in (*made, composite):
        held = getattr(each, "_credentials", getattr(each, "_certificate_configuration", None))
        assert "PRIVATE" not in repr(each) + repr(held)
        assert "secret-token" not in repr(each) + repr(held)


def test_sessions_are_resumed(front: FrontEnd) -> None:
    root = front.library.root
    session_cache = importlib.import_module(f"{root.__name__}.experimental.session_cache")
    cache = session_cache.ssl_session_cache_lru(2)
    witness = Witness()
    server = front.serve(
        {"unary_unary": witness}, credentials=server_tls(front.library, roots="ca", require=True)
    )
    credentials = client_tls(front.library, "client")
    reused = []
    for _ in range(3):
        client = front.connect(
            # There are sessions for names alone with grpcio, not for addresses.
            f"localhost:{server.ports[0]}",
            credentials=credentials,
            options=[("grpc.ssl_session_cache", cache), ("grpc.use_local_subchannel_pool", 1)],
        )
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
        assert outcome.code == "OK"
        reused += witness.auth["ssl_session_reused"]
        assert witness.identities == CLIENT_NAMES
    assert reused == [b"false", b"true", b"true"]
