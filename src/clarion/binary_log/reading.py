"""Binary logs that were written: their entries, and entries as text.

Two kinds of files are read: with the length of each entry in four bytes, big-endian (Clarion, grpc-go), and as a varint (what
grpc-java writes).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import IO, Any

from clarion.binary_log.entries import entry_class
from clarion.status import StatusCode
from clarion.wire_trace.descriptors import find_message
from clarion.wire_trace.escaping import escape
from clarion.wire_trace.masking import Masking
from clarion.wire_trace.wire_format import describe_message

__all__ = ["DamagedLogError", "describe", "read"]

# A length above this is none: the file is damaged.
_LARGEST = 1 << 30


class DamagedLogError(ValueError):
    """What is at a place in the file is no entry; the message says where. All entries before it were given."""


def read(file: str | os.PathLike[str] | IO[bytes]) -> Iterator[Any]:
    """The entries of a file, in the order in which they were written: `grpc.binarylog.v1.GrpcLogEntry`.

    Args:
        file: a path, or a file that was opened for reading bytes.

    Raises:
        OSError: it cannot be read.
        DamagedLogError: it ends within an entry, or is no binary log. Entries that came before are given first.
    """
    if isinstance(file, (str, os.PathLike)):
        with open(file, "rb") as source:
            yield from _entries(source)
    else:
        yield from _entries(file)


def _entries(source: IO[bytes]) -> Iterator[Any]:
    position = 0
    wide: bool | None = None
    while first := source.read(1):
        if wide is None:
            # No entry has 16 MiB and more without a length of four bytes that begins with another one.
            wide = first == b"\0"
        head = _wide_length(source, first) if wide else _varint(source, first)
        if head is None:
            raise DamagedLogError(f"the file ends within the length at byte {position}")
        length, size = head
        if length > _LARGEST:
            raise DamagedLogError(f"at byte {position} there is no entry of a binary log")
        data = source.read(length)
        if len(data) < length:
            raise DamagedLogError(f"the file ends within the entry at byte {position}")
        try:
            entry = entry_class().FromString(data)
        except Exception as error:
            raise DamagedLogError(
                f"at byte {position} there is no entry of a binary log: {error}"
            ) from None
        yield entry
        position += size + length


def _wide_length(source: IO[bytes], first: bytes) -> tuple[int, int] | None:
    length = first + source.read(3)
    return None if len(length) < 4 else (int.from_bytes(length, "big"), 4)


def _varint(source: IO[bytes], first: bytes) -> tuple[int, int] | None:
    value = size = 0
    byte = first
    while byte:
        value |= (byte[0] & 0x7F) << 7 * size
        size += 1
        if byte[0] < 0x80:
            return value, size
        if size == 5:
            return _LARGEST + 1, size
        byte = source.read(1)
    return None


_EVENTS = {
    0: "unknown event",
    1: "request headers",
    2: "response headers",
    3: "request",
    4: "response",
    5: "no more requests",
    6: "status",
    7: "cancelled",
}


def describe(
    entry: Any,
    *,
    method: str = "",
    limit: int = 1000,
    masking: Masking | None = None,
    pool: Any = None,
) -> str:
    """An entry as text: one line, and one for each piece of metadata.

    Args:
        entry: a `grpc.binarylog.v1.GrpcLogEntry`.
        method: the path of the call's method, for what its messages are; it is in the call's first entry.
        limit: how many characters of a message to show.
        masking: which values are secrets; by default what traces mask.
        pool: a protobuf `DescriptorPool` that knows methods which the default one does not.
    """
    masking = masking or Masking()
    side = {1: "client", 2: "server"}.get(entry.logger, "?")
    words = [_time(entry.timestamp), side, f"call {entry.call_id}"]
    words.append(f"#{entry.sequence_id_within_call}")
    words.append(_EVENTS.get(entry.type, f"event {entry.type}"))
    metadata: Any = ()
    kind = entry.WhichOneof("payload")
    if kind == "client_header":
        words += _client_header(entry.client_header)
        metadata = entry.client_header.metadata.entry
    elif kind == "server_header":
        metadata = entry.server_header.metadata.entry
    elif kind == "message":
        words.append(_message(entry, method, limit, masking, pool))
    elif kind == "trailer":
        words.append(_status(entry.trailer))
        metadata = entry.trailer.metadata.entry
    if entry.HasField("peer"):
        address = entry.peer
        port = f":{address.ip_port}" if address.ip_port else ""
        host = f"[{address.address}]" if address.type == 2 else address.address
        words.append(f"peer {host}{port}")
    if entry.payload_truncated and kind != "message":
        words.append("(truncated)")
    return "\n    ".join([" ".join(words), *_metadata(metadata, masking)])


def _time(stamp: Any) -> str:
    clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp.seconds))
    return f"{clock}.{stamp.nanos // 1000:06}Z"


def _client_header(header: Any) -> list[str]:
    words = [header.method_name]
    if header.authority:
        words.append(f"at {header.authority}")
    if header.HasField("timeout"):
        words.append(f"within {header.timeout.seconds + header.timeout.nanos / 1e9:.6g} s")
    return words


def _message(entry: Any, method: str, limit: int, masking: Masking, pool: Any) -> str:
    message = entry.message
    request = entry.type == 3
    descriptor = find_message(method, request, pool) if method else None
    missing = message.length - len(message.data)
    name = "" if descriptor is None else f", {descriptor.full_name}"
    shown = describe_message(message.data, descriptor, masking, limit, max(missing, 0))
    return f"of {message.length} bytes{name}: {shown}" if shown else f"of {message.length} bytes"


def _status(trailer: Any) -> str:
    code = trailer.status_code
    name = next((each.name for each in StatusCode if each.value[0] == code), str(code))
    message = f": {escape(trailer.status_message.encode(), 1000)}" if trailer.status_message else ""
    return name + message


def _metadata(entries: Any, masking: Masking) -> list[str]:
    lines = []
    for each in entries:
        key = escape(each.key.encode(), 200)
        if masking.is_secret_header(key):
            lines.append(f"{key}: <masked, {len(each.value)} bytes>")
        else:
            lines.append(f"{key}: {escape(each.value, 500)}")
    return lines
