"""least_request_experimental: of a few servers taken by chance, a call goes to the one with the fewest calls (gRFC A48).

    {"choiceCount": 2}

Two choices are enough to keep calls away from servers that are slow, without all clients running to the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, count
from clarion.load_balancing.endpoint_sharding import EndpointChild, EndpointSharding
from clarion.load_balancing.pick import Done, Pick, Picked, Picker, PickInfo
from clarion.load_balancing.policy import Endpoint, Subchannel

__all__ = ["POLICY", "LeastRequest", "LeastRequestConfig"]

_MOST_CHOICES = 10


class LeastRequestConfig(NamedTuple):
    """What a service config says of it.

    Attributes:
        choices: `choiceCount`, from 2 to 10.
    """

    choices: int = 2


class _Counter:
    """How many calls are in progress at an endpoint; only pickers, and the ends of their calls, touch it."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = 0

    def done(self, done: Done | None) -> None:
        """A call is over, or was none."""
        self.active -= 1


class _Endpoint(EndpointChild):
    def __init__(self, parent: EndpointSharding, endpoint: Endpoint) -> None:
        super().__init__(parent, endpoint)
        self.counter = _Counter()

    def make_picked(self, subchannel: Subchannel) -> Picked:
        """See `EndpointChild`."""
        return Picked(subchannel, self.counter.done)


class LeastRequest(EndpointSharding):
    """See the module."""

    name = "least_request_experimental"

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> LeastRequestConfig:
        """See `Policy`."""
        choices = ConfigReader(config).get("choiceCount", count)
        if choices is None:
            return LeastRequestConfig()
        if choices < 2:
            raise ConfigError("choiceCount", f"must be 2 or more, not {choices}")
        return LeastRequestConfig(min(choices, _MOST_CHOICES))

    def make_child(self, endpoint: Endpoint) -> EndpointChild:
        """See `EndpointSharding`."""
        return _Endpoint(self, endpoint)

    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        """See `EndpointSharding`."""
        servers = []
        for child in ready:
            assert isinstance(child, _Endpoint)
            assert child.picked is not None
            servers.append((child.counter, child.picked))
        return _LeastPicker(servers, self.config.choices, self.helper.random)


class _LeastPicker(Picker):
    def __init__(
        self,
        servers: Sequence[tuple[_Counter, Picked]],
        choices: int,
        random: Callable[[], float],
    ) -> None:
        self._servers = servers
        self._more = range(choices - 1)
        self._random = random

    def pick(self, info: PickInfo) -> Pick:
        """Go to the one of the choices with the fewest calls; the first of several."""
        servers, random = self._servers, self._random
        size = len(servers)
        best, answer = servers[int(random() * size)]
        for _ in self._more:
            counter, picked = servers[int(random() * size)]
            if counter.active < best.active:
                best, answer = counter, picked
        best.active += 1
        return answer


POLICY: Final = LeastRequest
