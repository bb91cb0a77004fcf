"""What the calls that a handler makes inherit from the call it serves: its deadline and its cancellation.

A request that fans out over services should not keep them busy when its caller is gone (gRPC's "deadline
propagation"). A handler runs with its call as the current parent, in a context variable, so tasks it starts and
threads that it gives its context inherit too. A call made meanwhile has no more time than its parent has left,
and ends when the parent is cut off: cancelled by its client, out of time, or without its connection. A parent
that ended by what its handler decided cuts nothing off: what the handler left running may go on.

Channels and servers can do without (`clarion.propagate` set to 0), and so can a block of code (`detached`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol

__all__ = ["PROPAGATE", "Child", "Family", "current_parent", "detached"]

PROPAGATE = "clarion.propagate"
"""The channel argument that switches propagation off, of a channel's calls or of a server's handlers."""


class Child(Protocol):
    """A call that was made for another."""

    def parent_cut_off(self) -> None:
        """The call that this one was made for was cut off. From any thread, with any lock held."""


class Family:
    """A call that others may be made for.

    Attributes:
        cut_off: it was ended by its client, its deadline or its connection, not by its handler.
    """

    cut_off = False
    # A dict, for one operation on it is atomic between threads.
    _children: dict[Child, None] | None = None

    def time_left(self) -> float | None:
        """Seconds until the deadline, negative after it; None without one, or when the handler is done."""
        raise NotImplementedError

    def shorten(self, timeout: float | None) -> float | None:
        """The timeout, in seconds, of a call that asked for `timeout` and is made for this one."""
        left = self.time_left()
        if left is None or (timeout is not None and timeout <= left):
            return timeout
        return left

    def adopt(self, child: Child) -> None:
        """Cut `child` off together with this call."""
        children = self._children
        if children is None:
            # One atomic step, for another thread may adopt the first child as well.
            children = self.__dict__.setdefault("_children", {})
        children[child] = None
        if self.cut_off:
            self._cut_off_children()

    def release(self, child: Child) -> None:
        """`child` is over."""
        children = self._children
        if children is not None:
            children.pop(child, None)

    def _cut_off_children(self) -> None:
        children = self._children
        while children:
            try:
                child, _ = children.popitem()
            except KeyError:
                # Another thread took the last one.
                return
            child.parent_cut_off()


current_parent: ContextVar[Family | None] = ContextVar("clarion.current_parent", default=None)
"""The call whose handler runs."""


@contextlib.contextmanager
def detached() -> Iterator[None]:
    """Within the block, calls inherit neither deadline nor cancellation from the call that is being served.

    For work that must go on when the caller is gone, such as writing an audit record.
    """
    token = current_parent.set(None)
    try:
        yield
    finally:
        current_parent.reset(token)
