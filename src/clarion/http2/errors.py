"""HTTP/2 error codes (RFC 9113 §7) and the two scopes an error can have (§5.4).

A `ConnectionFault` ends the connection with GOAWAY, a `StreamFault` ends one stream with RST_STREAM;
which of them a violation is, the RFC says rule by rule. Both are `RemoteError`: the peer did it.
"""

from __future__ import annotations

import enum

from clarion.errors import RemoteError

__all__ = ["ConnectionFault", "ErrorCode", "StreamFault", "error_name"]


class ErrorCode(enum.IntEnum):
    """RFC 9113 §7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


def error_name(code: int) -> str:
    """The RFC's name of `code`, or its number for a code the RFC does not know."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error code {code:#x}"


class ConnectionFault(RemoteError):
    """The peer broke a rule whose answer is GOAWAY with `code`."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class StreamFault(RemoteError):
    """The peer broke a rule whose answer is RST_STREAM with `code` on `stream_id`."""

    def __init__(self, stream_id: int, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.stream_id = stream_id
        self.code = code
