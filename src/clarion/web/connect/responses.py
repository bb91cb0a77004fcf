"""What a server answers in Connect: headers and bodies.

Rules kept (Connect, "Unary-Response", "Streaming-Response"): a unary call's answer has the HTTP status of its code, and is the
bare message or an error in JSON; a stream's is always 200, and ends with an EndStreamResponse. An answer without octets
has no content-encoding.
"""

from __future__ import annotations

from typing import Final

from clarion.status import StatusCode
from clarion.web.connect.codes import http_status_of
from clarion.web.connect.errors import encode_error, error_of
from clarion.web.connect.requests import ConnectRequest
from clarion.web.connect.trailers import end_frame, prefixed
from clarion.web.encodings import preference
from clarion.web.envelopes import COMPRESSED, envelope
from clarion.web.fields import Fields, without_http

__all__ = ["end_frame", "frame", "stream_fields", "unary_error", "unary_fields"]

_JSON: Final = (b"content-type", b"application/json")


def unary_fields(
    request: ConnectRequest,
    initial: Fields = (),
    trailing: Fields = (),
    encoding: str = "",
) -> Fields:
    """The header fields of a unary answer with a message; its HTTP status is 200.

    Args:
        request: what it answers.
        initial, trailing: metadata, encoded.
        encoding: how the body is compressed; "" if it is not, as when it is empty.
    """
    fields = [(b"content-type", request.type.content_type)]
    if encoding:
        fields.append((b"content-encoding", encoding.encode()))
    fields.append((b"accept-encoding", preference()))
    if request.get:
        # Caches may keep it.
        fields.append((b"vary", b"accept-encoding"))
    return (*fields, *without_http(initial), *prefixed(trailing))


def unary_error(
    code: StatusCode,
    message: str = "",
    trailing: Fields = (),
    initial: Fields = (),
) -> tuple[int, Fields, bytes]:
    """A unary answer that is an error.

    Args:
        code: the call's status; not OK.
        message: the status message.
        trailing: trailing metadata, encoded; `grpc-status-details-bin` becomes the error's details.
        initial: initial metadata, encoded.

    Returns:
        The HTTP status, the header fields, the body.
    """
    error, trailing = error_of(code, message, trailing)
    fields = (_JSON, *without_http(initial), *prefixed(trailing))
    return http_status_of(code), fields, encode_error(error)


def stream_fields(request: ConnectRequest, initial: Fields = (), encoding: str = "") -> Fields:
    """The header fields of a stream; its HTTP status is 200.

    Args:
        request: what it answers.
        initial: initial metadata, encoded.
        encoding: how messages are compressed, if they are.
    """
    fields = [(b"content-type", request.type.content_type)]
    if encoding:
        fields.append((b"connect-content-encoding", encoding.encode()))
    fields.append((b"connect-accept-encoding", preference()))
    return (*fields, *without_http(initial))


def frame(payload: bytes, compressed: bool = False) -> bytes:
    """A message of a stream as it is sent; `payload` is compressed already if it is to be."""
    return envelope(payload, COMPRESSED if compressed else 0)
