"""The names of grpcio's native module that libraries read: constants and tables. There is no native code here.

What would run calls or channels is absent, so that a library which needs it fails at the import or with an
`AttributeError`, and not in the middle of a call.
"""

from __future__ import annotations

import enum

from clarion import CallCredentials, ChannelCredentials, LocalConnectionType, ServerCredentials
from clarion import StatusCode as _Status
from clarion.aio import EOF, AbortError, BaseError, InternalError, UsageError
from clarion.metadata import Metadatum as _Metadatum
from clarion.replace import GRPC_VERSION

__all__ = [
    "EOF",
    "AbortError",
    "BaseError",
    "CallCredentials",
    "ChannelArgKey",
    "ChannelCredentials",
    "CompositeChannelCredentials",
    "CompressionAlgorithm",
    "CompressionLevel",
    "ConnectivityState",
    "InternalError",
    "LocalConnectionType",
    "OperationType",
    "ServerCredentials",
    "StatusCode",
    "UsageError",
    "_EOF",
    "_Metadatum",
    "get_fork_epoch",
]

__version__ = GRPC_VERSION

_EOF = type(EOF)

CompositeChannelCredentials = ChannelCredentials

StatusCode = enum.IntEnum(  # type: ignore[misc]
    "StatusCode", {code.name.lower(): code.value[0] for code in _Status}
)
OperationType = enum.IntEnum(
    "OperationType",
    "send_initial_metadata send_message send_close_from_client send_status_from_server"
    " receive_initial_metadata receive_message receive_status_on_client receive_close_on_server",
    start=0,
)


class ChannelArgKey:
    """Names of channel arguments, as bytes."""

    enable_census = b"grpc.census"
    max_concurrent_streams = b"grpc.max_concurrent_streams"
    max_receive_message_length = b"grpc.max_receive_message_length"
    max_send_message_length = b"grpc.max_send_message_length"
    http2_initial_sequence_number = b"grpc.http2.initial_sequence_number"
    default_authority = b"grpc.default_authority"
    primary_user_agent_string = b"grpc.primary_user_agent"
    secondary_user_agent_string = b"grpc.secondary_user_agent"
    ssl_session_cache = b"grpc.ssl_session_cache"
    ssl_target_name_override = b"grpc.ssl_target_name_override"


class ConnectivityState:
    """States of a channel, by number."""

    idle = 0
    connecting = 1
    ready = 2
    transient_failure = 3
    shutdown = 4


class CompressionAlgorithm:
    """Kinds of compression, by number."""

    none = 0
    deflate = 1
    gzip = 2


class CompressionLevel:
    """How much to compress, by number."""

    none = 0
    low = 1
    medium = 2
    high = 3


def get_fork_epoch() -> int:
    """0: a fork needs no counting here, each channel starts anew in the child."""
    return 0
