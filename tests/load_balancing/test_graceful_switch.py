"""From one policy to another without a gap."""

from __future__ import annotations

import pytest

from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.pick_first import PickFirst
from clarion.load_balancing.registry import PolicyConfig
from clarion.load_balancing.round_robin import RoundRobin
from support.load_balancing import (
    CONNECTING,
    FAILED,
    FAILED_TEXT,
    IDLE,
    READY,
    FakeHelper,
    OtherScripted,
    Scripted,
    scripted,
)

OLD = scripted("old")
NEW = scripted("new", OtherScripted)


def newest(name: str) -> Scripted:
    """The policy made last under that name."""
    return Scripted.made[name][-1]


@pytest.fixture
def switch(helper: FakeHelper) -> GracefulSwitch:
    """One that is READY with the old policy and has begun with the new one."""
    helper.policy = switch = GracefulSwitch(helper)
    assert switch.policy is None
    helper.update("a", OLD)
    newest("old").say(READY)
    helper.update("b", NEW)
    assert helper.said() == [READY]
    return switch


def test_there_is_one_policy_at_first(helper: FakeHelper) -> None:
    helper.policy = switch = GracefulSwitch(helper)
    switch.exit_idle()
    helper.update("a b", OLD)
    old = newest("old")
    assert switch.policy is old
    assert old.endpoints == ["a:1", "b:1"]
    for state in (CONNECTING, READY, IDLE, FAILED):
        old.say(state)
    assert helper.said() == [CONNECTING, READY, IDLE, FAILED]
    switch.exit_idle()
    assert old.exits == 1
    helper.close()
    assert old.closed


def test_a_new_config_of_the_same_policy_is_an_update(helper: FakeHelper) -> None:
    helper.policy = GracefulSwitch(helper)
    helper.update("a", OLD)
    helper.update("b", scripted("other config"))
    old = newest("old")
    assert old.endpoints == ["b:1"]
    assert old.updates[-1].config == {"name": "other config"}
    assert list(Scripted.made) == ["old"]


@pytest.mark.parametrize(
    ("state", "picks"),
    [(READY, "new:1"), (FAILED, FAILED_TEXT + "new"), (IDLE, "queue")],
)
def test_the_new_policy_takes_over_when_it_has_something_to_say(
    helper: FakeHelper, switch: GracefulSwitch, state: object, picks: str
) -> None:
    old, new = newest("old"), newest("new")
    new.say(CONNECTING)
    assert helper.said() == []
    assert helper.pick() == "old:1"
    assert switch.policy is old
    new.say(state)  # type: ignore[arg-type]
    assert helper.said() == [state]
    assert helper.pick() == picks
    assert switch.policy is new
    # Not from within what the other one says, but soon.
    assert not old.closed
    helper.run()
    assert old.closed


@pytest.mark.parametrize("state", [CONNECTING, FAILED, IDLE])
def test_the_new_policy_takes_over_when_the_old_one_is_not_ready(
    helper: FakeHelper, switch: GracefulSwitch, state: object
) -> None:
    old, new = newest("old"), newest("new")
    old.say(state)  # type: ignore[arg-type]
    # It has not spoken yet: it is taken to be CONNECTING.
    assert helper.said() == [CONNECTING]
    assert helper.pick() == "queue"
    assert switch.policy is new
    # The old one is heard no more.
    old.say(READY)
    old.helper.request_resolution()
    helper.run()
    assert (helper.said(), helper.resolutions) == ([], 0)
    assert old.closed


def test_the_old_policy_goes_on_meanwhile(helper: FakeHelper, switch: GracefulSwitch) -> None:
    newest("old").say(READY)
    assert helper.said() == [READY]
    assert switch.policy is newest("old")


def test_where_the_old_policy_is_not_ready_the_new_one_begins_at_once(helper: FakeHelper) -> None:
    helper.policy = switch = GracefulSwitch(helper)
    helper.update("a", OLD)
    newest("old").say(CONNECTING)
    helper.update("a", scripted("new", OtherScripted, says=CONNECTING))
    assert switch.policy is newest("new")
    assert newest("old").closed
    assert helper.said() == [CONNECTING, CONNECTING]


def test_updates_and_wishes_are_the_new_policys(helper: FakeHelper, switch: GracefulSwitch) -> None:
    old, new = newest("old"), newest("new")
    helper.update("c", NEW)
    switch.exit_idle()
    assert (old.endpoints, new.endpoints) == (["a:1"], ["c:1"])
    assert (old.exits, new.exits) == (0, 1)
    old.helper.request_resolution()
    assert helper.resolutions == 0
    new.helper.request_resolution()
    assert helper.resolutions == 1


def test_a_third_policy_replaces_the_second(helper: FakeHelper, switch: GracefulSwitch) -> None:
    helper.update("a", PolicyConfig(RoundRobin, None))
    new = newest("new")
    assert new.closed
    new.say(READY)
    assert helper.said() == []
    assert helper.pick() == "old:1"
    helper["a"].accept()
    assert helper.pick() == "a:1"
    assert isinstance(switch.policy, RoundRobin)
    assert newest("old").closed


def test_back_to_the_old_policy(helper: FakeHelper, switch: GracefulSwitch) -> None:
    helper.update("c", OLD)
    assert newest("new").closed
    assert newest("old").endpoints == ["c:1"]
    assert switch.policy is newest("old")
    assert len(Scripted.made["old"]) == 1


def test_closing_closes_all(helper: FakeHelper, switch: GracefulSwitch) -> None:
    old, new = newest("old"), newest("new")
    new.say(READY)
    helper.update("a", PolicyConfig(PickFirst, PickFirst.parse_config({})))
    helper.close()
    assert old.closed
    assert new.closed
    switch.exit_idle()


def test_calls_notice_nothing(helper: FakeHelper) -> None:
    helper.policy = GracefulSwitch(helper)
    helper.update("a b", PolicyConfig(PickFirst, PickFirst.parse_config({})))
    helper["a"].accept()
    first = helper["a"]
    helper.update("a b", PolicyConfig(RoundRobin, None))
    assert helper.pick() == "a:1"
    assert helper.picker.only is first
    second = helper.made[-1]
    second.accept()
    assert helper.pick() == "b:1"
    assert helper.said() == [CONNECTING, READY, READY]
