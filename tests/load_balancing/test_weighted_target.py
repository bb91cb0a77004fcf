"""weighted_target_experimental: shares of calls, and what they do when a child fails."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.load_balancing import ConfigError
from clarion.load_balancing.registry import PolicyConfig, find_policy
from clarion.load_balancing.round_robin import RoundRobin
from clarion.load_balancing.weighted_target import WeightedTarget, WeightedTargetConfig, _Target
from support.load_balancing import (
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    FakeHelper,
    OtherScripted,
    Scripted,
    endpoint,
    scripted,
)


def targets(**weights: int) -> WeightedTargetConfig:
    """Scripted children by their weights."""
    return WeightedTargetConfig(
        {name: _Target(weight, scripted(name)) for name, weight in weights.items()}
    )


def child(name: str) -> Scripted:
    """The one of that name."""
    return Scripted.made[name][-1]


def test_it_has_a_name() -> None:
    assert find_policy("weighted_target_experimental") is WeightedTarget


# Configuration


@pytest.mark.parametrize("member", ["childPolicy", "child_policy"])
def test_config(member: str) -> None:
    config = WeightedTarget.parse_config(
        {
            "targets": {
                "a": {"weight": 3, member: [{"unknown": {}}, {"round_robin": {}}]},
                "b": {"weight": 1.0, member: [{"round_robin": {}}]},
            }
        }
    )
    round_robin = PolicyConfig(RoundRobin, None)
    assert config.targets == {"a": (3, round_robin), "b": (1, round_robin)}


CHILD = [{"round_robin": {}}]


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, "targets: is missing"),
        ({"targets": {}}, "targets: must name at least one"),
        ({"targets": []}, "targets: must be an object, not []"),
        ({"targets": {"a": 1}}, "targets.a: must be an object, not 1"),
        ({"targets": {"a": {"childPolicy": CHILD}}}, "targets.a.weight: is missing"),
        (
            {"targets": {"a": {"weight": 0, "childPolicy": CHILD}}},
            "targets.a.weight: must be greater than 0",
        ),
        (
            {"targets": {"a": {"weight": 1.5, "childPolicy": CHILD}}},
            "targets.a.weight: must be a whole number, 0 or more, not 1.5",
        ),
        ({"targets": {"a": {"weight": 1}}}, "targets.a.childPolicy: is missing"),
        (
            {"targets": {"a": {"weight": 1, "childPolicy": {}}}},
            "targets.a.childPolicy: must be a list, not {}",
        ),
        (
            {
                "targets": {
                    "a": {"weight": 1, "childPolicy": [{"pick_first": {"shuffleAddressList": 1}}]}
                }
            },
            "targets.a.childPolicy[0].pick_first.shuffleAddressList: must be true or false, not 1",
        ),
    ],
)
def test_wrong_configs_are_refused(config: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WeightedTarget.parse_config(config)
    assert str(caught.value) == error


# Picks


def test_calls_are_shared_out_by_weight(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1, b=3))
    child("a").say(READY)
    child("b").say(READY)
    helper.chances.extend([0.0, 0.24, 0.25, 0.5, 0.999999])
    assert helper.picks(5) == ["a:1", "a:1", "b:1", "b:1", "b:1"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 2**32 - 1), min_size=2, max_size=20),
    st.floats(0, 1, exclude_max=True),
)
def test_every_number_leads_to_a_child(weights: list[int], chance: float) -> None:
    helper = FakeHelper()
    names = {f"c{index}": weight for index, weight in enumerate(weights)}
    helper.start(WeightedTarget, "s", targets(**names))
    for name in names:
        child(name).say(READY)
    helper.chances.append(chance)
    assert helper.pick().removesuffix(":1") in names


def test_shares_are_right_in_the_long_run(helper: FakeHelper) -> None:
    helper.random = random.Random(5).random  # type: ignore[method-assign]
    helper.start(WeightedTarget, "s", targets(a=1, b=2, c=7))
    for name in "abc":
        child(name).say(READY)
    counts = Counter(helper.picks(10_000))
    # The standard deviation is below 50.
    assert abs(counts["a:1"] - 1000) < 200
    assert abs(counts["b:1"] - 2000) < 200


def test_only_children_that_are_ready_get_calls(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1, b=3, c=4))
    child("a").say(READY)
    child("b").say(FAILED)
    assert helper.picks(2) == ["a:1"] * 2
    # A single one is not asked for each call.
    assert helper.picker.only is not None
    child("c").say(READY)
    helper.chances.extend([0.19, 0.21])
    assert helper.picks(2) == ["a:1", "c:1"]


# States


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], CONNECTING),
        ([CONNECTING, CONNECTING], CONNECTING),
        ([READY], READY),
        ([READY, FAILED], READY),
        ([FAILED], CONNECTING),
        ([FAILED, IDLE], CONNECTING),
        ([FAILED, FAILED], FAILED),
    ],
)
def test_the_state_is_that_of_the_best(
    helper: FakeHelper, states: list[Any], expected: object
) -> None:
    helper.start(WeightedTarget, "s", targets(a=1, b=1))
    for name, state in zip("ab", states, strict=False):
        child(name).say(state)
    assert helper.state is expected
    if expected is CONNECTING:
        assert helper.pick() == "queue"


def test_when_all_fail_calls_are_told_what_one_of_them_says(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1, b=1))
    child("a").say(FAILED)
    child("b").say(FAILED)
    helper.chances.extend([0.0, 0.5])
    assert helper.picks(2) == [FAILED_TEXT + "a", FAILED_TEXT + "b"]


def test_failure_lasts_until_a_child_is_ready(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1))
    child("a").say(FAILED)
    child("a").say(CONNECTING)
    helper.update("s", targets(a=1, b=1))
    assert helper.said() == [CONNECTING, FAILED]
    child("b").say(READY)
    assert helper.said() == [READY]
    child("b").say(CONNECTING)
    assert helper.said() == [CONNECTING]


def test_idle_children_are_woken_up(helper: FakeHelper) -> None:
    policy = helper.start(WeightedTarget, "s", targets(a=1, b=1))
    child("a").say(IDLE)
    assert child("a").exits == 0
    helper.run()
    assert (child("a").exits, child("b").exits) == (1, 0)
    policy.exit_idle()
    assert child("a").exits == 1
    # One that is closed before that is left alone.
    child("b").say(IDLE)
    helper.update("s", targets(a=1))
    helper.run()
    assert Scripted.made["b"][0].exits == 0


# Updates


def test_children_come_and_go_with_the_config(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1, b=1))
    child("a").say(READY)
    helper.said()
    helper.update("s", targets(b=1, c=1))
    assert Scripted.made["a"][0].closed
    assert len(Scripted.made["b"]) == 1
    assert helper.said() == [CONNECTING]
    child("c").say(READY)
    helper.close()
    assert all(each.closed for made in Scripted.made.values() for each in made)


def test_an_update_is_published_as_one(helper: FakeHelper) -> None:
    config = WeightedTargetConfig(
        {name: _Target(1, scripted(name, says=READY)) for name in ("a", "b")}
    )
    helper.start(WeightedTarget, "s", config)
    assert helper.said() == [READY]
    helper.chances.extend([0.0, 0.9])
    assert helper.picks(2) == ["a:1", "b:1"]


def test_a_childs_policy_may_change_without_a_gap(helper: FakeHelper) -> None:
    helper.start(WeightedTarget, "s", targets(a=1))
    child("a").say(READY)
    new = WeightedTargetConfig({"a": _Target(1, scripted("new", OtherScripted))})
    helper.update("s", new)
    assert helper.pick() == "a:1"
    child("new").say(READY)
    assert helper.pick() == "new:1"


def test_endpoints_go_to_the_children_that_their_paths_name(helper: FakeHelper) -> None:
    helper.policy = WeightedTarget(helper)
    servers = [endpoint("x", path=("a",)), endpoint("y", path=("b",)), endpoint("z")]
    helper.update(servers, targets(a=1, b=1), "no more")
    assert child("a").endpoints == ["x:1", "z:1"]
    assert child("b").endpoints == ["y:1", "z:1"]
    assert child("a").updates[-1].why_empty == "no more"
