"""The classes of calls, their errors and channels, for programs that name them in `except` and in annotations.

Clarion raises one class for all calls that fail. So `except` clauses with any of grpcio's names catch it, and one for
unary calls alone catches failed streams too.
"""

from __future__ import annotations

from typing import Any

from clarion.sync import channel as _channel
from clarion.sync.errors import CallError

__all__ = [
    "Channel",
    "_EMPTY_FLAGS",
    "_InactiveRpcError",
    "_MultiThreadedRendezvous",
    "_Rendezvous",
    "_SingleThreadedRendezvous",
    "_StreamStreamMultiCallable",
    "_StreamUnaryMultiCallable",
    "_UnaryStreamMultiCallable",
    "_UnaryUnaryMultiCallable",
    "_handle_event",
]

Channel = _channel.Channel
_UnaryUnaryMultiCallable = _channel.UnaryUnaryMultiCallable
_UnaryStreamMultiCallable = _channel.UnaryStreamMultiCallable
_StreamUnaryMultiCallable = _channel.StreamUnaryMultiCallable
_StreamStreamMultiCallable = _channel.StreamStreamMultiCallable
_InactiveRpcError = CallError
_Rendezvous = CallError
_MultiThreadedRendezvous = CallError
_SingleThreadedRendezvous = CallError
_EMPTY_FLAGS = 0


def _handle_event(*arguments: Any) -> Any:
    """Libraries import this to drive grpcio's native calls by hand, and there are none."""
    raise NotImplementedError(
        "'grpc' is Clarion here, which has no native events; use the public API of calls"
    )
