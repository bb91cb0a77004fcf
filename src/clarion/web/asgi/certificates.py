"""Names in an X.509 certificate (RFC 5280), as `ssl.SSLSocket.getpeercert` gives them: for certificates that come as text.

Who gives them to us has verified them. Nevertheless nothing but their names is read, in one pass, and what is not DER raises.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from clarion.errors import RemoteError

__all__ = ["MalformedCertificate", "names_in"]

# RFC 4519 and RFC 5280 §4.1.2.4; other attributes have their number for a name.
_ATTRIBUTES = {
    "0.9.2342.19200300.100.1.1": "userId",
    "0.9.2342.19200300.100.1.25": "domainComponent",
    "1.2.840.113549.1.9.1": "emailAddress",
    "2.5.4.3": "commonName",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "countryName",
    "2.5.4.7": "localityName",
    "2.5.4.8": "stateOrProvinceName",
    "2.5.4.9": "streetAddress",
    "2.5.4.10": "organizationName",
    "2.5.4.11": "organizationalUnitName",
    "2.5.4.12": "title",
}
_ALTERNATIVE_NAMES = "2.5.29.17"
# RFC 5280 §4.2.1.6
_KINDS = {0x81: "email", 0x82: "DNS", 0x86: "URI", 0x87: "IP Address"}
_SEQUENCE, _OID, _OCTETS = 0x30, 0x06, 0x04
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BMP = 0x1E


class MalformedCertificate(RemoteError):
    """A certificate that is not DER, or has not the parts of one."""


def names_in(der: bytes) -> dict[str, Any]:
    """`subject` and `subjectAltName` of a certificate.

    Raises:
        MalformedCertificate: see there.
    """
    try:
        return _names_in(der)
    except (IndexError, StopIteration, ValueError) as error:
        raise MalformedCertificate(f"a certificate cannot be read: {error}") from error


def _names_in(der: bytes) -> dict[str, Any]:
    _tag, certificate = next(_parts(der))
    _tag, body = next(_parts(certificate))
    parts = list(_parts(body))
    if parts[0][0] == _VERSION:
        del parts[0]
    # serialNumber, signature, issuer, validity, subject
    names: dict[str, Any] = {"subject": tuple(_relative_names(parts[4][1]))}
    for tag, value in parts[5:]:
        if tag == _EXTENSIONS:
            names["subjectAltName"] = tuple(_alternative_names(value))
    return names


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of what stands one behind the other (X.690 §8.1)."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4:
                raise ValueError("a length is not of DER")
            size = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield tag, data[at : at + size]
        at += size


def _relative_names(data: bytes) -> Iterator[tuple[tuple[str, str], ...]]:
    for _tag, several in _parts(data):
        pairs = []
        for _tag, pair in _parts(several):
            (_oid, number), (kind, text) = _parts(pair)
            name = _number(number)
            pairs.append((_ATTRIBUTES.get(name, name), _text(kind, text)))
        yield tuple(pairs)


def _text(kind: int, value: bytes) -> str:
    return value.decode("utf-16-be") if kind == _BMP else value.decode("utf-8")


def _alternative_names(data: bytes) -> Iterator[tuple[str, str]]:
    [(_tag, extensions)] = _parts(data)
    for _tag, extension in _parts(extensions):
        parts = list(_parts(extension))
        if parts[0][0] == _OID and _number(parts[0][1]) == _ALTERNATIVE_NAMES:
            [(_tag, names)] = _parts(parts[-1][1])
            for tag, value in _parts(names):
                if tag == 0x87:
                    yield "IP Address", str(ipaddress.ip_address(value))
                elif tag in _KINDS:
                    yield _KINDS[tag], value.decode("ascii")


def _number(data: bytes) -> str:
    """An object identifier (X.690 §8.19)."""
    numbers, value = [], 0
    for octet in data:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
