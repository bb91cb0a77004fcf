"""gRPC for threads; the API of `grpc`."""

from __future__ import annotations

from clarion.sync.channel import Channel, channel_ready_future, insecure_channel
from clarion.sync.errors import FutureCancelledError, FutureTimeoutError
from clarion.sync.interfaces import Call, Future, RpcContext
from clarion.sync.server_context import ServicerContext
from clarion.sync.sync_server import Server, server

__all__ = [
    "Call",
    "Channel",
    "Future",
    "FutureCancelledError",
    "FutureTimeoutError",
    "RpcContext",
    "Server",
    "ServicerContext",
    "channel_ready_future",
    "insecure_channel",
    "server",
]
