"""random_subsetting_experimental: each client uses some of the servers only (gRFC A68).

    {"subsetSize": 20, "childPolicy": [{"round_robin": {}}]}

Where many clients would each connect to many servers, this bounds the connections. Which ones are a client's follows
from a number of its own by rendezvous hashing: clients spread evenly, and one server more or less changes at most one
of a client's.

gRFC A68 takes any uniform hash and suggests XXH64 because other policies have it. No two clients have to agree on it,
so it is BLAKE2b here, with the client's number as key: it comes with Python and runs in C, which XXH64 does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, count, policy
from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.policy import Endpoint, Helper, Policy, Update
from clarion.load_balancing.registry import PolicyConfig

__all__ = ["POLICY", "RandomSubsetting", "RandomSubsettingConfig"]


class RandomSubsettingConfig(NamedTuple):
    """What a service config says of it.

    Attributes:
        size: how many endpoints a client uses at most.
        policy: how it uses them.
    """

    size: int
    policy: PolicyConfig


class RandomSubsetting(Policy):
    """See the module."""

    name = "random_subsetting_experimental"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._key = int(helper.random() * 2**53).to_bytes(8, "big")
        self._child = GracefulSwitch(helper)

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> RandomSubsettingConfig:
        """See `Policy`."""
        reader = ConfigReader(config)
        size = reader.require("subsetSize", count)
        if not size:
            raise ConfigError("subsetSize", "must be greater than 0")
        return RandomSubsettingConfig(size, reader.require("childPolicy", policy))

    def update(self, update: Update) -> None:
        """See `Policy`."""
        config: RandomSubsettingConfig = update.config
        endpoints = update.endpoints
        if len(endpoints) > config.size:
            endpoints = self._subset(endpoints, config.size)
        self._child.update(Update(endpoints, config.policy, update.why_empty))

    def _subset(self, endpoints: Sequence[Endpoint], size: int) -> Sequence[Endpoint]:
        return sorted(endpoints, key=self._hash)[:size]

    def _hash(self, endpoint: Endpoint) -> bytes:
        address = str(endpoint.addresses[0]).encode()
        return blake2b(address, digest_size=8, key=self._key).digest()

    def exit_idle(self) -> None:
        """See `Policy`."""
        self._child.exit_idle()

    def close(self) -> None:
        """See `Policy`."""
        self._child.close()


POLICY: Final = RandomSubsetting
