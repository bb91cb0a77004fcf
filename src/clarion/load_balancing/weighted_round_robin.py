"""weighted_round_robin: calls go to servers by what these say of their load (gRFC A58).

    {"blackoutPeriod": "10s", "errorUtilizationPenalty": 1.0}

A server's weight is the requests that it serves each second, by how busy it is with them: what it could serve. It says
so with each call, or out of band (gRFC A51). Weights are looked at anew each `weightUpdatePeriod`, not for each call.

A server that says nothing, too little, or nothing of late gets calls as the average one; while fewer than two say
anything it is round robin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, duration, flag, number
from clarion.load_balancing.endpoint_sharding import EndpointChild, EndpointSharding
from clarion.load_balancing.load_report import LoadReport
from clarion.load_balancing.metrics import (
    WRR_FALLBACK,
    WRR_NOT_YET_USABLE,
    WRR_STALE,
    WRR_WEIGHTS,
)
from clarion.load_balancing.pick import Done, FixedPicker, Pick, Picked, Picker, PickInfo
from clarion.load_balancing.policy import (
    Endpoint,
    Helper,
    LoadReportWatch,
    Subchannel,
    Timer,
)

__all__ = ["POLICY", "WeightedRoundRobin", "WeightedRoundRobinConfig", "stride_weights"]

_READY = ChannelConnectivity.READY

_SHORTEST_UPDATE_PERIOD = 0.1

# Of the static stride scheduler: the greatest weight, and by how much weights may be above and below the average.
_FULL = 0xFFFF
_MOST_ABOVE = 10.0
_MOST_BELOW = 0.1
_OFFSET = _FULL // 2


class WeightedRoundRobinConfig(NamedTuple):
    """What a service config says of it. Times are seconds.

    Attributes:
        out_of_band: `enableOobLoadReport`: reports come out of band, not with calls.
        reporting_period: `oobReportingPeriod`.
        blackout_period: for how long a server must have reported before that counts.
        expiration_period: `weightExpirationPeriod`: how long a report counts.
        update_period: `weightUpdatePeriod`.
        error_penalty: `errorUtilizationPenalty`: how much the share of failed calls adds to the utilization.
    """

    out_of_band: bool = False
    reporting_period: float = 10.0
    blackout_period: float = 10.0
    expiration_period: float = 180.0
    update_period: float = 1.0
    error_penalty: float = 1.0


class _Weight(NamedTuple):
    """A server's weight, when it last said so, and since when it has; `since` is None where it has to begin again."""

    weight: float
    updated: float
    since: float | None


