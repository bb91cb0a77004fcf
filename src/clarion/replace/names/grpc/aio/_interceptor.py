"""The interceptors of `grpc.aio`, and the calls that come out of them."""

from __future__ import annotations

from clarion.aio import (
    ClientCallDetails,
    ClientInterceptor,
    ServerInterceptor,
    StreamStreamCall,
    StreamStreamClientInterceptor,
    StreamUnaryCall,
    StreamUnaryClientInterceptor,
    UnaryStreamCall,
    UnaryStreamClientInterceptor,
    UnaryUnaryCall,
    UnaryUnaryClientInterceptor,
)
from clarion.aio.intercepted_calls import (
    InterceptedCall,
    InterceptedStreamStreamCall,
    InterceptedStreamUnaryCall,
    InterceptedUnaryStreamCall,
    InterceptedUnaryUnaryCall,
)

__all__ = [
    "ClientCallDetails",
    "ClientInterceptor",
    "InterceptedCall",
    "InterceptedStreamStreamCall",
    "InterceptedStreamUnaryCall",
    "InterceptedUnaryStreamCall",
    "InterceptedUnaryUnaryCall",
    "ServerInterceptor",
    "StreamStreamCall",
    "StreamStreamClientInterceptor",
    "StreamUnaryCall",
    "StreamUnaryClientInterceptor",
    "UnaryStreamCall",
    "UnaryStreamClientInterceptor",
    "UnaryUnaryCall",
    "UnaryUnaryClientInterceptor",
]
