"""The interfaces of asyncio calls."""

from __future__ import annotations

from clarion.aio import (
    Call,
    RpcContext,
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)

__all__ = [
    "Call",
    "RpcContext",
    "StreamStreamCall",
    "StreamUnaryCall",
    "UnaryStreamCall",
    "UnaryUnaryCall",
]
