"""`google.rpc.Status` on its way into trailing metadata, no larger than clients take.

Clients refuse header lists beyond a size, and with them the whole status. So what does not fit is left out: whole details,
from the last one on. If not even a status without details fits, there is no `grpc-status-details-bin`, and code and
message, which go in headers of their own, stand alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from clarion.protocol.metadata import encode_metadata, metadata_size
from clarion.protocol.percent import encode_message
from clarion.rich_errors.details import pack
from clarion.rich_errors.protos import message_class
from clarion.status import STATUS_CODES, Status, StatusCode

__all__ = ["DEFAULT_MAX_SIZE", "DETAILS_KEY", "code_of", "fitting", "make_status", "to_status"]

DETAILS_KEY = "grpc-status-details-bin"
"""The key of the trailing metadata that carries `google.rpc.Status`."""

DEFAULT_MAX_SIZE = 8192 - 1024
"""How many bytes a status may take by default: its message, and its details as header lists are counted (in base64).

Most clients take lists of 8 KiB; the rest is for what else stands in trailers.
"""


class _Status(NamedTuple):
    code: StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


class _RichStatus(_Status, Status):
    """What `abort_with_status` takes."""

    __slots__ = ()


def code_of(number: int) -> StatusCode:
    """The code with a number.

    Raises:
        ValueError: there is none.
    """
    if not 0 <= number < len(STATUS_CODES):
        raise ValueError(f"{number} is no status code of gRPC")
    return STATUS_CODES[number]


def make_status(code: StatusCode, message: str = "", *details: Any) -> Any:
    """A `google.rpc.Status`.

    Args:
        code: the status.
        message: the status message.
        details: any number of a `Detail`, a protobuf message, or a `google.protobuf.Any`.

    Raises:
        TypeError, ValueError: a detail is none.
    """
    return message_class("Status")(
        code=code.value[0], message=message, details=[pack(detail) for detail in details]
    )


def fitting(status: Any, size: int) -> tuple[tuple[str, bytes], ...]:
    """The metadata that carries a `google.rpc.Status`, with as many of its details, from the first on, as fit.

    Args:
        status: the status; it is not changed.
        size: how many bytes metadata and status message may take, as header lists are counted.
    """
    size -= len(encode_message(status.message))
    fields = _metadata(status)
    if _size(fields) <= size:
        return fields
    fewer = type(status)(code=status.code, message=status.message)
    if _size(_metadata(fewer)) > size:
        return ()
    for detail in status.details:
        fewer.details.append(detail)
        if _size(_metadata(fewer)) > size:
            del fewer.details[-1]
            break
    return _metadata(fewer)


def _metadata(status: Any) -> tuple[tuple[str, bytes], ...]:
    return ((DETAILS_KEY, status.SerializeToString()),)


def _size(metadata: Iterable[tuple[str, bytes]]) -> int:
    return metadata_size(encode_metadata(metadata))


def to_status(status: Any, *, max_size: int | None = DEFAULT_MAX_SIZE) -> Status:
    """A status for `ServicerContext.abort_with_status`, from a `google.rpc.Status`.

    Args:
        status: the status; its code is not OK.
        max_size: how many bytes it may take; details that do not fit are left out, from the last one on. None: all of
            them are sent, whatever becomes of it.

    Raises:
        ValueError: its code is none of gRPC's.
    """
    code = code_of(status.code)
    metadata = _metadata(status) if max_size is None else fitting(status, max_size)
    return _RichStatus(code, status.message, metadata)
