"""Whose call it is: which one interceptors are being asked about, and what is known of its client.

What interceptors are told of a call (`HandlerCallDetails`) has no place for its connection, and may be replaced by
other interceptors. So the front ends say here which call it is, while they ask, and servers without interceptors do
nothing of it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextvars import ContextVar
from typing import Any

from clarion.errors import RemoteError
from clarion.protocol.metadata import encode_metadata, metadata_size
from clarion.status import Status, StatusCode

__all__ = ["auth_properties", "call_being_decided", "raised_status", "unreadable"]

_LOG = logging.getLogger(__name__)

# What the rest of trailers may take, as header list sizes count.
_STATUS_SIZE = 512

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


def unreadable(error: Exception) -> tuple[StatusCode, str]:
    """The status for a request that its deserializer raised `error` for; Clarion's own may say which."""
    code = getattr(error, "code", None) if isinstance(error, RemoteError) else None
    if isinstance(code, StatusCode):
        return code, str(error)
    return StatusCode.INTERNAL, f"Exception deserializing request! {error}"


def raised_status(
    error: BaseException, call: Any, trailing: Collection[Any] | None
) -> tuple[StatusCode, str, tuple[Any, ...]] | None:
    """The status for which an exception stands: one whose class is a `clarion.Status`, too; None for others.

    Args:
        error: what a handler raised.
        call: a front end's `ServerCall`.
        trailing: the trailing metadata that the handler has set.

    Returns:
        Code, details, and all of the trailing metadata. None, too, if what the exception says cannot be sent.
    """
    if not isinstance(error, Status):
        return None
    before = tuple(trailing or ())
    code: Any
    try:
        metadata = _metadata_of(error, call, before)
        encode_metadata(metadata)
        code, details = error.code, error.details
    except (AttributeError, TypeError, ValueError):
        _LOG.exception("%r says no status that can be sent", error)
        return None
    if not isinstance(code, StatusCode) or code is StatusCode.OK:
        code = StatusCode.UNKNOWN
    return code, details, (*before, *metadata)


def _metadata_of(status: Any, call: Any, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a status that was raised has of trailing metadata.

    One with a method `fit(size, beside)` says by that what it has if it and the status message may take `size` bytes, as
    header lists are counted, `beside` what is there already; None stands for whatever is usual.
    """
    fit = getattr(status, "fit", None)
    if fit is None:
        return tuple(status.trailing_metadata or ())
    limit: int | None = call.connection.peer_max_header_list_size
    beside = metadata_size(encode_metadata(before))
    return tuple(fit(None if limit is None else limit - beside - _STATUS_SIZE, beside))
