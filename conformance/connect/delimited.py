"""Messages on pipes as the suite has them: four bytes of length, in network order, and the message; and what servers say."""

from __future__ import annotations

import struct
import sys
from typing import IO, Any

from connectrpc.conformance.v1 import server_compat_pb2

__all__ = ["read", "say_where", "write"]

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


def say_where(wanted: Any, host: str, port: int) -> None:
    """Tell the suite where the server that it wanted listens."""
    answer = server_compat_pb2.ServerCompatResponse(host=host, port=port)
    if wanted.use_tls:
        answer.pem_cert = wanted.server_creds.cert
    write(sys.stdout.buffer, answer)
