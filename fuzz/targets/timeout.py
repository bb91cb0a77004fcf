"""`grpc-timeout` values against the grammar as a regular expression; what is read can be written and is no shorter."""

from __future__ import annotations

import math
import re
import struct

from clarion.errors import RemoteError
from clarion.protocol.timeout import decode_timeout, encode_timeout

__all__ = ["fuzz_one"]

_GRAMMAR = re.compile(rb"[0-9]{1,8}[HMSmun]").fullmatch
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_LONGEST = 99_999_999 * 3600.0


def fuzz_one(data: bytes) -> None:
    """The bytes are the value, and then a number of seconds."""
    try:
        seconds = decode_timeout(data)
    except RemoteError:
        assert not _GRAMMAR(data)
    else:
        assert _GRAMMAR(data)
        assert 0 <= seconds <= _LONGEST
        _write(seconds)
    if len(data) >= 8:
        number = struct.unpack_from(">d", data)[0]
        if math.isfinite(number):
            _write(number)


def _write(seconds: float) -> None:
    value = encode_timeout(seconds)
    assert _GRAMMAR(value)
    if 0 < seconds <= _LONGEST:
        # Rounded up, and by at most one of the units that it is written in.
        read = decode_timeout(value)
        assert seconds * (1 - 1e-9) <= read <= (seconds + _UNITS[value[-1:]]) * (1 + 1e-9)
