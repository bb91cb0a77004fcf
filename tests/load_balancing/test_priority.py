"""priority_experimental: who has the calls, when, and who is kept for later (gRFC A56)."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.load_balancing import ConfigError
from clarion.load_balancing.priority import (
    FAILOVER,
    RETENTION,
    Priority,
    PriorityConfig,
    _ChildConfig,
)
from clarion.load_balancing.registry import PolicyConfig, find_policy
from clarion.load_balancing.round_robin import RoundRobin
from support.load_balancing import (
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


def order(names: str, *, deaf: str = "", **members: Any) -> PriorityConfig:
    """Scripted children in that order."""
    return PriorityConfig(
        {name: _ChildConfig(scripted(name, **members), name in deaf) for name in names.split()},
        tuple(names.split()),
    )


def child(name: str) -> Scripted:
    """The one of that name."""
    return Scripted.made[name][-1]


def alive() -> list[str]:
    """The children there are."""
    return sorted(name for name, made in Scripted.made.items() for each in made if not each.closed)


def test_it_has_a_name() -> None:
    assert find_policy("priority_experimental") is Priority


# Configuration


@pytest.mark.parametrize("member", ["ignoreReresolutionRequests", "ignore_reresolution_requests"])
def test_config(member: str) -> None:
    config = Priority.parse_config(
        {
            "children": {
                "a": {"config": [{"round_robin": {}}]},
                "b": {"config": [{"round_robin": {}}], member: True},
            },
            "priorities": ["b", "a"],
        }
    )
    round_robin = PolicyConfig(RoundRobin, None)
    assert config.children == {"a": (round_robin, False), "b": (round_robin, True)}
    assert config.priorities == ("b", "a")
    assert Priority.parse_config({}) == ({}, ())


A = {"a": {"config": [{"round_robin": {}}]}}


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"children": 1}, "children: must be an object, not 1"),
        ({"children": {"a": []}}, "children.a: must be an object, not []"),
        ({"children": {"a": {}}}, "children.a.config: is missing"),
        (
            {"children": {"a": {"config": [{"nope": {}}]}}},
            "children.a.config: names no policy that is known here: nope",
        ),
        (
            {"children": {"a": {**A["a"], "ignoreReresolutionRequests": 1}}},
            "children.a.ignoreReresolutionRequests: must be true or false, not 1",
        ),
        ({"priorities": "a"}, "priorities: must be a list of strings, not 'a'"),
        ({"priorities": [1]}, "priorities[0]: must be a string, not 1"),
        (
            {"children": A, "priorities": ["a", "b"]},
            "priorities[1]: 'b' is not among the children",
        ),
        ({"children": A, "priorities": ["a", "a"]}, "priorities[1]: 'a' is there already"),
    ],
)
def test_wrong_configs_are_refused(config: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Priority.parse_config(config)
    assert str(caught.value) == error


# Choice


def test_only_the_first_child_is_made_while_it_works(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b c"))
    assert alive() == ["a"]
    assert helper.said() == [CONNECTING]
    assert helper.pick() == "queue"
    child("a").say(READY)
    assert helper.said() == [READY]
    assert helper.pick() == "a:1"
    assert helper.timers == []
    helper.advance(10_000)
    assert alive() == ["a"]


def test_the_next_child_is_made_when_one_fails(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b c"))
    child("a").say(FAILED)
    assert alive() == ["a", "b"]
    assert helper.state is CONNECTING
    child("b").say(READY)
    assert helper.pick() == "b:1"
    assert alive() == ["a", "b"]


def test_the_next_child_is_made_when_one_takes_too_long(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    helper.advance(FAILOVER - 0.1)
    assert alive() == ["a"]
    child("a").say(CONNECTING)
    helper.advance(0.1)
    assert alive() == ["a", "b"]
    child("b").say(READY)
    assert helper.pick() == "b:1"
    # It takes over when it does connect.
    child("a").say(READY)
    assert helper.pick() == "a:1"


def test_a_child_that_fails_at_once_costs_no_time(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b c", says=FAILED))
    assert alive() == ["a", "b", "c"]
    assert helper.said() == [FAILED]
    # Calls are told what the last one says.
    assert helper.pick() == FAILED_TEXT + "c"
    assert helper.timers == []


def test_when_all_take_too_long_the_first_one_is_waited_for(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    helper.advance(2 * FAILOVER)
    assert alive() == ["a", "b"]
    assert helper.timers == []
    child("a").say(FAILED)
    # The other one is not lost yet.
    assert helper.state is CONNECTING
    child("b").say(FAILED)
    assert helper.state is FAILED
    assert helper.pick() == FAILED_TEXT + "b"


def test_idle_is_as_good_as_ready(helper: FakeHelper) -> None:
    policy = helper.start(Priority, "s", order("a b"))
    child("a").say(IDLE)
    assert helper.state is IDLE
    assert alive() == ["a"]
    policy.exit_idle()
    assert child("a").exits == 1


def test_news_of_children_without_calls_is_none(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("b").say(READY)
    helper.said()
    child("a").say(CONNECTING)
    child("a").say(FAILED)
    assert helper.said() == []


def test_a_child_that_worked_before_is_waited_for_again(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(READY)
    child("a").say(CONNECTING)
    child("a").say(CONNECTING)
    assert helper.timers == [FAILOVER]
    assert alive() == ["a"]
    helper.advance(FAILOVER)
    assert alive() == ["a", "b"]


def test_a_child_that_failed_last_is_not_waited_for(helper: FakeHelper) -> None:
    """Most policies stay in TRANSIENT_FAILURE by themselves; this is about others."""
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("b").say(READY)
    child("a").say(CONNECTING)
    assert helper.timers == []
    assert helper.pick() == "b:1"


# Keeping


def test_a_child_that_is_not_needed_is_kept_for_a_while(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b c", says=FAILED))
    child("b").say(READY)
    assert helper.timers == [RETENTION]
    child("a").say(READY)
    assert helper.timers == [RETENTION] * 2
    helper.advance(RETENTION - 1)
    # This does not begin anew.
    child("a").say(READY)
    assert alive() == ["a", "b", "c"]
    helper.advance(1)
    assert alive() == ["a"]
    assert helper.pick() == "a:1"


def test_a_child_that_is_needed_again_stays(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("b").say(READY)
    child("a").say(READY)
    helper.advance(RETENTION - 1)
    child("a").say(FAILED)
    assert helper.pick() == "b:1"
    assert helper.timers == []
    helper.advance(RETENTION)
    assert alive() == ["a", "b"]
    assert len(Scripted.made["b"]) == 1


def test_a_child_is_made_again_when_it_was_not_kept(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("a").say(READY)
    helper.advance(RETENTION)
    assert alive() == ["a"]
    child("a").say(FAILED)
    assert alive() == ["a", "b"]
    assert len(Scripted.made["b"]) == 2


# Updates


def test_children_move_with_their_names(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("b").say(READY)
    helper.said()
    helper.update("s", order("b c"))
    assert alive() == ["b"]
    assert len(Scripted.made["b"]) == 1
    # Nothing changed for calls.
    assert helper.said() == []
    assert helper.pick() == "b:1"
    # What the one that left still says is not heard.
    Scripted.made["a"][0].say(READY)
    Scripted.made["a"][0].helper.request_resolution()
    assert (helper.said(), helper.resolutions) == ([], 0)


def test_an_update_is_looked_at_as_a_whole(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b"))
    child("a").say(FAILED)
    child("b").say(READY)
    helper.said()
    helper.update("s", order("b a", says=READY))
    assert helper.said() == [READY]
    assert helper.pick() == "b:1"


def test_the_current_child_may_go(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a"))
    child("a").say(READY)
    helper.update("s", order("b"))
    assert alive() == ["b"]
    assert helper.said() == [CONNECTING, READY, CONNECTING]


def test_without_priorities_calls_fail(helper: FakeHelper) -> None:
    policy = helper.start(Priority, "s", order("a"))
    helper.update("s", order(""))
    assert alive() == []
    assert helper.state is FAILED
    assert helper.pick() == FAILED_TEXT + "the priority policy has no priorities"
    policy.exit_idle()
    helper.close()


def test_endpoints_go_to_the_children_that_their_paths_name(helper: FakeHelper) -> None:
    helper.policy = Priority(helper)
    servers = [endpoint("x", path=("a",)), endpoint("y", path=("b",)), endpoint("z")]
    helper.update(servers, order("a b"), "no more")
    child("a").say(FAILED)
    assert child("a").endpoints == ["x:1", "z:1"]
    assert child("b").endpoints == ["y:1", "z:1"]
    assert child("b").updates[-1].why_empty == "no more"
    helper.update(servers[:1], order("a b"), "no more")
    assert child("b").endpoints == []


def test_a_child_may_have_no_say_about_resolution(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b", deaf="a"))
    child("a").say(FAILED)
    child("a").helper.request_resolution()
    assert helper.resolutions == 0
    child("b").helper.request_resolution()
    assert helper.resolutions == 1
    helper.update("s", order("a b"))
    child("a").helper.request_resolution()
    assert helper.resolutions == 2


def test_closing_leaves_nothing(helper: FakeHelper) -> None:
    helper.start(Priority, "s", order("a b c"))
    child("a").say(FAILED)
    child("b").say(READY)
    child("a").say(READY)
    child("a").say(CONNECTING)
    assert helper.timers == [FAILOVER, RETENTION]
    helper.close()
    assert alive() == []


def test_real_policies_below_it(helper: FakeHelper) -> None:
    helper.policy = Priority(helper)
    config = Priority.parse_config(
        {
            "children": {name: {"config": [{"round_robin": {}}]} for name in ("near", "far")},
            "priorities": ["near", "far"],
        }
    )
    servers = [endpoint("n", path=("near",)), endpoint("f", path=("far",))]
    helper.update(servers, config)
    assert helper.open == ["n:1"]
    helper["n"].refuse()
    assert helper.open == ["n:1", "f:1"]
    helper["f"].accept()
    assert helper.pick() == "f:1"
    helper["n"].back_off()
    helper["n"].accept()
    assert helper.pick() == "n:1"
    helper.advance(RETENTION)
    assert helper.open == ["n:1"]
    helper.close()
