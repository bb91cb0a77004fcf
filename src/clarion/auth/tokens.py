"""Tokens that the server knows beforehand, such as API keys."""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Mapping

from clarion.auth.authenticator import Authenticator
from clarion.auth.bearer import bearer_token
from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity
from clarion.auth.keys import digest

__all__ = ["TokenAuthenticator"]

_LIMIT = 8192
_SHORTEST = 16


class TokenAuthenticator(Authenticator):
    """Takes calls that bring one of these bearer tokens.

    Hashes are kept, not tokens; each call is compared with all of them, in a time that tells nothing of where they differ.

    Args:
        callers: who brings which token; an `Identity`, or a name.

    Raises:
        ValueError: a token is shorter than 16 characters, and can be guessed.
    """

    def __init__(self, callers: Mapping[str, Identity | str]) -> None:
        self._callers: list[tuple[bytes, Identity]] = []
        for token, who in callers.items():
            if len(token) < _SHORTEST:
                raise ValueError(f"a token has less than {_SHORTEST} characters and can be guessed")
            identity = Identity(method="token", subject=who) if isinstance(who, str) else who
            principals = identity.principals or (f"token:{identity.subject}",)
            identity = dataclasses.replace(identity, principals=principals)
            self._callers.append((digest(token), identity))

    def __repr__(self) -> str:
        return f"<clarion.auth.TokenAuthenticator of {len(self._callers)} tokens>"

    def authenticate(self, call: CallInfo) -> Identity | None:
        """See `Authenticator`."""
        token = bearer_token(call.metadata, _LIMIT)
        if token is None:
            return None
        given = digest(token)
        found: Identity | None = None
        for known, identity in self._callers:
            if hmac.compare_digest(given, known):
                found = identity
        if found is None:
            raise AuthenticationFailed("the token is not known")
        return found
