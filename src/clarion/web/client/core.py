"""The state of a web channel: connections of HTTP/1.1 take one call at a time, so there are as many as there are calls.

Where connections have HTTP/2, a channel is what it always is. With HTTP/1.1:

- A call takes a connection that is free. If none is, another one is made, up to `WebClient.max_connections` to each address;
  until it is there, and above that, calls wait in the order in which they came for whichever connection is free first.
- Calls that wait do so in one queue for all connections to an address, which each of them serves when its exchange ends.
- A connection that was closed after it served a call did not fail, however short its life was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.client_core.channel import ChannelCore, Pending
from clarion.client_core.runtime import Link
from clarion.client_core.subchannel import Subchannel
from clarion.resolver.target import Address

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall
    from clarion.web.client.options import WebClient

__all__ = ["WebChannelCore"]


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

    def free_link(self) -> Link | None:
        """A connection that can take a call now, or none; from any thread, so that it may be taken before it is used."""
        for link in list(self.links):
            if link.connection.can_open:
                return link
        return None

    def link_ready(self, link: Link) -> None:
        if _is_http1(link):
            link.pending = self.queue
        super().link_ready(link)
        if self.queue:
            self.link_full(link)

    def link_full(self, link: Link) -> None:
        if not _is_http1(link):
            super().link_full(link)
            return
        if self.queue and not self._serve():
            self._add_link(link)

    def _serve(self) -> bool:
        """Have connections that are free take calls from the queue; return whether there are as many as calls."""
        free = [link for link in self.links if link.connection.can_open]
        waiting = len(self.queue)
        for link in free:
            link.connection.observer.streams_available()
        return len(free) >= waiting

    def _move_calls(self, full: Link, link: Link) -> None:
        if _is_http1(link):
            self.link = link
        else:
            super()._move_calls(full, link)

    def leave(self, link: Link, *, lost: bool = False) -> None:
        expendable = getattr(link.connection, "expendable", False)
        super().leave(link, lost=lost and not expendable)


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
