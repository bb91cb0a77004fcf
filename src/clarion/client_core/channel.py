"""A channel without I/O: its state, its connection, and the calls that wait for one.

    IDLE ──(a call, or connect())──> CONNECTING ──(SETTINGS received)──> READY
      ^                                 │  ^                               │
      │                       (all failed) (backoff over)                  │
      │                                 v  │                               │
      │                          TRANSIENT_FAILURE                         │
      └───────────(GOAWAY, the connection is lost, or unused for long)──────┘

One connection to the first address that answers (the pick_first policy). A call that does not wait for
ready fails while the channel is in TRANSIENT_FAILURE, and its error names every address tried with what it
answered.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from clarion.client_core.backoff import Backoff
from clarion.client_core.options import ChannelOptions
from clarion.client_core.runtime import Link, Runtime, Security, Timer
from clarion.connectivity import ChannelConnectivity
from clarion.http2 import Abort, ErrorCode, Idleness, error_name
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import Address, HostPort, Target
from clarion.status import StatusCode

__all__ = ["ChannelCore", "Pending"]

_LOG = logging.getLogger(__name__)

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE
_SHUTDOWN = ChannelConnectivity.SHUTDOWN


class Pending(Protocol):
    """A call that waits for a connection, or for a free stream on one."""

    @property
    def wait_for_ready(self) -> bool:
        """Wait through failures to connect."""

    @property
    def outcome(self) -> Outcome | None:
        """How the call ended, if it did while it was on its way here."""

    def link_available(self, link: Link) -> None:
        """Here is the connection; the call may find it full and wait on the link's `pending`."""

    def link_failed(self, outcome: Outcome) -> None:
        """There will be no connection."""


