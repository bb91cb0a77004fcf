"""gRPC on asyncio; the API of `grpc.aio`."""

from __future__ import annotations

from clarion.aio.aio_server import Server, server
from clarion.aio.call import StreamStreamCall, StreamUnaryCall, UnaryStreamCall, UnaryUnaryCall
from clarion.aio.channel import (
    Channel,
    StreamStreamMultiCallable,
    StreamUnaryMultiCallable,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
    insecure_channel,
)
from clarion.aio.errors import EOF, AbortError, AioRpcError, BaseError, InternalError, UsageError
from clarion.aio.server_context import ServicerContext
from clarion.metadata import Metadata

__all__ = [
    "EOF",
    "AbortError",
    "AioRpcError",
    "BaseError",
    "Channel",
    "InternalError",
    "Metadata",
    "Server",
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryMultiCallable",
    "UsageError",
    "insecure_channel",
    "server",
]
