"""The suite's messages and Clarion's values, each as the other; the programs of both sides use it.

Rules kept (the comments of the suite's .proto files): binary metadata is base64 in them; codes have the numbers of gRPC.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from connectrpc.conformance.v1 import service_pb2
from google.protobuf import any_pb2

from clarion import StatusCode
from clarion.rich_errors import StatusError, status_of

__all__ = ["error_from", "error_of", "headers_of", "info_of", "metadata_of", "payload_of"]

_CODES = {code.value[0]: code for code in StatusCode}


def metadata_of(headers: Iterable[Any]) -> list[tuple[str, str | bytes]]:
    """The suite's headers as metadata."""
    return [
        (header.name.lower(), _decoded(value) if header.name.lower().endswith("-bin") else value)
        for header in headers
        for value in header.value
    ]


def _decoded(value: str) -> bytes:
    return base64.b64decode(value + "=" * (-len(value) % 4))


def headers_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[Any]:
    """Metadata as the suite's headers: a name once, with all its values in order."""
    values: dict[str, list[str]] = {}
    for name, value in metadata or ():
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        values.setdefault(name, []).append(text)
    return [service_pb2.Header(name=name, value=each) for name, each in values.items()]


def info_of(context: Any, requests: Sequence[Any], *, whole: bool = True) -> Any:
    """What the server knows of a call.

    Args:
        context: the handler's.
        requests: messages that came.
        whole: with metadata and the timeout.
    """
    info = service_pb2.ConformancePayload.RequestInfo()
    for request in requests:
        info.requests.add().Pack(request)
    if whole:
        info.request_headers.extend(headers_of(context.invocation_metadata()))
        left = context.time_remaining()
        if left is not None:
            info.timeout_ms = int(left * 1000)
    return info


def payload_of(data: bytes, info: Any = None) -> Any:
    """The payload of an answer."""
    return service_pb2.ConformancePayload(data=data, request_info=info)


def error_of(wanted: Any, info: Any = None) -> StatusError:
    """The error that a request asks for, with `info` among its details."""
    details = list(wanted.details)
    if info is not None:
        packed = any_pb2.Any()
        packed.Pack(info)
        details.append(packed)
    return StatusError(_CODES[wanted.code], wanted.message, *details)


def error_from(code: StatusCode, message: str | None, error: Any) -> Any:
    """How a call ended, as the suite's error; None for OK.

    Args:
        code, message: the call's.
        error: the call or the exception, with its trailing metadata.
    """
    if code is StatusCode.OK:
        return None
    found = service_pb2.Error(code=code.value[0], message=message or "")
    status = status_of(error)
    if status is not None:
        found.details.extend(status.details)
    return found
