"""priority_experimental: the first child policy that works has all calls (gRFC A56).

    {"children": {"near": {"config": [{"round_robin": {}}]},
                  "far":  {"config": [{"round_robin": {}}], "ignoreReresolutionRequests": true}},
     "priorities": ["near", "far"]}

- A child is made when it is needed: when all before it failed, or did not connect in time.
- A child that is not needed any more is kept for a while: those before it may fail again.
- A child that the config names no more is closed at once (gRFC A115).

Which endpoints are whose, `hierarchy` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.child import Child
from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, flag, policy, texts
from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.hierarchy import by_child
from clarion.load_balancing.pick import FixedPicker, Picker
from clarion.load_balancing.policy import Helper, Policy, Timer, Update
from clarion.load_balancing.registry import PolicyConfig
from clarion.load_balancing.unavailable import unavailable
from clarion.resolver.endpoint import Endpoint

__all__ = ["FAILOVER", "POLICY", "Priority", "PriorityConfig", "RETENTION"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE

# Seconds: how long a child may take to connect before the next one is tried too, and how long a child that is not
# needed is kept.
FAILOVER: Final = 10.0
RETENTION: Final = 15 * 60.0


class _ChildConfig(NamedTuple):
    policy: PolicyConfig
    ignore_resolution: bool


class PriorityConfig(NamedTuple):
    """What a service config says of it.

    Attributes:
        children: policy of each child, and whether what it says of its addresses counts, by name.
        priorities: their names, the most wanted first.
    """

    children: Mapping[str, _ChildConfig]
    priorities: tuple[str, ...]


class Priority(Policy):
    """See the module."""

    name = "priority_experimental"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._config = PriorityConfig({}, ())
        self._shares: Mapping[str, list[Endpoint]] = {}
        self._why_empty = ""
        self._children: dict[str, _PriorityChild] = {}
        self._current: _PriorityChild | None = None
        self._published: tuple[ChannelConnectivity, Picker] | None = None
        # Children publish while they are called; what follows is seen to afterwards.
        self._busy = False

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> PriorityConfig:
        """See `Policy`."""
        reader = ConfigReader(config)
        members = reader.get("children", ConfigReader.of) or ConfigReader({})
        children = {name: members.require(name, _child_config) for name in members.members}
        priorities = reader.get("priorities", texts) or ()
        for index, name in enumerate(priorities):
            if name not in children:
                raise ConfigError(f"priorities[{index}]", f"{name!r} is not among the children")
            if name in priorities[:index]:
                raise ConfigError(f"priorities[{index}]", f"{name!r} is there already")
        return PriorityConfig(children, priorities)

    def update(self, update: Update) -> None:
        """See `Policy`."""
        self._config = update.config
        self._why_empty = update.why_empty
        self._shares = by_child(update.endpoints, self._config.priorities)
        self._busy = True
        try:
            for name in self._children.keys() - set(self._config.priorities):
                self._children.pop(name).close()
            for name in self._children:
                self._update_child(name)
        finally:
            self._busy = False
        self.choose()

    def _update_child(self, name: str) -> None:
        child, config = self._children[name], self._config.children[name]
        child.ignore_resolution = config.ignore_resolution
        child.policy.update(Update(self._shares[name], config.policy, self._why_empty))

    def exit_idle(self) -> None:
        """See `Policy`."""
        if self._current is not None:
            self._current.exit_idle()

    def close(self) -> None:
        """See `Policy`."""
        children, self._children = self._children, {}
        self._current = None
        for child in children.values():
            child.close()

    def changed(self, _child: Child[GracefulSwitch]) -> None:
        """A child published something."""
        if not self._busy:
            self.choose()

    def choose(self) -> None:
        """Find the child that calls go by now; the same states of children always give the same one."""
        priorities = self._config.priorities
        self._busy = True
        try:
            for index, name in enumerate(priorities):
                child = self._needed(name)
                if child.state in (_READY, _IDLE):
                    self._take(child)
                    for after in priorities[index + 1 :]:
                        if after in self._children:
                            self._children[after].retire()
                    return
                if child.connecting_in_time:
                    self._take(child)
                    return
        finally:
            self._busy = False
        if not priorities:
            self._current = None
            self._show(
                _TRANSIENT_FAILURE,
                FixedPicker(unavailable(self.helper, "the priority policy has no priorities")),
            )
            return
        children = [self._children[name] for name in priorities]
        connecting = (child for child in children if child.state is _CONNECTING)
        self._take(next(connecting, children[-1]))

    def _needed(self, name: str) -> _PriorityChild:
        child = self._children.get(name)
        if child is None:
            child = self._children[name] = _PriorityChild(self, name)
            self._update_child(name)
        else:
            child.reactivate()
        return child

    def _take(self, child: _PriorityChild) -> None:
        self._current = child
        self._show(child.state, child.picker)

    def _show(self, state: ChannelConnectivity, picker: Picker) -> None:
        # News of children that calls do not go by is none for the parent.
        if self._published != (state, picker):
            self._published = (state, picker)
            self.helper.update_state(state, picker)

    def drop(self, name: str) -> None:
        """A child was not needed for long enough."""
        self._children.pop(name).close()


class _PriorityChild(Child[GracefulSwitch]):
    """One child.

    Attributes:
        ignore_resolution: what it says of its addresses does not count.
    """

    def __init__(self, parent: Priority, name: str) -> None:
        self.ignore_resolution = False
        self._parent = parent
        self._name = name
        # Whether it was READY or IDLE since it last failed: then it deserves to be waited for.
        self._worked = False
        self._retention: Timer | None = None
        self._failover: Timer | None = parent.helper.call_later(FAILOVER, self._too_late)
        super().__init__(parent.helper, GracefulSwitch, parent.changed)

    @property
    def connecting_in_time(self) -> bool:
        """Whether it may yet connect before the next one is tried."""
        return self._failover is not None

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `Helper`."""
        if state is not _CONNECTING:
            self._worked = state is not _TRANSIENT_FAILURE
            self._stop_failover()
        elif self.state is not _CONNECTING and self._worked:
            self._failover = self.call_later(FAILOVER, self._too_late)
        super().update_state(state, picker)

    def request_resolution(self) -> None:
        """See `Helper`."""
        if not self.ignore_resolution:
            super().request_resolution()

    def retire(self) -> None:
        """It is not needed: keep it for a while only."""
        if self._retention is None:
            self._retention = self.call_later(RETENTION, lambda: self._parent.drop(self._name))

    def reactivate(self) -> None:
        """It is needed."""
        timer, self._retention = self._retention, None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """See `Child`."""
        self.reactivate()
        self._stop_failover()
        super().close()

    def _stop_failover(self) -> None:
        timer, self._failover = self._failover, None
        if timer is not None:
            timer.cancel()

    def _too_late(self) -> None:
        self._failover = None
        self._parent.choose()


def _child_config(value: Any, path: str) -> _ChildConfig:
    reader = ConfigReader.of(value, path)
    return _ChildConfig(
        reader.require("config", policy), reader.get("ignoreReresolutionRequests", flag) or False
    )


POLICY: Final = Priority
