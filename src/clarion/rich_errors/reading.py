"""How callers read the details of an error.

What comes from the wire is not trusted: where it is malformed, or contradicts the status of the call (PROTOCOL-HTTP2,
"Status-Details"), `error_details` and `status_of` say that there is nothing. `from_call` is grpcio-status's, and raises.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, TypeVar

from clarion.rich_errors.details import unpack
from clarion.rich_errors.protos import message_class
from clarion.rich_errors.sending import DETAILS_KEY, code_of

__all__ = ["error_details", "find_detail", "from_aio_call", "from_call", "status_of"]

_LOG = logging.getLogger("clarion.rich_errors")

D = TypeVar("D")


def _found(metadata: Iterable[tuple[str, Any]] | None) -> Any:
    """The bytes in trailing metadata, or None."""
    for key, value in metadata or ():
        if key == DETAILS_KEY:
            return value
    return None


def status_of(error: Any) -> Any:
    """The `google.rpc.Status` of a call that failed.

    Args:
        error: a `clarion.RpcError` of either front end, or a sync call that is over.

    Returns:
        None if it has none, or a malformed one, or one that contradicts the call's code.
    """
    from google.protobuf.message import DecodeError

    data = _found(error.trailing_metadata())
    if data is None:
        return None
    try:
        status = message_class("Status").FromString(data)
    except (DecodeError, TypeError, ValueError):
        _LOG.debug("the %s of %s is malformed", DETAILS_KEY, type(error).__name__)
        return None
    # Zero is what a status says that has no code.
    if status.code not in (0, error.code().value[0]):
        _LOG.debug("the %s of a call contradicts its status", DETAILS_KEY)
        return None
    return status


def error_details(error: Any) -> tuple[Any, ...]:
    """The details of a call that failed.

    Args:
        error: a `clarion.RpcError` of either front end, or a sync call that is over.

    Returns:
        In the order in which they were sent: data classes of this package, and for details of other types the
        `google.protobuf.Any`. Empty if there are none or they cannot be read.
    """
    status = status_of(error)
    return () if status is None else tuple(unpack(packed) for packed in status.details)


def find_detail(error: Any, kind: type[D]) -> D | None:
    """The first detail of a kind, or None.

    Args:
        error: see `error_details`.
        kind: a class of this package, such as `BadRequest`, or of a protobuf message.
    """
    from google.protobuf.message import DecodeError

    descriptor = getattr(kind, "DESCRIPTOR", None)
    for detail in error_details(error):
        if isinstance(detail, kind):
            return detail
        if descriptor is not None and hasattr(detail, "type_url") and detail.Is(descriptor):
            message: Any = kind()
            try:
                message.ParseFromString(detail.value)
            except DecodeError:
                continue
            found: D = message
            return found
    return None


def from_call(call: Any) -> Any:
    """The `google.rpc.Status` of a call, as `grpc_status.rpc_status.from_call` has it.

    Args:
        call: a sync call that is over, or the error that it raised.

    Returns:
        None if the call has none.

    Raises:
        ValueError: it contradicts the call's code or details, or is malformed.
    """
    return _checked(call.trailing_metadata(), call.code, call.details)


async def from_aio_call(call: Any) -> Any:
    """The same for a call of an asyncio channel; waits for its end."""
    code, details = await call.code(), await call.details()
    return _checked(await call.trailing_metadata(), lambda: code, lambda: details)


def _checked(metadata: Any, code: Any, details: Any) -> Any:
    from google.protobuf.message import DecodeError

    data = _found(metadata)
    if data is None:
        return None
    try:
        status = message_class("Status").FromString(data)
    except DecodeError as error:
        raise ValueError(f"the {DETAILS_KEY} of the call is no google.rpc.Status") from error
    if status.code != code().value[0]:
        raise ValueError(
            f"Code in Status proto ({code_of(status.code)}) doesn't match status code ({code()})"
        )
    if status.message != (details() or ""):
        raise ValueError(
            f"Message in Status proto ({status.message}) doesn't match status details ({details()})"
        )
    return status
