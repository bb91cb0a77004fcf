"""The codes of Connect: gRPC's, by names instead of numbers, and what they are in HTTP.

Rules kept (Connect, "Error Codes" and "HTTP to Error Code"): a server sends the HTTP status that belongs to its code; a client
believes the code in an answer's body, and reads the HTTP status only where there is none. The two tables are not each
other's inverse.
"""

from __future__ import annotations

from typing import Final

from clarion.status import StatusCode

__all__ = ["code_from_http", "code_name", "code_of", "http_status_of"]

# American spelling, unlike gRPC's.
_NAMES: Final[dict[StatusCode, str]] = {
    code: "canceled" if code is StatusCode.CANCELLED else code.name.lower()
    for code in StatusCode
    if code is not StatusCode.OK
}
_CODES: Final = {name: code for code, name in _NAMES.items()}

_HTTP: Final = {
    StatusCode.OK: 200,
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNAUTHENTICATED: 401,
}

_FROM_HTTP: Final = {
    400: StatusCode.INTERNAL,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.UNAVAILABLE,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}


def code_name(code: StatusCode) -> str:
    """The name of an error's code.

    Raises:
        KeyError: OK, which has none: success is not said.
    """
    return _NAMES[code]


def code_of(name: object) -> StatusCode | None:
    """The code that a received name stands for, or None: there are no others than gRPC's."""
    return _CODES.get(name) if isinstance(name, str) else None


def http_status_of(code: StatusCode) -> int:
    """The HTTP status that a unary answer with `code` has."""
    return _HTTP[code]


def code_from_http(status: int) -> StatusCode:
    """The code of an answer that says none. Never OK."""
    return _FROM_HTTP.get(status, StatusCode.UNKNOWN)
