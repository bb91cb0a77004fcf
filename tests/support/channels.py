"""A channel with a clock and a network that tests move."""

from __future__ import annotations

from clarion.client_core import ChannelCore
from clarion.connectivity import ChannelConnectivity
from clarion.resolver.target import HostPort
from support.http2 import RESPONSE, TRAILERS, data, headers, settings
from support.wire import Network, RawFar, message

__all__ = [
    "BOTH",
    "CONNECTING",
    "FAILED",
    "IDLE",
    "ONE",
    "READY",
    "SHUTDOWN",
    "TWO",
    "answer",
    "serve",
    "states",
]

IDLE = ChannelConnectivity.IDLE
CONNECTING = ChannelConnectivity.CONNECTING
READY = ChannelConnectivity.READY
FAILED = ChannelConnectivity.TRANSIENT_FAILURE
SHUTDOWN = ChannelConnectivity.SHUTDOWN

ONE = HostPort("1.1.1.1", 1)
TWO = HostPort("2.2.2.2", 2)
BOTH = "ipv4:1.1.1.1:1,2.2.2.2:2"


def serve(network: Network, address: HostPort = ONE, *greeting: bytes) -> list[RawFar]:
    """Let `address` answer; return the far ends that it makes."""
    made: list[RawFar] = []

    def far() -> RawFar:
        made.append(RawFar(*(greeting or (settings(),))))
        return made[-1]

    network.answers[address] = far
    return made


def answer(far: RawFar, sid: int, payload: bytes = b"response") -> None:
    far.send(headers(sid, RESPONSE), data(sid, message(payload)), headers(sid, TRAILERS, end=True))


def states(core: ChannelCore) -> list[ChannelConnectivity]:
    seen: list[ChannelConnectivity] = []
    core.watch(seen.append)
    return seen