class ChannelCore:
    """One channel.

    Args:
        runtime: time, names and connections.
        target: where to connect.
        options: settings.
        security: see the attribute.

    Attributes:
        state: the connectivity state.
        link: the connection for new calls, or None.
        links: every connection there still is.
        last_failure: why there is no connection: each address of the last attempt and what it answered;
            empty when that attempt worked.
        security: what secures the connections; None for plain text.
        runtime: time, names and connections.
        awaited: what a call that is not on its way waits for.
    """

    awaited = "a connection"

    def __init__(
        self,
        runtime: Runtime,
        target: Target,
        options: ChannelOptions,
        security: Security | None = None,
    ) -> None:
        self.options = options
        self.target = target
        self.security = security
        self.state = _IDLE
        self.link: Link | None = None
        self.runtime = runtime
        self._waiting: deque[Pending] = deque()
        # Those that had a connection in reach and wait for something else.
        self._held: set[Pending] = set()
        self._watchers: list[Callable[[ChannelConnectivity], None]] = []
        self.links: set[Link] = set()
        self._idle_callback: Callable[[], None] | None = None
        self._attempt = 0
        self._attempt_address: Address | None = None
        self._attempt_link: Link | None = None
        self._attempt_started = 0.0
        self._attempt_timer: Timer | None = None
        self._retry_timer: Timer | None = None
        self._addresses: deque[Address] = deque()
        # What links said before the runtime said that they are connected.
        self._early: list[tuple[Link, Callable[[], None]]] = []
        self._failures: list[str] = []
        self.last_failure = ""
        self._http2 = options.http2
        self._idleness: Idleness | None = None
        self._resolved_until = 0.0
        self._resolved_addresses: list[Address] = []
        self._backoff = Backoff(options.initial_backoff, options.max_backoff, runtime.random)

    # What the front end asks

    def connect(self) -> None:
        """Leave IDLE."""
        if self.state is _IDLE:
            self._start()

    def wait(self, call: Pending) -> None:
        """Give `call` a connection as soon as there is one."""
        if call.outcome is not None:
            # It was given up meanwhile.
            return
        if self.link is not None:
            call.link_available(self.link)
        elif self.state is _SHUTDOWN:
            call.link_failed(Outcome(StatusCode.CANCELLED, "Channel closed!"))
        elif self.security is not None and self.security.unusable is not None:
            target = self.target.authority
            call.link_failed(
                Outcome(
                    StatusCode.INTERNAL,
                    f"Failed to create channel to {target!r}: {self.security.unusable}",
                )
            )
        elif self.state is _TRANSIENT_FAILURE and not call.wait_for_ready:
            call.link_failed(self._unavailable())
        else:
            self._waiting.append(call)
            self.connect()

    def retry(self, call: Pending) -> None:
        """Give `call` a connection again, after what is running now."""
        self.runtime.post(lambda: self.wait(call))

    def wait_beyond(self, call: Pending, link: Link) -> None:
        """Give `call` a connection that is not `link`, which takes no more calls."""

        def move() -> None:
            self.link_draining(link, ErrorCode.NO_ERROR, b"")
            self.wait(call)

        self.runtime.post(move)

    def forget(self, call: Pending) -> None:
        """`call` no longer waits."""
        self._held.discard(call)
        for queue in (self._waiting, *(link.pending for link in self.links)):
            if call in queue:
                queue.remove(call)
        self._check_idle()

    def hold(self, call: Pending) -> None:
        """`call` waits for something else than a connection; it ends with the channel all the same."""
        self._held.add(call)

    def release(self, call: Pending) -> bool:
        """`call` no longer waits for that. Returns False if it ended meanwhile."""
        if call not in self._held:
            return False
        self._held.discard(call)
        return True

    def watch(self, callback: Callable[[ChannelConnectivity], None]) -> None:
        """Call `callback(state)` on every change of state."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[ChannelConnectivity], None]) -> None:
        """Stop calling `callback`."""
        if callback in self._watchers:
            self._watchers.remove(callback)

    def when_idle(self, callback: Callable[[], None]) -> bool:
        """Call `callback()` once no call is in progress or waiting; return False if none is now.

        It is for closing in good order: connections are not kept beyond the calls on them.
        """
        for link in list(self.links):
            if link is not self._attempt_link:
                # What waits for a free stream on it goes to a connection of its own.
                if link.pending:
                    self.link_draining(link, ErrorCode.NO_ERROR, b"")
                link.drain()
        if not self._busy:
            return False
        self._idle_callback = callback
        return True

    @property
    def _busy(self) -> bool:
        return bool(self._waiting or self._held) or any(
            link is not self._attempt_link for link in self.links
        )

    def _check_idle(self) -> None:
        callback = self._idle_callback
        if callback is not None and not self._busy:
            self._idle_callback = None
            callback()

    def abandon(self, outcome: Outcome) -> None:
        """End the calls that wait, and touch nothing else: the process was forked, all of it is the parent's."""
        waiting, self._waiting = [*self._waiting, *self._held], deque()
        self._held.clear()
        for call in waiting:
            call.link_failed(outcome)

    def close(self, outcome: Outcome | None = None) -> None:
        """Close the connections; calls in progress and waiting ones end with `outcome`."""
        if self.state is _SHUTDOWN:
            return
        outcome = outcome or Outcome(StatusCode.CANCELLED, "Channel closed!")
        self._stop_attempt()
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None
        self._leave_link()
        self._set_state(_SHUTDOWN)
        self._watchers.clear()
        waiting, self._waiting = self._waiting, deque()
        waiting.extend(self._held)
        self._held.clear()
        links, self.links = self.links, set()
        for link in links:
            waiting.extend(link.pending)
            link.pending.clear()
            link.close(outcome.details)
        for call in waiting:
            call.link_failed(outcome)
        self._check_idle()

    # Connecting: `_attempt` numbers the look-ups and attempts, so that a late answer is told from a current one.

    def _start(self) -> None:
        self._set_state(_CONNECTING)
        if self.state is not _CONNECTING:
            # A watcher closed the channel.
            return
        self._failures = []
        self._attempt_started = self.runtime.now()
        if self._attempt_started < self._resolved_until:
            self._addresses = deque(self._resolved_addresses)
            self._try_next(self._attempt)
        elif self.target.scheme == "dns":
            name = self.target.addresses[0]
            assert isinstance(name, HostPort)
            self._attempt += 1
            resolved = functools.partial(self._resolved, self._attempt)
            self._limit_attempt(functools.partial(resolved, None), self.options.resolve_timeout)
            self.runtime.resolve(name, resolved)
        else:
            self._addresses = deque(self.target.addresses)
            self._try_next(self._attempt)

    def _resolved(self, attempt: int, addresses: list[Address] | None, why: str) -> None:
        if attempt != self._attempt:
            return
        if not addresses:
            why = why or "no addresses"
            self._failures.append(f"DNS lookup of {self.target.addresses[0]} failed: {why}")
        elif self.options.resolve_interval:
            self._resolved_until = self.runtime.now() + self.options.resolve_interval
            self._resolved_addresses = addresses
        self._addresses = deque(addresses or ())
        self._try_next(attempt)

    def _try_next(self, attempt: int) -> None:
        if attempt != self._attempt:
            return
        self._stop_attempt()
        if not self._addresses:
            self._all_failed()
            return
        self._attempt_address = self._addresses.popleft()
        seconds = self.options.connect_timeout
        if self.security is not None and self.security.encrypted:
            # The runtime ends a handshake in time by itself, and knows more about it.
            seconds += 1
        self._limit_attempt(functools.partial(self._attempt_failed, self._attempt), seconds)
        self.runtime.connect(
            self._attempt_address,
            self._http2,
            self,
            functools.partial(self._connected, self._attempt),
        )

    def _limit_attempt(self, give_up: Callable[[str], None], seconds: float | None = None) -> None:
        timeout = self.options.connect_timeout if seconds is None else seconds
        self._attempt_timer = self.runtime.call_later(
            timeout, lambda: give_up(f"no answer within {timeout:g} s")
        )

    def _connected(self, attempt: int, link: Link | None, why: str) -> None:
        if link is None:
            self._attempt_failed(attempt, why)
        elif attempt != self._attempt:
            link.close("the attempt to connect was given up")
        else:
            self._attempt_link = link
            self.links.add(link)
            early, self._early = self._early, []
            for about, news in early:
                if about is link:
                    news()

    def _attempt_failed(self, attempt: int, why: str) -> None:
        if attempt == self._attempt:
            self._failures.append(f"{self._attempt_address}: {why}")
            self._stop_attempt()
            # Not from here: a name may have a thousand addresses, each of which fails at once.
            self.runtime.post(functools.partial(self._try_next, self._attempt))

    def _stop_attempt(self) -> None:
        self._attempt += 1
        self._attempt_address = None
        if self._attempt_timer is not None:
            self._attempt_timer.cancel()
            self._attempt_timer = None
        link, self._attempt_link = self._attempt_link, None
        if link is not None:
            self.links.discard(link)
            link.close("the attempt to connect was given up")
        self._early.clear()

    def _all_failed(self) -> None:
        self.last_failure = "; ".join(self._failures)
        elapsed = self.runtime.now() - self._attempt_started
        self._retry_timer = self.runtime.call_later(
            max(self._backoff.next() - elapsed, 0.0), self._retry
        )
        waiting = self._waiting
        self._waiting = deque(call for call in waiting if call.wait_for_ready)
        outcome = self._unavailable()
        self._set_state(_TRANSIENT_FAILURE)
        for call in waiting:
            if not call.wait_for_ready:
                call.link_failed(outcome)
        self._check_idle()

    def _retry(self) -> None:
        self._retry_timer = None
        self._start()

    def _unavailable(self) -> Outcome:
        return Outcome(
            StatusCode.UNAVAILABLE,
            f"failed to connect to all addresses; last error: {self.last_failure}",
            debug=f"target {self.target.authority}",
            unprocessed=True,
        )

    # LinkOwner

    def link_ready(self, link: Link) -> None:
        """The connection is usable."""
        if self._is_early(link, lambda: self.link_ready(link)):
            return
        connection = link.connection
        if link is not self._attempt_link or connection.closed or connection.draining:
            # In the latter cases we are told next, and that is a failure to connect.
            return
        self._attempt_link = None
        self._stop_attempt()
        self._backoff.reset()
        self.last_failure = ""
        self.link = link
        self._idleness = Idleness(
            connection,
            self.runtime.call_later,
            self.options.idle_timeout,
            functools.partial(self._unused, link),
        )
        self._set_state(_READY)
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.link_available(link)
        if self._idle_callback is not None:
            self.when_idle(self._idle_callback)

    def link_draining(self, link: Link, code: int, debug: bytes) -> None:
        """The peer takes no more streams on `link`."""
        if self._is_early(link, lambda: self.link_draining(link, code, debug)):
            return
        if code == ErrorCode.ENHANCE_YOUR_CALM and debug == b"too_many_pings":
            self._ping_less()
        if link is self._attempt_link:
            why = f"connected, but the server sent GOAWAY {error_name(code)}"
            if debug:
                why += f" ({debug.decode('utf-8', 'replace')})"
            self._attempt_failed(self._attempt, why)
        elif link is self.link:
            self._leave_link()
            pending, link.pending = link.pending, deque()
            self._waiting.extend(pending)
            self._set_state(_IDLE)
            if self._waiting:
                self.connect()

    def link_closed(self, link: Link, reason: Abort) -> None:
        """The connection is over."""
        if self._is_early(link, lambda: self.link_closed(link, reason)):
            return
        self.links.discard(link)
        if link is self._attempt_link:
            self._attempt_link = None
            why = reason.describe() if reason.code else reason.message
            self._attempt_failed(self._attempt, f"connected, but {why}")
        elif link is self.link:
            self.link_draining(link, reason.code, b"")
        self._check_idle()

    def _leave_link(self) -> None:
        self.link = None
        if self._idleness is not None:
            self._idleness.stop()
            self._idleness = None

    def _unused(self, link: Link) -> None:
        if link is self.link:
            self.link_draining(link, ErrorCode.NO_ERROR, b"")
            link.drain()

    def _ping_less(self) -> None:
        """gRFC A8: a client that the server finds too curious doubles its interval."""
        keepalive = self._http2.keepalive
        self._http2 = dataclasses.replace(
            self._http2, keepalive=dataclasses.replace(keepalive, time=keepalive.time * 2)
        )

    def _is_early(self, link: Link, news: Callable[[], None]) -> bool:
        """Keep `news` if `link` may still turn out to be what this attempt waits for."""
        if link in self.links or self._attempt_timer is None:
            return False
        self._early.append((link, news))
        return True

    def _set_state(self, state: ChannelConnectivity) -> None:
        self.state = state
        for watcher in list(self._watchers):
            try:
                watcher(state)
            except Exception:
                _LOG.exception("a callback for the channel's state raised")
