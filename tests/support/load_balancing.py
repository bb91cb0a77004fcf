"""Load-balancing policies without a channel: a helper whose clock, chance and network are what a test says.

`FakeHelper` also watches that policies keep the rules: nothing is published and nothing connects after the end, and
nobody answers from within a call.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing import (
    Endpoint,
    Fail,
    FixedPicker,
    Helper,
    Picked,
    Picker,
    PickInfo,
    Policy,
    PolicyConfig,
    PolicyMetric,
    QueuePicker,
    Update,
)
from clarion.load_balancing.metrics import NO_LABELS
from clarion.load_balancing.policy import StateWatcher
from clarion.load_balancing.unavailable import unavailable
from clarion.resolver.target import Address, HostPort

IDLE = ChannelConnectivity.IDLE
CONNECTING = ChannelConnectivity.CONNECTING
READY = ChannelConnectivity.READY
FAILED = ChannelConnectivity.TRANSIENT_FAILURE
SHUTDOWN = ChannelConnectivity.SHUTDOWN

CALL = PickInfo("/test.Test/Method", (), False)
FAILED_TEXT = "failed to connect to all addresses; last error: "


def address(text: str) -> Address:
    """`a` is port 1 of a host of that name, `a:2` port 2, `v6-a` an IPv6 address."""
    host, _, port = text.partition(":")
    if host.startswith("v6-"):
        host = f"fe80::{host[3:]}"
    return HostPort(host, int(port or 1))


def endpoint(*addresses: str, **attributes: Any) -> Endpoint:
    """One server."""
    return Endpoint(tuple(map(address, addresses)), attributes)


def endpoints(names: str) -> tuple[Endpoint, ...]:
    """Servers from their names, each with one address, or several with `+` between them."""
    return tuple(endpoint(*name.split("+")) for name in names.split())


class FakeTimer:
    """One callback, which `FakeHelper.advance` calls."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeLoadWatch:
    """One watcher of load reports."""

    def __init__(self, interval: float, watcher: Callable[[Any], None]) -> None:
        self.interval = interval
        self.report = watcher
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeSubchannel:
    """One address; a test says what becomes of it."""

    def __init__(self, helper: FakeHelper, where: Address, attributes: Mapping[str, Any]) -> None:
        self.helper = helper
        self.address = where
        self.attributes = attributes
        self.state = IDLE
        self.health_checked = False
        self.load_watches: list[FakeLoadWatch] = []
        self._watchers: list[tuple[bool, StateWatcher]] = []
        self._health = IDLE

    # What policies ask

    def connect(self) -> None:
        assert self.state is not SHUTDOWN, f"{self.address} is closed"
        self.helper.connects.append(str(self.address))
        self.helper.post(self._connect)

    def _connect(self) -> None:
        if self.state is IDLE:
            self.say(CONNECTING)

    def watch(self, watcher: StateWatcher) -> None:
        self._watchers.append((False, watcher))

    def watch_health(self, watcher: StateWatcher) -> None:
        self._watchers.append((True, watcher))

    def watch_load(self, interval: float, watcher: Callable[[Any], None]) -> FakeLoadWatch:
        watch = FakeLoadWatch(interval, watcher)
        self.load_watches.append(watch)
        return watch

    def close(self) -> None:
        assert self.state is not SHUTDOWN, f"{self.address} is closed twice"
        self.state = SHUTDOWN

    # What tests say

    def say(self, state: ChannelConnectivity, why: str = "") -> None:
        """Change the state, and let everything happen that follows from it."""
        assert self.state is not SHUTDOWN, f"{self.address} is closed"
        self.state = state
        for of_health, watcher in list(self._watchers):
            if of_health and self.health_checked and state is READY:
                self._tell(watcher, CONNECTING, "")
            else:
                self._tell(watcher, state, why)
        self.helper.run()

    def say_health(self, state: ChannelConnectivity, why: str = "") -> None:
        """Change what health checks say."""
        assert self.state is READY
        for of_health, watcher in list(self._watchers):
            if of_health:
                self._tell(watcher, state, why)
        self.helper.run()

    def _tell(self, watcher: StateWatcher, state: ChannelConnectivity, why: str) -> None:
        if self.state is not SHUTDOWN:
            watcher(state, why)

    def accept(self) -> None:
        """The attempt to connect works."""
        assert self.state is CONNECTING, f"{self.address} is {self.state}"
        self.say(READY)

    def refuse(self, why: str = "refused") -> None:
        """The attempt to connect fails."""
        assert self.state is CONNECTING, f"{self.address} is {self.state}"
        self.say(FAILED, why)

    def back_off(self) -> None:
        """The wait after a failure is over."""
        assert self.state is FAILED, f"{self.address} is {self.state}"
        self.say(IDLE)

    def lose(self) -> None:
        """The connection is lost."""
        assert self.state is READY, f"{self.address} is {self.state}"
        self.say(IDLE)