class _Endpoint(EndpointChild):
    """An endpoint and its weight, which is replaced as a whole: calls and the policy use it at the same time."""

    def __init__(self, parent: WeightedRoundRobin, endpoint: Endpoint) -> None:
        super().__init__(parent, endpoint)
        self._policy_of = parent
        self._weight: _Weight | None = None
        self._watch: LoadReportWatch | None = None
        self._watched: tuple[Subchannel, float] | None = None

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `Helper`."""
        weight = self._weight
        if state is _READY and self.state is not _READY and weight is not None:
            self._weight = weight._replace(since=None)
        if state is not _READY:
            self.watch(None)
        super().update_state(state, picker)

    def close(self) -> None:
        """See `EndpointChild`."""
        self.watch(None)
        super().close()

    def make_picked(self, subchannel: Subchannel) -> Picked:
        """See `EndpointChild`."""
        if self._policy_of.config.out_of_band:
            return Picked(subchannel)
        return Picked(subchannel, self._done, load=True)

    def configure(self, config: WeightedRoundRobinConfig) -> None:
        """Get reports as `config` has it; the endpoint is READY."""
        assert self.subchannel is not None
        assert self.picked is not None
        if self.picked.load is config.out_of_band:
            self.picked = self.make_picked(self.subchannel)
        self.watch((self.subchannel, config.reporting_period) if config.out_of_band else None)

    def watch(self, wanted: tuple[Subchannel, float] | None) -> None:
        """Have out-of-band reports of this subchannel in this period, in place of those before."""
        if wanted == self._watched:
            return
        self._watched = wanted
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
        if wanted is not None:
            subchannel, period = wanted
            self._watch = subchannel.watch_load(period, self._reported)

    def _done(self, done: Done | None) -> None:
        if done is not None and done.load is not None:
            self._reported(done.load)

    def _reported(self, report: LoadReport) -> None:
        config: WeightedRoundRobinConfig = self._policy_of.config
        utilization = report.application_utilization
        if not utilization > 0:
            utilization = report.cpu_utilization
        requests = report.rps_fractional
        if not (utilization > 0 and requests > 0):
            return
        weight = requests / (utilization + report.eps / requests * config.error_penalty)
        if not 0 < weight < math.inf:
            return
        now = self.now()
        since: float | None = now
        before = self._weight
        if before is not None and before.since is not None:
            if now - before.updated < config.expiration_period:
                since = before.since
        self._weight = _Weight(weight, now, since)

    def stale(self, config: WeightedRoundRobinConfig, now: float) -> bool:
        """Whether there was a weight, and it expired."""
        weight = self._weight
        return weight is not None and now - weight.updated >= config.expiration_period

    def weight(self, config: WeightedRoundRobinConfig, now: float) -> float:
        """The weight; 0 if there is none."""
        weight = self._weight
        if weight is None or now - weight.updated >= config.expiration_period:
            return 0.0
        if config.blackout_period > 0:
            if weight.since is None or now - weight.since < config.blackout_period:
                return 0.0
        return weight.weight


class WeightedRoundRobin(EndpointSharding):
    """See the module."""

    name = "weighted_round_robin"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._picker: _StridePicker | None = None
        self._weighed: Sequence[_Endpoint] = ()
        self._timer: Timer | None = None

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> WeightedRoundRobinConfig:
        """See `Policy`."""
        reader = ConfigReader(config)
        defaults = WeightedRoundRobinConfig()

        def seconds(name: str, default: float) -> float:
            found = reader.get(name, duration)
            return default if found is None else found

        penalty = reader.get("errorUtilizationPenalty", number)
        if penalty is None:
            penalty = defaults.error_penalty
        if penalty < 0:
            raise ConfigError("errorUtilizationPenalty", f"must be 0 or more, not {penalty:g}")
        return WeightedRoundRobinConfig(
            out_of_band=reader.get("enableOobLoadReport", flag) or False,
            reporting_period=seconds("oobReportingPeriod", defaults.reporting_period),
            blackout_period=seconds("blackoutPeriod", defaults.blackout_period),
            expiration_period=seconds("weightExpirationPeriod", defaults.expiration_period),
            update_period=max(
                seconds("weightUpdatePeriod", defaults.update_period), _SHORTEST_UPDATE_PERIOD
            ),
            error_penalty=penalty,
        )

    def make_child(self, endpoint: Endpoint) -> EndpointChild:
        """See `EndpointSharding`."""
        return _Endpoint(self, endpoint)

    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        """See `EndpointSharding`."""
        weighed: list[_Endpoint] = []
        answers: list[Picked] = []
        for child in ready:
            assert isinstance(child, _Endpoint)
            child.configure(self.config)
            assert child.picked is not None
            weighed.append(child)
            answers.append(child.picked)
        if len(answers) == 1:
            return FixedPicker(answers[0])
        self._picker = _StridePicker(answers, self.helper.random)
        self._weighed = weighed
        self._weigh()
        return self._picker

    def show(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `EndpointSharding`."""
        if picker is not self._picker:
            self._stop()
        super().show(state, picker)

    def close(self) -> None:
        """See `Policy`."""
        self._stop()
        super().close()

    def _weigh(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        config, now = self.config, self.helper.now()
        assert self._picker is not None
        weights = [child.weight(config, now) for child in self._weighed]
        chosen = self._picker.weights = stride_weights(weights)
        self._record(weights, now, fallback=chosen is None)
        self._timer = self.helper.call_later(config.update_period, self._weigh)

    def _record(self, weights: Sequence[float], now: float, *, fallback: bool) -> None:
        record = self.helper.record
        if fallback:
            record(WRR_FALLBACK)
        stale = sum(child.stale(self.config, now) for child in self._weighed)
        unusable = weights.count(0.0) - stale
        if stale:
            record(WRR_STALE, stale)
        if unusable:
            record(WRR_NOT_YET_USABLE, unusable)
        for weight in weights:
            record(WRR_WEIGHTS, weight)

    def _stop(self) -> None:
        self._picker = None
        self._weighed = ()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


def stride_weights(weights: Sequence[float]) -> Sequence[int] | None:
    """Bring weights into the form that the scheduler needs: whole numbers, the greatest of them 65535.

    Those without a weight (0) get the average. None is more than ten times the average, or less than a tenth of it.

    Returns:
        None if fewer than two have a weight: then there is nothing to compare.
    """
    known = [weight for weight in weights if weight]
    if len(known) < 2:
        return None
    # Not the sum: that of great numbers may be none.
    average = math.fsum(weight / len(known) for weight in known)
    scale = _FULL / min(max(known), average * _MOST_ABOVE)
    middle = max(round(average * scale), 1)
    least = max(math.ceil(middle * _MOST_BELOW), 1)
    return [
        min(max(round(weight * scale), least), _FULL) if weight else middle for weight in weights
    ]


class _StridePicker(Picker):
    """The static stride scheduler: each takes turns as in round robin, and lets those go by that exceed its weight.

    With the greatest weight it takes each turn, with half of it every other one. Offsets keep those of equal weight
    from letting the same turns go by. All there is to keep is the number of the turn.

    Attributes:
        weights: one for each answer, or None: all alike.
    """

    def __init__(self, answers: Sequence[Picked], random: Callable[[], float]) -> None:
        self.weights: Sequence[int] | None = None
        self._answers = answers
        self._turn = int(random() * 2**32)

    def pick(self, info: PickInfo) -> Pick:
        """Go to the next one that takes its turn."""
        answers, weights, turn = self._answers, self.weights, self._turn
        count = len(answers)
        if weights is None:
            self._turn = turn + 1
            return answers[turn % count]
        while True:
            generation, index = divmod(turn, count)
            turn += 1
            weight = weights[index]
            if (weight * generation + index * _OFFSET) % _FULL >= _FULL - weight:
                self._turn = turn
                return answers[index]


POLICY: Final = WeightedRoundRobin
