"""weighted_round_robin: turns by what servers say of their load (gRFC A58)."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from clarion.load_balancing import ConfigError, Done, Picked
from clarion.load_balancing.load_report import LoadReport
from clarion.load_balancing.registry import find_policy
from clarion.load_balancing.weighted_round_robin import (
    WeightedRoundRobin,
    WeightedRoundRobinConfig,
    stride_weights,
)
from clarion.protocol.outcome import OK
from support.load_balancing import CALL, CONNECTING, FAILED, IDLE, READY, FakeHelper

NO_BLACKOUT = {"blackoutPeriod": "0s"}


def ready(helper: FakeHelper, names: str, config: Any = None) -> None:
    """All these servers are READY."""
    helper.start(WeightedRoundRobin, names, config)
    for name in names.split():
        helper[name].accept()


def report(helper: FakeHelper, **loads: LoadReport | float | None) -> None:
    """Let one call to each of these servers end, with a report; a number is the weight that it comes to."""
    left = {f"{name}:1": load for name, load in loads.items()}
    for _ in range(1000):
        answer = helper.picker.pick(CALL)
        assert isinstance(answer, Picked)
        where = str(answer.subchannel.address)
        if where in left:
            load = left.pop(where)
            assert answer.load
            assert answer.done is not None
            answer.done(None)
            if not isinstance(load, LoadReport) and load is not None:
                load = LoadReport(cpu_utilization=0.5, rps_fractional=load / 2)
            answer.done(Done(OK, True, load))
            if not left:
                return
    raise AssertionError(f"no calls went to {left}")


def shares(helper: FakeHelper, count: int = 3000) -> dict[str, float]:
    """What part of the calls goes where, by the name's first letter."""
    seen = Counter(helper.picks(count))
    return {name[0]: round(seen[name] / count, 2) for name in sorted(seen)}


# The config


def test_config() -> None:
    assert find_policy("weighted_round_robin") is WeightedRoundRobin
    assert WeightedRoundRobin.parse_config({}) == WeightedRoundRobinConfig(
        False, 10.0, 10.0, 180.0, 1.0, 1.0
    )
    full = {
        "enableOobLoadReport": True,
        "oobReportingPeriod": "3s",
        "blackoutPeriod": "0s",
        "weightExpirationPeriod": "4s",
        "weightUpdatePeriod": "0.01s",
        "errorUtilizationPenalty": 0,
    }
    assert WeightedRoundRobin.parse_config(full) == WeightedRoundRobinConfig(
        True, 3.0, 0.0, 4.0, 0.1, 0.0
    )


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"errorUtilizationPenalty": -1}, "errorUtilizationPenalty"),
        ({"blackoutPeriod": 10}, "blackoutPeriod"),
        ({"enableOobLoadReport": "yes"}, "enableOobLoadReport"),
    ],
)
def test_config_errors(config: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WeightedRoundRobin.parse_config(config)
    assert caught.value.path == path


# Weights


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([], None),
        ([0.0, 0.0, 0.0], None),
        ([0.0, 5.0, 0.0], None),
        ([1.0, 1.0], [65535, 65535]),
        ([1.0, 2.0], [32768, 65535]),
        # The average for those that said nothing.
        ([1.0, 0.0, 3.0], [21845, 43690, 65535]),
        # A tenth of the average at least, and ten times it at most.
        ([1e-9, 1.0, 1.0], [4369, 65535, 65535]),
        ([1.0] * 19 + [1e9], [656] * 19 + [65535]),
        ([1e308, 1e308, 1e308], [65535] * 3),
    ],
)
def test_stride_weights(weights: list[float], expected: list[int] | None) -> None:
    assert stride_weights(weights) == expected


def test_until_two_servers_have_a_weight_all_take_turns(helper: FakeHelper) -> None:
    ready(helper, "a b c", NO_BLACKOUT)
    assert helper.picks(4) == "a:1 b:1 c:1 a:1".split()
    report(helper, a=5.0)
    helper.advance(1)
    assert shares(helper) == {"a": 0.33, "b": 0.33, "c": 0.33}


