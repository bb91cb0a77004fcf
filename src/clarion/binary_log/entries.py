"""Entries of binary logs as messages: `grpc.binarylog.v1.GrpcLogEntry`.

Their descriptor is in a pool of its own, so a program may have its own copy of the file, in whatever version.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Any, NamedTuple

from clarion.binary_log.config import Limits

__all__ = [
    "CANCEL",
    "CLIENT",
    "CLIENT_HALF_CLOSE",
    "CLIENT_HEADER",
    "CLIENT_MESSAGE",
    "OMITTED",
    "SERVER",
    "SERVER_HEADER",
    "SERVER_MESSAGE",
    "SERVER_TRAILER",
    "Event",
    "entry_class",
    "make_entry",
    "omitter",
]

CLIENT_HEADER, SERVER_HEADER, CLIENT_MESSAGE, SERVER_MESSAGE = 1, 2, 3, 4
CLIENT_HALF_CLOSE, SERVER_TRAILER, CANCEL = 5, 6, 7

CLIENT, SERVER = 1, 2

OMITTED = ("authorization", "x-goog-iam-authorization-token")
"""What call credentials add. A server cannot tell it from other metadata, so it is omitted on both sides."""

# A16: what applications do not see.
_INTERNAL = frozenset(
    (b"lb-token", b"content-encoding", b"content-type", b"user-agent", b"te", b"connection")
)
_TRACE = b"grpc-trace-bin"
_DETAILS = b"grpc-status-details-bin"

Fields = Iterable[tuple[bytes, bytes]]


class Event(NamedTuple):
    """What becomes an entry.

    Attributes:
        at: seconds since 1970.
        call: the call's number.
        number: the event's within the call.
        kind: of `EventType`.
        logger: CLIENT or SERVER.
        limits: how much to log.
        peer: the other end in grpcio's form, or "".
        fields: metadata; values of binary keys are bytes as they are, not in base64.
        method, authority, timeout: of CLIENT_HEADER.
        data, length: of a message: as much as is logged, and all of it.
        code, details: of SERVER_TRAILER.
    """

    at: float
    call: int
    number: int
    kind: int
    logger: int
    limits: Limits
    peer: str = ""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    method: str = ""
    authority: str = ""
    timeout: float | None = None
    data: bytes = b""
    length: int = 0
    code: int = 0
    details: str = ""


@functools.cache
def entry_class() -> Any:
    """The class `grpc.binarylog.v1.GrpcLogEntry`."""
    from google.protobuf import descriptor_pool, duration_pb2, message_factory, timestamp_pb2

    from clarion.binary_log.descriptor import FILE

    pool = descriptor_pool.DescriptorPool()
    for imported in (duration_pb2, timestamp_pb2):
        pool.AddSerializedFile(imported.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(FILE)
    described = pool.FindMessageTypeByName("grpc.binarylog.v1.GrpcLogEntry")
    return message_factory.GetMessageClass(described)


def omitter(patterns: Iterable[str]) -> Callable[[bytes], bool]:
    """What tells whether a key of metadata is not logged.

    Args:
        patterns: shell patterns of keys, beside those that are gRPC's own.
    """
    joined = "|".join(map(translate, patterns))
    omitted = re.compile(joined.encode(), re.IGNORECASE) if joined else None

    def omits(key: bytes) -> bool:
        if key == _TRACE:
            return False
        if key.startswith((b":", b"grpc-")) or key in _INTERNAL:
            return True
        return omitted is not None and omitted.match(key) is not None

    return omits


def make_entry(event: Event, omits: Callable[[bytes], bool]) -> Any:
    """The entry of an event."""
    entry = entry_class()(
        call_id=event.call,
        sequence_id_within_call=event.number,
        type=event.kind,
        logger=event.logger,
    )
    _set_time(entry.timestamp, event.at)
    if event.peer:
        _set_address(entry.peer, event.peer)
    kind = event.kind
    limit = event.limits.header
    if kind == CLIENT_HEADER:
        header = entry.client_header
        header.method_name = event.method
        header.authority = event.authority
        if event.timeout is not None:
            _set_time(header.timeout, max(event.timeout, 0.0))
        entry.payload_truncated = _set_metadata(header.metadata, event.fields, omits, limit)
    elif kind == SERVER_HEADER:
        entry.server_header.SetInParent()
        metadata = entry.server_header.metadata
        entry.payload_truncated = _set_metadata(metadata, event.fields, omits, limit)
    elif kind == SERVER_TRAILER:
        trailer = entry.trailer
        trailer.status_code = event.code
        trailer.status_message = event.details
        trailer.status_details = dict(event.fields).get(_DETAILS, b"")
        entry.payload_truncated = _set_metadata(trailer.metadata, event.fields, omits, limit)
    elif kind in (CLIENT_MESSAGE, SERVER_MESSAGE):
        entry.message.length = event.length
        entry.message.data = event.data
        entry.payload_truncated = len(event.data) < event.length
    return entry


def _set_time(message: Any, seconds: float) -> None:
    message.seconds = int(seconds)
    message.nanos = int(seconds % 1 * 1e9)


def _set_metadata(
    metadata: Any, fields: Fields, omits: Callable[[bytes], bool], limit: int | None
) -> bool:
    """Set metadata as far as `limit` goes; return whether that was not far enough."""
    left = limit
    truncated = False
    metadata.SetInParent()
    for key, value in fields:
        if omits(key):
            continue
        # A16: always logged, and not counted.
        if left is not None and key != _TRACE:
            size = len(key) + len(value)
            if truncated or size > left:
                truncated = True
                continue
            left -= size
        metadata.entry.add(key=key.decode("ascii", "replace"), value=value)
    return truncated


def _set_address(address: Any, peer: str) -> None:
    kind, _, where = peer.partition(":")
    if kind in ("ipv4", "ipv6"):
        host, _, port = where.rpartition(":")
        host = host.replace("%5B", "").replace("%5D", "").strip("[]")
        address.type = 1 if kind == "ipv4" else 2
        # A16: without the scope.
        address.address = host.partition("%")[0]
        address.ip_port = int(port) if port.isdecimal() else 0
    elif kind == "unix":
        address.type = 3
        address.address = where
    else:
        address.address = peer
