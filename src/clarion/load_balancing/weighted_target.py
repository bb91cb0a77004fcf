"""weighted_target_experimental: calls are shared out between child policies by weight (gRFC A28).

    {"targets": {"here":  {"weight": 9, "childPolicy": [{"round_robin": {}}]},
                 "there": {"weight": 1, "childPolicy": [{"round_robin": {}}]}}}

Only children that are READY get calls. Which endpoints are whose, `hierarchy` says.
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.child import Child, ForwardingHelper
from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, count, policy
from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.hierarchy import by_child
from clarion.load_balancing.metrics import LOCALITY, NO_LABELS, PolicyMetric
from clarion.load_balancing.pick import Pick, Picker, PickInfo, QueuePicker
from clarion.load_balancing.policy import Helper, Policy, Update
from clarion.load_balancing.registry import PolicyConfig

__all__ = ["POLICY", "WeightedTarget", "WeightedTargetConfig"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE


class _Target(NamedTuple):
    weight: int
    policy: PolicyConfig


class WeightedTargetConfig(NamedTuple):
    """What a service config says of it.

    Attributes:
        targets: weight and policy of each child, by name.
    """

    targets: Mapping[str, _Target]


class WeightedTarget(Policy):
    """See the module."""

    name = "weighted_target_experimental"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._children: dict[str, Child[GracefulSwitch]] = {}
        self._targets: Mapping[str, _Target] = {}
        self._state: ChannelConnectivity | None = None
        self._updating = False

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> WeightedTargetConfig:
        """See `Policy`."""
        targets = ConfigReader(config).require("targets", ConfigReader.of)
        if not targets.members:
            raise ConfigError("targets", "must name at least one")
        return WeightedTargetConfig(
            {name: targets.require(name, _target) for name in targets.members}
        )

    def update(self, update: Update) -> None:
        """See `Policy`."""
        self._targets = update.config.targets
        shares = by_child(update.endpoints, tuple(self._targets))
        self._updating = True
        try:
            for name in self._children.keys() - self._targets:
                self._children.pop(name).close()
            for name, target in self._targets.items():
                if name not in self._children:
                    self._children[name] = Child(
                        _Locality(self.helper, name), GracefulSwitch, self._changed
                    )
                share = Update(shares[name], target.policy, update.why_empty)
                self._children[name].policy.update(share)
        finally:
            self._updating = False
        self._publish()

    def exit_idle(self) -> None:
        """See `Policy`; the children are told when they say that they are IDLE."""

    def close(self) -> None:
        """See `Policy`."""
        children, self._children = self._children, {}
        for child in children.values():
            child.close()

    def _changed(self, child: Child[GracefulSwitch]) -> None:
        if child.state is _IDLE:
            # Calls do not choose whom they wake up.
            self.helper.post(child.exit_idle)
        if not self._updating:
            self._publish()

    def _publish(self) -> None:
        states = {child.state for child in self._children.values()}
        if _READY in states:
            self._show(_READY, self._picker(_READY))
        elif states == {_TRANSIENT_FAILURE}:
            self._show(_TRANSIENT_FAILURE, self._picker(_TRANSIENT_FAILURE))
        elif self._state is _READY or self._state is None:
            # From TRANSIENT_FAILURE it goes to READY only (gRFC A62).
            self._show(_CONNECTING, QueuePicker())

    def _picker(self, state: ChannelConnectivity) -> Picker:
        choice = {
            name: child.picker for name, child in self._children.items() if child.state is state
        }
        if len(choice) == 1:
            [picker] = choice.values()
            return picker
        weights = [self._targets[name].weight for name in choice]
        return _WeightedPicker(self.helper.random, weights, list(choice.values()))

    def _show(self, state: ChannelConnectivity, picker: Picker) -> None:
        self._state = state
        self.helper.update_state(state, picker)


class _Locality(ForwardingHelper):
    """Labels what a child records with its name (gRFC A78): below xDS that is a locality."""

    def __init__(self, helper: Helper, name: str) -> None:
        super().__init__(helper)
        self._labels = {LOCALITY: name}

    def record(
        self, metric: PolicyMetric, value: float = 1, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        super().record(metric, value, {**self._labels, **labels})


class _WeightedPicker(Picker):
    def __init__(
        self, random: Callable[[], float], weights: Sequence[int], pickers: Sequence[Picker]
    ) -> None:
        self._random = random
        self._pickers = pickers
        self._ends = list(itertools.accumulate(weights))
        # A product with the greatest number below 1 may be rounded up.
        self._find = functools.partial(bisect.bisect_right, self._ends, hi=len(self._ends) - 1)

    def pick(self, info: PickInfo) -> Pick:
        """Ask one of the children."""
        return self._pickers[self._find(self._random() * self._ends[-1])].pick(info)


def _target(value: Any, path: str) -> _Target:
    reader = ConfigReader.of(value, path)
    weight = reader.require("weight", count)
    if not weight:
        raise ConfigError(reader.below("weight"), "must be greater than 0")
    return _Target(weight, reader.require("childPolicy", policy))


POLICY: Final = WeightedTarget