def test_calls_go_by_weight(helper: FakeHelper) -> None:
    ready(helper, "a b c", NO_BLACKOUT)
    report(helper, a=1.0, b=2.0)
    assert shares(helper) == {"a": 0.33, "b": 0.33, "c": 0.33}
    helper.advance(1)
    # c has the average.
    assert shares(helper) == {"a": 0.22, "b": 0.44, "c": 0.33}
    report(helper, c=5.0)
    helper.advance(1)
    assert shares(helper) == {"a": 0.12, "b": 0.25, "c": 0.62}
    helper.close()


def test_turns_mix(helper: FakeHelper) -> None:
    ready(helper, "a b", NO_BLACKOUT)
    report(helper, a=1.0, b=3.0)
    helper.advance(1)
    picks = "".join(where[0] for where in helper.picks(400))
    assert "aa" not in picks
    assert "bbbb" not in picks


@pytest.mark.parametrize(
    ("load", "weight"),
    [
        (LoadReport(cpu_utilization=0.5, rps_fractional=100), 200),
        (LoadReport(cpu_utilization=0.9, application_utilization=0.5, rps_fractional=100), 200),
        (LoadReport(cpu_utilization=0.5, rps_fractional=100, eps=50), 100),
        (LoadReport(rps_fractional=100), 0),
        (LoadReport(cpu_utilization=0.5), 0),
        (LoadReport(cpu_utilization=-1.0, rps_fractional=100), 0),
        (LoadReport(cpu_utilization=math.nan, rps_fractional=100), 0),
        (LoadReport(cpu_utilization=0.5, rps_fractional=math.inf), 0),
        (LoadReport(cpu_utilization=1e-300, rps_fractional=1e300), 0),
        (LoadReport(cpu_utilization=0.5, rps_fractional=100, eps=-1e9), 0),
        (None, 0),
    ],
)
def test_what_a_report_comes_to(helper: FakeHelper, load: LoadReport | None, weight: float) -> None:
    ready(helper, "a b c", NO_BLACKOUT)
    report(helper, a=load, b=100.0, c=100.0)
    helper.advance(1)
    expected = (weight or 100) / ((weight or 100) + 200)
    assert shares(helper)["a"] == pytest.approx(expected, abs=0.02)


def test_errors_weigh_as_the_config_says(helper: FakeHelper) -> None:
    ready(helper, "a b", {**NO_BLACKOUT, "errorUtilizationPenalty": 3})
    report(helper, a=LoadReport(cpu_utilization=0.5, rps_fractional=100, eps=50), b=50.0)
    helper.advance(1)
    assert shares(helper) == {"a": 0.5, "b": 0.5}


# Time


