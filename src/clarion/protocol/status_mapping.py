"""The gRPC status of a call that ended without saying one, and of the number that it said.

Three sources, in the order in which a client believes them: `grpc-status` where it was received
(nothing may override it), the HTTP status where it was not 200 (http-grpc-status-mapping), and the
error code of RST_STREAM (PROTOCOL-HTTP2, "Errors"). The tables are neither symmetric nor one to
one, so a server must not use them to choose what it sends.
"""

from __future__ import annotations

from typing import Final

from clarion.status import STATUS_CODES, StatusCode

__all__ = [
    "http_details",
    "reset_details",
    "status_from_http",
    "status_from_reset",
    "status_from_wire",
]

_BY_NUMBER: Final = {b"%d" % number: code for number, code in enumerate(STATUS_CODES)}

_BY_HTTP: Final = {
    400: StatusCode.INTERNAL,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.UNAVAILABLE,
    431: StatusCode.INTERNAL,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}

# Numbers of RFC 9113 section 7, not names: this layer's vocabulary does not include HTTP/2's.
# Every code that is not here, known or not, is INTERNAL.
_BY_RESET: Final = {
    0x7: StatusCode.UNAVAILABLE,  # REFUSED_STREAM: nothing was processed, safe to retry
    0x8: StatusCode.CANCELLED,  # CANCEL
    0xB: StatusCode.RESOURCE_EXHAUSTED,  # ENHANCE_YOUR_CALM
    0xC: StatusCode.PERMISSION_DENIED,  # INADEQUATE_SECURITY
}

_RESET_NAMES: Final = {
    0x0: "NO_ERROR: the stream ended without a gRPC status",
    0x1: "PROTOCOL_ERROR",
    0x2: "INTERNAL_ERROR",
    0x3: "FLOW_CONTROL_ERROR",
    0x4: "SETTINGS_TIMEOUT",
    0x5: "STREAM_CLOSED",
    0x6: "FRAME_SIZE_ERROR",
    0x7: "REFUSED_STREAM: the peer did not process the call, it may be retried",
    0x8: "CANCEL",
    0x9: "COMPRESSION_ERROR",
    0xA: "CONNECT_ERROR",
    0xB: "ENHANCE_YOUR_CALM: the peer is out of bandwidth for this client",
    0xC: "INADEQUATE_SECURITY: the transport is not secure enough for this call",
    0xD: "HTTP_1_1_REQUIRED",
}


def status_from_wire(value: bytes) -> StatusCode:
    """Return the status that a `grpc-status` value names.

    Numbers that gRPC has not assigned and values that are no number are UNKNOWN (statuscodes,
    "Error parsing returned status"). The specification forbids leading zeros.
    """
    return _BY_NUMBER.get(value, StatusCode.UNKNOWN)


def status_from_http(code: int) -> StatusCode:
    """Return the status of a response that has HTTP status `code` and no `grpc-status`.

    Never OK: an HTTP 200 without a gRPC status is UNKNOWN.
    """
    return _BY_HTTP.get(code, StatusCode.UNKNOWN)


def http_details(code: int) -> str:
    """Return the status message that goes with `status_from_http(code)`."""
    return f"Received http2 header with status: {code}"


def status_from_reset(error_code: int) -> StatusCode:
    """Return the status of a call whose stream the server reset with `error_code`.

    A server reads a client's CANCEL as the cancellation of the call, not as a status. A client
    whose deadline has passed by then reports DEADLINE_EXCEEDED in place of CANCELLED.
    """
    return _BY_RESET.get(error_code, StatusCode.INTERNAL)


def reset_details(error_code: int) -> str:
    """Return the status message that goes with `status_from_reset(error_code)`."""
    name = _RESET_NAMES.get(error_code, "not an error code of RFC 9113")
    return f"Received RST_STREAM with error code {error_code} ({name})"
