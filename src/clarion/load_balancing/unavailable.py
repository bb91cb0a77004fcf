"""What calls are told while nothing can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.load_balancing.pick import Fail
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.load_balancing.policy import Helper

__all__ = ["unavailable"]


def unavailable(helper: Helper, failures: str) -> Fail:
    """Fail with UNAVAILABLE.

    Args:
        helper: knows the channel's target.
        failures: each address that was tried and what it answered, as `address: why`, with "; " between them; or why
            there is no address.
    """
    return Fail(
        Outcome(
            StatusCode.UNAVAILABLE,
            f"failed to connect to all addresses; last error: {failures}",
            debug=f"target {helper.target}",
            unprocessed=True,
        )
    )
