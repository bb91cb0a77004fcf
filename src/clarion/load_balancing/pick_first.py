"""pick_first: one connection, to the first address that answers (gRFC A62), by happy eyeballs (gRFC A61).

    (first update) ──> CONNECTING ──(one is READY)──> READY ──(it is lost)──> IDLE
                         │    ^                         ^                       │
                 (all failed) └─────────────────────────┼───────(exit_idle)─────┘
                         v                              │
                 TRANSIENT_FAILURE ──(one is READY)─────┘

- A pass tries the addresses in order, the next one as soon as one failed or did not answer for a while; those that
  were begun go on. The first that is READY wins, the others are closed.
- When each failed once, the pass is over: TRANSIENT_FAILURE until one is READY, whatever the addresses are meanwhile.
  From then on all of them connect whenever their backoff allows.
- A connection that is lost is not replaced before somebody asks.

It is also what policies with many servers use for each of them. These tell it to publish the health of its connection
(gRFC A17, A50) in place of its connectivity, by which it goes itself all the same.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.config_reader import ConfigReader, flag
from clarion.load_balancing.metrics import (
    PICK_FIRST_DISCONNECTIONS,
    PICK_FIRST_FAILED,
    PICK_FIRST_SUCCEEDED,
)
from clarion.load_balancing.pick import FixedPicker, Picked, Picker, QueuePicker
from clarion.load_balancing.policy import Endpoint, Helper, Policy, Subchannel, Timer, Update
from clarion.load_balancing.unavailable import unavailable
from clarion.resolver.target import Address, HostPort

__all__ = ["ATTEMPT_DELAY", "POLICY", "PickFirst", "PickFirstConfig"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE

# Seconds. RFC 8305 section 5 recommends it: longer than most handshakes, shorter than people notice.
ATTEMPT_DELAY: Final = 0.25


@dataclass(frozen=True)
class PickFirstConfig:
    """What a service config says of pick_first.

    Attributes:
        shuffle: `shuffleAddressList`: bring the endpoints into an order of chance (gRFC A62), in which those of a
            greater `weight` tend to come first (gRFC A113).
        health: publish the connection's health. No service config can say so; policies with many servers do.
    """

    shuffle: bool = False
    health: bool = False


class PickFirst(Policy):
    """See the module.

    Attributes:
        failures: in TRANSIENT_FAILURE, what went wrong, as `unavailable` takes it.
    """

    name = "pick_first"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self.failures = ""
        # What was published; None before the first update, and after `close`.
        self._state: ChannelConnectivity | None = None
        self._latest: object = None
        self._health = False
        self._order: dict[Address, Mapping[str, Any]] = {}
        self._attempts: dict[Address, _Attempt] = {}
        self._selected: _Attempt | None = None
        # Of the pass: those whose turn is still to come, the one whose turn it is, and how many failed. After the
        # pass, how many failures there were since resolution was last asked for.
        self._untried: deque[_Attempt] = deque()
        self._current: _Attempt | None = None
        self._timer: Timer | None = None
        self._failed = 0
        self._pass_over = False

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> PickFirstConfig:
        """See `Policy`."""
        return PickFirstConfig(
            shuffle=ConfigReader(config).get("shuffleAddressList", flag) or False
        )

    def update(self, update: Update) -> None:
        """See `Policy`."""
        latest = (tuple(update.endpoints), update.config)
        if latest == self._latest and self._order:
            # Resolvers repeat themselves; that begins no pass.
            return
        self._latest = latest
        self._health = update.config.health
        endpoints = update.endpoints
        if update.config.shuffle:
            endpoints = _shuffled(endpoints, self.helper.random)
        self._order = _in_order(endpoints)
        if not self._order:
            self._stop()
            self._fail(update.why_empty or "the name has no addresses")
            self.helper.request_resolution()
        elif self._selected is not None and self._selected.subchannel.address in self._order:
            return
        elif self._state is not _IDLE:
            self._begin()

    def exit_idle(self) -> None:
        """See `Policy`."""
        if self._state is _IDLE:
            self._begin()

    def close(self) -> None:
        """See `Policy`."""
        self._stop()
        self._state = None

    # The pass

    def _begin(self) -> None:
        self._stop_pass()
        self._selected = None
        before, self._attempts = self._attempts, {}
        for address, attributes in self._order.items():
            attempt = before.pop(address, None)
            if attempt is None:
                attempt = self._attempt(address, attributes)
            self._attempts[address] = attempt
        for attempt in before.values():
            attempt.subchannel.close()
        for attempt in self._attempts.values():
            attempt.wanted = False
        self._failed = 0
        self._pass_over = False
        if self._state is not _TRANSIENT_FAILURE:
            self._connecting()
        for attempt in self._attempts.values():
            if attempt.state is _READY:
                self._select(attempt)
                return
        self._untried.extend(self._attempts.values())
        self._try_next()

    def _attempt(self, address: Address, attributes: Mapping[str, Any]) -> _Attempt:
        attempt = _Attempt(self.helper.create_subchannel(address, attributes))
        if self._health:
            # Before the other, so that a connection which is both READY and well shows as READY at once.
            attempt.subchannel.watch_health(functools.partial(self._health_changed, attempt))
        attempt.subchannel.watch(functools.partial(self._changed, attempt))
        return attempt

    def _try_next(self) -> None:
        self._stop_timer()
        self._current = None
        while self._untried:
            attempt = self._untried.popleft()
            if attempt.state is _TRANSIENT_FAILURE:
                # It waits after a failure that was not long ago: that counts.
                self._failed += 1
                continue
            self._current = attempt
            attempt.wanted = True
            if attempt.state is _IDLE:
                attempt.subchannel.connect()
            if self._untried:
                self._timer = self.helper.call_later(ATTEMPT_DELAY, self._try_next)
            return
        self._check_all_failed()

    def _check_all_failed(self) -> None:
        if self._failed < len(self._attempts):
            return
        self._failed = 0
        self._pass_over = True
        self._fail("; ".join(f"{address}: {at.why}" for address, at in self._attempts.items()))
        self.helper.request_resolution()
        for attempt in self._attempts.values():
            attempt.wanted = True
            if attempt.state is _IDLE:
                attempt.subchannel.connect()

    # What subchannels say

    def _changed(self, attempt: _Attempt, state: ChannelConnectivity, why: str) -> None:
        attempt.state = state
        if state is _TRANSIENT_FAILURE:
            attempt.why = why
            self.helper.record(PICK_FIRST_FAILED)
        if attempt is self._selected:
            self._selected = None
            self.helper.record(PICK_FIRST_DISCONNECTIONS)
            if state is _IDLE:
                self._publish(_IDLE, QueuePicker())
            else:
                # gRFC A105: another connection to the address was being made, or could not be made.
                self._begin()
            self.helper.request_resolution()
        elif state is _READY:
            self.helper.record(PICK_FIRST_SUCCEEDED)
            self._select(attempt)
        elif not attempt.wanted:
            return
        elif state is _TRANSIENT_FAILURE:
            # During a pass each is tried once.
            attempt.wanted = self._pass_over
            self._failed += 1
            if attempt is self._current:
                self._try_next()
            else:
                self._check_all_failed()
        elif state is _IDLE:
            attempt.subchannel.connect()

    def _select(self, attempt: _Attempt) -> None:
        self._stop_pass()
        for other in self._attempts.values():
            if other is not attempt:
                other.subchannel.close()
        self._attempts = {attempt.subchannel.address: attempt}
        self._selected = attempt
        attempt.wanted = False
        if self._health:
            self._show_health(attempt)
        else:
            self._publish(_READY, FixedPicker(Picked(attempt.subchannel)))

    def _health_changed(self, attempt: _Attempt, state: ChannelConnectivity, why: str) -> None:
        attempt.health = state
        attempt.sickness = why
        # A connection that is lost has no health; the other watcher hears of it.
        if attempt is self._selected and state is not _IDLE:
            self._show_health(attempt)

    def _show_health(self, attempt: _Attempt) -> None:
        if attempt.health is _READY:
            self._publish(_READY, FixedPicker(Picked(attempt.subchannel)))
        elif attempt.health is _TRANSIENT_FAILURE:
            self._fail(f"{attempt.subchannel.address}: {attempt.sickness}")
        else:
            self._connecting()

    # What the channel hears

    def _publish(self, state: ChannelConnectivity, picker: Picker) -> None:
        self._state = state
        self.helper.update_state(state, picker)

    def _connecting(self) -> None:
        if self._state is not _CONNECTING:
            self._publish(_CONNECTING, QueuePicker())

    def _fail(self, failures: str) -> None:
        self.failures = failures
        self._publish(_TRANSIENT_FAILURE, FixedPicker(unavailable(self.helper, failures)))

    # Stopping

    def _stop(self) -> None:
        self._stop_pass()
        self._selected = None
        attempts, self._attempts = self._attempts, {}
        for attempt in attempts.values():
            attempt.subchannel.close()

    def _stop_pass(self) -> None:
        self._stop_timer()
        self._untried.clear()
        self._current = None

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class _Attempt:
    """One address.

    Attributes:
        subchannel: of the address.
        state: what its watcher heard last; the policy goes by this, so that it acts on one event at a time.
        why: what went wrong the last time it failed.
        health, sickness: the same of its health, if that is watched.
        wanted: it should connect when IDLE, and its failures count.
    """

    __slots__ = ("health", "sickness", "state", "subchannel", "wanted", "why")

    def __init__(self, subchannel: Subchannel) -> None:
        self.subchannel = subchannel
        self.state = subchannel.state
        self.why = "it failed not long ago, and waits"
        self.health = _CONNECTING
        self.sickness = ""
        self.wanted = False


def _shuffled(endpoints: Sequence[Endpoint], random: Callable[[], float]) -> list[Endpoint]:
    """Weighted random sampling (Efraimidis and Spirakis), as gRFC A113 has it; all weights alike make it a shuffle."""
    keys = [random() ** (1 / endpoint.attributes.get("weight", 1)) for endpoint in endpoints]
    order = sorted(range(len(endpoints)), key=keys.__getitem__, reverse=True)
    return [endpoints[index] for index in order]


def _in_order(endpoints: Sequence[Endpoint]) -> dict[Address, Mapping[str, Any]]:
    """All addresses once, those of different families taking turns (RFC 8305 section 4), with their attributes."""
    addresses: dict[Address, Mapping[str, Any]] = {}
    for endpoint in endpoints:
        for address in endpoint.addresses:
            addresses.setdefault(address, endpoint.attributes)
    families: dict[str, list[Address]] = {}
    for address in addresses:
        families.setdefault(_family(address), []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return {address: addresses[address] for address in turns if address is not None}


def _family(address: Address) -> str:
    if isinstance(address, HostPort):
        return "IPv6" if ":" in address.host else "IPv4"
    return type(address).__name__


POLICY: Final = PickFirst
