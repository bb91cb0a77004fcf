"""`connect-timeout-ms`: how long the client still waits (Connect, "Timeout").

A whole number of milliseconds, of at most ten digits. Encoding rounds up, so that a short deadline never becomes a dead
one on the way; one beyond ten digits (115 days) is not said, which means none.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = ["decode_timeout", "encode_timeout"]

_MOST: Final = 9_999_999_999


def encode_timeout(seconds: float) -> bytes | None:
    """The value for a deadline that is `seconds` away; None for one that is too far away to be said.

    A deadline that has passed becomes the shortest value.
    """
    if not seconds > 0:
        return b"1"
    if seconds * 1e3 > _MOST:
        return None
    return b"%d" % ceil(seconds * 1e3)


def decode_timeout(value: bytes) -> float:
    """The seconds that a value stands for. Zero is accepted: the deadline has passed.

    Raises:
        WebError: it is no number of one to ten digits: INVALID_ARGUMENT.
    """
    if not value.isdigit() or len(value) > 10:
        raise WebError(
            StatusCode.INVALID_ARGUMENT,
            f"connect-timeout-ms is {value[:20].decode('latin-1')!r}; it must be one to ten digits",
        )
    return int(value) / 1e3