def test_blackout(helper: FakeHelper) -> None:
    ready(helper, "a b")
    for _ in range(10):
        assert shares(helper) == {"a": 0.5, "b": 0.5}
        report(helper, a=1.0, b=3.0)
        helper.advance(1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_a_connection_that_is_lost_begins_another_blackout(helper: FakeHelper) -> None:
    ready(helper, "a b")
    report(helper, a=1.0, b=3.0)
    helper.advance(10)
    assert shares(helper) == {"a": 0.25, "b": 0.75}
    helper["a"].lose()
    assert helper.picks(3) == ["b:1"] * 3
    helper["a"].accept()
    assert shares(helper) == {"a": 0.5, "b": 0.5}
    report(helper, a=1.0)
    helper.advance(9)
    assert shares(helper) == {"a": 0.5, "b": 0.5}
    helper.advance(1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_reports_expire(helper: FakeHelper) -> None:
    ready(helper, "a b", {"weightExpirationPeriod": "20s"})
    report(helper, a=1.0, b=3.0)
    helper.advance(19)
    assert shares(helper) == {"a": 0.25, "b": 0.75}
    helper.advance(1)
    assert shares(helper) == {"a": 0.5, "b": 0.5}
    report(helper, a=1.0, b=3.0)
    helper.advance(9)
    assert shares(helper) == {"a": 0.5, "b": 0.5}
    helper.advance(1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_weights_are_looked_at_in_their_own_time(helper: FakeHelper) -> None:
    ready(helper, "a b", {**NO_BLACKOUT, "weightUpdatePeriod": "5s"})
    report(helper, a=1.0, b=3.0)
    helper.advance(4.9)
    assert shares(helper) == {"a": 0.5, "b": 0.5}
    helper.advance(0.1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}
    assert helper.timers == [5.0]


def test_weights_outlive_pickers(helper: FakeHelper) -> None:
    ready(helper, "a b c", NO_BLACKOUT)
    report(helper, a=1.0, b=3.0)
    helper["c"].lose()
    assert shares(helper) == {"a": 0.25, "b": 0.75}
    helper.update("b a", NO_BLACKOUT)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_nothing_is_weighed_where_there_is_no_choice(helper: FakeHelper) -> None:
    ready(helper, "a b", NO_BLACKOUT)
    assert len(helper.timers) == 1
    helper["b"].lose()
    assert helper.timers == []
    assert helper.state is READY
    # It reports all the same: there may be a choice again.
    report(helper, a=1.0)
    helper["a"].lose()
    assert helper.state is CONNECTING
    helper["a"].refuse()
    helper["b"].refuse()
    assert helper.state is FAILED
    assert helper.timers == []
    helper.close()


# Out of band


def watches(helper: FakeHelper, name: str) -> list[float]:
    """The intervals of the reports that are asked for."""
    return [each.interval for each in helper[name].load_watches if not each.cancelled]


def test_out_of_band(helper: FakeHelper) -> None:
    config = {**NO_BLACKOUT, "enableOobLoadReport": True}
    ready(helper, "a b", config)
    assert watches(helper, "a") == watches(helper, "b") == [10.0]
    answer = helper.picker.pick(CALL)
    assert isinstance(answer, Picked)
    assert answer.done is None
    helper["a"].load_watches[0].report(LoadReport(cpu_utilization=1.0, rps_fractional=1.0))
    helper["b"].load_watches[0].report(LoadReport(cpu_utilization=1.0, rps_fractional=3.0))
    helper.advance(1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_the_config_may_change_its_mind(helper: FakeHelper) -> None:
    ready(helper, "a b", {"enableOobLoadReport": True})
    helper.update("a b", {"enableOobLoadReport": True})
    assert len(helper["a"].load_watches) == 1
    helper.update("a b", {"enableOobLoadReport": True, "oobReportingPeriod": "2s"})
    assert watches(helper, "a") == [2.0]
    helper.update("a b", NO_BLACKOUT)
    assert watches(helper, "a") == []
    report(helper, a=1.0, b=3.0)
    helper.advance(1)
    assert shares(helper) == {"a": 0.25, "b": 0.75}


def test_a_single_server_out_of_band_has_all_calls_without_being_asked(helper: FakeHelper) -> None:
    ready(helper, "a", {"enableOobLoadReport": True})
    assert helper.picker.only is helper["a"]
    assert watches(helper, "a") == [10.0]


def test_reports_are_asked_of_each_connection_anew(helper: FakeHelper) -> None:
    ready(helper, "a b", {"enableOobLoadReport": True})
    helper["a"].lose()
    assert helper["a"].state is not IDLE
    assert watches(helper, "a") == []
    helper["a"].accept()
    assert watches(helper, "a") == [10.0]
    [first] = [each for each in helper.made if str(each.address) == "b:1"]
    helper.update("a", {"enableOobLoadReport": True})
    assert all(each.cancelled for each in first.load_watches)
    helper.close()
