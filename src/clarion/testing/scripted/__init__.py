"""Channels and servers that a test plays the other side of: grpcio-testing's API.

Nothing is sent or serialized. A test takes a call that the program made, and answers it step by step; or it makes a call
of a servicer, and sees what that does step by step. Time is the system's, or passes when the test says so.
`clarion.install_as_grpc()` makes this importable as `grpc_testing`.

It is for code that is tested by itself. For a channel and a server together, `clarion.testing.in_process_channel` runs
the real ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clarion.testing.scripted.client import ScriptedChannel
from clarion.testing.scripted.interfaces import (
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
)
from clarion.testing.scripted.server import ScriptedServer
from clarion.testing.scripted.times import StrictFakeTime, StrictRealTime

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


def channel(service_descriptors: Iterable[Any], time: Time) -> Channel:
    """Make a channel whose calls a test answers.

    Args:
        service_descriptors: protobuf's descriptors of the services that the program calls.
        time: where the calls' time left is read.
    """
    return ScriptedChannel(time)


def server_from_dictionary(descriptors_to_servicers: Mapping[Any, Any], time: Time) -> Server:
    """Make a server whose calls a test makes.

    Args:
        descriptors_to_servicers: servicers by protobuf's descriptors of their services.
        time: what deadlines are by.
    """
    return ScriptedServer(descriptors_to_servicers, time)


def strict_real_time() -> Time:
    """The system's time, with what is due called before it is later."""
    return StrictRealTime()


def strict_fake_time(now: float) -> Time:
    """Time that passes in `sleep_for` and `sleep_until` alone.

    Args:
        now: where it begins.
    """
    return StrictFakeTime(now)
