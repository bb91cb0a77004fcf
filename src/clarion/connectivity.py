"""The states of a channel (https://grpc.github.io/grpc/core/md_doc_connectivity-semantics-and-api.html)."""

from __future__ import annotations

import enum

__all__ = ["ChannelConnectivity"]


@enum.unique
class ChannelConnectivity(enum.Enum):
    """What a channel is doing. `value` is `(number, name in words)`, as in grpcio."""

    IDLE = (0, "idle")
    CONNECTING = (1, "connecting")
    READY = (2, "ready")
    TRANSIENT_FAILURE = (3, "transient failure")
    SHUTDOWN = (4, "shutdown")
