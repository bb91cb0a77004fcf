"""Pickers: where one attempt of a call goes.

A picker answers with one of four things:

- `Picked`: a subchannel that is READY. Where it is not any more, the channel asks again when the policy has spoken.
- `QUEUE`: wait for the policy's next picker.
- `Fail`: the attempt fails with this status, unless the call waits for ready, which then waits for the next picker.
- `Drop`: the call fails with this status, whether it waits for ready or not, and is not retried.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

from clarion.protocol.outcome import Outcome

if TYPE_CHECKING:
    from clarion.load_balancing.load_report import LoadReport
    from clarion.load_balancing.policy import Subchannel

__all__ = [
    "QUEUE",
    "Done",
    "Drop",
    "Fail",
    "FixedPicker",
    "Pick",
    "PickInfo",
    "Picked",
    "Picker",
    "Queue",
    "QueuePicker",
]


class PickInfo(NamedTuple):
    """The call that wants to go somewhere.

    Attributes:
        method: `/package.Service/Method`.
        metadata: its header fields as they go on the wire, names in lower case, values as bytes.
        wait_for_ready: whether it waits through failures.
    """

    method: str
    metadata: Sequence[tuple[bytes, bytes]]
    wait_for_ready: bool

    def header(self, name: bytes) -> bytes | None:
        """The values of a header field, joined with commas, or None if there is none."""
        values = [value for key, value in self.metadata if key == name]
        return b",".join(values) if values else None


class Done(NamedTuple):
    """How an attempt ended.

    Attributes:
        outcome: status and trailing metadata.
        reached: whether the server may have seen it: the attempt had a stream that was not refused.
        load: the load report in the trailers (gRFC A51), or None.
    """

    outcome: Outcome
    reached: bool
    load: LoadReport | None


@final
class Picked:
    """Go to `subchannel`.

    Args:
        subchannel: one that the channel made. A policy that gives its children subchannels of its own around these
            takes that off again in its picker.
        done: hears how the attempt ended, once, unless the attempt never got a stream: then it hears None.
        load: whether `done` wants the load report that servers put into trailers.
        metadata: header fields to add to the attempt.
    """

    __slots__ = ("done", "load", "metadata", "subchannel")

    def __init__(
        self,
        subchannel: Subchannel,
        done: Callable[[Done | None], None] | None = None,
        *,
        load: bool = False,
        metadata: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.subchannel = subchannel
        self.done = done
        self.load = load
        self.metadata = metadata


@final
class Queue:
    """Wait for the next picker; `QUEUE` is the only one."""

    __slots__ = ()


QUEUE = Queue()


@final
class Fail:
    """Fail with `outcome`, but for calls that wait for ready."""

    __slots__ = ("outcome",)

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


@final
class Drop:
    """Fail with `outcome`, whatever the call."""

    __slots__ = ("outcome",)

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


Pick = Picked | Queue | Fail | Drop


class Picker(ABC):
    """Answers where calls go.

    Attributes:
        only: the READY subchannel to which every call goes without further ado, or None. A channel whose picker has
            one asks no more: this is what makes pick_first cost nothing.
        turn: gives the next answer to any call, or None. It may be called in place of `pick`, by any thread and without
            the lock, so it is one step of something made in C; its answers want to hear nothing and add no metadata.
    """

    only: Subchannel | None = None
    turn: Callable[[], Picked] | None = None

    @abstractmethod
    def pick(self, info: PickInfo) -> Pick:
        """Say where the call goes."""


@final
class QueuePicker(Picker):
    """Everybody waits.

    Args:
        wanted: called (once) when somebody does: an idle policy connects then.
    """

    def __init__(self, wanted: Callable[[], None] | None = None) -> None:
        self._wanted = wanted

    def pick(self, info: PickInfo) -> Pick:
        """Say that the call waits."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted()
        return QUEUE


@final
class FixedPicker(Picker):
    """Everybody gets the same answer.

    Args:
        answer: which; a `Picked` that wants to hear nothing becomes `only`.
    """

    def __init__(self, answer: Pick) -> None:
        self.answer = answer
        if isinstance(answer, Picked) and answer.done is None and not answer.metadata:
            self.only = answer.subchannel

    def pick(self, info: PickInfo) -> Pick:
        """Give the answer."""
        return self.answer
