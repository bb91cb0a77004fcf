"""The `grpc-timeout` header: how long the client still waits, as the server reads it.

Rules kept (PROTOCOL-HTTP2, "Timeout"): a whole number of at most eight digits and one unit letter.
Encoding takes the finest unit that fits and rounds up, so that a short deadline never becomes a
dead one on the way. Times are seconds as floats on our side of the wire; no clock is read here.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from clarion.errors import RemoteError

__all__ = ["InvalidTimeout", "decode_timeout", "encode_timeout"]

_MOST: Final = 99_999_999
_EXPIRED: Final = b"1n"
_LONGEST: Final = b"99999999H"

# Multiplier and divisor instead of one factor: 3 ms is 3 / 1000, which 3 * 0.001 is not exactly.
_SECONDS: Final = {
    b"n": (1, 1e9),
    b"u": (1, 1e6),
    b"m": (1, 1e3),
    b"S": (1, 1.0),
    b"M": (60, 1.0),
    b"H": (3600, 1.0),
}


class InvalidTimeout(RemoteError):
    """The peer sent a `grpc-timeout` that is not a number of one to eight digits and a unit."""


def encode_timeout(seconds: float) -> bytes:
    """Return the value of `grpc-timeout` for a deadline that is `seconds` away.

    A deadline that has passed (zero, negative, not a number) becomes the shortest value, `1n`,
    because the specification has no zero; one beyond 99,999,999 hours becomes that.
    """
    if not seconds > 0:
        return _EXPIRED
    if seconds > 3600.0 * _MOST:
        return _LONGEST
    # From the finest unit on, but the usual deadlines (0.1 s to 100 s) are looked at first.
    if seconds * 1e6 <= _MOST:
        nanoseconds = seconds * 1e9
        if nanoseconds <= _MOST:
            return b"%dn" % ceil(nanoseconds)
        return b"%du" % ceil(seconds * 1e6)
    if seconds * 1e3 <= _MOST:
        return b"%dm" % ceil(seconds * 1e3)
    if seconds <= _MOST:
        return b"%dS" % ceil(seconds)
    if seconds / 60 <= _MOST:
        return b"%dM" % ceil(seconds / 60)
    return b"%dH" % ceil(seconds / 3600)


def decode_timeout(value: bytes) -> float:
    """Return the seconds that a `grpc-timeout` value stands for.

    Zero is accepted, although the specification asks for a positive number: it can only mean that
    the deadline has passed, and other servers read it so.

    Raises:
        InvalidTimeout: The value is not one to eight digits followed by one of `H M S m u n`.
    """
    digits = value[:-1]
    scale = _SECONDS.get(value[-1:])
    if scale is None or len(digits) > 8 or not digits.isdigit():
        raise InvalidTimeout(
            f"the peer sent grpc-timeout {value[:32]!r}; it must be one to eight digits and one of"
            " the units H, M, S, m, u, n"
        )
    return int(digits) * scale[0] / scale[1]
