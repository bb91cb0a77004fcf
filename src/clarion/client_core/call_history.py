"""What a call's error tells of how it came to that (`RpcError.timeline`), from what was recorded anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.history import History
from clarion.protocol.outcome import Outcome

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall

__all__ = ["with_history"]


def with_history(
    call: ClientCall, outcome: Outcome, marks: tuple[tuple[float, str], ...] = ()
) -> Outcome:
    """`outcome`, which is not OK, with what is known of how it came to that.

    Args:
        call: it had to wait for a connection, or has marks.
        outcome: how it ended.
        marks: what its tracer kept.
    """
    core, delayed_at = call.core, call.delayed_at
    ended = core.node.now
    if not marks and (delayed_at is None or not ended):
        return outcome
    began = marks[0][0] if marks else ended - core.runtime.now() + (delayed_at or 0.0)
    how = f"the call ends with {outcome.code.name}: {outcome.details}"
    history = History(began, max(ended, began), how, marks, core.recent_events())
    return outcome._replace(history=history)