class FakeHelper:
    """What a policy has above it.

    Attributes:
        states: all that was published.
        connects: the addresses that were asked to connect.
        made: all subchannels there ever were.
        resolutions: how often resolution was asked for.
        recorded: what was recorded: names without "grpc.lb.", values, and labels if there were some.
        chances: the next random numbers; 0.0 when there are none left.
        health_checked: new subchannels have health checks.
    """

    def __init__(self) -> None:
        self.target = "test.example:443"
        self.states: list[ChannelConnectivity] = []
        self.picker: Picker = QueuePicker()
        self.connects: list[str] = []
        self.made: list[FakeSubchannel] = []
        self.resolutions = 0
        self.recorded: list[Any] = []
        self.chances: deque[float] = deque()
        self.health_checked = False
        self.policy: Policy | None = None
        self._said = 0
        self._running = False
        self._closed = False
        self._now = 1000.0
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._numbers = itertools.count()
        self._posted: deque[Callable[[], None]] = deque()

    # Helper

    def now(self) -> float:
        return self._now

    def random(self) -> float:
        return self.chances.popleft() if self.chances else 0.0

    def call_later(self, delay: float, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (self._now + delay, next(self._numbers), timer))
        return timer

    def post(self, callback: Callable[[], None]) -> None:
        self._posted.append(callback)

    def create_subchannel(self, where: Address, attributes: Mapping[str, Any]) -> FakeSubchannel:
        subchannel = FakeSubchannel(self, where, attributes)
        subchannel.health_checked = self.health_checked
        self.made.append(subchannel)
        return subchannel

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        assert not self._closed, "published after the end"
        self.states.append(state)
        self.picker = picker

    def request_resolution(self) -> None:
        self.resolutions += 1

    def record(self, metric: PolicyMetric, value: float = 1, labels: Any = NO_LABELS) -> None:
        name = metric.name.removeprefix("grpc.lb.")
        self.recorded.append((name, value, dict(labels)) if labels else (name, value))

    # What tests ask

    def start(self, kind: type[Policy], names: str = "", config: Any = None) -> Policy:
        """Make the policy and give it its first update; `config` is JSON, or what `parse_config` returned."""
        self.policy = kind(self)
        self.update(names, config)
        return self.policy

    def update(
        self, names: str | Iterable[Endpoint], config: Any = None, why_empty: str = ""
    ) -> None:
        """Give the policy an update."""
        assert self.policy is not None
        if config is None or isinstance(config, dict):
            config = self.policy.parse_config(config or {})
        servers = endpoints(names) if isinstance(names, str) else tuple(names)
        self.policy.update(Update(servers, config, why_empty))
        self.run()

    def close(self) -> None:
        """Close the policy; nothing may be left of it."""
        assert self.policy is not None
        self.policy.close()
        self._closed = True
        self.run()
        assert self.timers == []
        assert self.open == []

    def run(self) -> None:
        """Do what was posted."""
        if self._running:
            # Whoever runs does it.
            return
        self._running = True
        try:
            while self._posted:
                self._posted.popleft()()
        finally:
            self._running = False

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
            self.run()
        self._now = end

    @property
    def timers(self) -> list[float]:
        """The seconds until what is still going to happen."""
        return sorted(at - self._now for at, _, timer in self._timers if timer.callback is not None)

    @property
    def state(self) -> ChannelConnectivity:
        """What was published last."""
        return self.states[-1]

    @property
    def open(self) -> list[str]:
        """The addresses that have a subchannel."""
        return [str(each.address) for each in self.made if each.state is not SHUTDOWN]

    def __getitem__(self, name: str) -> FakeSubchannel:
        """The subchannel of an address."""
        [found] = [
            each
            for each in self.made
            if each.address == address(name) and each.state is not SHUTDOWN
        ]
        return found

    def said(self) -> list[ChannelConnectivity]:
        """What was published since this was last asked."""
        fresh = self.states[self._said :]
        self._said = len(self.states)
        return fresh

    def pick(self) -> str:
        """Where a call goes: an address, "queue", or what it fails with."""
        answer = self.picker.pick(CALL)
        if isinstance(answer, Picked):
            return str(answer.subchannel.address)
        if isinstance(answer, Fail):
            return answer.outcome.details
        return "queue"

    def picks(self, count: int) -> list[str]:
        """Where so many calls go."""
        return [self.pick() for _ in range(count)]


class Scripted(Policy):
    """A policy that publishes what a test says, for policies that wrap others.

    Its config is `{"name": ...}`; `Scripted.made` has the instances by that name, newest last.
    """

    name = "scripted"
    made: dict[str, list[Scripted]] = {}

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self.updates: list[Update] = []
        self.exits = 0
        self.closed = False

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> Any:
        return dict(config)

    def update(self, update: Update) -> None:
        assert not self.closed
        if not self.updates:
            Scripted.made.setdefault(update.config["name"], []).append(self)
        self.updates.append(update)
        if "says" in update.config:
            self.say(update.config["says"])

    def exit_idle(self) -> None:
        assert not self.closed
        self.exits += 1

    def close(self) -> None:
        assert not self.closed
        self.closed = True

    @property
    def endpoints(self) -> list[str]:
        """The hosts that it has now."""
        return [str(each.addresses[0]) for each in self.updates[-1].endpoints]

    def say(self, state: ChannelConnectivity) -> None:
        """Publish `state`, with a picker that names this policy."""
        name = self.updates[-1].config["name"]
        picker: Picker
        if state is READY:
            subchannel = FakeSubchannel(FakeHelper(), HostPort(name, 1), {})
            picker = FixedPicker(Picked(subchannel))
        elif state is FAILED:
            picker = FixedPicker(unavailable(self.helper, name))
        else:
            picker = QueuePicker()
        self.helper.update_state(state, picker)


class OtherScripted(Scripted):
    """Another policy of the kind."""

    name = "other_scripted"


def scripted(name: str, kind: type[Scripted] = Scripted, **members: Any) -> PolicyConfig:
    """A config for a policy that wraps others."""
    return PolicyConfig(kind, {"name": name, **members})
