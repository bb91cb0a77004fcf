"""outlier_detection_experimental: servers that fail more calls than others get none for a while (gRFC A50, A61).

    {"interval": "10s", "failurePercentageEjection": {}, "childPolicy": [{"round_robin": {}}]}

It counts how the calls to each endpoint end. At each interval those that stand out are ejected: the health of their
subchannels (`Subchannel.watch_health`) is TRANSIENT_FAILURE, so the child policy leaves them out, but keeps their
connections. They come back after a time that is longer each time.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.child import ForwardingHelper
from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.metrics import (
    DETECTION_METHOD,
    EJECTIONS_ENFORCED,
    EJECTIONS_UNENFORCED,
    UNENFORCED_REASON,
)
from clarion.load_balancing.outlier_config import OutlierConfig, read_outlier_config
from clarion.load_balancing.pick import Done, Pick, Picked, Picker, PickInfo
from clarion.load_balancing.policy import (
    Helper,
    LoadReportWatch,
    Policy,
    StateWatcher,
    Subchannel,
    Timer,
    Update,
)
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address
from clarion.status import StatusCode

__all__ = ["POLICY", "OutlierDetection"]

_IDLE = ChannelConnectivity.IDLE
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE

_EJECTED = "ejected, because it failed more calls than other servers"


class _Counts:
    """How calls ended in one interval; only ends of calls touch it until the interval is over."""

    __slots__ = ("failures", "successes")

    def __init__(self) -> None:
        self.successes = 0
        self.failures = 0

    @property
    def volume(self) -> int:
        return self.successes + self.failures


class _Endpoint:
    """One endpoint.

    Attributes:
        counts: of this interval.
        past: of the last one.
        ejected_at: since when it is ejected, or None.
        multiplier: how often it was, less the intervals in which it was not.
    """

    __slots__ = ("counts", "ejected_at", "multiplier", "past")

    def __init__(self) -> None:
        self.counts = self.past = _Counts()
        self.ejected_at: float | None = None
        self.multiplier = 0

    def swap(self) -> None:
        """An interval begins."""
        self.past, self.counts = self.counts, _Counts()


class OutlierDetection(Policy):
    """See the module."""

    name = "outlier_detection_experimental"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._config = OutlierConfig(None)
        self._endpoints: dict[frozenset[Address], _Endpoint] = {}
        self._by_address: dict[Address, _Endpoint] = {}
        self._wrapped: set[_Wrapped] = set()
        self._latest: tuple[ChannelConnectivity, Picker] | None = None
        self._started: float | None = None
        self._timer: Timer | None = None
        self._child = GracefulSwitch(_ChildHelper(self))

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> OutlierConfig:
        """See `Policy`."""
        return read_outlier_config(config)

    def update(self, update: Update) -> None:
        """See `Policy`."""
        counting = self._config.counts
        self._config = update.config
        self._take(update.endpoints)
        self._schedule()
        if counting is not self._config.counts and self._latest is not None:
            self.child_changed(*self._latest)
        self._child.update(update._replace(config=self._config.child))

    def _take(self, endpoints: Iterable[Endpoint]) -> None:
        before, self._endpoints = self._endpoints, {}
        self._by_address = {}
        for endpoint in endpoints:
            key = frozenset(endpoint.addresses)
            known = self._endpoints[key] = before.get(key) or _Endpoint()
            self._by_address.update(dict.fromkeys(endpoint.addresses, known))
        for wrapped in list(self._wrapped):
            wrapped.move(self._by_address.get(wrapped.address))

    def _schedule(self) -> None:
        self._stop()
        now = self.helper.now()
        if not self._config.counts:
            self._started = None
            for endpoint in self._endpoints.values():
                endpoint.multiplier = 0
                self._set_ejected(endpoint, None)
            return
        if self._started is None:
            self._started = now
            for endpoint in self._endpoints.values():
                endpoint.swap()
        self._start_timer(self._started + self._config.interval - now)

    def _start_timer(self, delay: float) -> None:
        self._timer = self.helper.call_later(max(delay, 0.0), self._sweep)

    def exit_idle(self) -> None:
        """See `Policy`."""
        self._child.exit_idle()

    def close(self) -> None:
        """See `Policy`."""
        self._stop()
        self._child.close()

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # Of the child

    def child_changed(self, state: ChannelConnectivity, picker: Picker) -> None:
        """The child published something."""
        self._latest = (state, picker)
        self.helper.update_state(state, _OutlierPicker(picker, self._config.counts))

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        """Make what the child takes for a subchannel."""
        subchannel = self.helper.create_subchannel(address, attributes)
        wrapped = _Wrapped(subchannel, self._by_address.get(address), self._wrapped.discard)
        self._wrapped.add(wrapped)
        return wrapped

    # Once in each interval

    def _sweep(self) -> None:
        self._started = now = self.helper.now()
        self._start_timer(self._config.interval)
        for endpoint in self._endpoints.values():
            endpoint.swap()
        self._eject_by_success_rate(now)
        self._eject_by_failure_percentage(now)
        for endpoint in self._endpoints.values():
            if endpoint.ejected_at is None:
                endpoint.multiplier = max(endpoint.multiplier - 1, 0)
            elif now > endpoint.ejected_at + self._config.ejection_time(endpoint.multiplier):
                self._set_ejected(endpoint, None)

    def _eject_by_success_rate(self, now: float) -> None:
        rule = self._config.success_rate
        if rule is None:
            return
        rates = {
            endpoint: endpoint.past.successes / endpoint.past.volume
            for endpoint in self._endpoints.values()
            if endpoint.past.volume >= max(rule.volume, 1)
        }
        if len(rates) < max(rule.hosts, 1):
            return
        mean = statistics.fmean(rates.values())
        least = mean - statistics.pstdev(rates.values(), mean) * rule.threshold
        for endpoint, rate in rates.items():
            if rate < least:
                self._eject(endpoint, now, rule.enforcement, "success_rate")

    def _eject_by_failure_percentage(self, now: float) -> None:
        rule = self._config.failure_percentage
        if rule is None:
            return
        busy = [
            endpoint
            for endpoint in self._endpoints.values()
            if endpoint.past.volume >= max(rule.volume, 1)
        ]
        if len(busy) < rule.hosts:
            return
        for endpoint in busy:
            if 100 * endpoint.past.failures / endpoint.past.volume > rule.threshold:
                self._eject(endpoint, now, rule.enforcement, "failure_percentage")

    def _eject(self, endpoint: _Endpoint, now: float, enforcement: int, method: str) -> None:
        """Eject `endpoint`, unless too many are, or chance is for it; one may always be."""
        ejected = sum(each.ejected_at is not None for each in self._endpoints.values())
        if endpoint.ejected_at is not None:
            # Calls that began before it was.
            return
        if ejected and 100 * ejected / len(self._endpoints) >= self._config.most_ejected:
            self._spare(method, "max_ejection_overflow")
            return
        if int(self.helper.random() * 100) < enforcement:
            endpoint.multiplier += 1
            self.helper.record(EJECTIONS_ENFORCED, 1, {DETECTION_METHOD: method})
            self._set_ejected(endpoint, now)
        else:
            self._spare(method, "enforcement_percentage")

    def _spare(self, method: str, reason: str) -> None:
        """An outlier is not ejected."""
        labels = {DETECTION_METHOD: method, UNENFORCED_REASON: reason}
        self.helper.record(EJECTIONS_UNENFORCED, 1, labels)

    def _set_ejected(self, endpoint: _Endpoint, since: float | None) -> None:
        endpoint.ejected_at = since
        for wrapped in list(self._wrapped):
            if wrapped.endpoint is endpoint:
                wrapped.show()


class _ChildHelper(ForwardingHelper):
    def __init__(self, parent: OutlierDetection) -> None:
        super().__init__(parent.helper)
        self._parent = parent

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        return self._parent.create_subchannel(address, attributes)

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        self._parent.child_changed(state, picker)


class _Wrapped:
    """A subchannel whose health may be worse than it says itself.

    Args:
        subchannel: the channel's.
        endpoint: whose address it has, or None if there is no such endpoint any more.
        closed: called with this object when it is closed.

    Attributes:
        subchannel, endpoint: see above.
        answer: what the child picked last, for which endpoint that counts, and what it is to the channel.
    """

    def __init__(
        self,
        subchannel: Subchannel,
        endpoint: _Endpoint | None,
        closed: Callable[[_Wrapped], None],
    ) -> None:
        self.subchannel = subchannel
        self.endpoint = endpoint
        self.answer: tuple[Picked, _Endpoint | None, Picked] | None = None
        self._closed = closed
        self._watchers: list[StateWatcher] = []
        # What it says itself, and what the watchers heard last.
        self._said: tuple[ChannelConnectivity, str] = (_IDLE, "")
        self._shown = self._said

    # Outlier detection

    def move(self, endpoint: _Endpoint | None) -> None:
        """Its address is another endpoint's now, or nobody's."""
        if endpoint is not self.endpoint:
            self.endpoint = endpoint
            self.show()

    def show(self) -> None:
        """Tell the watchers what the health is, if that is news."""
        state, why = self._said
        ejected = self.endpoint is not None and self.endpoint.ejected_at is not None
        # Without a connection there is no health.
        if ejected and state is not _IDLE:
            state, why = _TRANSIENT_FAILURE, _EJECTED
        if (state, why) != self._shown:
            self._shown = state, why
            for watcher in list(self._watchers):
                watcher(state, why)

    def _health_changed(self, state: ChannelConnectivity, why: str) -> None:
        self._said = (state, why)
        self.show()

    # Subchannel

    @property
    def address(self) -> Address:
        return self.subchannel.address

    @property
    def state(self) -> ChannelConnectivity:
        return self.subchannel.state

    def connect(self) -> None:
        self.subchannel.connect()

    def watch(self, watcher: StateWatcher) -> None:
        self.subchannel.watch(watcher)

    def watch_health(self, watcher: StateWatcher) -> None:
        if not self._watchers:
            self.subchannel.watch_health(self._health_changed)
        self._watchers.append(watcher)

    def watch_load(self, interval: float, watcher: Callable[[Any], None]) -> LoadReportWatch:
        return self.subchannel.watch_load(interval, watcher)

    def close(self) -> None:
        self._watchers.clear()
        self._closed(self)
        self.subchannel.close()


class _OutlierPicker(Picker):
    """The child's picker, with subchannels as the channel knows them, and counters."""

    def __init__(self, picker: Picker, counts: bool) -> None:
        self._picker = picker
        self._counts = counts
        only = picker.only
        if not counts and isinstance(only, _Wrapped):
            self.only = only.subchannel

    def pick(self, info: PickInfo) -> Pick:
        """Ask the child."""
        answer = self._picker.pick(info)
        if not isinstance(answer, Picked):
            return answer
        wrapped = answer.subchannel
        assert isinstance(wrapped, _Wrapped)
        endpoint = wrapped.endpoint if self._counts else None
        known = wrapped.answer
        # Policies make their answers once, so this one may be known.
        if known is None or known[0] is not answer or known[1] is not endpoint:
            done = answer.done if endpoint is None else _counting(endpoint, answer.done)
            picked = Picked(wrapped.subchannel, done, load=answer.load, metadata=answer.metadata)
            known = wrapped.answer = (answer, endpoint, picked)
        return known[2]


def _counting(
    endpoint: _Endpoint, further: Callable[[Done | None], None] | None
) -> Callable[[Done | None], None]:
    def done(done: Done | None) -> None:
        if done is not None:
            counts = endpoint.counts
            if done.outcome.code is StatusCode.OK:
                counts.successes += 1
            else:
                counts.failures += 1
        if further is not None:
            further(done)

    return done


POLICY: Final = OutlierDetection
