"""Messages on pipes as the suite has them: four bytes of length, in network order, and the message."""

from __future__ import annotations

import struct
from typing import IO, Any

__all__ = ["read", "write"]

_LENGTH = struct.Struct(">I")


def read(pipe: IO[bytes], kind: Any) -> Any:
    """The next message, of the class `kind`; None where there are no more.

    Raises:
        EOFError: the pipe ended within a message.
    """
    prefix = pipe.read(_LENGTH.size)
    if not prefix:
        return None
    if len(prefix) == _LENGTH.size:
        (length,) = _LENGTH.unpack(prefix)
        data = pipe.read(length)
        if len(data) == length:
            return kind.FromString(data)
    raise EOFError("the suite's pipe ended within a message")


def write(pipe: IO[bytes], message: Any) -> None:
    """Write a message, now."""
    data = message.SerializeToString()
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()
