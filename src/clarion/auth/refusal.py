"""What both front ends' interceptors have in common: what they see of a call, and how they note who makes it."""

from __future__ import annotations

import logging
import time
from typing import Any

from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity
from clarion.auth.policy import Policy
from clarion.auth.policy_file import PolicyFile
from clarion.server_core.call import EXPIRED
from clarion.server_core.serving import auth_properties, call_being_decided

__all__ = ["NOT_ALLOWED", "check_grace", "check_policy", "describe", "note", "refused"]

_LOG = logging.getLogger("clarion.auth")

NOT_ALLOWED = "the server's authorization policy does not allow this call"


def describe(details: Any) -> CallInfo:
    """What there is to see of the call that an interceptor is asked about."""
    method, metadata = details.method, tuple(details.invocation_metadata or ())
    call = call_being_decided.get()
    if call is None:
        return CallInfo(method, metadata)
    peer = call.link.peer
    return CallInfo(
        method,
        metadata,
        auth_properties(call),
        peer if isinstance(peer, str) else peer(),
        call.identity,
    )


def note(identity: Identity | None, grace: float | None) -> None:
    """Remember who makes the call that an interceptor is asked about, if somebody is known.

    Args:
        identity: the caller.
        grace: the call may go on for so long after the caller's credentials expired, in seconds; None for any time.

    Raises:
        AuthenticationFailed: it is too late already.
    """
    call = call_being_decided.get()
    if call is None or identity is None:
        return
    call.identity = identity
    if grace is None or identity.expires_at is None:
        return
    left = identity.expires_at + grace - time.time()
    if left <= 0:
        raise AuthenticationFailed(EXPIRED)
    call.limit_until(call.connection.now() + left)


def check_grace(grace: Any) -> float | None:
    """`expiry_grace`, if it can be used.

    Raises:
        TypeError: it is no number.
        ValueError: it is negative, or no number at all.
    """
    if grace is None:
        return None
    if isinstance(grace, bool) or not isinstance(grace, (int, float)):
        raise TypeError(f"expiry_grace must be seconds or None, not {type(grace).__name__}")
    if not 0 <= grace < float("inf"):
        raise ValueError(f"expiry_grace must be 0 seconds or more, not {grace}")
    return grace


def refused(info: CallInfo, error: AuthenticationFailed) -> None:
    """Log that a call is refused."""
    _LOG.info("refused %r from %s: %s", info.method, info.peer, error.reason)


def check_policy(policy: Any) -> Policy | PolicyFile:
    """The policy, or what has it.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(policy, (Policy, PolicyFile)):
        raise TypeError(f"a Policy or PolicyFile expected, not {type(policy).__name__}")
    return policy
