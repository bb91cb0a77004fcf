"""What happened to a call, and when, as its exception tells it (`RpcError.timeline`).

Rules it keeps:

- What is recorded of a call is what costs nothing: when a call has to wait for a connection, and what its channel records of
  itself anyway. More of it (`clarion.timeline`, traces of calls) is opted in to.
- Texts and offsets are made when somebody asks.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["History", "Timeline", "TimelineEntry"]

# So much of what was before the call is shown.
_BEFORE = 10

Mark = tuple[float, str]


class TimelineEntry(NamedTuple):
    """One thing that happened.

    Attributes:
        milliseconds: since the call began; negative for what its channel did before.
        text: what.
    """

    milliseconds: float
    text: str

    def __str__(self) -> str:
        return f"{self.milliseconds:+.1f} ms {self.text}"


class Timeline(tuple[TimelineEntry, ...]):
    """Entries in order. As text it has a line for each."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))


class History(NamedTuple):
    """What a timeline is made of. Times are seconds since 1970.

    Attributes:
        began: when the call did.
        ended: when it did.
        how: in words.
        marks: what happened to the call.
        events: what happened to its channel.
    """

    began: float
    ended: float
    how: str
    marks: tuple[Mark, ...] = ()
    events: tuple[Mark, ...] = ()

    def timeline(self) -> Timeline:
        """In order, with offsets."""
        during = [event for event in self.events if self.began <= event[0] <= self.ended]
        before = sorted(event for event in self.events if event[0] < self.began)[-_BEFORE:]
        marks = self.marks or ((self.began, "the call begins, and waits for a connection"),)
        # The sort is stable: at the same moment the channel's events explain the call's.
        merged = sorted([*before, *during, *marks], key=lambda mark: mark[0])
        return Timeline(
            TimelineEntry(round((at - self.began) * 1000, 3), text)
            for at, text in [*merged, (self.ended, self.how)]
        )
