"""How a call ended, as one value."""

from __future__ import annotations

from clarion.history import History
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode


def test_defaults() -> None:
    assert Outcome(StatusCode.OK) == OK
    assert OK == (StatusCode.OK, "", (), "", False, (), None)


def test_what_it_says_of_itself() -> None:
    assert Outcome(StatusCode.OK, debug="from the trailers").describe() == ""
    assert Outcome(StatusCode.ABORTED, "no").describe() == "ABORTED:no"
    assert Outcome(StatusCode.ABORTED, "no", debug="no").describe() == "ABORTED:no"
    outcome = Outcome(StatusCode.ABORTED, "no", debug="peer ipv4:1.1.1.1:1")
    assert outcome.describe() == "ABORTED:no [peer ipv4:1.1.1.1:1]"


def test_what_is_known_of_how_it_came_to_that() -> None:
    assert Outcome(StatusCode.ABORTED).timeline == ()
    waited = Outcome(StatusCode.ABORTED, "no", history=History(1.0, 2.0, "the end"))
    assert waited.describe() == "ABORTED:no"
    assert [entry.milliseconds for entry in waited.timeline] == [0.0, 1000.0]
    traced = waited._replace(history=History(1.0, 2.0, "the end", ((1.0, "begins"),)))
    assert traced.describe() == "ABORTED:no; timeline: +0.0 ms begins; +1000.0 ms the end"
