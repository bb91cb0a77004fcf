"""gRPC for threads; the API of `grpc`."""

from __future__ import annotations

from clarion.sync.channel import insecure_channel, secure_channel
from clarion.sync.channel_interface import (
    Channel,
    StreamStreamMultiCallable,
    StreamUnaryMultiCallable,
    UnaryStreamMultiCallable,
    UnaryUnaryMultiCallable,
)
from clarion.sync.errors import FutureCancelledError, FutureTimeoutError
from clarion.sync.interceptor_interface import (
    ClientCallDetails,
    ServerInterceptor,
    StreamStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    UnaryUnaryClientInterceptor,
)
from clarion.sync.interceptors import intercept_channel
from clarion.sync.interfaces import (
    Call,
    CallFuture,
    CallIterator,
    Future,
    RpcContext,
    Server,
    ServicerContext,
)
from clarion.sync.ready_future import channel_ready_future
from clarion.sync.sync_server import server

__all__ = [
    "Call",
    "CallFuture",
    "CallIterator",
    "Channel",
    "ClientCallDetails",
    "Future",
    "FutureCancelledError",
    "FutureTimeoutError",
    "RpcContext",
    "Server",
    "ServerInterceptor",
    "ServicerContext",
    "StreamStreamClientInterceptor",
    "StreamStreamMultiCallable",
    "StreamUnaryClientInterceptor",
    "StreamUnaryMultiCallable",
    "UnaryStreamClientInterceptor",
    "UnaryStreamMultiCallable",
    "UnaryUnaryClientInterceptor",
    "UnaryUnaryMultiCallable",
    "channel_ready_future",
    "insecure_channel",
    "intercept_channel",
    "secure_channel",
    "server",
]
