"""What policies with many servers have in common, and round_robin, which is that and turns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from clarion.load_balancing import FixedPicker, Picked, Picker, QueuePicker, Subchannel
from clarion.load_balancing.endpoint_sharding import EndpointChild, EndpointSharding
from clarion.load_balancing.pick_first import ATTEMPT_DELAY
from clarion.load_balancing.registry import find_policy
from clarion.load_balancing.round_robin import RoundRobin
from clarion.resolver.target import Address
from support.load_balancing import (
    CALL,
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    FakeHelper,
    endpoint,
)


def accept(helper: FakeHelper, *names: str) -> None:
    """The servers are there."""
    for name in names:
        helper[name].accept()


def refuse(helper: FakeHelper, *names: str) -> None:
    """The servers are not there."""
    for name in names:
        helper[name].refuse(f"no {name}")


def test_it_has_a_name() -> None:
    assert find_policy("round_robin") is RoundRobin
    assert RoundRobin.parse_config({"anything": 1}) is None


# Turns


def test_all_servers_connect_and_take_turns(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b c")
    assert helper.connects == ["a:1", "b:1", "c:1"]
    assert helper.said() == [CONNECTING]
    assert helper.pick() == "queue"
    accept(helper, "a", "b", "c")
    assert helper.said() == [READY] * 3
    assert helper.picks(7) == "a:1 b:1 c:1 a:1 b:1 c:1 a:1".split()
    assert helper.picker.only is None
    helper.close()


def test_a_client_begins_anywhere(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b c")
    accept(helper, "a", "b")
    helper.chances.append(0.7)
    accept(helper, "c")
    assert helper.picks(4) == "c:1 a:1 b:1 c:1".split()


@pytest.mark.parametrize("chance", [0.0, math.nextafter(1.0, 0.0)])
def test_there_is_always_somewhere_to_begin(helper: FakeHelper, chance: float) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a")
    helper.chances.append(chance)
    accept(helper, "b")
    assert sorted(helper.picks(2)) == ["a:1", "b:1"]


def test_a_single_server_has_all_calls_without_being_asked(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "b")
    assert helper.picker.only is helper["b"]
    assert helper.picks(2) == ["b:1", "b:1"]


def test_picks_make_nothing(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    first, _, third = (helper.picker.pick(CALL) for _ in range(3))
    assert first is third


def test_turns_are_fair(helper: FakeHelper) -> None:
    names = [f"server{number}" for number in range(50)]
    helper.start(RoundRobin, " ".join(names))
    accept(helper, *names)
    assert set(Counter(helper.picks(500)).values()) == {10}


# States


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("...", CONNECTING),
        ("+..", READY),
        ("-..", CONNECTING),
        ("-.-", CONNECTING),
        ("+--", READY),
        ("---", FAILED),
    ],
)
def test_the_state_is_that_of_the_best(helper: FakeHelper, states: str, expected: object) -> None:
    helper.start(RoundRobin, "a b c")
    for name, state in zip("abc", states, strict=True):
        if state == "+":
            accept(helper, name)
        elif state == "-":
            refuse(helper, name)
    assert helper.state is expected


def test_when_all_fail_calls_are_told_what_each_answered(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b+b:2")
    refuse(helper, "a", "b", "b:2")
    assert helper.state is FAILED
    assert helper.pick() == FAILED_TEXT + "a:1: no a; b:1: no b; b:2: no b:2"
    helper["a"].back_off()
    helper["a"].refuse("still none")
    assert helper.pick() == FAILED_TEXT + "a:1: still none; b:1: no b; b:2: no b:2"
    assert helper.picker.pick(CALL) is helper.picker.pick(CALL)


def test_failure_lasts_until_a_server_is_ready(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a")
    refuse(helper, "a")
    helper.update("b c")
    assert helper.said() == [CONNECTING, FAILED]
    accept(helper, "c")
    assert helper.said() == [READY]


def test_a_lost_connection_is_replaced_at_once(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    helper.said()
    helper["a"].lose()
    assert helper.connects == ["a:1", "b:1", "a:1"]
    assert helper.said() == [READY]
    assert helper.picks(2) == ["b:1", "b:1"]
    # News of a server that had no calls before, and has none now, changes nothing.
    refuse(helper, "a")
    assert helper.said() == []
    helper["a"].back_off()
    accept(helper, "a")
    assert helper.said() == [READY]
    assert helper.resolutions == 2


def test_the_last_connection_is_lost(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a")
    refuse(helper, "b")
    helper["a"].lose()
    assert helper.said() == [CONNECTING, READY, CONNECTING]
    refuse(helper, "a")
    assert helper.said() == [FAILED]


def test_a_connection_that_is_lost_with_its_server_is_not_replaced(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    for_later = helper.post
    posted = []
    helper.post = posted.append  # type: ignore[method-assign]
    helper["a"].lose()
    helper.post = for_later  # type: ignore[method-assign]
    helper.update("b")
    for callback in posted:
        callback()
    assert helper.open == ["b:1"]
    assert helper.connects == ["a:1", "b:1"]


def test_sick_servers_get_no_calls_and_keep_their_connection(helper: FakeHelper) -> None:
    helper.health_checked = True
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    assert helper.said() == [CONNECTING]
    helper["a"].say_health(READY)
    helper["b"].say_health(FAILED, "NOT_SERVING")
    assert helper.picks(2) == ["a:1", "a:1"]
    helper["a"].say_health(FAILED, "NOT_SERVING")
    assert helper.state is FAILED
    assert helper.pick() == FAILED_TEXT + "a:1: NOT_SERVING; b:1: NOT_SERVING"
    helper["b"].say_health(READY)
    assert helper.picks(2) == ["b:1", "b:1"]
    assert helper.open == ["a:1", "b:1"]


# Endpoints


def test_an_endpoint_is_known_by_its_addresses_in_any_order(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a+a:2 b b")
    accept(helper, "a", "b")
    connection = helper["a"]
    helper.update("c a:2+a")
    assert helper["a"] is connection
    assert helper.open == ["a:1", "c:1"]
    accept(helper, "c")
    assert sorted(helper.picks(2)) == ["a:1", "c:1"]
    # ... and goes by the new order when it connects again.
    connection.lose()
    assert helper.connects[-1] == "a:2"


def test_an_endpoint_connects_to_one_of_its_addresses(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a+v6-a b")
    assert helper.connects == ["a:1", "b:1"]
    helper.advance(ATTEMPT_DELAY)
    assert helper.connects == ["a:1", "b:1", "[fe80::a]:1"]
    accept(helper, "v6-a", "b")
    assert helper.open == ["[fe80::a]:1", "b:1"]
    assert sorted(helper.picks(2)) == ["[fe80::a]:1", "b:1"]


def test_an_update_is_published_as_one(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    helper.said()
    helper.update("b c d e")
    assert helper.said() == [READY]
    assert helper.picks(2) == ["b:1", "b:1"]
    helper.update("f")
    assert helper.said() == [CONNECTING]


def test_without_endpoints_calls_are_told_why(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a b")
    accept(helper, "a", "b")
    helper.said()
    helper.update("", why_empty="no such name")
    assert helper.said() == [FAILED]
    assert helper.pick() == FAILED_TEXT + "no such name"
    assert helper.open == []
    assert helper.resolutions == 1
    helper.update("")
    assert helper.pick() == FAILED_TEXT + "the name has no addresses"
    helper.update("a")
    accept(helper, "a")
    assert helper.pick() == "a:1"


def test_exit_idle_has_nothing_to_do(helper: FakeHelper) -> None:
    policy = helper.start(RoundRobin, "a b")
    accept(helper, "a")
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["a:1", "b:1"]


def test_after_closing_a_late_wish_to_connect_is_no_matter(helper: FakeHelper) -> None:
    helper.start(RoundRobin, "a")
    accept(helper, "a")
    subchannel = helper["a"]
    run, helper.run = helper.run, lambda: None  # type: ignore[method-assign]
    subchannel.lose()
    helper.run = run  # type: ignore[method-assign]
    helper.close()
    assert helper.connects == ["a:1"]


# Policies of other people


class Lazy(EndpointSharding):
    """Connects to a server when told; the first of those that are READY has all calls."""

    name = "lazy"
    eager = False

    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        subchannel = ready[0].subchannel
        assert subchannel is not None
        return FixedPicker(Picked(subchannel))

    def create_subchannel(
        self, child: EndpointChild, address: Address, attributes: Mapping[str, Any]
    ) -> Subchannel:
        made.append(child.endpoint.attributes["zone"])
        return super().create_subchannel(child, address, attributes)

    def publish(self) -> None:
        if self.counted(READY):
            super().publish()
        elif self.counted(FAILED):
            self.show(FAILED, self.failing_picker())
        else:
            self.show(IDLE, QueuePicker())


made: list[str] = []


def test_a_policy_may_connect_when_it_wants(helper: FakeHelper) -> None:
    made.clear()
    helper.policy = policy = Lazy(helper)
    helper.update([endpoint("a", zone="x"), endpoint("b", zone="y")], {"some": "thing"})
    assert policy.config == {"some": "thing"}
    assert helper.open == []
    assert helper.said() == [IDLE]
    helper.update([endpoint("a", zone="x"), endpoint("b", zone="y")])
    first, second = policy.children
    assert (first.state, first.failures) == (IDLE, "")
    second.connect()
    assert made == ["y"]
    helper.run()
    refuse(helper, "b")
    assert helper.pick() == FAILED_TEXT + "b:1: no b"
    policy.exit_idle()
    helper.run()
    accept(helper, "a")
    assert helper.pick() == "a:1"
    # A lost connection is left alone.
    helper["a"].lose()
    assert (first.state, first.subchannel, first.picked) == (IDLE, None, None)
    assert helper.connects == ["b:1", "a:1"]
    helper.update([endpoint("c", zone="z"), endpoint("b", zone="y")])
    assert policy.children[1] is second
    assert helper.open == ["b:1"]
    helper.update([endpoint("d", zone="z")])
    helper.close()
