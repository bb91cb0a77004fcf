"""How a call ended, as one value."""

from __future__ import annotations

from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode


def test_defaults() -> None:
    assert Outcome(StatusCode.OK) == OK
    assert OK == (StatusCode.OK, "", (), "", False, ())


def test_what_it_says_of_itself() -> None:
    assert Outcome(StatusCode.OK, debug="from the trailers").describe() == ""
    assert Outcome(StatusCode.ABORTED, "no").describe() == "ABORTED:no"
    assert Outcome(StatusCode.ABORTED, "no", debug="no").describe() == "ABORTED:no"
    outcome = Outcome(StatusCode.ABORTED, "no", debug="peer ipv4:1.1.1.1:1")
    assert outcome.describe() == "ABORTED:no [peer ipv4:1.1.1.1:1]"
