"""Errors that say more than a code and a text: `google.rpc.Status` with standard details, on both front ends.

A handler raises `StatusError` with details; the caller reads them off its `RpcError` with `error_details`:

    raise StatusError(StatusCode.NOT_FOUND, "no such book", ResourceInfo("book", "isbn/3"))

    except clarion.RpcError as error:
        for detail in error_details(error):
            ...

On the wire the status travels in `grpc-status-details-bin`, as all implementations of gRPC have it. Details are the
messages of google/rpc/error_details.proto, here as data classes; what is of another type is given as it came. protobuf is
imported when the first status is made or read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.rich_errors.details import (
        BadRequest,
        DebugInfo,
        Detail,
        ErrorInfo,
        FieldViolation,
        Help,
        Link,
        LocalizedMessage,
        PreconditionFailure,
        PreconditionViolation,
        QuotaFailure,
        QuotaViolation,
        RequestInfo,
        ResourceInfo,
        RetryInfo,
    )
    from clarion.rich_errors.raising import StatusError
    from clarion.rich_errors.reading import error_details, find_detail, from_call, status_of
    from clarion.rich_errors.reading import from_aio_call as from_aio_call
    from clarion.rich_errors.sending import DEFAULT_MAX_SIZE, DETAILS_KEY, make_status, to_status
else:
    __getattr__ = on_first_use(
        "clarion.rich_errors",
        {
            "clarion.rich_errors.details": (
                "BadRequest Detail DebugInfo ErrorInfo FieldViolation Help Link LocalizedMessage"
                " PreconditionFailure PreconditionViolation QuotaFailure QuotaViolation RequestInfo"
                " ResourceInfo RetryInfo"
            ),
            "clarion.rich_errors.raising": "StatusError",
            "clarion.rich_errors.reading": (
                "error_details find_detail from_aio_call from_call status_of"
            ),
            "clarion.rich_errors.sending": "DEFAULT_MAX_SIZE DETAILS_KEY make_status to_status",
        },
    )

__all__ = [
    "DEFAULT_MAX_SIZE",
    "DETAILS_KEY",
    "BadRequest",
    "DebugInfo",
    "Detail",
    "ErrorInfo",
    "FieldViolation",
    "Help",
    "Link",
    "LocalizedMessage",
    "PreconditionFailure",
    "PreconditionViolation",
    "QuotaFailure",
    "QuotaViolation",
    "RequestInfo",
    "ResourceInfo",
    "RetryInfo",
    "StatusError",
    "error_details",
    "find_detail",
    "from_aio_call",
    "from_call",
    "make_status",
    "status_of",
    "to_status",
]
