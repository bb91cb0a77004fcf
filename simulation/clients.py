"""Channels and their calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clarion.client_core import ChannelCore, ChannelOptions, ClientCall, Start
from clarion.client_core.invocation import Method
from clarion.resolver.registry import target_of
from clarion.resolver.target import HostPort
from simulation.backends import Backend
from simulation.world import World

__all__ = ["Call", "Load", "channel", "cluster"]

_MESSAGE = (b"\0\0\0\0\0", b"")
_PATH = "/simulation.Service/Method"


class Call(ClientCall):
    """A call that tells when it is over."""

    def __init__(self, core: ChannelCore, start: Start, over: Callable[[Call], None]) -> None:
        ClientCall.__init__(self, core, start, response_streaming=False)
        self._tell = over

    def opened(self) -> None: ...

    def head_received(self) -> None: ...

    def writable(self) -> None: ...

    def deadline_set(self) -> None: ...

    def finished(self) -> None:
        self._tell(self)


def cluster(world: World, services: Sequence[float], **more: Any) -> list[Backend]:
    """Backends with these mean service times."""
    backends = []
    for number, service in enumerate(services):
        address = HostPort(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)
        backends.append(Backend(world, str(address), service, **more))
        world.backends[address] = backends[-1]
    return backends


def channel(
    world: World, config: Mapping[str, Any], options: Sequence[tuple[str, Any]] = ()
) -> ChannelCore:
    """A channel to all backends of `world`."""
    target = "ipv4:" + ",".join(str(address) for address in world.backends)
    arguments = [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.client_idle_timeout_ms", 2**31 - 1),
        *options,
    ]
    return ChannelCore(world, target_of(target), ChannelOptions.read(arguments))


class Load:
    """Calls at random times (a Poisson process), each on a channel taken at random.

    Args:
        world: where.
        cores: the channels.
        rate: calls a second, of all channels together.
        over: hears of each call that ended.
        key: the name of a header that says whose call it is, of so many; for policies that go by that.
    """

    def __init__(
        self,
        world: World,
        cores: Sequence[ChannelCore],
        rate: float,
        over: Callable[[Call], None],
        key: tuple[str, int] | None = None,
    ) -> None:
        self.begun = 0
        self._world = world
        self._cores = cores
        self._rate = rate
        self._over = over
        self._on = True
        method = Method(_PATH, cores[0].target, cores[0].options, None, None, None)
        metadatas: list[Any] = [None]
        if key is not None:
            metadatas = [((key[0], str(number)),) for number in range(key[1])]
        self._starts = [method.start(0.0, None, each, None, None) for each in metadatas]
        self._next()

    def _next(self) -> None:
        self._world.call_later(self._world.chance.expovariate(self._rate), self._begin)

    def _begin(self) -> None:
        if not self._on:
            return
        self._next()
        self.begun += 1
        chance = self._world.random
        core = self._cores[int(chance() * len(self._cores))]
        start = self._starts[int(chance() * len(self._starts))]
        Call(core, start, self._over).begin(_MESSAGE)

    def stop(self) -> None:
        """No more of them."""
        self._on = False
