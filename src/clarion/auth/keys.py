"""Keys that signatures are verified with, and which of them is for a token (RFC 7517, RFC 8725 §3.1).

A key goes with a family of algorithms, and a token cannot choose another: a public key is never taken for a shared
secret. Of a token's header, the algorithm and the key's name are used, and nothing that points elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

from clarion.auth.authenticator import Pending
from clarion.auth.errors import need_pyjwt
from clarion.auth.json_objects import MalformedJson, decode_base64url, read_object

__all__ = [
    "ALGORITHMS",
    "HMAC_ALGORITHMS",
    "Jwks",
    "KeyQuery",
    "KeySource",
    "PublicKey",
    "SharedSecret",
    "digest",
    "verify",
]

_LOG = logging.getLogger("clarion.auth")

# Algorithm: kind of key, and its curve where that is fixed (RFC 7518 §3.1, RFC 8037).
_FAMILIES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", None),
}
ALGORITHMS = tuple(_FAMILIES)
"""What is allowed by default: signatures with a public key."""

HMAC_ALGORITHMS = ("HS256", "HS384", "HS512")
_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}

_SMALLEST_RSA = 2048
_SMALLEST_SECRET = 32
_MOST_KEYS = 100

KeyQuery = Generator[Pending, None, Any]
"""Gives what `verify` takes, or None; yields what it waits for."""


class KeySource(Protocol):
    """Where the keys of a `JwtAuthenticator` come from: `Jwks`, `RemoteJwks`, `PublicKey` or `SharedSecret`."""

    algorithms: Sequence[str]

    def find(self, algorithm: str, key_id: str | None) -> KeyQuery:
        """Find the key of a token.

        Args:
            algorithm: an allowed one.
            key_id: the key's name, if the token says one.
        """


def verify(token: str, key: Any, algorithm: str) -> bool:
    """Whether a token in three parts was signed with `key`."""
    if isinstance(key, _Secret):
        return key.signed(token, algorithm)
    import jwt

    try:
        jwt.PyJWS(algorithms=[algorithm]).decode_complete(token, key, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        # What they say may quote the token.
        return False
    return True


class Jwks:
    """Keys that do not change: a JSON Web Key Set.

    Keys for other uses, kinds and curves than signatures need, private ones and shared secrets are left out.

    Args:
        document: the set, as JSON or read from it.

    Raises:
        ValueError: it is no key set, or has no usable key.
        ModuleNotFoundError: the extra `auth` is not installed.
    """

    algorithms = ALGORITHMS

    def __init__(self, document: bytes | str | Mapping[str, Any]) -> None:
        need_pyjwt()
        if not isinstance(document, Mapping):
            try:
                document = read_object(document)
            except MalformedJson as error:
                raise ValueError(f"the key set cannot be read: {error}") from None
        entries = document.get("keys")
        if not isinstance(entries, list):
            raise ValueError('a key set has a list of "keys"')
        if len(entries) > _MOST_KEYS:
            raise ValueError(f"the key set has {len(entries)} keys; at most {_MOST_KEYS} are taken")
        self._keys = [_Entry(each) for each in entries if _usable(each)]
        if not self._keys:
            raise ValueError("the key set has no usable public key")

    def __repr__(self) -> str:
        return f"<clarion.auth.Jwks of {len(self._keys)} keys>"

    def find(self, algorithm: str, key_id: str | None) -> KeyQuery:
        """See `KeySource`."""
        yield from ()
        return self.select(algorithm, key_id)

    def select(self, algorithm: str, key_id: str | None) -> Any:
        """The key of that name for that algorithm; without a name the only one there is; else None."""
        fitting = [each for each in self._keys if each.fits(algorithm, key_id)]
        if not fitting or (key_id is None and len(fitting) > 1):
            return None
        return fitting[0].key(algorithm)


def _usable(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("kty"), str):
        return False
    if "d" in entry or entry["kty"] not in ("RSA", "EC", "OKP"):
        return False
    operations = entry.get("key_ops")
    signs = operations is None or (isinstance(operations, list) and "verify" in operations)
    return signs and entry.get("use") in (None, "sig")


class _Entry:
    """One key of a set."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry
        self._made: dict[str, Any] = {}

    def fits(self, algorithm: str, key_id: str | None) -> bool:
        entry = self._entry
        kind, curve = _FAMILIES[algorithm]
        return (
            entry["kty"] == kind
            and (curve is None or entry.get("crv") == curve)
            and entry.get("alg") in (None, algorithm)
            and (key_id is None or entry.get("kid") == key_id)
        )

    def key(self, algorithm: str) -> Any:
        """The key as the library has it; None if it is unusable after all."""
        if algorithm not in self._made:
            self._made[algorithm] = self._make(algorithm)
        return self._made[algorithm]

    def _make(self, algorithm: str) -> Any:
        import jwt

        try:
            key = jwt.PyJWK(self._entry, algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            _LOG.warning("a key of a key set cannot be used: %s", type(error).__name__)
            return None
        if _too_small(key):
            _LOG.warning("a key of a key set cannot be used: RSA with less than 2048 bits")
            return None
        return key


def _too_small(key: Any) -> bool:
    return type(key).__name__.startswith("RSA") and key.key_size < _SMALLEST_RSA


def _kind_and_curve(key: Any) -> tuple[str, str | None] | None:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", None
    if isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return "OKP", None
    if isinstance(key, ec.EllipticCurvePublicKey):
        curves = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
        return "EC", curves.get(key.curve.name)
    return None


class PublicKey:
    """One public key.

    Args:
        pem: the key, or a certificate that has it, as PEM.

    Raises:
        ValueError: it is no public key, one of an unknown kind, or RSA with less than 2048 bits.
        ModuleNotFoundError: the extra `auth` is not installed.
    """

    def __init__(self, pem: bytes) -> None:
        need_pyjwt()
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            if b"-BEGIN CERTIFICATE-" in pem:
                self._key: Any = x509.load_pem_x509_certificate(pem).public_key()
            else:
                self._key = load_pem_public_key(pem)
        except (ValueError, TypeError):
            raise ValueError("no public key or certificate in PEM") from None
        family = _kind_and_curve(self._key)
        if family is None or _too_small(self._key):
            raise ValueError(
                "the key is of a kind that is not used, or RSA with less than 2048 bits"
            )
        kind, curve = family
        self.algorithms = tuple(
            name
            for name, (wanted, on) in _FAMILIES.items()
            if wanted == kind and (on is None or on == curve)
        )

    def __repr__(self) -> str:
        return f"<clarion.auth.PublicKey for {', '.join(self.algorithms)}>"

    def find(self, algorithm: str, key_id: str | None) -> KeyQuery:
        """See `KeySource`. What the token calls the key does not matter."""
        yield from ()
        return self._key if algorithm in self.algorithms else None


class _Secret:
    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def signed(self, token: str, algorithm: str) -> bool:
        signed, _, signature = token.rpartition(".")
        expected = hmac.digest(self._secret, signed.encode(), _DIGESTS[algorithm])
        return hmac.compare_digest(expected, decode_base64url(signature))


class SharedSecret:
    """A secret that issuer and server share, for HS256, HS384 and HS512. Whoever can verify with it can issue, too.

    Args:
        secret: at least 32 bytes that nobody can guess.

    Raises:
        TypeError: it is no bytes.
        ValueError: it is too short, or the PEM of a key or certificate.
    """

    algorithms = HMAC_ALGORITHMS

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes):
            raise TypeError(f"the secret must be bytes, not {type(secret).__name__}")
        if len(secret) < _SMALLEST_SECRET:
            raise ValueError(
                f"the secret must have at least {_SMALLEST_SECRET} bytes (RFC 7518 §3.2)"
            )
        if b"-----BEGIN " in secret or secret.startswith((b"ssh-", b"ecdsa-")):
            raise ValueError(
                "the secret is the text of a key, which others may know; use PublicKey"
            )
        self._secret = _Secret(secret)

    def __repr__(self) -> str:
        return "<clarion.auth.SharedSecret>"

    def find(self, algorithm: str, key_id: str | None) -> KeyQuery:
        """See `KeySource`."""
        yield from ()
        return self._secret if algorithm in HMAC_ALGORITHMS else None


def digest(text: str) -> bytes:
    """What stands for a token in caches and comparisons."""
    return hashlib.sha256(text.encode()).digest()
