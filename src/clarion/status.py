"""The gRPC status codes (https://grpc.io/docs/guides/status-codes/)."""

from __future__ import annotations

import abc
import enum
from typing import TYPE_CHECKING, Any

__all__ = ["STATUS_CODES", "Status", "StatusCode"]


@enum.unique
class StatusCode(enum.Enum):
    """How an RPC ended. `value` is `(number on the wire, name in words)`, as in grpcio."""

    OK = (0, "ok")
    CANCELLED = (1, "cancelled")
    UNKNOWN = (2, "unknown")
    INVALID_ARGUMENT = (3, "invalid argument")
    DEADLINE_EXCEEDED = (4, "deadline exceeded")
    NOT_FOUND = (5, "not found")
    ALREADY_EXISTS = (6, "already exists")
    PERMISSION_DENIED = (7, "permission denied")
    RESOURCE_EXHAUSTED = (8, "resource exhausted")
    FAILED_PRECONDITION = (9, "failed precondition")
    ABORTED = (10, "aborted")
    OUT_OF_RANGE = (11, "out of range")
    UNIMPLEMENTED = (12, "unimplemented")
    INTERNAL = (13, "internal")
    UNAVAILABLE = (14, "unavailable")
    DATA_LOSS = (15, "data loss")
    UNAUTHENTICATED = (16, "unauthenticated")


STATUS_CODES: tuple[StatusCode, ...] = tuple(StatusCode)
"""The codes by their number on the wire: `STATUS_CODES[5] is StatusCode.NOT_FOUND`."""


class Status(abc.ABC):  # noqa: B024 - whoever implements it brings the attributes
    """A status as an object, for `ServicerContext.abort_with_status`.

    Implement it with any class that has the attributes, such as a named tuple.

    Attributes:
        code: the `StatusCode`; not OK.
        details: the status message.
        trailing_metadata: `(key, value)` pairs, or None.
    """

    if TYPE_CHECKING:
        # Variables and not properties, so that named tuples, data classes and plain classes can be one.
        code: StatusCode
        details: str
        trailing_metadata: Any
