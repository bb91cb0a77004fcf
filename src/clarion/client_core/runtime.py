"""What the client's state machines ask of the front end that runs them.

Everything the runtime calls back runs one after another, never two at a time; so nothing above a link
needs a lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from clarion.http2 import Abort, Config, Connection, Timer
from clarion.resolver.target import Address, HostPort

if TYPE_CHECKING:
    from clarion.client_core.channel import Pending
    from clarion.client_core.options import ChannelOptions

__all__ = ["Link", "LinkOwner", "Runtime", "Security", "Timer"]


class Link(Protocol):
    """A connected socket with an HTTP/2 connection on it.

    Attributes:
        connection: the HTTP/2 connection.
        pending: calls that wait for a free stream on it.
        lock: held by whoever uses the connection, where there are several threads.
    """

    connection: Connection
    pending: deque[Pending]

    @property
    def lock(self) -> AbstractContextManager[object]: ...

    def flush_soon(self) -> None:
        """Write what is in the connection's outbox."""

    def peer_name(self) -> str:
        """The server's address, for error texts."""

    def close(self, message: str) -> None:
        """Close the connection; calls on it hear `message`."""

    def drain(self) -> None:
        """Close the connection when its calls are over."""

    def leave_unattended(self) -> None:
        """A call goes on that no thread waits for (with the lock)."""

    def attended(self) -> None:
        """Such a call is over (with the lock)."""


class Security(Protocol):
    """What secures a channel's connections. How it does that is between the front ends and `clarion.security`.

    Attributes:
        encrypted: with TLS.
        takes_call_credentials: whether call credentials may be sent.
        unusable: why there can be no connection at all, or None.
    """

    @property
    def encrypted(self) -> bool: ...

    @property
    def takes_call_credentials(self) -> bool: ...

    @property
    def unusable(self) -> str | None: ...


class LinkOwner(Protocol):
    """Who hears what becomes of a link.

    Attributes:
        options: the channel's settings.
        security: what secures the connection; None for plain text.
    """

    options: ChannelOptions
    security: Security | None

    def link_ready(self, link: Link) -> None:
        """The peer's SETTINGS arrived."""

    def link_draining(self, link: Link, code: int, debug: bytes) -> None:
        """The peer sent GOAWAY: open no more streams on it."""

    def link_closed(self, link: Link, reason: Abort) -> None:
        """The connection is over."""


class Runtime(Protocol):
    """Time, names and connections."""

    def now(self) -> float:
        """A monotonic clock in seconds."""

    def random(self) -> float:
        """A number from 0 up to 1, for jitter."""

    def lock(self) -> AbstractContextManager[object]:
        """What keeps the threads that make calls out of each other's way; a lock, where there are several."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `delay` seconds."""

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` soon, after what is running now."""

    def post_from_thread(self, callback: Callable[[], None]) -> None:
        """`post`, from any thread."""

    def apart(self, work: Callable[[], None]) -> None:
        """Run `work` on a thread on which it may block, and raise, without stopping anything else."""

    def resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        """Look up a name; `done(addresses, "")` or `done(None, why not)`."""

    def connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[Link | None, str], None],
    ) -> None:
        """Connect; `done(link, "")` or `done(None, why not)`. The link's preface is already on its way."""
