"""HTTP/2 as gRPC uses it (RFC 9113), sans-I/O, both roles.

`Connection` turns received bytes into calls on `Stream` objects, and calls on itself into bytes to send. It
knows no socket, no thread and no clock: whoever drives it passes those in.
"""

from __future__ import annotations

from clarion.http2.config import Budget, Config, KeepaliveConfig, LifetimeConfig, PingRules
from clarion.http2.connection import Connection, ConnectionObserver
from clarion.http2.errors import ConnectionFault, ErrorCode, StreamFault, error_name
from clarion.http2.stream import Abort, Stream
from clarion.http2.upkeep import Idleness, Keepalive, Lifetime, Timer

__all__ = [
    "Abort",
    "Budget",
    "Config",
    "Connection",
    "ConnectionFault",
    "ConnectionObserver",
    "ErrorCode",
    "Idleness",
    "Keepalive",
    "KeepaliveConfig",
    "Lifetime",
    "LifetimeConfig",
    "PingRules",
    "Stream",
    "StreamFault",
    "Timer",
    "error_name",
]
