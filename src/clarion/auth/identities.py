"""Who makes a call, as far as it was proven, and what of a call the proof is made from.

Nothing here shows tokens or claims in its `repr`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["CallInfo", "Identity", "call_of", "freeze", "identity"]

_NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})


def _no_claims() -> Mapping[str, Any]:
    # Python 3.11 takes it for something that can be changed, if it is a default.
    return _NO_CLAIMS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified identity.

    Attributes:
        method: how it was proven: `jwt`, `introspection`, `token`, `tls`, `unix`, or an authenticator's own word.
        subject: who it is.
        issuer: who says so; empty where that is the transport.
        scopes: what the caller may do, as OAuth 2.0 has it.
        roles: what the caller is, as claims have it.
        claims: all that the token says; cannot be changed. Not in the `repr`.
        expires_at: until when it holds, in seconds since 1970, or None.
        principals: by which names an authorization policy knows the caller.
    """

    method: str
    subject: str
    issuer: str = ""
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = dataclasses.field(
        default_factory=_no_claims, repr=False, compare=False
    )
    expires_at: float | None = None
    principals: tuple[str, ...] = ()

    def auth_properties(self) -> dict[str, list[bytes]]:
        """What `ServicerContext.auth_context` has of it."""
        properties = {
            "identity_method": [self.method.encode()],
            "identity_subject": [self.subject.encode()],
        }
        if self.issuer:
            properties["identity_issuer"] = [self.issuer.encode()]
        return properties


@dataclasses.dataclass(frozen=True, slots=True)
class CallInfo:
    """What an authenticator or a policy is told of a call.

    Attributes:
        method: `/package.Service/Method`.
        metadata: the client's, as pairs. Not in the `repr`.
        auth_context: what the connection knows of the client, as `ServicerContext.auth_context` has it.
        peer: the client's address.
        identity: who makes the call, if an authenticator found out before.
    """

    method: str
    metadata: Sequence[tuple[str, str | bytes]] = dataclasses.field(default=(), repr=False)
    auth_context: Mapping[str, Sequence[bytes]] = dataclasses.field(
        default_factory=dict, repr=False
    )
    peer: str = ""
    identity: Identity | None = None


def call_of(context: Any) -> Any:
    """The call of a servicer context.

    Raises:
        TypeError: it is no context of Clarion's.
    """
    call = getattr(context, "_call", None)
    if call is None or not hasattr(call, "identity"):
        raise TypeError(
            f"a clarion ServicerContext expected, as handlers get it, not {type(context).__name__}"
        )
    return call


def identity(context: Any) -> Identity | None:
    """Who makes a call.

    Args:
        context: the handler's, of either front end.

    Returns:
        What the server's authentication interceptor found; None if there is none, or it let the call pass unproven.

    Raises:
        TypeError: `context` is no servicer context of Clarion's.
    """
    found: Identity | None = call_of(context).identity
    return found


def freeze(value: Any) -> Any:
    """JSON as values that cannot be changed: one identity may serve many calls."""
    if isinstance(value, dict):
        return MappingProxyType({key: freeze(each) for key, each in value.items()})
    if isinstance(value, list):
        return tuple(freeze(each) for each in value)
    return value
