"""JSON Web Tokens (RFC 7519) that this side makes, or finds in a file. Whether one is good is the server's to say."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
import threading
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from clarion.credentials.call import CallCredentialsError
from clarion.oauth2.cache import AccessToken
from clarion.oauth2.grants import read_token
from clarion.oauth2.plugin import TokenPlugin

__all__ = ["ALGORITHMS", "SigningPlugin", "Signer", "from_file"]

ALGORITHMS = ("RS256", "ES256")

# A program calls few services; what is beyond these is signed anew.
_AUDIENCES = 64


def from_file(path: str) -> AccessToken:
    """The token in a file, with its own expiry (gRFC A97).

    Raises:
        CallCredentialsError: UNAVAILABLE for a file that cannot be read, UNAUTHENTICATED for what is no JWT.
    """
    token = read_token(path)
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), b"-_", True))
        expires_at = claims["exp"]
        if isinstance(expires_at, bool) or not isinstance(expires_at, (int, float)):
            raise TypeError
        if not math.isfinite(expires_at):
            raise ValueError
        return AccessToken(token, float(expires_at))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, binascii.Error):
        raise CallCredentialsError(
            f"the token file {path} has no JWT with an expiry (exp) in it"
        ) from None


class Signer:
    """Makes tokens, with PyJWT.

    Args:
        private_key: PEM.
        algorithm: one of `ALGORITHMS`.
        claims: what each token says besides audience and times.
        key_id: which key that is, for the server; or None.
        lifetime: how long a token is good, in seconds.

    Raises:
        ImportError: PyJWT or cryptography is missing.
        ValueError: another algorithm, or a key that is not of its kind.
    """

    def __init__(
        self,
        private_key: bytes | str,
        algorithm: str,
        claims: dict[str, str],
        key_id: str | None,
        lifetime: float,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, not {algorithm!r}")
        try:
            import cryptography  # noqa: F401
            import jwt
        except ImportError as error:
            raise ImportError(
                "signing tokens needs PyJWT and cryptography: pip install 'clarion-rpc[auth]'"
            ) from error
        self._encode: Callable[..., str] = jwt.encode
        self._key = private_key
        self._algorithm = algorithm
        self._claims = claims
        self._headers = {} if key_id is None else {"kid": key_id}
        self._lifetime = lifetime
        try:
            self.sign("")
        except Exception:
            # Not chained: its text is about the key, and might quote it.
            raise ValueError(
                f"the private key cannot be used for {algorithm}: it must be PEM, not encrypted, "
                f"{'an RSA key' if algorithm == 'RS256' else 'an EC key on P-256'}"
            ) from None

    def sign(self, audience: str) -> AccessToken:
        """A token for `audience`; "" for none."""
        now = int(time.time())
        claims: dict[str, Any] = {**self._claims, "iat": now, "exp": now + int(self._lifetime)}
        if audience:
            claims["aud"] = audience
        token = self._encode(claims, self._key, algorithm=self._algorithm, headers=self._headers)
        return AccessToken(token, claims["exp"])


class SigningPlugin:
    """Signs a token for the service that is called, and keeps it (see `AuthMetadataPlugin`).

    Args:
        signer: signs.
        audience: for whom all tokens are, "" for nobody in particular; None: for the service that is called,
            `https://host/`.
    """

    def __init__(self, signer: Signer, audience: str | None) -> None:
        self._signer = signer
        self._audience = audience
        self._plugins: OrderedDict[str, TokenPlugin] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, context: Any, callback: Any) -> None:
        audience = self._audience
        if audience is None:
            # As in AIP-4111: whose services they are, not which of them.
            audience = f"https://{urllib.parse.urlsplit(context.service_url).netloc}/"
        with self._lock:
            plugin = self._plugins.get(audience)
            if plugin is None:
                plugin = self._plugins[audience] = TokenPlugin(
                    functools.partial(self._signer.sign, audience)
                )
                if len(self._plugins) > _AUDIENCES:
                    self._plugins.popitem(last=False)
            else:
                self._plugins.move_to_end(audience)
        plugin(context, callback)
