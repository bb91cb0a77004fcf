"""gRPC for Python, written in Python.

The names, arguments and errors are those of grpcio's `grpc` module, so that what people know and what they
generated works. `clarion.aio` is the same for asyncio.
"""

from __future__ import annotations

from clarion._version import __version__
from clarion.connectivity import ChannelConnectivity
from clarion.method import (
    Compression,
    GenericRpcHandler,
    HandlerCallDetails,
    RpcMethodHandler,
    ServiceRpcHandler,
    method_handlers_generic_handler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.replace import install_as_grpc
from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.sync import (
    Call,
    Channel,
    Future,
    FutureCancelledError,
    FutureTimeoutError,
    RpcContext,
    Server,
    ServicerContext,
    channel_ready_future,
    insecure_channel,
    server,
)

__all__ = [
    "Call",
    "Channel",
    "ChannelConnectivity",
    "Compression",
    "Future",
    "FutureCancelledError",
    "FutureTimeoutError",
    "GenericRpcHandler",
    "HandlerCallDetails",
    "RpcContext",
    "RpcError",
    "RpcMethodHandler",
    "Server",
    "ServiceRpcHandler",
    "ServicerContext",
    "StatusCode",
    "__version__",
    "channel_ready_future",
    "insecure_channel",
    "install_as_grpc",
    "method_handlers_generic_handler",
    "server",
    "stream_stream_rpc_method_handler",
    "stream_unary_rpc_method_handler",
    "unary_stream_rpc_method_handler",
    "unary_unary_rpc_method_handler",
]
