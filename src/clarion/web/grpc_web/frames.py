"""Messages and trailers of gRPC-Web as frames, for whoever sends them, and trailers for whoever reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from clarion.protocol.outcome import OK, Outcome
from clarion.protocol.percent import decode_message, encode_message
from clarion.protocol.status_mapping import status_from_wire
from clarion.status import StatusCode
from clarion.web.base64_stream import encode
from clarion.web.envelopes import COMPRESSED, GRPC_WEB_END, envelope
from clarion.web.errors import WebError
from clarion.web.fields import Fields, metadata_of, without_http

__all__ = ["frame", "outcome_of", "read_trailers", "trailer_fields", "trailer_frame"]

# RFC 9110 section 5.6.2, and RFC 9112 section 5: no space before the colon, no folded lines.
_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")


def frame(payload: bytes, compressed: bool = False, text: bool = False) -> bytes:
    """A message as it is sent; `payload` is compressed already if it is to be."""
    framed = envelope(payload, COMPRESSED if compressed else 0)
    return encode(framed) if text else framed


def trailer_fields(code: StatusCode, details: str = "", metadata: Fields = ()) -> Fields:
    """Trailers: for a frame, or for the headers of a response without a body.

    Args:
        code: the call's status.
        details: the status message.
        metadata: the trailing metadata, encoded.
    """
    fields: Fields = ((b"grpc-status", b"%d" % code.value[0]),)
    if details:
        fields += ((b"grpc-message", encode_message(details)),)
    return fields + without_http(metadata)


def trailer_frame(fields: Iterable[tuple[bytes, bytes]], text: bool = False) -> bytes:
    """Trailers as the response's last frame."""
    framed = envelope(b"".join(b"%b:%b\r\n" % field for field in fields), GRPC_WEB_END)
    return encode(framed) if text else framed


def read_trailers(block: bytes, max_size: int) -> Fields:
    """Read the payload of a trailer frame; names come out in lower case.

    Args:
        block: lines that end with CRLF, or LF, and perhaps an empty one.
        max_size: the largest header list, as RFC 9113 section 6.5.2 counts it.

    Raises:
        WebError: lines that are no header fields, or too many.
    """
    lines = [line.removesuffix(b"\r") for line in block.split(b"\n")]
    for _ in range(2):
        if lines and not lines[-1]:
            del lines[-1]
    fields = []
    size = 0
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise WebError(
                StatusCode.INTERNAL,
                f"the response's trailers have {line[:60]!r}, which is no field",
            )
        name, value = match[1].lower(), match[2].rstrip(b" \t")
        size += len(name) + len(value) + 32
        if size > max_size:
            raise WebError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"received trailers larger than max (more than {max_size})",
            )
        fields.append((name, value))
    return tuple(fields)


def outcome_of(fields: Iterable[tuple[bytes, bytes]], debug: str = "") -> Outcome:
    """The status that trailers state.

    Raises:
        WebError: a key or value in them that metadata cannot have.
    """
    fields = tuple(fields)
    values = dict(fields)
    status = values.get(b"grpc-status")
    if status is None:
        return Outcome(StatusCode.UNKNOWN, "the response ended without a grpc-status", debug=debug)
    code = status_from_wire(status)
    metadata = metadata_of(fields)
    if code is StatusCode.OK:
        return Outcome(code, "", metadata, debug) if metadata else OK
    return Outcome(code, decode_message(values.get(b"grpc-message", b"")), metadata, debug)
