"""What a load-balancing policy is, what it is given, and what it answers.

A policy gets endpoints from the resolver and a configuration from the service config. It makes subchannels, follows
their connectivity, and publishes a state and a picker. Each call asks the picker where to go. Rules:

- Everything a policy hears it hears from its channel, one thing after another and never from within a call of its
  own; so policies need no locks. None of it may block.
- A picker is asked once for each attempt of a call, and answers at once from what the policy knew when it made the
  picker. `pick` and `Picked.done` run one at a time, but on the threads that make calls, perhaps while the policy
  runs: they may count, and call `Subchannel.connect`, `Helper.post` and `Helper.random`; they read what the policy
  shares with them in one look, and call nothing else of it, nor of the helper.
- A policy that published IDLE is told to leave it (`exit_idle`) when there is a call.
- A policy that wraps others (priority, outlier detection) is their `Helper` in its turn.
- Time, chance and later work come from the helper, so that tests decide them.

Connectivity is that of https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md; a policy stays
in TRANSIENT_FAILURE until it is READY again (gRFC A62).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.metrics import NO_LABELS, PolicyMetric
from clarion.load_balancing.pick import Picker
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address

__all__ = [
    "Endpoint",
    "Helper",
    "LoadReportWatch",
    "Policy",
    "StateWatcher",
    "Subchannel",
    "Timer",
    "Update",
]

StateWatcher = Callable[[ChannelConnectivity, str], None]
"""Hears a subchannel's state, and in TRANSIENT_FAILURE why."""


class Update(NamedTuple):
    """What a policy is given when the resolver or the service config changed.

    Attributes:
        endpoints: the servers there are now; may be empty.
        config: what the policy's `parse_config` returned.
        why_empty: where there are no endpoints, why: the resolver's error; else "".
    """

    endpoints: Sequence[Endpoint]
    config: Any
    why_empty: str = ""


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """It will not."""


class LoadReportWatch(Protocol):
    """Out-of-band load reports of one server (gRFC A51)."""

    def cancel(self) -> None:
        """Ask for no more of them."""


class Subchannel(Protocol):
    """What a policy has for one address: a connection, or the wish for one.

    It connects when asked, not by itself: IDLE, CONNECTING, READY; TRANSIENT_FAILURE until its backoff is over,
    and then IDLE again (gRFC A61). A connection that ends makes it IDLE.
    """

    @property
    def address(self) -> Address:
        """Where it leads."""

    @property
    def state(self) -> ChannelConnectivity:
        """Its connectivity now."""

    def connect(self) -> None:
        """Connect if IDLE; else nothing happens."""

    def watch(self, watcher: StateWatcher) -> None:
        """Call `watcher(state, why)` on every change of state from now on, not from within this call."""

    def watch_health(self, watcher: StateWatcher) -> None:
        """The same for the state as health checks (gRFC A17) and outlier detection (A50) have it.

        Only a READY connection has a health of its own: CONNECTING until the first answer, READY while the server
        is serving, TRANSIENT_FAILURE while it is not. Without health checks it is the state of `watch`. A policy
        that wants it asks before the subchannel connects, and before it calls `watch`: watchers hear of one change in
        the order in which they asked.
        """

    def watch_load(self, interval: float, watcher: Callable[[Any], None]) -> LoadReportWatch:
        """Call `watcher(report)` with the server's load each `interval` seconds while connected (gRFC A51).

        `report` is a `clarion.load_balancing.LoadReport`.
        """

    def close(self) -> None:
        """The policy needs it no more: calls on it go on, new ones do not start; no watcher hears of it again."""


class Helper(Protocol):
    """What a policy asks of the channel, or of the policy that it is a child of."""

    @property
    def target(self) -> str:
        """The channel's target, for error texts."""

    def now(self) -> float:
        """A monotonic clock in seconds."""

    def random(self) -> float:
        """A number from 0 up to 1; from any thread."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `delay` seconds."""

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` soon, after what is running now; from any thread, so that pickers can ask for things."""

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        """A subchannel for `address`, IDLE; `attributes` are its endpoint's."""

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """From now on calls ask `picker`, and the channel, or the parent, is in `state` as far as it goes by this."""

    def request_resolution(self) -> None:
        """Addresses seem out of date: resolve the name again, when its minimum interval is over."""

    def record(
        self, metric: PolicyMetric, value: float = 1, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        """Tell those who record metrics of the channel (gRFC A79), if anybody does: add `value`, or take it down.

        It never raises, and does next to nothing where nobody records. Not for pickers: they run for each call.
        """


class Policy(ABC):
    """A load-balancing policy; subclass it and `register` the subclass to offer one of your own.

    Args:
        helper: see `Helper`.

    Attributes:
        name: what a service config calls it.
    """

    name: ClassVar[str]

    def __init__(self, helper: Helper) -> None:
        self.helper = helper

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> Any:
        """Check the policy's part of a service config; what it returns comes with each `Update`.

        Args:
            config: the JSON object, `{}` if there is none.

        Raises:
            ConfigError: something in it is wrong; says at which path.
        """
        return config

    @abstractmethod
    def update(self, update: Update) -> None:
        """Endpoints or configuration changed. The first of these comes before anything else."""

    @abstractmethod
    def exit_idle(self) -> None:
        """There is a call, or `channel.get_state(try_to_connect=True)`: connect if IDLE."""

    @abstractmethod
    def close(self) -> None:
        """Close the subchannels, cancel timers, publish nothing more."""
