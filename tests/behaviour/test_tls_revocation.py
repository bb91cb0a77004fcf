"""Certificates that are revoked, and ones that change in their files while a channel or a server goes on."""

from __future__ import annotations

import logging
import os
import queue
import shutil
from pathlib import Path
from typing import Any

import pytest

import clarion.tls
from support.credentials import CERTIFICATES, certificate, key
from support.front_end import FrontEnd, Rig
from support.libraries import LIMIT
from support.simple import ECHOES
from support.tls import Witness, refused, tls_rig


@pytest.fixture(autouse=True)
def _clarion_only(front: FrontEnd) -> None:
    front.clarion_only(
        "grpcio for Python has neither revocation lists nor files that are read again"
    )


def _server(name: str = "good", **options: Any) -> Any:
    return clarion.tls.server_credentials(
        private_key=key(name), certificate_chain=certificate(name), **options
    )


def _client(name: str | None = None, **options: Any) -> Any:
    options.setdefault("root_certificates", certificate("revoking-ca"))
    if name is not None:
        options |= {"private_key": key(name), "certificate_chain": certificate(name)}
    return clarion.tls.channel_credentials(**options)


def _rig(front: FrontEnd, server: Any, client: Any, **more: Any) -> Rig:
    return tls_rig(front, credentials=server, client_credentials=client, **more)


