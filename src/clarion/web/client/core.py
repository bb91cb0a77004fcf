"""The state of a web channel: connections of HTTP/1.1 take one call at a time, so there are as many as there are calls.

Where connections have HTTP/2, a channel is what it always is. With HTTP/1.1:

- A call takes a connection that is free. If none is, another one is made, up to `WebClient.max_connections` to each address;
  until it is there, and above that, calls wait in the order in which they came for whichever connection is free first.
- For calls that come together several connections are made at once, but no more than calls wait: `_AT_ONCE` when all goes
  well, and more with every one that was made. After a failure none is made until the backoff is over, and then one.
- Calls that wait do so in one queue for all connections to an address, which each of them serves when its exchange ends.
- A connection that was closed after it served a call did not fail, however short its life was. One that served none shows
  that the server takes no more, as a refused attempt does: TCP connects whatever the server thinks of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.client_core.channel import ChannelCore, Pending
from clarion.client_core.runtime import Link
from clarion.client_core.subchannel import MOST_SHORT_LIVES, Subchannel
from clarion.resolver.target import Address

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall
    from clarion.web.client.options import WebClient

__all__ = ["WebChannelCore"]


# Attempts to connect that are under way together, to an address of which nothing is known.
_AT_ONCE = 8


def _is_http1(link: Any) -> bool:
    return bool(link.connection.is_http1)


class WebSubchannel(Subchannel):
    """One address of a web channel.

    Attributes:
        queue: calls that wait for a connection of HTTP/1.1.
    """

    def __init__(
        self,
        core: WebChannelCore,
        address: Address,
        guard: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        super().__init__(core, address, guard)
        self.queue: deque[Pending] = deque()
        # How many attempts to connect may be under way together.
        self._at_once = _AT_ONCE
        self._failed_at = -math.inf

    def free_link(self) -> Link | None:
        """A connection that can take a call now, or none; from any thread, so that it may be taken before it is used."""
        for link in list(self.links):
            if link.connection.can_open:
                return link
        return None

    def link_ready(self, link: Link) -> None:
        if _is_http1(link):
            link.pending = self.queue
        if self._attempt_of(link) is not None:
            self._at_once += 1
        super().link_ready(link)
        if self.queue:
            self.link_full(link)

    def link_full(self, link: Link) -> None:
        if not _is_http1(link):
            super().link_full(link)
            return
        waiting = len(self.queue) - self._serve()
        if waiting > 0:
            self._add_links(link, min(waiting, self._at_once))

    def _serve(self) -> int:
        """Have connections that are free take calls from the queue; return how many there are."""
        free = [link for link in self.links if link.connection.can_open]
        for link in free:
            link.connection.observer.streams_available()
        return len(free)

    def _move_calls(self, full: Link, link: Link) -> None:
        if _is_http1(link):
            self.link = link
        else:
            super()._move_calls(full, link)

    def leave(self, link: Link, *, lost: bool = False) -> None:
        lost = lost and not getattr(link.connection, "expendable", False)
        if _is_http1(link) and len(self.links) > 1:
            self._count_short_lives(lost)
        super().leave(link, lost=lost)

    def _count_short_lives(self, lost: bool) -> None:
        """A connection beside others takes no more calls; it is `lost` if it never served one."""
        lasted = self._runtime.now() - self._ready_since >= self.options.initial_backoff
        self._short_lives = self._short_lives + 1 if lost and not lasted else 0
        if self._short_lives >= MOST_SHORT_LIVES:
            self._wait("each connection was closed soon after it was made")

    def _wait(self, why: str) -> None:
        self._at_once = 1
        newest = self.links[-1] if self.links else None
        if newest is not None and self._ready_since > self._failed_at:
            if getattr(newest.connection, "expendable", False):
                # Since the last failure a connection was made that served a call.
                self._backoff.reset()
        self._failed_at = self._runtime.now()
        super()._wait(why)


class WebChannelCore(ChannelCore):
    """A web channel.

    Args:
        web: its protocol.
    """

    def __init__(
        self, runtime: Any, target: Any, options: Any, security: Any, web: WebClient
    ) -> None:
        super().__init__(runtime, target, options, security)
        self._web = web

    @property
    def link(self) -> Link | None:
        """None, so that every call asks `find_link`."""
        return None

    @link.setter
    def link(self, link: Link | None) -> None:
        pass

    def find_link(self, call: ClientCall) -> Link | None:
        link = super().find_link(call)
        if link is not None and not link.connection.can_open:
            # Whose calls would wait in the same queue.
            return self._free_link(link) or link
        return link

    def _free_link(self, link: Link) -> Link | None:
        for subchannel in self.subchannels:
            if isinstance(subchannel, WebSubchannel) and link in subchannel.links:
                return subchannel.free_link()
        return None

    def awaited_by(self, waiting: Pending) -> str:
        link = waiting.call.crowded
        awaited = super().awaited_by(waiting)
        if link is None or not _is_http1(link) or not awaited.startswith("a free stream"):
            return awaited
        return f"a free connection: there may be {self._web.max_connections} to {link.peer_name()}"

    def most_links(self, link: Link) -> int:
        return self._web.max_connections if _is_http1(link) else self.max_connections

    def take_pending(self, link: Link) -> list[Pending]:
        # Links of HTTP/1.1 share theirs.
        pending = []
        while link.pending:
            try:
                pending.append(link.pending.popleft())
            except IndexError:
                break
        return pending

    def calls_need_links(self, link: Link) -> None:
        for subchannel in self.subchannels:
            if isinstance(subchannel, WebSubchannel) and subchannel.queue is link.pending:
                if subchannel.links:
                    # The others serve the queue.
                    link.pending = deque()
                    subchannel.link_full(subchannel.links[0])
                    return
        super().calls_need_links(link)

    def create_subchannel(
        self, address: Address, guard: Callable[[Callable[..., None]], Callable[..., None]]
    ) -> Subchannel:
        subchannel = WebSubchannel(self, address, guard)
        self._subchannels.add(subchannel)
        return subchannel
