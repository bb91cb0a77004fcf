"""Call credentials that get, make and renew their tokens: OAuth 2.0 grants, token exchange, signed JWTs, JWT files.

    credentials = clarion.oauth2.client_credentials("https://issuer.example/token", "client", "secret")
    channel = clarion.secure_channel(
        "api.example:443",
        clarion.composite_channel_credentials(clarion.ssl_channel_credentials(), credentials),
    )

Each function returns `clarion.CallCredentials`, for calls and channels of both front ends. Make them once: they keep
their token, and share it among all calls. A token is got when a call needs one, by one request at a time; renewed a
minute before it is no longer used, which is 30 seconds before it expires; and after a failure not asked for again for
a while (gRFC A97). Calls wait for it without a thread of theirs. A call ends with UNAUTHENTICATED if the token server
refuses, and with UNAVAILABLE if it cannot be reached or is not well.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clarion.credentials.call import (
    CallCredentials,
    CallCredentialsError,
    metadata_call_credentials,
)
from clarion.oauth2.cache import AccessToken
from clarion.oauth2.plugin import token_credentials

if TYPE_CHECKING:
    import ssl

    from clarion.oauth2.grants import TokenSource

__all__ = [
    "AccessToken",
    "CallCredentialsError",
    "client_credentials",
    "compute_engine",
    "jwt_file",
    "refresh_token",
    "service_account",
    "signed_jwt",
    "token_credentials",
    "token_exchange",
]

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # nosec B105  # a name


def client_credentials(
    token_url: str,
    client_id: str,
    client_secret: str,
    *,
    scope: str | Iterable[str] | None = None,
    audience: str | None = None,
    secret_in_form: bool = False,
    ssl_context: ssl.SSLContext | None = None,
) -> CallCredentials:
    """Tokens for a program of its own (RFC 6749 §4.4).

    Args:
        token_url: the token server, `https://`; `http://` of this machine alone.
        client_id: the program's name there.
        client_secret: and its secret.
        scope: what the token is to allow; text, or one text for each scope.
        audience: for whom it is, as some servers want to know.
        secret_in_form: send name and secret in the form, not in the `authorization` header.
        ssl_context: for TLS to the token server; None: the system's roots.

    Raises:
        ValueError: `token_url` is no such URL.
    """
    from clarion.oauth2.grants import Grant, scopes
    from clarion.oauth2.http import Endpoint

    fields = {"grant_type": "client_credentials", "scope": scopes(scope), "audience": audience}
    endpoint = Endpoint(token_url, ssl_context)
    grant = Grant(endpoint, fields, (client_id, client_secret), secret_in_form)
    return token_credentials(grant, "oauth2.client_credentials")


def refresh_token(
    token_url: str,
    refresh_token: str,
    *,
    client_id: str,
    client_secret: str | None = None,
    scope: str | Iterable[str] | None = None,
    secret_in_form: bool = False,
    ssl_context: ssl.SSLContext | None = None,
) -> CallCredentials:
    """Tokens for a user who allowed that once (RFC 6749 §6).

    Args:
        token_url, scope, secret_in_form, ssl_context: as of `client_credentials`.
        refresh_token: what the program got then. If the server gives another one later, that counts.
        client_id: the program's name.
        client_secret: its secret; None for a program that has none.

    Raises:
        ValueError: `token_url` is no such URL.
    """
    from clarion.oauth2.grants import RefreshTokenGrant, scopes
    from clarion.oauth2.http import Endpoint

    fields = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "scope": scopes(scope),
    }
    endpoint = Endpoint(token_url, ssl_context)
    grant = RefreshTokenGrant(endpoint, fields, (client_id, client_secret), secret_in_form)
    return token_credentials(grant, "oauth2.refresh_token")


def token_exchange(
    token_exchange_service_uri: str,
    *,
    subject_token: str | TokenSource | None = None,
    subject_token_path: str | os.PathLike[str] | None = None,
    subject_token_type: str = _ACCESS_TOKEN,
    actor_token: str | TokenSource | None = None,
    actor_token_path: str | os.PathLike[str] | None = None,
    actor_token_type: str | None = None,
    resource: str | None = None,
    audience: str | None = None,
    scope: str | Iterable[str] | None = None,
    requested_token_type: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> CallCredentials:
    """Tokens in exchange for other tokens (RFC 8693); the names are those of gRPC's STS credentials.

    Args:
        token_exchange_service_uri: the token server, as `token_url` of `client_credentials`.
        subject_token: on whose behalf; text, or a function that returns it and may block.
        subject_token_path: or the file with it, which is read for each exchange.
        subject_token_type: its type, a URN of RFC 8693 §3.
        actor_token, actor_token_path, actor_token_type: the same of who acts, if that is somebody else.
        resource: the URI of the service for which the token is to be.
        audience: or its name.
        scope: what it is to allow.
        requested_token_type: the type of the token that is wanted.
        client_id, client_secret: of this program, if the server asks for that.
        ssl_context: as of `client_credentials`.

    Raises:
        ValueError: the URI is none, or there is not one subject token, or an actor token is without its type.
    """
    from clarion.oauth2.grants import Grant, scopes
    from clarion.oauth2.http import Endpoint

    subject = _token(subject_token, subject_token_path)
    actor = _token(actor_token, actor_token_path)
    if subject is None:
        raise ValueError("give subject_token or subject_token_path")
    if (actor is None) != (actor_token_type is None):
        raise ValueError("an actor token and actor_token_type belong together (RFC 8693 §2.1)")
    fields = {
        "grant_type": _EXCHANGE,
        "subject_token": subject,
        "subject_token_type": subject_token_type,
        "actor_token": actor,
        "actor_token_type": actor_token_type,
        "resource": resource,
        "audience": audience,
        "scope": scopes(scope),
        "requested_token_type": requested_token_type,
    }
    client = None if client_id is None else (client_id, client_secret)
    grant = Grant(Endpoint(token_exchange_service_uri, ssl_context), fields, client)
    return token_credentials(grant, "oauth2.token_exchange")


def _token(
    token: str | TokenSource | None, path: str | os.PathLike[str] | None
) -> str | TokenSource | None:
    from clarion.oauth2.grants import read_token

    if path is None:
        return token
    if token is not None:
        raise ValueError("give a token or the path of its file, not both")
    return functools.partial(read_token, os.fspath(path))


def signed_jwt(
    private_key: bytes | str,
    *,
    issuer: str,
    subject: str | None = None,
    audience: str | None = None,
    key_id: str | None = None,
    algorithm: str = "RS256",
    lifetime: float = 3600.0,
) -> CallCredentials:
    """Tokens that this side signs: JWTs (RFC 7519), with the extra `clarion-rpc[auth]`.

    Args:
        private_key: PEM, not encrypted: RSA for RS256, EC on P-256 for ES256.
        issuer: who signs (`iss`).
        subject: who calls (`sub`); None: the issuer.
        audience: for whom tokens are (`aud`); None: for the service that is called, `https://host/`.
        key_id: which of the issuer's keys that is (`kid`).
        algorithm: `RS256` or `ES256`.
        lifetime: how long a token is good, in seconds.

    Raises:
        ImportError: the extra is not installed.
        ValueError: another algorithm, or a key that is not of its kind.
    """
    from clarion.oauth2.jwt import Signer, SigningPlugin

    claims = {"iss": issuer, "sub": issuer if subject is None else subject}
    plugin = SigningPlugin(Signer(private_key, algorithm, claims, key_id, lifetime), audience)
    return metadata_call_credentials(plugin, "oauth2.signed_jwt")


def service_account(
    key: str | os.PathLike[str] | Mapping[str, Any],
    *,
    audience: str | None = None,
    scope: str | Iterable[str] | None = None,
) -> CallCredentials:
    """Tokens that a Google service account signs by itself (AIP-4111), with the extra `clarion-rpc[auth]`.

    Args:
        key: the account's JSON key, or the path of the file with it.
        audience: as of `signed_jwt`.
        scope: what tokens are to allow; they then name that and no audience.

    Raises:
        ImportError: the extra is not installed.
        OSError: the file cannot be read.
        ValueError: it is no such key.
    """
    from clarion.oauth2.grants import scopes
    from clarion.oauth2.jwt import Signer, SigningPlugin

    try:
        fields: Any = key if isinstance(key, Mapping) else _json(key)
        account, private_key, key_id = (
            str(fields[name]) for name in ("client_email", "private_key", "private_key_id")
        )
    except (KeyError, TypeError):
        raise ValueError(
            "no key of a service account: client_email, private_key or private_key_id is missing"
        ) from None
    claims = {"iss": account, "sub": account}
    if scope is not None:
        claims["scope"] = scopes(scope) or ""
        audience = audience or ""
    plugin = SigningPlugin(Signer(private_key, "RS256", claims, key_id, 3600.0), audience)
    return metadata_call_credentials(plugin, "oauth2.service_account")


def _json(path: str | os.PathLike[str]) -> Any:
    with open(path, "rb") as file:
        content = file.read()
    try:
        return json.loads(content)
    except ValueError:
        return {}


def jwt_file(path: str | os.PathLike[str]) -> CallCredentials:
    """The JWT in a file that somebody else renews, such as Kubernetes (gRFC A97).

    The file is read when a call needs the token, and again from a minute and a half before the token's expiry. A file
    that cannot be read ends calls with UNAVAILABLE, one without a JWT with UNAUTHENTICATED.

    Args:
        path: the file.
    """
    from clarion.oauth2.jwt import from_file

    return token_credentials(functools.partial(from_file, os.fspath(path)), "oauth2.jwt_file")


def compute_engine(
    *, account: str = "default", scope: str | Iterable[str] | None = None, host: str | None = None
) -> CallCredentials:
    """The tokens of the service account of a Google compute engine, from its metadata server.

    Args:
        account: the service account.
        scope: what tokens are to allow; None: what the machine was made with.
        host: the metadata server, `host` or `host:port`; None: `GCE_METADATA_HOST` of the environment, or else
            `metadata.google.internal`. Only the machine itself can reach it, so it is asked without TLS.
    """
    from clarion.oauth2.grants import MetadataServer
    from clarion.oauth2.http import Endpoint, form

    host = host or os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal"
    wanted = scope if scope is None or isinstance(scope, str) else ",".join(scope)
    query = f"?{form({'scopes': wanted})}" if wanted else ""
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/{account}/token{query}"
    return token_credentials(MetadataServer(Endpoint(url, plain=True)), "oauth2.compute_engine")
