"""JSON web tokens signed with RS256 (RFC 7515, 7518 §3.3, 7519), on the standard library alone.

For tests: the arithmetic takes a time that depends on the key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["PrivateKey", "sign", "verify"]

# RFC 8017 §9.2, note 1: DigestInfo for SHA-256, in front of the hash.
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True)
class PrivateKey:
    """An RSA key: modulus, public exponent, and what the Chinese remainder theorem needs."""

    modulus: int
    public: int
    first: int
    second: int
    first_exponent: int
    second_exponent: int
    coefficient: int

    @classmethod
    def from_pem(cls, text: str) -> PrivateKey:
        """Read an unencrypted PKCS#8 key (RFC 5958) with an RSA key in it (RFC 8017 A.1.2)."""
        body = "".join(line for line in text.splitlines() if line and not line.startswith("-----"))
        info = _elements(_elements(base64.b64decode(body))[0])
        numbers = _elements(_elements(info[2])[0])
        values = [int.from_bytes(each, "big") for each in numbers]
        return cls(*values[1:3], *values[4:9])

    def power(self, number: int) -> int:
        """The number to the private exponent (RFC 8017 §5.1.2)."""
        first = pow(number, self.first_exponent, self.first)
        second = pow(number, self.second_exponent, self.second)
        return second + self.second * ((first - second) * self.coefficient % self.first)


def _elements(data: bytes) -> list[bytes]:
    """The contents of DER elements that follow each other (X.690 §8.1)."""
    found = []
    while data:
        length, start = data[1], 2
        if length & 0x80:
            start = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:start], "big")
        found.append(data[start : start + length])
        data = data[start + length :]
    return found


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _padded(text: str, size: int) -> int:
    """The number that is signed (RFC 8017 §9.2)."""
    digest = _SHA256 + hashlib.sha256(text.encode()).digest()
    return int.from_bytes(b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest, "big")


def sign(key: PrivateKey, claims: dict[str, Any], key_id: str = "") -> str:
    """A token with these claims."""
    header = {"alg": "RS256", "typ": "JWT", **({"kid": key_id} if key_id else {})}
    text = ".".join(_pack(json.dumps(part).encode()) for part in (header, claims))
    size = (key.modulus.bit_length() + 7) // 8
    signature = key.power(_padded(text, size))
    return f"{text}.{_pack(signature.to_bytes(size, 'big'))}"


def verify(key: PrivateKey, token: str) -> dict[str, Any] | None:
    """The claims of a token that `key` signed; None if it is no such token."""
    try:
        text, signature = token.rsplit(".", 1)
        number = int.from_bytes(_unpack(signature), "big")
        claims = json.loads(_unpack(text.split(".")[1]))
    except (ValueError, IndexError):
        return None
    size = (key.modulus.bit_length() + 7) // 8
    if not isinstance(claims, dict) or pow(number, key.public, key.modulus) != _padded(text, size):
        return None
    return claims
