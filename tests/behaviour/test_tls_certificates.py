"""Credentials that cannot be used, and certificates that change while a server runs."""

from __future__ import annotations

from typing import Any

import pytest

from support.credentials import (
    CLIENT_NAMES,
    certificate,
    client_tls,
    key,
    pair,
)
from support.front_end import FrontEnd
from support.simple import ECHOES
from support.tls import Witness, refused, tls_rig

# Credentials that cannot be used


@pytest.mark.parametrize(
    "make",
    [
        lambda root: root.ssl_channel_credentials(b"no certificate"),
        lambda root: root.ssl_channel_credentials(
            certificate("ca"), key("server"), certificate("client")
        ),
        lambda root: root.ssl_channel_credentials(certificate("ca"), b"x", certificate("client")),
    ],
    ids=["roots", "foreign key", "no key"],
)
def test_a_channel_with_credentials_that_cannot_be_used(front: FrontEnd, make: Any) -> None:
    rig = tls_rig(front, client_credentials=make(front.library.root))
    details = refused(rig)
    if front.library.name == "clarion":
        assert "the channel's credentials cannot be used: " in details


def test_a_key_without_a_certificate(front: FrontEnd) -> None:
    front.clarion_only("grpcio ends the process")
    credentials = front.library.root.ssl_channel_credentials(certificate("ca"), key("client"))
    details = refused(tls_rig(front, client_credentials=credentials))
    assert "private_key was given without certificate_chain" in details


@pytest.mark.parametrize(
    "make",
    [
        lambda root: root.ssl_server_credentials([(b"a", b"b")]),
        lambda root: root.ssl_server_credentials([(key("client"), certificate("server"))]),
        lambda root: root.ssl_server_credentials([pair("server")], b"junk", True),
        lambda root: root.alts_server_credentials(),
    ],
    ids=["no certificate", "foreign key", "no roots", "alts"],
)
def test_a_port_with_credentials_that_cannot_be_used(front: FrontEnd, make: Any) -> None:
    with pytest.raises(RuntimeError, match=r"Failed to bind to address 127\.0\.0\.1:0"):
        front.serve(ECHOES, credentials=make(front.library.root))


def test_arguments_that_credentials_refuse(front: FrontEnd) -> None:
    root = front.library.root
    with pytest.raises(TypeError):
        root.ssl_channel_credentials("text")
    with pytest.raises(ValueError, match="At least one private key-certificate chain pair"):
        root.ssl_server_credentials([])
    with pytest.raises(ValueError, match="Illegal to require client auth"):
        root.ssl_server_credentials([pair("server")], None, True)
    with pytest.raises(TypeError):
        root.ssl_server_credentials([("text", "text")])
    with pytest.raises(ValueError, match="At least one private key-certificate chain pair"):
        root.ssl_server_certificate_configuration([])
    with pytest.raises(TypeError):
        root.dynamic_ssl_server_credentials(None, lambda: None)
    configuration = root.ssl_server_certificate_configuration([pair("server")])
    with pytest.raises(TypeError):
        root.dynamic_ssl_server_credentials(configuration, None)


def test_what_is_no_credentials(front: FrontEnd) -> None:
    root = front.library.root
    for wrong in (3, "nothing"):
        with pytest.raises((TypeError, AttributeError)):
            front.connect("localhost:1", credentials=wrong)
    for wrong in ("nothing", 3, root.ssl_channel_credentials()):
        with pytest.raises((TypeError, AttributeError)):
            front.serve(ECHOES, credentials=wrong)


def test_alts_is_for_googles_platform(front: FrontEnd) -> None:
    client = front.connect("localhost:1", credentials=front.library.root.alts_channel_credentials())
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "INTERNAL"
    assert outcome.details.startswith("Failed to create channel to 'localhost:1'")


# Certificates that change


class Fetcher:
    """Gives what it is told to, and notes that it was asked."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_certificates_that_change_with_each_connection(front: FrontEnd) -> None:
    root = front.library.root
    good = root.ssl_server_certificate_configuration([pair("server")])
    bad = root.ssl_server_certificate_configuration([pair("wrong-name")])
    broken = root.ssl_server_certificate_configuration([(b"a", b"b")])
    fetcher = Fetcher()
    server = front.serve(ECHOES, credentials=root.dynamic_ssl_server_credentials(good, fetcher))

    def connects(answer: Any) -> bool:
        fetcher.answer = answer
        asked = fetcher.asked
        client = front.connect(
            server.target,
            credentials=client_tls(front.library),
            # A connection of its own, which grpcio's channels share otherwise.
            options=[("grpc.use_local_subchannel_pool", 1)],
        )
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
        assert fetcher.asked > asked
        return outcome.code == "OK"

    assert connects(None)
    assert not connects(bad)
    assert not connects(None)
    assert connects(good)
    assert connects(ValueError("no certificate today"))
    assert connects(3)
    assert connects(broken)
    assert connects(None)


def test_new_certificates_do_not_end_calls(front: FrontEnd) -> None:
    root = front.library.root
    fetcher = Fetcher()
    configuration = root.ssl_server_certificate_configuration([pair("server")])
    rig = tls_rig(front, credentials=root.dynamic_ssl_server_credentials(configuration, fetcher))
    call = rig.open("stream_stream")
    call.write(b"a")
    assert call.read() == b"a"
    fetcher.answer = root.ssl_server_certificate_configuration([pair("rsa")])
    client = front.connect(
        rig.server.target,
        credentials=client_tls(front.library),
        options=[("grpc.use_local_subchannel_pool", 1)],
    )
    assert client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"]).code == "OK"
    call.write(b"b")
    assert call.read() == b"b"
    call.done_writing()
    assert call.finish().code == "OK"


def test_changing_certificates_and_clients_that_must_have_one(front: FrontEnd) -> None:
    root = front.library.root
    configuration = root.ssl_server_certificate_configuration([pair("server")], certificate("ca"))
    witness = Witness()
    credentials = root.dynamic_ssl_server_credentials(configuration, lambda: None, True)
    rig = tls_rig(
        front,
        unary_unary=witness,
        credentials=credentials,
        client_credentials=client_tls(front.library, "client"),
    )
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert witness.identities == CLIENT_NAMES
    client = front.connect(rig.server.target, credentials=client_tls(front.library))
    outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
