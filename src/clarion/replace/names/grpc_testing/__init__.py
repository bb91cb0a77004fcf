"""grpcio-testing's API, on Clarion: `clarion.testing.scripted`."""

from __future__ import annotations

from clarion.testing.scripted import (
    Channel,
    Server,
    StreamStreamChannelRpc,
    StreamStreamServerRpc,
    StreamUnaryChannelRpc,
    StreamUnaryServerRpc,
    Time,
    UnaryStreamChannelRpc,
    UnaryStreamServerRpc,
    UnaryUnaryChannelRpc,
    UnaryUnaryServerRpc,
    channel,
    server_from_dictionary,
    strict_fake_time,
    strict_real_time,
)

__all__ = [
    "Channel",
    "Server",
    "StreamStreamChannelRpc",
    "StreamStreamServerRpc",
    "StreamUnaryChannelRpc",
    "StreamUnaryServerRpc",
    "Time",
    "UnaryStreamChannelRpc",
    "UnaryStreamServerRpc",
    "UnaryUnaryChannelRpc",
    "UnaryUnaryServerRpc",
    "channel",
    "server_from_dictionary",
    "strict_fake_time",
    "strict_real_time",
]
