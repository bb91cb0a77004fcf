"""gRPC on asyncio; the API of `grpc.aio`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use
from clarion.metadata import Metadata

if TYPE_CHECKING:
    from clarion.aio.aio_server import server
    from clarion.aio.channel import insecure_channel, secure_channel
    from clarion.aio.errors import (
        EOF,
        AbortError,
        AioRpcError,
        BaseError,
        EOFType,
        InternalError,
        UsageError,
    )
    from clarion.aio.intercepted_calls import InterceptedUnaryUnaryCall
    from clarion.aio.interceptors import (
        ClientCallDetails,
        ClientInterceptor,
        ServerInterceptor,
        StreamStreamClientInterceptor,
        StreamUnaryClientInterceptor,
        UnaryStreamClientInterceptor,
        UnaryUnaryClientInterceptor,
    )
    from clarion.aio.interfaces import (
        Call,
        Channel,
        ChannelArgumentType,
        RpcContext,
        Server,
        ServicerContext,
        StreamStreamCall,
        StreamStreamMultiCallable,
        StreamUnaryCall,
        StreamUnaryMultiCallable,
        UnaryStreamCall,
        UnaryStreamMultiCallable,
        UnaryUnaryCall,
        UnaryUnaryMultiCallable,
    )
    from clarion.web.client.aio_channel import web_channel
else:
    # So that asyncio is loaded by those who use it.
    __getattr__ = on_first_use(
        __name__,
        {
            "clarion.aio.aio_server": "server",
            "clarion.aio.channel": "insecure_channel secure_channel",
            "clarion.aio.errors": (
                "EOF AbortError AioRpcError BaseError EOFType InternalError UsageError"
            ),
            "clarion.aio.intercepted_calls": "InterceptedUnaryUnaryCall",
            "clarion.aio.interceptors": (
                "ClientCallDetails ClientInterceptor ServerInterceptor "
                "StreamStreamClientInterceptor StreamUnaryClientInterceptor "
                "UnaryStreamClientInterceptor UnaryUnaryClientInterceptor"
            ),
            "clarion.aio.interfaces": (
                "Call Channel ChannelArgumentType RpcContext Server ServicerContext "
                "StreamStreamCall StreamStreamMultiCallable StreamUnaryCall "
                "StreamUnaryMultiCallable UnaryStreamCall UnaryStreamMultiCallable UnaryUnaryCall "
                "UnaryUnaryMultiCallable"
            ),
            "clarion.web.client.aio_channel": "web_channel",
        },
    )

__all__ = [
    "EOF",
    "AbortError",
    "AioRpcError",
    "BaseError",
    "Call",
    "Channel",
    "ChannelArgumentType",
    "ClientCallDetails",
    "ClientInterceptor",
    "EOFType",
    "InterceptedUnaryUnaryCall",
    "InternalError",
    "Metadata",
    "RpcContext",
    "Server",
    "ServerInterceptor",
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamClientInterceptor",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryClientInterceptor",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamClientInterceptor",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryClientInterceptor",
    "UnaryUnaryMultiCallable",
    "UsageError",
    "init_grpc_aio",
    "insecure_channel",
    "secure_channel",
    "server",
    "shutdown_grpc_aio",
    "web_channel",
]


def init_grpc_aio() -> None:
    """Do nothing: Clarion has no global state to set up. It is here because programs written for grpcio may call it."""


def shutdown_grpc_aio() -> None:
    """Do nothing: Clarion has no global state to take down. Close channels, and stop servers, by their own methods."""
