"""The bearer token of a call (RFC 6750 §2.1): metadata `authorization: Bearer TOKEN`, once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clarion.auth.errors import AuthenticationFailed

__all__ = ["bearer_token"]

# RFC 6750 §2.1, b64token.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
# Scheme and space.
_SCHEME_SIZE = len("bearer ")


def bearer_token(metadata: Iterable[tuple[str, str | bytes]], limit: int) -> str | None:
    """Find the token.

    Args:
        metadata: the call's.
        limit: how long it may be, in characters.

    Returns:
        The token; None if the call has no `authorization`.

    Raises:
        AuthenticationFailed: there are several, or another scheme, or what no token can be.
    """
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return None
    if len(values) > 1:
        # Who looks at the first, and who at the last? An attacker would know.
        raise AuthenticationFailed("the call has more than one authorization")
    value = values[0]
    if not isinstance(value, str) or value[:_SCHEME_SIZE].lower() != "bearer ":
        raise AuthenticationFailed("the call's authorization is no bearer token")
    if len(value) - _SCHEME_SIZE > limit:
        raise AuthenticationFailed("the token is too long")
    token = value[_SCHEME_SIZE:]
    if not _TOKEN.fullmatch(token):
        raise AuthenticationFailed("the token is malformed")
    return token
