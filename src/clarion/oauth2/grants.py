"""What a token server is asked for: the grants of RFC 6749 and RFC 8693, and the metadata server of compute engines.

Each is called on a plugin's thread when a token is needed, one call at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clarion.credentials.call import CallCredentialsError
from clarion.oauth2.cache import AccessToken
from clarion.oauth2.http import Endpoint, basic, form
from clarion.status import StatusCode

__all__ = ["Grant", "MetadataServer", "RefreshTokenGrant", "TokenSource", "read_token", "scopes"]

TokenSource = Callable[[], str]

_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
# RFC 6749 §5.1 leaves it open how long a token lives whose answer does not say; in seconds.
_UNSAID_LIFETIME = 300.0


def scopes(scope: str | Iterable[str] | None) -> str | None:
    """The form in which scopes are sent (RFC 6749 §3.3)."""
    return scope if scope is None or isinstance(scope, str) else " ".join(scope)


def access_token(answer: Mapping[str, Any], asked_at: float) -> AccessToken:
    """The token of an answer (RFC 6749 §5.1).

    Raises:
        CallCredentialsError: there is none that gRPC can send.
    """
    value = answer.get("access_token")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value:
        raise CallCredentialsError("the token server's answer has no usable access_token")
    kind = answer.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() not in ("bearer", "n_a"):
        raise CallCredentialsError("the token server's answer has a token that is no bearer token")
    try:
        # Some servers send it as text.
        lifetime = float(answer.get("expires_in", _UNSAID_LIFETIME))
    except (TypeError, ValueError):
        lifetime = _UNSAID_LIFETIME
    if not math.isfinite(lifetime):
        lifetime = _UNSAID_LIFETIME
    return AccessToken(value, asked_at + lifetime)


class Grant:
    """Asks with the same fields each time.

    Args:
        endpoint: whom.
        fields: of the form; what is callable is called each time.
        client: its name and secret, or None; the secret may be None.
        in_form: send these in the form (`client_secret_post`), not in the header (`client_secret_basic`).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        fields: Mapping[str, str | TokenSource | None],
        client: tuple[str, str | None] | None = None,
        in_form: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._fields = dict(fields)
        self._headers = dict(_FORM)
        if client is None:
            return
        name, secret = client
        if secret is None or in_form:
            self._fields |= {"client_id": name, "client_secret": secret}
        else:
            self._headers["authorization"] = basic(name, secret)

    def __call__(self) -> AccessToken:
        return self.token(self.ask())

    def ask(self) -> tuple[dict[str, Any], float]:
        """The answer, and when it was asked for."""
        fields = {key: value() if callable(value) else value for key, value in self._fields.items()}
        now = time.time()
        return self._endpoint.post(form(fields), self._headers), now

    def token(self, asked: tuple[dict[str, Any], float]) -> AccessToken:
        """The answer's token."""
        return access_token(*asked)


class RefreshTokenGrant(Grant):
    """RFC 6749 §6. A server may give a new refresh token with each answer, which then counts."""

    def __call__(self) -> AccessToken:
        answer, now = self.ask()
        token = self.token((answer, now))
        another = answer.get("refresh_token")
        if isinstance(another, str) and another:
            self._fields["refresh_token"] = another
        return token


class MetadataServer:
    """The token of a machine's service account.

    Args:
        endpoint: the account's token at the metadata server.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __call__(self) -> AccessToken:
        now = time.time()
        return access_token(self._endpoint.get({"metadata-flavor": "Google"}), now)


def read_token(path: str) -> str:
    """The token in a file, without the white space around it.

    Raises:
        CallCredentialsError: UNAVAILABLE for a file that cannot be read, UNAUTHENTICATED for what is no token.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise CallCredentialsError(
            f"the token file {path} cannot be read: {error.strerror}", StatusCode.UNAVAILABLE
        ) from None
    token = content.strip().decode("latin-1")
    if not token or not token.isascii() or not token.isprintable():
        raise CallCredentialsError(f"the token file {path} has no token in it")
    return token
