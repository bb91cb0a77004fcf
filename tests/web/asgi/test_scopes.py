"""What ASGI scopes say of clients: their addresses and their certificates."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from clarion.web.asgi.certificates import MalformedCertificate, names_in
from clarion.web.asgi.client_certificate import auth_context
from clarion.web.asgi.scope import peer_of
from support.credentials import CERTIFICATES, CLIENT_NAMES


@pytest.mark.parametrize(
    ("scope", "peer"),
    [
        ({"client": ["192.0.2.1", 5]}, "ipv4:192.0.2.1:5"),
        ({"client": ("2001:db8::1", 5)}, "ipv6:%5B2001:db8::1%5D:5"),
        ({"client": ["testclient", 50000]}, "testclient:50000"),
        ({"client": None, "server": ["/run/app.sock", None]}, "unix:/run/app.sock"),
        ({"client": ["", 0], "server": ["127.0.0.1", 80]}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_peers(scope: dict[str, Any], peer: str) -> None:
    assert peer_of(scope) == peer


def _der(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(_pem(name))


def _pem(name: str) -> str:
    text = (CERTIFICATES / f"{name}.pem").read_text()
    end = "-----END CERTIFICATE-----\n"
    return text[: text.index(end) + len(end)]


CERTIFIED = [
    path
    for path in sorted(CERTIFICATES.glob("*.pem"))
    if path.read_text().startswith("-----BEGIN CERTIFICATE-----")
]


@pytest.mark.parametrize("path", CERTIFIED, ids=lambda path: path.stem)
def test_names_are_those_that_openssl_reads(path: Any) -> None:
    # The interpreter's own tests read certificates by this.
    decode: Any = getattr(ssl, "_ssl")._test_decode_cert  # noqa: B009
    wanted = decode(str(path))
    names = names_in(_der(path.stem))
    assert names["subject"] == wanted["subject"]
    theirs = [(kind, _same(kind, value)) for kind, value in wanted.get("subjectAltName", ())]
    assert list(names.get("subjectAltName", ())) == theirs


def _same(kind: str, value: str) -> str:
    return str(ipaddress.ip_address(value.strip())) if kind == "IP Address" else value


def test_what_is_no_certificate() -> None:
    der = _der("client")
    for wrong in (
        b"",
        der[:-1],
        der[:40],
        b"\x30\x80" + der[2:],
        b"\x30\x85\0\0\0\0\0",
        b"\x30\x02\x30\x00",
        b"\x30\x03\x02\x01",
        der.replace(b"client@clarion.test", b"client\xff\xfe\xfdarion.test"),
    ):
        with pytest.raises(MalformedCertificate, match="a certificate cannot be read"):
            names_in(wrong)


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, len(body))) + body


def test_unusual_names() -> None:
    """A version 1 certificate, of text in UTF-16 and an attribute without a name."""
    common = _tlv(0x30, _tlv(6, b"\x55\x04\x03"), _tlv(0x1E, "Zoë".encode("utf-16-be")))
    odd = _tlv(0x30, _tlv(6, b"\x2a\x86\x48\x01"), _tlv(0x0C, b"x"))
    subject = _tlv(0x30, _tlv(0x31, common, odd))
    body = _tlv(0x30, _tlv(2, b"\1"), *[_tlv(0x30)] * 3, subject, _tlv(0x30))
    names = names_in(_tlv(0x30, body))
    assert names == {"subject": ((("commonName", "Zoë"), ("1.2.840.1", "x")),)}
    # Another kind of alternative name, such as a directory's, is not one that identities are made of.
    other = _tlv(0x30, _tlv(0x84, b""), _tlv(0x82, b"a.example"))
    extension = _tlv(0x30, _tlv(6, b"\x55\x1d\x11"), _tlv(4, other))
    unknown = _tlv(0x30, _tlv(6, b"\x55\x1d\x12"), _tlv(4, b"?"))
    extensions = _tlv(0xA3, _tlv(0x30, unknown, extension))
    body = _tlv(0x30, _tlv(0xA0), _tlv(2, b"\1"), *[_tlv(0x30)] * 5, extensions)
    assert names_in(_tlv(0x30, body))["subjectAltName"] == (("DNS", "a.example"),)


@pytest.mark.parametrize("empty", ["extensions", "alternative names"])
def test_extensions_without_content(empty: str) -> None:
    extension = _tlv(0x30, _tlv(6, b"\x55\x1d\x11"), _tlv(4))
    extensions = _tlv(0xA3) if empty == "extensions" else _tlv(0xA3, _tlv(0x30, extension))
    body = _tlv(0x30, _tlv(0xA0), _tlv(2, b"\1"), *[_tlv(0x30)] * 5, extensions)
    with pytest.raises(MalformedCertificate, match="a certificate cannot be read"):
        names_in(_tlv(0x30, body))


def test_certificates_of_clients(caplog: pytest.LogCaptureFixture) -> None:
    def context(**tls: Any) -> Any:
        return auth_context({"extensions": {"tls": tls}})

    assert auth_context({}) is None
    assert auth_context({"scheme": "https", "extensions": {}}) is None
    without = context(client_cert_chain=(), tls_version=0x0304)
    assert without.properties == {
        "transport_security_type": [b"ssl"],
        "security_level": [b"TSI_PRIVACY_AND_INTEGRITY"],
        "ssl_tls_version": [b"TLSv1.3"],
    }
    assert (without.identities, without.key) == (None, None)
    pem = _pem("client")
    known = context(client_cert_chain=[pem, _pem("ca")], client_cert_error=None, tls_version=None)
    assert known.identities == CLIENT_NAMES
    assert known.properties["peer_spiffe_id"] == [b"spiffe://clarion.test/client"]
    assert known.properties["x509_pem_cert"] == [pem.encode()]
    assert known.properties["x509_pem_cert_chain"] == [(pem + _pem("ca")).encode()]
    assert "ssl_tls_version" not in known.properties
    # What was not verified names nobody.
    assert context(client_cert_chain=[pem], client_cert_error="expired").identities is None
    for broken in ("no PEM", pem.replace("MII", "MIJ", 1)):
        assert context(client_cert_chain=[broken]).identities is None
        assert "cannot be read, so it names nobody" in caplog.text
        caplog.clear()


def test_handlers_know_the_client(serve: Callable[..., Any], make_request: Any) -> None:
    async def who(request: bytes, context: Any) -> bytes:
        assert context.peer_identity_key() == "x509_subject_alternative_name"
        assert context.auth_context()["x509_common_name"]
        return b",".join(context.peer_identities())

    async def main() -> None:
        app = serve(unary_unary=who)
        tls = {"client_cert_chain": [_pem("client")], "tls_version": 0x0303}
        call = make_request(app, "UnaryUnary", "application/proto", b"", extensions={"tls": tls})
        await call.done()
        assert call.body == b",".join(CLIENT_NAMES)

    asyncio.run(main())
