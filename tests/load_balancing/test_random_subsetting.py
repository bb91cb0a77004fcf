"""random_subsetting_experimental: who is in a client's subset, and how that changes."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.load_balancing import ConfigError
from clarion.load_balancing.random_subsetting import RandomSubsetting, RandomSubsettingConfig
from clarion.load_balancing.registry import PolicyConfig, find_policy
from clarion.load_balancing.round_robin import RoundRobin
from support.load_balancing import READY, FakeHelper, OtherScripted, Scripted, scripted

SERVERS = [f"server{number}" for number in range(40)]


def subset(
    chance: float, servers: list[str], size: int, helper: FakeHelper | None = None
) -> list[str]:
    """The servers that the client with that number uses."""
    helper = helper or FakeHelper()
    helper.chances.append(chance)
    helper.start(RandomSubsetting, " ".join(servers), RandomSubsettingConfig(size, scripted("c")))
    return [name.removesuffix(":1") for name in Scripted.made["c"][-1].endpoints]


def test_it_has_a_name() -> None:
    assert find_policy("random_subsetting_experimental") is RandomSubsetting


@pytest.mark.parametrize(
    ("size", "child"), [("subsetSize", "childPolicy"), ("subset_size", "child_policy")]
)
def test_config(size: str, child: str) -> None:
    config = RandomSubsetting.parse_config({size: 3.0, child: [{"round_robin": {}}]})
    assert config == (3, PolicyConfig(RoundRobin, None))


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({}, "subsetSize: is missing"),
        ({"subsetSize": 0}, "subsetSize: must be greater than 0"),
        ({"subsetSize": -1}, "subsetSize: must be a whole number, 0 or more, not -1"),
        ({"subsetSize": 1}, "childPolicy: is missing"),
        (
            {"subsetSize": 1, "childPolicy": []},
            "childPolicy: names no policy that is known here: the list is empty",
        ),
    ],
)
def test_wrong_configs_are_refused(config: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RandomSubsetting.parse_config(config)
    assert str(caught.value) == error


@pytest.mark.parametrize("size", [40, 41])
def test_few_servers_are_all_used_in_their_order(size: int) -> None:
    assert subset(0.5, SERVERS, size) == SERVERS


def test_of_many_servers_some_are_used(helper: FakeHelper) -> None:
    chosen = subset(0.5, SERVERS, 5)
    assert len(set(chosen)) == 5
    assert set(chosen) < set(SERVERS)
    # The same number, the same servers, whatever their order.
    assert subset(0.5, SERVERS[::-1], 5, helper) == chosen
    assert subset(0.25, SERVERS, 5) != chosen


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 39),
    st.sampled_from(SERVERS),
)
def test_one_server_more_or_less_changes_one_at_most(chance: float, size: int, gone: str) -> None:
    before = subset(chance, SERVERS, size)
    after = subset(chance, [name for name in SERVERS if name != gone], size)
    assert len(set(before) - set(after)) == (gone in before)


def test_clients_spread_evenly() -> None:
    """500 clients with 8 of 40 servers each: 100 for each server, with a standard deviation of 8.9."""
    chance = random.Random(3)
    counts = Counter(name for _ in range(500) for name in subset(chance.random(), SERVERS, 8))
    assert len(counts) == 40
    assert all(50 < count < 150 for count in counts.values())


def test_all_else_is_the_childs(helper: FakeHelper) -> None:
    policy = helper.start(RandomSubsetting, "a b", RandomSubsettingConfig(1, scripted("c")))
    [child] = Scripted.made["c"]
    child.say(READY)
    assert helper.said() == [READY]
    assert helper.pick() == "c:1"
    policy.exit_idle()
    assert child.exits == 1
    child.helper.request_resolution()
    assert helper.resolutions == 1
    helper.update("", RandomSubsettingConfig(1, scripted("c")), "none left")
    assert child.updates[-1].why_empty == "none left"
    helper.update("a", RandomSubsettingConfig(1, scripted("d", OtherScripted)))
    assert helper.pick() == "c:1"
    Scripted.made["d"][0].say(READY)
    assert helper.pick() == "d:1"
    helper.close()