class Logged:
    """What Clarion logs, when it does."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._messages: queue.SimpleQueue[str] = queue.SimpleQueue()
        caplog.set_level(logging.INFO, "clarion")
        caplog.handler.addFilter(self._keep)

    def _keep(self, record: logging.LogRecord) -> bool:
        self._messages.put(record.getMessage())
        return True

    def next(self) -> str:
        return self._messages.get(timeout=LIMIT)


# Revocation


@pytest.mark.parametrize(
    ("name", "lists", "why"),
    [
        ("good", "crls", ""),
        ("revoked", None, ""),
        ("revoked", "crls", "certificate revoked"),
        ("good", "crls-old", "CRL has expired"),
        (
            "good",
            "crls-root",
            "unable to get certificate CRL (none of the certificate revocation lists given is of its authority)",
        ),
    ],
)
def test_a_servers_certificate_and_revocation_lists(
    front: FrontEnd, name: str, lists: str | None, why: str
) -> None:
    crls = None if lists is None else certificate(lists)
    rig = _rig(front, _server(name), _client(crls=crls))
    if not why:
        assert rig.call("unary_unary", [b"x"]).code == "OK"
        return
    details = refused(rig)
    assert f"certificate verify failed: {why}; the peer presented the certificate" in details


@pytest.mark.parametrize(("name", "code"), [("good", "OK"), ("revoked", "UNAVAILABLE")])
def test_a_clients_certificate_and_revocation_lists(
    front: FrontEnd, name: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    logged = Logged(caplog)
    server = _server(client_root_certificates=certificate("revoking-ca"), crls=certificate("crls"))
    outcome = _rig(front, server, _client(name)).call("unary_unary", [b"x"])
    assert outcome.code == code
    if code != "OK":
        assert "the peer refused the TLS connection: certificate revoked" in outcome.details
        # The client reads the refusal before the server is done with the connection.
        message = logged.next()
        assert "certificate verify failed: certificate revoked" in message
        assert message.startswith("the connection of ipv4:127.0.0.1:")


def test_a_list_does_not_become_a_root(front: FrontEnd) -> None:
    # Somebody keeps certificates in the same file as the lists; these are not trusted for it.
    both = certificate("crls") + certificate("revoking-ca")
    rig = _rig(front, _server(), _client(root_certificates=certificate("ca"), crls=both))
    assert "unable to get local issuer certificate" in refused(rig)


@pytest.mark.parametrize(
    ("crls", "why"),
    [
        (b"nothing", "crls have no PEM certificate revocation list"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----", "crls cannot be read: "),
    ],
)
def test_lists_that_cannot_be_used(front: FrontEnd, crls: bytes, why: str) -> None:
    details = refused(_rig(front, _server(), _client(crls=crls)))
    assert "the channel's credentials cannot be used: " + why in details
    credentials = _server(client_root_certificates=certificate("ca"), crls=crls)
    with pytest.raises(RuntimeError, match="Failed to bind"):
        front.serve(ECHOES, credentials=credentials)


def test_lists_without_clients_certificates_are_refused() -> None:
    with pytest.raises(ValueError, match="give client_root_certificates"):
        _server(crls=certificate("crls"))


# What the server knows


def test_the_chain_of_a_clients_certificate(front: FrontEnd) -> None:
    witness = Witness()
    server = _server(client_root_certificates=certificate("revoking-ca"))
    rig = _rig(front, server, _client("good"), unary_unary=witness)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    leaf, intermediate = certificate("good").split(b"-----END CERTIFICATE-----\n")[:2]
    assert witness.auth["x509_pem_cert"] == [leaf + b"-----END CERTIFICATE-----\n"]
    assert intermediate.startswith(b"-----BEGIN")
    assert witness.auth["x509_pem_cert_chain"] == [certificate("good")]
    assert witness.auth["peer_spiffe_id"] == [b"spiffe://clarion.test/good"]


# Rotation


class Files:
    """A key and its certificate in a directory, which are exchanged together."""

    def __init__(self, directory: Path, name: str) -> None:
        self.key = directory / "tls.key"
        self.chain = directory / "tls.crt"
        self.put(name)

    def put(self, name: str) -> None:
        for kind, path in (("key", self.key), ("pem", self.chain)):
            # Another file in its place, as tools that renew certificates do it.
            fresh = path.with_suffix(".new")
            shutil.copy(CERTIFICATES / f"{name}.{kind}", fresh)
            os.replace(fresh, path)

    @property
    def pair(self) -> dict[str, Path]:
        return {"private_key": self.key, "certificate_chain": self.chain}


def _connect(front: FrontEnd, target: str, credentials: Any) -> Any:
    client = front.connect(target, credentials=credentials)
    return client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])


def test_a_servers_files_change(front: FrontEnd, tmp_path: Path) -> None:
    files = Files(tmp_path, "server")
    rig = _rig(
        front,
        clarion.tls.server_credentials(**files.pair),
        _client(root_certificates=certificate("ca")),
    )
    call = rig.open("stream_stream")
    call.write(b"a")
    assert call.read() == b"a"
    files.put("good")
    for roots, code in (("revoking-ca", "OK"), ("ca", "UNAVAILABLE")):
        credentials = _client(root_certificates=certificate(roots))
        assert _connect(front, rig.server.target, credentials).code == code
    # The call of before knows nothing of it.
    call.write(b"b")
    assert call.read() == b"b"
    call.done_writing()
    assert call.finish().code == "OK"


def test_a_channels_files_change(front: FrontEnd, tmp_path: Path) -> None:
    files = Files(tmp_path, "client")
    witness = Witness()
    roots = tmp_path / "roots"
    roots.write_bytes(certificate("ca"))
    server = front.serve(
        {**ECHOES, "unary_unary": witness},
        credentials=_server(
            client_root_certificates=certificate("ca") + certificate("revoking-ca")
        ),
    )
    other = front.serve(ECHOES, credentials=_server("server"))
    credentials = clarion.tls.channel_credentials(root_certificates=roots, **files.pair)
    assert _connect(front, other.target, credentials).code == "OK"
    details = _connect(front, server.target, credentials).details
    assert "certificate verify failed" in details
    roots.write_bytes(certificate("revoking-ca"))
    client = front.connect(server.target, credentials=credentials)
    call = client.open("/test.Service/StreamStream", "stream_stream")
    call.write(b"a")
    assert call.read() == b"a"
    files.put("good")
    assert _connect(front, server.target, credentials).code == "OK"
    assert witness.auth["peer_spiffe_id"] == [b"spiffe://clarion.test/good"]
    # The connection of before has the certificate of before, and goes on.
    assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"
    assert witness.auth["peer_spiffe_id"] == [b"spiffe://clarion.test/client"]
    call.write(b"b")
    assert call.read() == b"b"
    call.done_writing()
    assert call.finish().code == "OK"


def test_a_revocation_list_that_changes_counts_for_the_next_connection(
    front: FrontEnd, tmp_path: Path
) -> None:
    lists = tmp_path / "crls"
    lists.write_bytes(certificate("crls-root"))
    server = front.serve(ECHOES, credentials=_server("good"))
    credentials = _client(crls=lists)
    assert "unable to get certificate CRL" in _connect(front, server.target, credentials).details
    lists.write_bytes(certificate("crls"))
    assert _connect(front, server.target, credentials).code == "OK"


def test_files_that_cannot_be_used_leave_the_last_ones_in_use(
    front: FrontEnd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    client, server = Files(ours, "good"), Files(theirs, "good")
    roots = certificate("revoking-ca")
    of_server = clarion.tls.server_credentials(**server.pair, client_root_certificates=roots)
    credentials = clarion.tls.channel_credentials(root_certificates=roots, **client.pair)
    target = front.serve(ECHOES, credentials=of_server).target
    assert _connect(front, target, credentials).code == "OK"
    # Half of a renewal, and then not even that.
    for spoil in (lambda path: path.write_bytes(key("rsa")), Path.unlink):
        for files in (client, server):
            spoil(files.key)
        caplog.clear()
        assert _connect(front, target, credentials).code == "OK"
        said = caplog.text
        assert "the last certificates stay in use" in said
        assert "the last certificates of a channel stay in use" in said
        assert "PRIVATE" not in said
    client.put("good")
    server.put("revoked")
    assert _connect(front, target, credentials).code == "OK"


def test_a_channel_without_its_files_says_so_and_goes_on_when_they_are_there(
    front: FrontEnd, tmp_path: Path
) -> None:
    server = front.serve(
        ECHOES, credentials=_server(client_root_certificates=certificate("revoking-ca"))
    )
    credentials = clarion.tls.channel_credentials(
        root_certificates=certificate("revoking-ca"),
        private_key=tmp_path / "tls.key",
        certificate_chain=tmp_path / "tls.crt",
    )
    client = front.connect(
        server.target,
        credentials=credentials,
        options=[("grpc.initial_reconnect_backoff_ms", 100)],
    )
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert "the channel's credentials cannot be used: " in outcome.details
    assert str(tmp_path / "tls.key") in outcome.details
    Files(tmp_path, "good")
    outcome = client.call(
        "/test.Service/UnaryUnary", "unary_unary", [b"x"], wait_for_ready=True, timeout=10
    )
    assert outcome.code == "OK", outcome


def test_a_server_without_its_files_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        clarion.tls.server_credentials(private_key=tmp_path / "a", certificate_chain=tmp_path / "b")
