"""outlier_detection: servers that fail more calls than others get none for a while (gRFC A50)."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.load_balancing import ConfigError, Done, Picked
from clarion.load_balancing.outlier_config import EjectionRule, OutlierConfig
from clarion.load_balancing.outlier_detection import OutlierDetection
from clarion.load_balancing.registry import PolicyConfig, find_policy
from clarion.load_balancing.round_robin import RoundRobin
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from support.load_balancing import (
    CALL,
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    FakeHelper,
    Scripted,
    endpoint,
    scripted,
)

ROUND_ROBIN = [{"round_robin": {}}]
BAD = Outcome(StatusCode.INTERNAL, "no")
EJECTED = "ejected, because it failed more calls than other servers"


def config(**members: Any) -> dict[str, Any]:
    """A config whose rules need few calls."""
    return {"childPolicy": ROUND_ROBIN, **members}


def by_failures(**members: Any) -> dict[str, Any]:
    rule = {"threshold": 50, "minimumHosts": 1, "requestVolume": 4}
    return config(failurePercentageEjection=rule, maxEjectionPercent=100, **members)


def by_success(**members: Any) -> dict[str, Any]:
    rule = {"stdevFactor": 1000, "minimumHosts": 3, "requestVolume": 4}
    return config(successRateEjection=rule, maxEjectionPercent=100, **members)


def start(helper: FakeHelper, names: str, settings: dict[str, Any]) -> None:
    """All these servers are READY."""
    helper.start(OutlierDetection, names, settings)
    for each in names.split():
        helper[each].accept()


def calls(helper: FakeHelper, failures: str, count: int = 4) -> None:
    """As many calls to each server; those to the servers in `failures` fail."""
    seen: dict[str, int] = {}
    for _ in range(count * len(helper.open)):
        answer = helper.picker.pick(CALL)
        assert isinstance(answer, Picked)
        assert answer.done is not None
        name = str(answer.subchannel.address)[0]
        seen[name] = seen.get(name, 0) + 1
        answer.done(Done(BAD if name in failures else OK, True, None))


def used(helper: FakeHelper) -> str:
    """Whom calls go to."""
    return "".join(sorted({where[0] for where in helper.picks(20)}))


# The config


def test_config() -> None:
    assert find_policy("outlier_detection_experimental") is OutlierDetection
    child = PolicyConfig(RoundRobin, None)
    parsed = OutlierDetection.parse_config(config())
    assert parsed == OutlierConfig(child, 10.0, 30.0, 300.0, 10, None, None)
    assert not parsed.counts
    parsed = OutlierDetection.parse_config(
        config(successRateEjection={}, failurePercentageEjection={})
    )
    assert parsed.success_rate == EjectionRule(1.9, 100, 5, 100)
    assert parsed.failure_percentage == EjectionRule(85, 100, 5, 50)
    parsed = OutlierDetection.parse_config(
        config(
            interval="1s",
            baseEjectionTime="2s",
            maxEjectionTime="3s",
            maxEjectionPercent=0,
            successRateEjection={
                "stdevFactor": 500,
                "enforcementPercentage": 0,
                "minimumHosts": 2,
                "requestVolume": 3,
            },
        )
    )
    rule = EjectionRule(0.5, 0, 2, 3)
    assert parsed == OutlierConfig(child, 1.0, 2.0, 3.0, 0, rule, None)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"childPolicy": None}, "childPolicy"),
        ({"interval": "-1s"}, "interval"),
        ({"maxEjectionPercent": 101}, "maxEjectionPercent"),
        (
            {"successRateEjection": {"enforcementPercentage": 101}},
            "successRateEjection.enforcementPercentage",
        ),
        (
            {"failurePercentageEjection": {"threshold": 101}},
            "failurePercentageEjection.threshold",
        ),
        ({"failurePercentageEjection": 5}, "failurePercentageEjection"),
    ],
)
def test_config_errors(members: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OutlierDetection.parse_config(config(**members))
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("base", "most", "times"),
    [(30, 300, [30, 60, 90, 300]), (30, 40, [30, 40, 40, 40]), (30, 10, [30, 30, 30, 30])],
)
def test_ejection_time(base: float, most: float, times: list[float]) -> None:
    parsed = OutlierConfig(None, base_time=base, most_time=most)
    assert [parsed.ejection_time(count) for count in (1, 2, 3, 20)] == times


# Ejection


def test_by_failures(helper: FakeHelper) -> None:
    start(helper, "a b c", by_failures())
    calls(helper, "b")
    assert used(helper) == "abc"
    helper.advance(10)
    assert used(helper) == "ac"
    # It keeps its connection, and comes back.
    assert helper["b"].state is READY
    helper.advance(30)
    assert used(helper) == "ac"
    helper.advance(10)
    assert used(helper) == "abc"
    helper.close()


def test_each_time_it_takes_longer(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures(baseEjectionTime="10s", maxEjectionTime="30s"))
    for times in (1, 2, 3, 3):
        calls(helper, "b")
        helper.advance(10)
        assert used(helper) == "a"
        helper.advance(10 * times)
        assert used(helper) == "a"
        helper.advance(10)
        assert used(helper) == "ab"


def test_good_intervals_are_counted_in_its_favour(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures(baseEjectionTime="10s"))
    calls(helper, "b")
    helper.advance(30)
    assert used(helper) == "ab"
    helper.advance(10)
    calls(helper, "b")
    helper.advance(20)
    assert used(helper) == "a"
    helper.advance(10)
    assert used(helper) == "ab"


@pytest.mark.parametrize(
    ("failing", "expected"), [("", "abcd"), ("a", "bcd"), ("ab", "abcd"), ("abcd", "abcd")]
)
def test_by_success_rate(helper: FakeHelper, failing: str, expected: str) -> None:
    """Those more than one standard deviation below the mean."""
    start(helper, "a b c d", by_success())
    calls(helper, failing)
    helper.advance(10)
    assert used(helper) == expected


def test_both_rules_eject_once(helper: FakeHelper) -> None:
    rules = by_success() | by_failures()
    start(helper, "a b c d", {**rules, "baseEjectionTime": "10s"})
    calls(helper, "a")
    helper.advance(10)
    assert used(helper) == "bcd"
    helper.advance(20)
    assert used(helper) == "abcd"


@pytest.mark.parametrize(
    ("members", "failing", "calling"),
    [
        # Too few servers with enough calls.
        ({"successRateEjection": {"minimumHosts": 5, "requestVolume": 4}}, "a", 4),
        ({"failurePercentageEjection": {"minimumHosts": 5, "requestVolume": 4}}, "a", 4),
        # Too few calls.
        ({"successRateEjection": {"minimumHosts": 0, "requestVolume": 5}}, "a", 4),
        ({"failurePercentageEjection": {"minimumHosts": 0, "requestVolume": 5}}, "a", 4),
        # None at all.
        ({"successRateEjection": {"minimumHosts": 0, "requestVolume": 0}}, "a", 0),
        ({"failurePercentageEjection": {"minimumHosts": 0, "requestVolume": 0}}, "a", 0),
        # Not more than the threshold.
        (
            {
                "failurePercentageEjection": {
                    "threshold": 100,
                    "minimumHosts": 1,
                    "requestVolume": 1,
                }
            },
            "a",
            4,
        ),
    ],
)
def test_nobody_is_ejected(
    helper: FakeHelper, members: dict[str, Any], failing: str, calling: int
) -> None:
    start(helper, "a b c d", config(**members))
    calls(helper, failing, calling)
    helper.advance(10)
    assert used(helper) == "abcd"


@pytest.mark.parametrize(
    ("percent", "count"), [(0, 1), (10, 1), (25, 1), (26, 2), (50, 2), (100, 4)]
)
def test_not_too_many(helper: FakeHelper, percent: int, count: int) -> None:
    start(helper, "a b c d", {**by_failures(), "maxEjectionPercent": percent})
    calls(helper, "abcd")
    helper.advance(10)
    assert helper.state is (FAILED if count == 4 else READY)
    assert count == 4 or len(used(helper)) == 4 - count


@pytest.mark.parametrize(("chance", "expected"), [(0.59, "b"), (0.6, "ab")])
def test_enforcement(helper: FakeHelper, chance: float, expected: str) -> None:
    settings = by_failures()
    settings["failurePercentageEjection"]["enforcementPercentage"] = 60
    start(helper, "a b", settings)
    calls(helper, "a")
    helper.chances.append(chance)
    helper.advance(10)
    assert used(helper) == expected


def test_when_all_are_ejected_calls_are_told(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "ab")
    helper.advance(10)
    assert helper.pick() == FAILED_TEXT + f"a:1: {EJECTED}; b:1: {EJECTED}"


def test_only_calls_of_the_last_interval_count(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a", 3)
    helper.advance(10)
    calls(helper, "a", 3)
    helper.advance(10)
    assert used(helper) == "ab"


def test_a_pick_that_came_to_nothing_is_no_call(helper: FakeHelper) -> None:
    start(helper, "a", by_failures())
    for _ in range(10):
        answer = helper.picker.pick(CALL)
        assert isinstance(answer, Picked)
        assert answer.done is not None
        answer.done(None)
    helper.advance(10)
    assert helper.state is READY


def test_calls_to_all_addresses_count_for_the_endpoint(helper: FakeHelper) -> None:
    helper.start(OutlierDetection, "a+a:2 b", by_failures())
    helper["b"].accept()
    helper["a"].refuse()
    helper["a:2"].accept()
    calls(helper, "a")
    helper.advance(10)
    assert used(helper) == "b"
    # Another address of it does not help.
    helper["a:2"].lose()
    helper["a"].refuse()
    helper["a:2"].refuse()
    helper["a"].back_off()
    helper["a"].accept()
    assert used(helper) == "b"
    helper.advance(50)
    assert used(helper) == "ab"


# What becomes of ejected servers


def test_a_lost_connection_comes_back_ejected(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a")
    helper.advance(10)
    helper["a"].lose()
    helper["a"].accept()
    assert used(helper) == "b"
    helper.advance(40)
    assert used(helper) == "ab"


def test_health_counts_too(helper: FakeHelper) -> None:
    helper.health_checked = True
    helper.start(OutlierDetection, "a b", by_failures())
    for name in "ab":
        helper[name].accept()
    assert helper.state is CONNECTING
    helper["a"].say_health(READY)
    helper["b"].say_health(READY)
    calls(helper, "a")
    helper.advance(10)
    helper["a"].say_health(FAILED, "sick")
    assert used(helper) == "b"
    helper.advance(40)
    assert used(helper) == "b"
    helper["b"].say_health(FAILED, "sick too")
    assert helper.pick() == FAILED_TEXT + "a:1: sick; b:1: sick too"


def test_a_server_that_leaves_is_forgotten(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a")
    helper.advance(10)
    helper.update("b", by_failures())
    helper.update("a b", by_failures())
    helper["a"].accept()
    assert used(helper) == "ab"


def test_a_server_that_stays_stays_ejected(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a")
    helper.advance(10)
    helper.update("c b a", by_failures())
    helper["c"].accept()
    assert used(helper) == "bc"


def test_an_address_that_moves_to_another_endpoint(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a")
    helper.advance(10)
    helper.update([endpoint("a", "a:2"), endpoint("b")], by_failures())
    helper["a"].accept()
    assert used(helper) == "ab"


# Other configs


def test_rules_that_go_let_everybody_come_back(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    calls(helper, "a")
    helper.advance(10)
    helper.update("a b", config())
    assert used(helper) == "ab"
    assert helper.timers == []
    answer = helper.picker.pick(CALL)
    assert isinstance(answer, Picked)
    assert answer.done is None
    # Nor is it known how often they were ejected.
    helper.update("a b", by_failures(baseEjectionTime="10s"))
    calls(helper, "a")
    helper.advance(10)
    assert used(helper) == "b"
    helper.advance(20)
    assert used(helper) == "ab"


def test_a_new_interval_counts_from_the_last_look(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    assert helper.timers == [10.0]
    helper.advance(4)
    helper.update("a b", by_failures(interval="20s"))
    assert helper.timers == [16.0]
    helper.update("a b", by_failures(interval="3s"))
    assert helper.timers == [0.0]


def test_without_rules_nothing_is_between(helper: FakeHelper) -> None:
    start(helper, "a", config())
    assert helper.picker.only is helper["a"]
    assert helper.pick() == "a:1"
    helper.update("a", by_failures())
    assert helper.picker.only is None
    helper.update("a", config())
    assert helper.picker.only is helper["a"]


def test_the_channel_gets_its_own_subchannels(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    first, _, third = (helper.picker.pick(CALL) for _ in range(3))
    assert isinstance(first, Picked)
    assert first.subchannel in (helper["a"], helper["b"])
    # And the same answer each time.
    assert first is third


def test_answers_of_the_child_keep_what_they_have(helper: FakeHelper) -> None:
    child = [{"weighted_round_robin": {"blackoutPeriod": "0s"}}]
    start(helper, "a b", {**by_failures(), "childPolicy": child})
    answer = helper.picker.pick(CALL)
    assert isinstance(answer, Picked)
    assert answer.load
    assert answer.done is not None
    answer.done(None)
    answer.done(Done(OK, True, None))
    child = [{"weighted_round_robin": {"enableOobLoadReport": True}}]
    helper.update("a b", {**by_failures(), "childPolicy": child})
    assert len(helper["a"].load_watches) == 1


def test_the_child_may_change(helper: FakeHelper) -> None:
    start(helper, "a b", by_failures())
    helper.update("a b", {**by_failures(), "childPolicy": [{"pick_first": {}}]})
    assert used(helper) == "ab"
    first = [each for each in helper.made if str(each.address) == "a:1"][-1]
    first.accept()
    assert used(helper) == "a"


def test_the_child_is_told_of_calls(helper: FakeHelper) -> None:
    settings = OutlierConfig(scripted("child"))
    policy = helper.start(OutlierDetection, "a", settings)
    [child] = Scripted.made["child"]
    child.say(IDLE)
    policy.exit_idle()
    helper.run()
    assert child.exits == 1
    child.say(CONNECTING)
    assert helper.pick() == "queue"
    # Of an address that no endpoint has.
    stray = child.helper.create_subchannel(endpoint("z").addresses[0], {})
    heard: list[object] = []
    stray.watch_health(lambda state, why: heard.append(state))
    stray.watch_health(lambda state, why: heard.append(state))
    assert stray.state is IDLE
    stray.connect()
    helper.run()
    assert heard == [CONNECTING] * 2
    stray.close()
    helper.close()
