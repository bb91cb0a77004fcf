"""Whose call it is: which one interceptors are being asked about, and what is known of its client.

What interceptors are told of a call (`HandlerCallDetails`) has no place for its connection, and may be replaced by
other interceptors. So the front ends say here which call it is, while they ask, and servers without interceptors do
nothing of it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

__all__ = ["auth_properties", "call_being_decided"]

call_being_decided: ContextVar[Any] = ContextVar("clarion_call_being_decided", default=None)


def auth_properties(call: Any) -> dict[str, list[bytes]]:
    """What is known of a call's client, as `ServicerContext.auth_context` returns it.

    Args:
        call: a front end's `ServerCall`. Its link says what the connection knows, its `identity` what an
            authenticator found out.
    """
    auth = call.link.auth
    if auth is not None:
        properties = {key: list(values) for key, values in auth.properties.items()}
    else:
        properties = {
            "transport_security_type": [b"insecure"],
            "security_level": [b"TSI_SECURITY_NONE"],
        }
    if call.identity is not None:
        properties.update(call.identity.auth_properties())
    return properties
