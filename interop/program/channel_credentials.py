"""Credentials of the credentials cases, for channels and for calls, from either library."""

from __future__ import annotations

import argparse
import json
import os
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interop.program.library import Library, Unsupported
from interop.program.tokens import PrivateKey, sign

__all__ = ["call_credentials", "channel_credentials", "service_account_token"]

_SECONDS = 10.0
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"


def _key_file(flags: argparse.Namespace) -> dict[str, Any]:
    path = flags.service_account_key_file or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        raise Unsupported("the case needs --service_account_key_file")
    document: dict[str, Any] = json.loads(Path(path).read_text())
    return document


def _signed(account: dict[str, Any], **claims: Any) -> str:
    now = int(time.time())
    every = {"iss": account["client_email"], "iat": now, "exp": now + 3600, **claims}
    return sign(PrivateKey.from_pem(account["private_key"]), every, account["private_key_id"])


def _fetch(request: urllib.request.Request) -> str:
    # No proxy: the authority is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_SECONDS) as response:
        return str(json.load(response)["access_token"])


def service_account_token(flags: argparse.Namespace) -> str:
    """An access token, in exchange for an assertion that the account's key signed (RFC 7523)."""
    account = _key_file(flags)
    claims = {"aud": account["token_uri"], "scope": flags.oauth_scope}
    form = {"grant_type": _GRANT, "assertion": _signed(account, **claims)}
    body = urllib.parse.urlencode(form).encode()
    return _fetch(urllib.request.Request(account["token_uri"], data=body))


def _compute_engine_token() -> str:
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    headers = {"Metadata-Flavor": "Google"}
    return _fetch(urllib.request.Request(f"http://{host}{_TOKEN}", headers=headers))


def _plugin(library: Library, token: Callable[[Any], str]) -> Any:
    class Plugin(library.root.AuthMetadataPlugin):  # type: ignore[misc]
        def __call__(self, context: Any, callback: Any) -> None:
            try:
                metadata = (("authorization", f"Bearer {token(context)}"),)
            except Exception as error:
                callback((), error)
            else:
                callback(metadata, None)

    return library.root.metadata_call_credentials(Plugin())


def call_credentials(library: Library, case: str, flags: argparse.Namespace) -> Any:
    """What a case adds to each call; None for most cases."""
    if case == "compute_engine_creds":
        return _plugin(library, lambda _: _compute_engine_token())
    if case in ("jwt_token_creds", "google_default_credentials"):
        account = _key_file(flags)

        def token(context: Any) -> str:
            return _signed(account, sub=account["client_email"], aud=context.service_url)

        return _plugin(library, token)
    if case == "oauth2_auth_token":
        return library.root.access_token_call_credentials(service_account_token(flags))
    return None


def channel_credentials(library: Library, flags: argparse.Namespace) -> Any:
    """The channel's credentials; None for plain text."""
    if flags.custom_credentials_type == "compute_engine_channel_creds":
        raise Unsupported("these credentials need ALTS, which is only there on Google's machines")
    if not flags.use_tls and not flags.custom_credentials_type:
        return None
    roots = flags.ca_file.read_bytes() if flags.use_test_ca else None
    credentials = library.root.ssl_channel_credentials(roots)
    own = call_credentials(library, flags.test_case, flags)
    if own is not None:
        credentials = library.root.composite_channel_credentials(credentials, own)
    return credentials
