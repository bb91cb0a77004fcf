"""One address of a channel: connecting to it, with backoff, and the connection.

    IDLE ──connect()──> CONNECTING ──(SETTINGS received)──> READY
      ^                     │                                 │
      │                 (failed)                              │
      │                     v                                 │
      ├──(backoff)── TRANSIENT_FAILURE                        │
      └──────────────(GOAWAY, or the connection is lost)──────┘

It connects when its policy asks, and not by itself (gRFC A61). Watchers hear of changes one after another, never from
within a call of theirs.

Where the service config allows several connections to an address, another one is made when calls wait for a free
stream on those there are (gRFC A105). New calls then go to one that is not full. There is one attempt at a time; where
a connection takes one call alone, there may be several (`clarion.web.client.core`). After one failed, none is begun
until the backoff is over.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.channelz_data import INFO, SUBCHANNEL, WARNING, Totals
from clarion.client_core.health_check import HealthCheck
from clarion.client_core.load_watch import LoadReports
from clarion.client_core.runtime import Link, Security, Timer
from clarion.connectivity import ChannelConnectivity
from clarion.http2 import Abort, ErrorCode, error_name
from clarion.load_balancing.policy import LoadReportWatch, StateWatcher
from clarion.resolver.backoff import Backoff
from clarion.resolver.target import Address, ProxiedAddress

if TYPE_CHECKING:
    from clarion.client_core.channel import ChannelCore
    from clarion.client_core.options import ChannelOptions

__all__ = ["MOST_SHORT_LIVES", "Subchannel"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE
_SHUTDOWN = ChannelConnectivity.SHUTDOWN

# A server that accepts connections only to close them is not asked for another without a pause for ever; one that was
# restarted is found at once.
MOST_SHORT_LIVES = 3

_GIVEN_UP = "the attempt to connect was given up"


class _Attempt:
    """An attempt to connect that is under way.

    Attributes:
        link: how far it has got: the connection that is not usable yet.
        timer: ends it.
    """

    __slots__ = ("link", "timer")

    def __init__(self) -> None:
        self.link: Link | None = None
        self.timer: Timer | None = None


class Subchannel:
    """One address.

    Args:
        core: the channel.
        address: where to connect.
        guard: makes of a watcher one that never raises.

    Attributes:
        address: see above.
        state: the connectivity.
        why: in TRANSIENT_FAILURE, what went wrong.
        link: the connection for new calls, or None.
        links: all connections that take calls.
        options, security: the channel's; what a connection is made with.
        ending: connections that take no more calls, and have some.
        node: what is recorded of it.
        totals: what its connections counted that are gone.
    """

    def __init__(
        self,
        core: ChannelCore,
        address: Address,
        guard: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        self.address = address
        self.state = _IDLE
        self.why = ""
        self.link: Link | None = None
        self.links: list[Link] = []
        self.ending: list[Link] = []
        self.totals = Totals()
        self.node = core.node.child(SUBCHANNEL, self)
        self.node.log("Subchannel created")
        core.node.log(f"Subchannel created: {address}", child=self.node)
        self.options: ChannelOptions = core.options
        self.security: Security | None = core.security
        self._core = core
        self._guard = guard
        self._runtime = core.runtime
        # With whether it is the health that they watch.
        self._watchers: list[tuple[bool, StateWatcher]] = []
        self._health: HealthCheck | None = None
        self._load: LoadReports | None = None
        # Where the channel's own calls are: health checks and load reports.
        self._asked: Link | None = None
        self._backoff = Backoff(
            core.options.initial_backoff, core.options.max_backoff, core.runtime.random
        )
        self._attempts: list[_Attempt] = []
        self._attempt_started = 0.0
        # Attempts that failed, of which the subchannel has not been told yet.
        self._failures = 0
        self._backoff_timer: Timer | None = None
        # Why the last attempt failed.
        self._refused = ""
        self._ready_since = 0.0
        self._short_lives = 0
        # What links said before the runtime said that they are connected.
        self._early: list[tuple[Link, Callable[[], None]]] = []

    # What policies ask

    def connect(self) -> None:
        """Connect if IDLE; from any thread."""
        if self.state is _IDLE:
            self._runtime.post_from_thread(self._connect)

    def watch(self, watcher: StateWatcher) -> None:
        """See `clarion.load_balancing.Subchannel`."""
        self._watchers.append((False, self._guard(watcher)))

    def watch_health(self, watcher: StateWatcher) -> None:
        """See `clarion.load_balancing.Subchannel`."""
        self._watchers.append((True, self._guard(watcher)))
        if self._asked is None:
            self.renew_health_check()
        else:
            # Not from here: watchers hear of it.
            self._runtime.post(self.renew_health_check)

    def watch_load(self, interval: float, watcher: Callable[[Any], None]) -> LoadReportWatch:
        """See `clarion.load_balancing.Subchannel`."""
        if self._load is None:
            self._load = LoadReports(self._core)
            if self._asked is not None:
                self._load.start(self._asked)
        return self._load.add(interval, self._guard(watcher))

    def close(self) -> None:
        """No new calls start here; those in progress go on."""
        if self.state is _SHUTDOWN:
            return
        self._watchers.clear()
        self.stop_asking()
        for attempt in list(self._attempts):
            self._end_attempt(attempt)
        if self._backoff_timer is not None:
            self._backoff_timer.cancel()
            self._backoff_timer = None
        self.state = _SHUTDOWN
        links, self.links = self.links, []
        self.link = None
        self._core.subchannel_closed(self)
        for link in links:
            self._core.calls_need_links(link)
            self._core.drain_link(link)

    def link_full(self, link: Link) -> None:
        """A call waits for a free stream on `link`: see whether another connection has one, or make one."""
        if link is not self.link or link.connection.can_open:
            return
        for other in self.links:
            if other.connection.can_open:
                self._move_calls(link, other)
                return
        self._add_links(link, 1)

    def _add_links(self, full: Link, wanted: int) -> None:
        """Have `wanted` attempts under way for connections beside `full`, or as many as there may be."""
        most = self._core.most_links(full)
        while len(self._attempts) < min(wanted, most - len(self.links)):
            if self._failures or self._backoff_timer is not None:
                return
            self._begin_attempt()

    def _move_calls(self, full: Link, link: Link) -> None:
        self.link = link
        self._core.link_moved(full, link)
        self._core.calls_need_links(full)

    # Connecting

    def _connect(self) -> None:
        if self.state is _IDLE:
            self._begin_attempt()

    def _begin_attempt(self) -> None:
        attempt = _Attempt()
        self._attempts.append(attempt)
        self._attempt_started = self._runtime.now()
        seconds = self.options.connect_timeout
        why = f"no answer within {seconds:g} s"
        encrypted = self.security is not None and self.security.encrypted
        if encrypted or isinstance(self.address, ProxiedAddress):
            # The runtime ends a handshake in time by itself, and knows more about it.
            seconds += 1
        attempt.timer = self._runtime.call_later(
            seconds, functools.partial(self._failed, attempt, why)
        )
        if not self.links:
            self._set_state(_CONNECTING)
        # A watcher may have closed it.
        if attempt in self._attempts:
            self._dial(functools.partial(self._connected, attempt))

    def _dial(self, done: Callable[[Link | None, str], None]) -> None:
        self._runtime.connect(self.address, self._core.http2, self, done)

    def _pause(self, elapsed: float) -> float:
        """How long to wait after an attempt that took so long."""
        return max(self._backoff.next() - elapsed, 0.0)

    def _give_up(self, link: Link | None) -> None:
        """The attempt is not wanted any more; it has got as far as `link`, if that is not None."""
        if link is not None:
            link.close(_GIVEN_UP)

    def _connected(self, attempt: _Attempt, link: Link | None, why: str) -> None:
        if link is None:
            self._failed(attempt, why)
            return
        early = [news for about, news in self._early if about is link]
        self._early = [each for each in self._early if each[0] is not link]
        if attempt not in self._attempts:
            self._give_up(link)
            return
        attempt.link = link
        for news in early:
            news()

    def _failed(self, attempt: _Attempt, why: str) -> None:
        if attempt in self._attempts:
            self._end_attempt(attempt)
            self._failures += 1
            # Not from here: a runtime may say so at once, from within `connect`.
            self._runtime.post(functools.partial(self._told_of_failure, why))

    def _told_of_failure(self, why: str) -> None:
        self._failures -= 1
        if self.state is not _SHUTDOWN:
            self._wait(why)

    def _wait(self, why: str) -> None:
        """Make no attempt for some time."""
        self._refused = why
        if self._backoff_timer is None:
            # Attempts that fail together count once.
            elapsed = self._runtime.now() - self._attempt_started
            self._backoff_timer = self._runtime.call_later(self._pause(elapsed), self._backed_off)
        if not self.links and not self._attempts:
            self._set_state(_TRANSIENT_FAILURE, why)

    def _backed_off(self) -> None:
        self._backoff_timer = None
        if not self.links:
            if not (self._attempts or self._failures):
                self._set_state(_IDLE)
        elif self.link is not None and self.link.pending:
            self.link_full(self.link)

    def _end_attempt(self, attempt: _Attempt) -> None:
        self._attempts.remove(attempt)
        if attempt.timer is not None:
            attempt.timer.cancel()
        if not self._attempts:
            self._early.clear()
        self._give_up(attempt.link)

    def _attempt_of(self, link: Link) -> _Attempt | None:
        """The attempt that has got as far as `link`."""
        for attempt in self._attempts:
            if attempt.link is link:
                return attempt
        return None

    # LinkOwner

    def link_ready(self, link: Link) -> None:
        """The connection is usable."""
        if self._is_early(link, lambda: self.link_ready(link)):
            return
        connection = link.connection
        attempt = self._attempt_of(link)
        if attempt is None or connection.closed or connection.draining:
            # In the latter cases we are told next, and that is a failure to connect.
            return
        attempt.link = None
        self._end_attempt(attempt)
        self._ready_since = self._runtime.now()
        self.links.append(link)
        self._core.link_added(link)
        full = self.link
        if full is not None:
            self._move_calls(full, link)
        else:
            self.link = link
            self._set_state(_READY)
            self._ask()

    def link_draining(self, link: Link, code: int, debug: bytes) -> None:
        """The peer takes no more streams on `link`."""
        if self._is_early(link, lambda: self.link_draining(link, code, debug)):
            return
        if code == ErrorCode.ENHANCE_YOUR_CALM and debug == b"too_many_pings":
            self._core.ping_less()
        attempt = self._attempt_of(link)
        if attempt is not None:
            why = f"connected, but the server sent GOAWAY {error_name(code)}"
            if debug:
                why += f" ({debug.decode('utf-8', 'replace')})"
            self._failed(attempt, why)
        elif link in self.links:
            self.leave(link, lost=True)

    def link_closed(self, link: Link, reason: Abort) -> None:
        """The connection is over."""
        if self._is_early(link, lambda: self.link_closed(link, reason)):
            return
        attempt = self._attempt_of(link)
        if attempt is not None:
            attempt.link = None
            why = reason.describe() if reason.code else reason.message
            self._failed(attempt, f"connected, but {why}")
        elif link in self.links:
            self.leave(link, lost=True)
        self._core.link_removed(link)

    def leave(self, link: Link, *, lost: bool = False) -> None:
        """`link` takes no more calls, because this side wants it so, or because it is `lost`."""
        self.links.remove(link)
        self.ending.append(link)
        if link is self._asked:
            self.stop_asking()
        if link is self.link:
            self.link = self.links[0] if self.links else None
            self._core.link_moved(link, self.link)
        self._core.calls_need_links(link)
        if self.link is not None:
            if self._asked is None:
                self._ask()
            return
        lasted = self._runtime.now() - self._ready_since >= self.options.initial_backoff
        self._short_lives = self._short_lives + 1 if lost and not lasted else 0
        # gRFC A105: a further connection that was wanted is the next one now.
        if self._attempts or self._failures:
            self._set_state(_CONNECTING)
        elif self._backoff_timer is not None:
            self._set_state(_TRANSIENT_FAILURE, self._refused)
        elif self._short_lives < MOST_SHORT_LIVES:
            self._backoff.reset()
            self._set_state(_IDLE)
        else:
            self._wait("each connection was closed soon after it was made")

    def forget_link(self, link: Link) -> None:
        """The channel has no more to do with `link`."""
        if link in self.ending:
            self.ending.remove(link)
            self.totals.add(link.connection)

    def _is_early(self, link: Link, news: Callable[[], None]) -> bool:
        """Keep `news` if `link` may still turn out to be what an attempt waits for."""
        if not self._attempts or self._attempt_of(link) is not None or link in self.links:
            return False
        if link in self._core.links:
            return False
        self._early.append((link, news))
        return True

    def _set_state(self, state: ChannelConnectivity, why: str = "") -> None:
        self.state = state
        self.why = why
        severity = WARNING if state is _TRANSIENT_FAILURE else INFO
        because = f": {why}" if why else ""
        self.node.log(f"Subchannel state changed to {state.name}{because}", severity)
        self._core.subchannel_changed(self)
        for of_health, watcher in list(self._watchers):
            if of_health and state is _READY and self._health is not None:
                # Until the server says how it is.
                watcher(_CONNECTING, "")
            else:
                watcher(state, why)

    # The channel's own calls

    def _ask(self) -> None:
        """There is a connection: ask for health and load on it."""
        # A watcher may have closed it, and the channel may be about to.
        link = self._asked = self.link
        if link is not None:
            if self._health is not None:
                self._health.start(link)
            if self._load is not None:
                self._load.start(link)

    def stop_asking(self) -> None:
        """End the calls for health and load: the connection is lost, or shall end when there are no calls."""
        self._asked = None
        if self._health is not None:
            self._health.stop()
        if self._load is not None:
            self._load.stop()

    def renew_health_check(self) -> None:
        """Have the health check that the service config says, if there is one and somebody wants to know."""
        service = self._core.health_service
        if not any(of_health for of_health, _ in self._watchers):
            service = None
        health = self._health
        if service == (None if health is None else health.service):
            return
        self._health = None
        if health is not None:
            health.stop()
        if service is not None:
            self._health = HealthCheck(self._core, service, self._health_changed)
            if self._asked is not None:
                self._health.start(self._asked)
        elif self.state is _READY:
            self._health_changed(_READY, "")

    def _health_changed(self, state: ChannelConnectivity, why: str) -> None:
        for of_health, watcher in list(self._watchers):
            if of_health:
                watcher(state, why)
