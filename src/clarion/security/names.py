"""Which names a certificate is for, read from its DER (RFC 5280 §4.1), because the `ssl` module tells peers' only.

It reads the server's own certificates, to find the one for the name that a client asks for.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator

__all__ = ["certificate_names", "matches"]

_SEQUENCE = 0x30
_EXTENSIONS = 0xA3
_OCTETS = 0x04
_DNS = 0x82
_IP = 0x87
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_COMMON_NAME = bytes.fromhex("550403")


def certificate_names(chain: bytes) -> list[str]:
    """DNS names and IP addresses of the first certificate of a PEM chain; its common name if it has none.

    Raises:
        ValueError: there is no certificate.
    """
    text = chain.decode("latin-1")
    start = text.find(ssl.PEM_HEADER)
    end = text.find(ssl.PEM_FOOTER, start)
    if start < 0 or end < 0:
        raise ValueError("no PEM certificate")
    der = ssl.PEM_cert_to_DER_cert(text[start : end + len(ssl.PEM_FOOTER)])
    try:
        (_, certificate), *_ = _elements(der)
        (_, signed), *_ = _elements(certificate)
        fields = [element for element in _elements(signed) if element[0] != 0xA0]
        for tag, content in fields:
            if tag == _EXTENSIONS:
                names = list(_alternative_names(content))
                if names:
                    return names
        # version, serial, algorithm, issuer, validity, subject; the version is gone above.
        return list(_common_names(fields[4][1]))
    except (IndexError, ValueError):
        raise ValueError("a certificate that is cut off") from None


def matches(name: str, pattern: str) -> bool:
    """Whether a certificate for `pattern` is one for `name`: a `*` stands for one label (RFC 6125 §6.4.3)."""
    name, pattern = name.lower().rstrip("."), pattern.lower().rstrip(".")
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return name == pattern


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of the elements in `data`."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        yield tag, data[position : position + length]
        position += length


def _alternative_names(content: bytes) -> Iterator[str]:
    for _, extensions in _elements(content):
        for _, extension in _elements(extensions):
            parts = list(_elements(extension))
            if parts[0][1] != _ALTERNATIVE_NAMES:
                continue
            value = next(content for tag, content in parts if tag == _OCTETS)
            for _, names in _elements(value):
                for tag, name in _elements(names):
                    if tag == _DNS:
                        yield name.decode("latin-1")
                    elif tag == _IP and len(name) in (4, 16):
                        yield str(ipaddress.ip_address(name))


def _common_names(subject: bytes) -> Iterator[str]:
    for _, part in _elements(subject):
        for _, attribute in _elements(part):
            (_, kind), (_, value) = _elements(attribute)
            if kind == _COMMON_NAME:
                yield value.decode("utf-8", "replace")
