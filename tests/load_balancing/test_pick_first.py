"""pick_first: what it does about each thing that addresses, and the resolver, may say."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clarion.load_balancing import ConfigError, Fail, Policy
from clarion.load_balancing.pick_first import ATTEMPT_DELAY, PickFirst, PickFirstConfig
from clarion.load_balancing.registry import find_policy
from clarion.resolver.target import UnixAddress
from clarion.status import StatusCode
from support.load_balancing import (
    CALL,
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    SHUTDOWN,
    Endpoint,
    FakeHelper,
    address,
    endpoint,
    endpoints,
)

HEALTH = PickFirstConfig(health=True)


def test_it_has_a_name() -> None:
    assert find_policy("pick_first") is PickFirst


# Configuration


@pytest.mark.parametrize(
    ("config", "shuffle"),
    [
        ({}, False),
        ({"shuffleAddressList": True}, True),
        ({"shuffle_address_list": True}, True),
        ({"shuffleAddressList": None}, False),
        ({"somethingElse": 1}, False),
    ],
)
def test_config(config: dict[str, object], shuffle: bool) -> None:
    assert PickFirst.parse_config(config) == PickFirstConfig(shuffle=shuffle)


def test_a_wrong_config_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^shuffleAddressList: must be true or false, not 'yes'$"
    ):
        PickFirst.parse_config({"shuffleAddressList": "yes"})


# Connecting


def test_the_first_address_that_answers_has_all_calls(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    assert helper.said() == [CONNECTING]
    assert helper.pick() == "queue"
    assert helper.connects == ["a:1"]
    helper["a"].accept()
    assert helper.said() == [READY]
    assert helper.picks(3) == ["a:1"] * 3
    assert helper.picker.only is helper["a"]
    assert helper.open == ["a:1"]
    assert helper.timers == []
    assert helper.resolutions == 0
    helper.close()


def test_one_that_fails_is_followed_by_the_next_one_at_once(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    helper["a"].refuse()
    assert helper.connects == ["a:1", "b:1"]
    assert helper.timers == [ATTEMPT_DELAY]
    helper["b"].refuse()
    assert helper.connects == ["a:1", "b:1", "c:1"]
    assert helper.timers == []
    helper["c"].accept()
    assert helper.said() == [CONNECTING, READY]
    assert helper.open == ["c:1"]


def test_one_that_is_silent_is_joined_by_the_next_one(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    helper.advance(ATTEMPT_DELAY - 0.01)
    assert helper.connects == ["a:1"]
    helper.advance(0.01)
    assert helper.connects == ["a:1", "b:1"]
    helper.advance(ATTEMPT_DELAY)
    assert helper.connects == ["a:1", "b:1", "c:1"]
    # The last one has nobody to be followed by.
    assert helper.timers == []
    helper["b"].accept()
    assert helper.open == ["b:1"]
    assert helper.pick() == "b:1"


def test_a_failure_of_one_whose_turn_is_over_hastens_nothing(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    helper.advance(ATTEMPT_DELAY)
    helper["a"].refuse()
    assert helper.connects == ["a:1", "b:1"]
    # Nor is it tried a second time while others were not tried once.
    helper["a"].back_off()
    assert helper.connects == ["a:1", "b:1"]
    helper["b"].refuse()
    helper["c"].refuse("no route")
    assert helper.said() == [CONNECTING, FAILED]
    assert helper.connects == ["a:1", "b:1", "c:1", "a:1"]


def test_when_all_failed_calls_are_told_what_each_address_answered(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a v6-b")
    helper["a"].refuse("refused")
    assert helper.state is CONNECTING
    helper["v6-b"].refuse("no route to host")
    assert helper.state is FAILED
    assert helper.resolutions == 1
    answer = helper.picker.pick(CALL)
    assert isinstance(answer, Fail)
    assert answer.outcome.code is StatusCode.UNAVAILABLE
    assert answer.outcome.details == (
        "failed to connect to all addresses; last error: a:1: refused; [fe80::b]:1: no route to host"
    )
    assert answer.outcome.debug == "target test.example:443"
    assert answer.outcome.unprocessed
    assert helper.picker.only is None


def test_after_that_all_connect_as_their_backoff_allows(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b")
    helper["a"].refuse("one")
    helper["b"].refuse("two")
    assert helper.said() == [CONNECTING, FAILED]
    helper["b"].back_off()
    assert helper.connects == ["a:1", "b:1", "b:1"]
    helper["a"].back_off()
    assert helper.connects[-1] == "a:1"
    # As many failures as addresses: what calls are told is brought up to date, and resolution is asked for.
    helper["b"].refuse("three")
    assert (helper.said(), helper.resolutions) == ([], 1)
    helper["b"].back_off()
    helper["b"].refuse("four")
    assert (helper.said(), helper.resolutions) == ([FAILED], 2)
    assert helper.pick() == FAILED_TEXT + "a:1: one; b:1: four"
    helper["b"].back_off()
    # It is READY next, and was never CONNECTING in between (gRFC A62).
    helper["b"].accept()
    assert helper.said() == [READY]
    assert helper.open == ["b:1"]
    helper.close()


def test_exit_idle_does_nothing_where_it_is_not_idle(helper: FakeHelper) -> None:
    policy = helper.start(PickFirst, "a")
    policy.exit_idle()
    helper["a"].refuse()
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["a:1"]
    assert helper.said() == [CONNECTING, FAILED]


def test_a_lost_connection_is_replaced_when_somebody_asks(helper: FakeHelper) -> None:
    policy = helper.start(PickFirst, "a b")
    helper["a"].refuse()
    helper["b"].accept()
    helper["b"].lose()
    assert helper.said() == [CONNECTING, READY, IDLE]
    assert helper.resolutions == 1
    assert helper.pick() == "queue"
    helper.advance(100)
    assert helper.connects == ["a:1", "b:1"]
    policy.exit_idle()
    helper.run()
    # From the beginning of the list.
    assert helper.connects == ["a:1", "b:1", "a:1"]
    assert helper.said() == [CONNECTING]
    helper["a"].accept()
    assert helper.pick() == "a:1"
    helper.close()


def test_one_that_other_people_connect_is_taken_too(helper: FakeHelper) -> None:
    """Subchannels may be shared between channels."""
    helper.start(PickFirst, "a b c")
    helper["c"].say(CONNECTING)
    helper["c"].accept()
    assert helper.said() == [CONNECTING, READY]
    assert helper.open == ["c:1"]
    helper["c"].lose()
    helper["c"].say(CONNECTING)
    assert helper.said() == [IDLE]
    helper["c"].refuse()
    assert helper.said() == []
    helper["c"].back_off()
    helper["c"].say(CONNECTING)
    helper["c"].accept()
    assert helper.said() == [READY]


def test_one_that_is_ready_already_is_taken_at_once(helper: FakeHelper) -> None:
    make = helper.create_subchannel

    def shared(where: object, attributes: object) -> object:
        subchannel = make(where, attributes)  # type: ignore[arg-type]
        if where == address("b"):
            subchannel.state = READY
        return subchannel

    helper.create_subchannel = shared  # type: ignore[assignment]
    helper.start(PickFirst, "a b")
    assert helper.said() == [CONNECTING, READY]
    assert helper.pick() == "b:1"
    assert helper.connects == []
    assert helper.open == ["b:1"]


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (IDLE, ["a:1"]),
        (CONNECTING, []),
        (FAILED, ["b:1"]),
    ],
)
def test_turns_go_by_what_the_address_is_doing(
    helper: FakeHelper, before: object, asked: list[str]
) -> None:
    """gRFC A61: one that is CONNECTING is waited for, one that just failed is not."""
    helper.start(PickFirst, "z a b")
    if before is not IDLE:
        helper["a"].say(CONNECTING)
    if before is FAILED:
        helper["a"].refuse()
    helper.connects.clear()
    helper.update("a b")
    assert helper.connects == asked
    assert helper.timers == ([] if before is FAILED else [ATTEMPT_DELAY])


def test_a_pass_over_addresses_all_of_which_just_failed_is_over_at_once(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    helper["a"].refuse("one")
    helper["b"].refuse("two")
    assert helper.said() == [CONNECTING]
    helper.update("b a")
    assert helper.said() == [FAILED]
    assert helper.pick() == FAILED_TEXT + "b:1: two; a:1: one"


# Addresses


@pytest.mark.parametrize(
    ("listed", "order"),
    [
        ("a b", "a:1 b:1"),
        ("a b a b:2 b", "a:1 b:1 b:2"),
        ("v6-a v6-b c d", "[fe80::a]:1 c:1 [fe80::b]:1 d:1"),
        ("a v6-b v6-c v6-d", "a:1 [fe80::b]:1 [fe80::c]:1 [fe80::d]:1"),
        ("a+v6-a b+v6-b", "a:1 [fe80::a]:1 b:1 [fe80::b]:1"),
        ("a+b v6-a+v6-b", "a:1 [fe80::a]:1 b:1 [fe80::b]:1"),
    ],
)
def test_families_take_turns_and_nothing_is_tried_twice(
    helper: FakeHelper, listed: str, order: str
) -> None:
    helper.start(PickFirst, listed)
    helper.advance(100)
    assert helper.connects == order.split()


def test_unix_sockets_are_a_family(helper: FakeHelper) -> None:
    sockets = Endpoint((UnixAddress("/one"), UnixAddress("/two"), address("a")))
    helper.policy = PickFirst(helper)
    helper.update([sockets])
    helper.advance(100)
    assert helper.connects == ["unix:/one", "a:1", "unix:/two"]


def test_subchannels_get_their_endpoints_attributes(helper: FakeHelper) -> None:
    helper.policy = PickFirst(helper)
    helper.update([endpoint("a", "b", locality="x"), endpoint("b", "c", locality="y")])
    assert [each.attributes["locality"] for each in helper.made] == ["x", "x", "y"]


def test_the_connection_stays_while_its_address_does(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b")
    helper["a"].accept()
    helper.update("c b a")
    assert helper.said() == [CONNECTING, READY]
    assert helper.open == ["a:1"]
    helper["a"].lose()
    assert helper.policy is not None
    helper.policy.exit_idle()
    helper.run()
    assert helper.connects[-1] == "c:1"


def test_the_connection_goes_with_its_address(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b")
    helper["a"].accept()
    helper.update("b c")
    assert helper.said() == [CONNECTING, READY, CONNECTING]
    assert helper.open == ["b:1", "c:1"]
    helper["b"].accept()
    assert helper.pick() == "b:1"


def test_new_addresses_do_not_wake_it_up(helper: FakeHelper) -> None:
    policy = helper.start(PickFirst, "a")
    helper["a"].accept()
    helper["a"].lose()
    helper.update("b")
    assert helper.state is IDLE
    assert helper.connects == ["a:1"]
    policy.exit_idle()
    helper.run()
    assert helper.connects == ["a:1", "b:1"]
    assert helper.open == ["b:1"]


def test_new_addresses_while_connecting_begin_a_new_pass(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b c")
    helper["a"].refuse()
    kept = helper["b"]
    helper.update("d b")
    assert helper.said() == [CONNECTING]
    assert helper["b"] is kept
    assert helper.open == ["b:1", "d:1"]
    assert helper.connects == ["a:1", "b:1", "d:1"]
    # One whose turn has not come does not count yet.
    helper["b"].refuse("one")
    assert helper.state is CONNECTING
    helper["d"].refuse("two")
    assert helper.pick() == FAILED_TEXT + "d:1: two; b:1: one"


def test_the_same_addresses_again_begin_nothing(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b")
    helper["a"].refuse()
    helper["a"].back_off()
    helper.update("a b")
    assert helper.connects == ["a:1", "b:1"]


def test_failure_lasts_over_new_addresses_until_one_answers(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a")
    helper["a"].refuse("gone")
    helper.update("b")
    assert helper.said() == [CONNECTING, FAILED]
    assert helper.pick() == FAILED_TEXT + "a:1: gone"
    assert helper.connects == ["a:1", "b:1"]
    helper["b"].accept()
    assert helper.said() == [READY]


@pytest.mark.parametrize("why", ["DNS lookup of x failed: no such name", ""])
def test_without_addresses_calls_are_told_why(helper: FakeHelper, why: str) -> None:
    helper.start(PickFirst, "a b")
    helper.update("", why_empty=why)
    assert helper.said() == [CONNECTING, FAILED]
    assert helper.open == []
    assert helper.timers == []
    assert helper.resolutions == 1
    assert helper.pick() == FAILED_TEXT + (why or "the name has no addresses")
    helper.update("", why_empty="another reason")
    assert helper.pick() == FAILED_TEXT + "another reason"
    helper.update("a")
    helper["a"].accept()
    assert helper.said() == [FAILED, READY]


def test_shuffling_changes_the_order_of_endpoints_alone(helper: FakeHelper) -> None:
    helper.chances.extend([0.1, 0.9, 0.5])
    helper.start(PickFirst, "a+a:2 b+b:2 c+c:2", {"shuffleAddressList": True})
    helper.advance(100)
    assert helper.connects == "b:1 b:2 c:1 c:2 a:1 a:2".split()


def test_shuffling_heeds_weights() -> None:
    chance = random.Random(1)
    firsts: Counter[str] = Counter()
    servers = [endpoint("light", weight=1), endpoint("heavy", weight=3)]
    for _ in range(400):
        helper = FakeHelper()
        helper.random = chance.random  # type: ignore[method-assign]
        helper.policy = PickFirst(helper)
        helper.update(servers, {"shuffleAddressList": True})
        firsts[helper.connects[0]] += 1
    # 300 are expected, with a standard deviation of 8.7.
    assert 240 < firsts["heavy:1"] < 360


# Health


def test_alone_it_heeds_no_health(helper: FakeHelper) -> None:
    helper.health_checked = True
    helper.start(PickFirst, "a")
    helper["a"].accept()
    assert helper.said() == [CONNECTING, READY]


def test_below_other_policies_it_publishes_health(helper: FakeHelper) -> None:
    helper.health_checked = True
    helper.start(PickFirst, "a b", HEALTH)
    helper["a"].accept()
    assert helper.said() == [CONNECTING]
    assert helper.open == ["a:1"]
    helper["a"].say_health(FAILED, "not serving")
    assert helper.said() == [FAILED]
    assert helper.pick() == FAILED_TEXT + "a:1: not serving"
    helper["a"].say_health(READY)
    assert helper.said() == [READY]
    assert helper.pick() == "a:1"
    helper["a"].say_health(CONNECTING)
    assert helper.said() == [CONNECTING]
    helper["a"].say_health(READY)
    helper["a"].lose()
    assert helper.said() == [READY, IDLE]
    # Sickness is no reason to connect elsewhere.
    assert helper.connects == ["a:1"]


def test_without_health_checks_the_connection_is_well(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a", HEALTH)
    helper["a"].accept()
    assert helper.said() == [CONNECTING, READY]


def test_a_new_connection_does_not_have_the_health_of_the_old_one(helper: FakeHelper) -> None:
    helper.health_checked = True
    policy = helper.start(PickFirst, "a", HEALTH)
    helper["a"].accept()
    helper["a"].say_health(READY)
    helper["a"].lose()
    policy.exit_idle()
    helper.run()
    helper["a"].accept()
    assert helper.said() == [CONNECTING, READY, IDLE, CONNECTING]


# The end


@pytest.mark.parametrize("moment", ["before", "connecting", "ready", "failed", "idle"])
def test_closing_leaves_nothing(helper: FakeHelper, moment: str) -> None:
    helper.policy = policy = PickFirst(helper)
    if moment != "before":
        helper.update("a b")
    if moment in ("ready", "idle"):
        helper["a"].accept()
    if moment == "idle":
        helper["a"].lose()
    if moment == "failed":
        helper["a"].refuse()
        helper["b"].refuse()
    helper.close()
    policy.exit_idle()
    helper.run()
    assert helper.open == []


# Whatever happens


class AnythingGoes(RuleBasedStateMachine):
    """Whatever addresses and the resolver do, and in whatever order, what is published is right."""

    names = ["a", "b", "c", "v6-d"]

    def __init__(self) -> None:
        super().__init__()
        self.helper = FakeHelper()
        self.policy: Policy = PickFirst(self.helper)
        self.helper.policy = self.policy

    def _in(self, *states: object) -> list[object]:
        return [each for each in self.helper.made if each.state in states]

    @rule(names=st.lists(st.sampled_from(names), max_size=4))
    def resolve(self, names: list[str]) -> None:
        self.helper.update(endpoints(" ".join(names)))

    @rule()
    @precondition(lambda self: self.helper.states)
    def exit_idle(self) -> None:
        self.policy.exit_idle()
        self.helper.run()

    @rule(data=st.data(), answer=st.sampled_from(["accept", "refuse"]))
    @precondition(lambda self: self._in(CONNECTING))
    def answer(self, data: st.DataObject, answer: str) -> None:
        getattr(data.draw(st.sampled_from(self._in(CONNECTING))), answer)()

    @rule(data=st.data())
    @precondition(lambda self: self._in(FAILED))
    def back_off(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._in(FAILED))).back_off()  # type: ignore[attr-defined]

    @rule()
    @precondition(lambda self: self._in(READY))
    def lose(self) -> None:
        self._in(READY)[0].lose()  # type: ignore[attr-defined]

    @rule(seconds=st.sampled_from([0.1, 0.25, 1.0]))
    def wait(self, seconds: float) -> None:
        self.helper.advance(seconds)

    @invariant()
    def is_right(self) -> None:
        if not self.helper.states:
            return
        state = self.helper.state
        subchannels = self._in(IDLE, CONNECTING, READY, FAILED)
        if state is READY:
            [only] = subchannels
            assert self.helper.picker.only is only
            assert only.state is READY  # type: ignore[attr-defined]
        else:
            assert not self._in(READY)
            assert self.helper.picker.only is None
        if state is CONNECTING:
            assert self._in(CONNECTING), "nothing would ever follow"
        if state is FAILED and subchannels:
            # All that are not waiting connect, or their turn comes.
            assert self._in(CONNECTING, FAILED)
        if state in (IDLE, SHUTDOWN):
            assert not self._in(CONNECTING)

    @invariant()
    def failure_ends_with_a_connection(self) -> None:
        states = self.helper.states
        for before, after in itertools.pairwise(states):
            assert before is not FAILED or after in (FAILED, READY)

    def teardown(self) -> None:
        self.helper.close()


TestAnythingGoes = AnythingGoes.TestCase
TestAnythingGoes.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
