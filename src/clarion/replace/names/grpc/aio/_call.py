"""The classes of asyncio calls and their error."""

from __future__ import annotations

from clarion.aio import AioRpcError, Call
from clarion.aio.call import (
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)

__all__ = [
    "AioRpcError",
    "Call",
    "StreamStreamCall",
    "StreamUnaryCall",
    "UnaryStreamCall",
    "UnaryUnaryCall",
]
