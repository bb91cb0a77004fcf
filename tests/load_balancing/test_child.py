"""Being a helper in one's turn."""

from __future__ import annotations

from clarion.load_balancing import QUEUE, QueuePicker, Update
from clarion.load_balancing.child import Child, ForwardingHelper
from clarion.load_balancing.pick_first import PickFirst
from support.load_balancing import CALL, CONNECTING, READY, FakeHelper, Scripted, address, scripted


def test_all_is_handed_on(helper: FakeHelper) -> None:
    forwarding = ForwardingHelper(helper)
    assert forwarding.target == helper.target
    assert forwarding.now() == helper.now()
    helper.chances.append(0.7)
    assert forwarding.random() == 0.7
    done: list[str] = []
    forwarding.post(lambda: done.append("posted"))
    forwarding.call_later(3, lambda: done.append("later"))
    assert helper.timers == [3]
    helper.run()
    helper.advance(3)
    assert done == ["posted", "later"]
    subchannel = forwarding.create_subchannel(address("a"), {"zone": 1})
    assert subchannel is helper["a"]
    assert helper["a"].attributes == {"zone": 1}
    picker = QueuePicker()
    forwarding.update_state(READY, picker)
    assert (helper.said(), helper.picker) == ([READY], picker)
    forwarding.request_resolution()
    assert helper.resolutions == 1


def test_a_policy_works_behind_another_ones_helper(helper: FakeHelper) -> None:
    helper.policy = PickFirst(ForwardingHelper(helper))
    helper.update("a b")
    helper["a"].accept()
    assert helper.pick() == "a:1"
    helper.close()


def test_what_a_child_said_is_known(helper: FakeHelper) -> None:
    heard: list[object] = []
    child = Child(helper, Scripted, heard.append)
    assert child.state is CONNECTING
    assert child.picker.pick(CALL) is QUEUE
    child.policy.update(Update((), scripted("c").config))
    child.policy.say(READY)
    assert heard == [child]
    assert child.state is READY
    assert child.picker.only is not None
    child.exit_idle()
    assert child.policy.exits == 1
    child.request_resolution()
    assert helper.resolutions == 1
    assert helper.said() == []


def test_a_closed_child_is_heard_no_more(helper: FakeHelper) -> None:
    heard: list[object] = []
    child = Child(helper, Scripted, heard.append)
    child.policy.update(Update((), scripted("c").config))
    child.close()
    assert child.policy.closed
    child.policy.say(READY)
    child.request_resolution()
    child.exit_idle()
    assert (heard, helper.resolutions, child.policy.exits) == ([], 0, 0)
