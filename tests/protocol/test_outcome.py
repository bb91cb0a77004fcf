"""How a call ended, as one value."""

from __future__ import annotations

from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode


def test_defaults() -> None:
    assert Outcome(StatusCode.OK) == OK
    assert OK == (StatusCode.OK, "", (), "", False)
