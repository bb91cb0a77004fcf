"""gRPC for Python, written in Python.

The names, arguments and errors are those of grpcio's `grpc` module, so that what people know and what they
generated works. `clarion.aio` is the same for asyncio.
"""

from __future__ import annotations

from importlib import import_module
from os import environ
from typing import TYPE_CHECKING

from clarion._version import __version__
from clarion.connectivity import ChannelConnectivity
from clarion.first_use import on_first_use
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
from clarion.propagation import detached
from clarion.rpc_error import RpcError
from clarion.status import Status, StatusCode

if TYPE_CHECKING:
    from clarion import admin as admin
    from clarion import aio as aio
    from clarion import asgi as asgi
    from clarion import auth as auth
    from clarion import binary_log as binary_log
    from clarion import channelz as channelz
    from clarion import experimental as experimental
    from clarion import health as health
    from clarion import interceptors as interceptors
    from clarion import oauth2 as oauth2
    from clarion import reflection as reflection
    from clarion import rich_errors as rich_errors
    from clarion import tls as tls
    from clarion.credentials import (
        AuthMetadataContext,
        AuthMetadataPlugin,
        AuthMetadataPluginCallback,
        CallCredentials,
        ChannelCredentials,
        LocalConnectionType,
        ServerCertificateConfiguration,
        ServerCredentials,
        access_token_call_credentials,
        alts_channel_credentials,
        alts_server_credentials,
        composite_call_credentials,
        composite_channel_credentials,
        compute_engine_channel_credentials,
        dynamic_ssl_server_credentials,
        insecure_server_credentials,
        local_channel_credentials,
        local_server_credentials,
        metadata_call_credentials,
        ssl_channel_credentials,
        ssl_server_certificate_configuration,
        ssl_server_credentials,
        xds_channel_credentials,
        xds_server_credentials,
    )
    from clarion.descriptors import method_descriptor
    from clarion.proto_imports import import_protos
    from clarion.reflection import reflect
    from clarion.replace import install_as_grpc
    from clarion.runtime_protos import protos, protos_and_services, services
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
    from clarion.web.client.sync_channel import web_channel
    from clarion.wire_trace import trace
else:
    # grpcio's module has `aio` and `experimental` without an import of their own, too; and so generated code
    # has `generated`.
    __getattr__ = on_first_use(
        __name__,
        {
            "clarion.credentials": (
                "AuthMetadataContext AuthMetadataPlugin AuthMetadataPluginCallback "
                "CallCredentials ChannelCredentials LocalConnectionType "
                "ServerCertificateConfiguration ServerCredentials access_token_call_credentials "
                "alts_channel_credentials alts_server_credentials composite_call_credentials "
                "composite_channel_credentials compute_engine_channel_credentials "
                "dynamic_ssl_server_credentials insecure_server_credentials "
                "local_channel_credentials local_server_credentials metadata_call_credentials "
                "ssl_channel_credentials ssl_server_certificate_configuration "
                "ssl_server_credentials xds_channel_credentials xds_server_credentials"
            ),
            "clarion.proto_imports": "import_protos",
            "clarion.descriptors": "method_descriptor",
            "clarion.reflection": "reflect",
            "clarion.replace": "install_as_grpc",
            "clarion.runtime_protos": "protos protos_and_services services",
            "clarion.sync.channel": "insecure_channel secure_channel",
            "clarion.sync.channel_interface": (
                "Channel StreamStreamMultiCallable StreamUnaryMultiCallable "
                "UnaryStreamMultiCallable UnaryUnaryMultiCallable"
            ),
            "clarion.sync.errors": "FutureCancelledError FutureTimeoutError",
            "clarion.sync.interceptor_interface": (
                "ClientCallDetails ServerInterceptor StreamStreamClientInterceptor "
                "StreamUnaryClientInterceptor UnaryStreamClientInterceptor "
                "UnaryUnaryClientInterceptor"
            ),
            "clarion.sync.interceptors": "intercept_channel",
            "clarion.sync.interfaces": (
                "Call CallFuture CallIterator Future RpcContext Server ServicerContext"
            ),
            "clarion.sync.ready_future": "channel_ready_future",
            "clarion.sync.sync_server": "server",
            "clarion.web.client.sync_channel": "web_channel",
            "clarion.wire_trace": "trace",
        },
        submodules=(
            "admin",
            "aio",
            "asgi",
            "auth",
            "binary_log",
            "channelz",
            "experimental",
            "generated",
            "health",
            "interceptors",
            "oauth2",
            "reflection",
            "rich_errors",
            "tls",
        ),
    )

__all__ = [
    "AuthMetadataContext",
    "AuthMetadataPlugin",
    "AuthMetadataPluginCallback",
    "Call",
    "CallCredentials",
    "CallFuture",
    "CallIterator",
    "Channel",
    "ChannelConnectivity",
    "ChannelCredentials",
    "ClientCallDetails",
    "Compression",
    "Future",
    "FutureCancelledError",
    "FutureTimeoutError",
    "GenericRpcHandler",
    "HandlerCallDetails",
    "LocalConnectionType",
    "RpcContext",
    "RpcError",
    "RpcMethodHandler",
    "Server",
    "ServerCertificateConfiguration",
    "ServerCredentials",
    "ServerInterceptor",
    "ServiceRpcHandler",
    "ServicerContext",
    "Status",
    "StatusCode",
    "StreamStreamClientInterceptor",
    "StreamStreamMultiCallable",
    "StreamUnaryClientInterceptor",
    "StreamUnaryMultiCallable",
    "UnaryStreamClientInterceptor",
    "UnaryStreamMultiCallable",
    "UnaryUnaryClientInterceptor",
    "UnaryUnaryMultiCallable",
    "__version__",
    "access_token_call_credentials",
    "alts_channel_credentials",
    "alts_server_credentials",
    "channel_ready_future",
    "composite_call_credentials",
    "composite_channel_credentials",
    "compute_engine_channel_credentials",
    "detached",
    "dynamic_ssl_server_credentials",
    "import_protos",
    "insecure_channel",
    "insecure_server_credentials",
    "install_as_grpc",
    "intercept_channel",
    "local_channel_credentials",
    "local_server_credentials",
    "metadata_call_credentials",
    "method_descriptor",
    "method_handlers_generic_handler",
    "protos",
    "protos_and_services",
    "reflect",
    "secure_channel",
    "server",
    "services",
    "ssl_channel_credentials",
    "ssl_server_certificate_configuration",
    "ssl_server_credentials",
    "stream_stream_rpc_method_handler",
    "stream_unary_rpc_method_handler",
    "trace",
    "unary_stream_rpc_method_handler",
    "unary_unary_rpc_method_handler",
    "web_channel",
    "xds_channel_credentials",
    "xds_server_credentials",
]

if environ.get("CLARION_TRACE"):
    import_module("clarion.wire_trace").from_environment(environ)
if environ.get("GRPC_BINARY_LOG_FILTER") or environ.get("GRPC_BINARY_LOG_CONFIG"):
    import_module("clarion.binary_log").from_environment(environ)
