"""Connections that several channels share (`grpc.use_local_subchannel_pool` 0).

Channels that were made alike, on the same runtime, then have one connection to an address between them, and wait together
after an attempt to connect failed. All else is each channel's own: its resolver, policy and subchannels, the limits of its
calls, when it is IDLE. So:

- A link has several owners. Each hears what becomes of it, as if it were its own.
- A channel that is closed, or does not want a connection any more, ends its own calls on it, or waits for their end, and
  leaves. The last one to leave closes it.
- Such a channel keeps count of its calls, because the connection's own counters are everybody's. For that every call asks
  `find_link`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from clarion.client_core.channel import ChannelCore, Pending
from clarion.client_core.runtime import Link, LinkOwner, Runtime, Security
from clarion.client_core.subchannel import Subchannel
from clarion.connectivity import ChannelConnectivity
from clarion.http2 import Abort
from clarion.load_balancing.pick import Picker
from clarion.protocol.outcome import Outcome
from clarion.resolver.backoff import Backoff
from clarion.resolver.target import Address, Target
from clarion.service_config import EMPTY, ServiceConfig
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall
    from clarion.client_core.options import ChannelOptions
    from clarion.http2 import Config

__all__ = ["Pool", "SharingChannelCore", "pool_of"]

# How often a channel that leaves looks whether its calls are over, in seconds.
_MOMENT = 0.05

_MANY = 100

_GIVEN_UP = "nobody waits for the connection any more"

# What calls have of their channel, and connections do not.
_OF_CALLS = frozenset(
    {
        "clarion.propagate",
        "grpc.client_idle_timeout_ms",
        "grpc.default_authority",
        "grpc.default_compression_algorithm",
        "grpc.enable_channelz",
        "grpc.enable_retries",
        "grpc.http2_scheme",
        "grpc.inhibit_health_checking",
        "grpc.lb_policy_name",
        "grpc.max_channel_trace_event_memory_per_node",
        "grpc.max_connections_per_subchannel_cap",
        "grpc.max_receive_message_length",
        "grpc.max_send_message_length",
        "grpc.per_message_compression",
        "grpc.per_rpc_retry_buffer_size",
        "grpc.primary_user_agent",
        "grpc.secondary_user_agent",
        "grpc.service_config",
        "grpc.service_config_disable_resolution",
    }
)

Done = Callable[[Link | None, str], None]


class _Shared:
    """One link, and those who use it; the `LinkOwner` that it knows.

    Attributes:
        link: the link, once the runtime has made it.
        users: the subchannels that have it, in the order in which they came.
        ready: the server's SETTINGS arrived.
        options, security: see `LinkOwner`; of the first who wanted it, and the others' are alike.
    """

    def __init__(self, place: _Place, owner: LinkOwner) -> None:
        self.options: ChannelOptions = owner.options
        self.security: Security | None = owner.security
        self.link: Link | None = None
        self.users: dict[SharingSubchannel, None] = {}
        self.ready = False
        self._place = place
        self._waiting: dict[SharingSubchannel, Done] = {}
        # What the link said before the runtime said that there is one.
        self._early: list[Callable[[], None]] = []

    @property
    def wanted(self) -> bool:
        """Somebody has it, or waits for it."""
        return bool(self.users or self._waiting)

    def wait(self, user: SharingSubchannel, done: Done) -> None:
        """Tell `user` of the link when it is there."""
        self._waiting[user] = done

    def leave(self, user: SharingSubchannel) -> None:
        """`user` has no interest in it any more."""
        self.users.pop(user, None)
        self._waiting.pop(user, None)

    def connected(self, link: Link | None, why: str) -> None:
        """What the runtime says."""
        waiting, self._waiting = self._waiting, {}
        if link is None:
            self._place.failed(self, why)
            for done in waiting.values():
                done(None, why)
            return
        self.link = link
        if not waiting:
            link.close(_GIVEN_UP)
            return
        self._place.pool.links[link] = self
        for user, done in waiting.items():
            self.users[user] = None
            done(link, "")
        early, self._early = self._early, []
        for news in early:
            news()

    # LinkOwner

    def link_ready(self, link: Link) -> None:
        if self.link is None:
            self._early.append(lambda: self.link_ready(link))
            return
        self.ready = True
        self._place.succeeded(self)
        for user in list(self.users):
            user.link_ready(link)

    def link_draining(self, link: Link, code: int, debug: bytes) -> None:
        if self.link is None:
            self._early.append(lambda: self.link_draining(link, code, debug))
            return
        self._place.lost(self, "the server sent GOAWAY")
        for user in list(self.users):
            user.link_draining(link, code, debug)

    def link_closed(self, link: Link, reason: Abort) -> None:
        if self.link is None:
            self._early.append(lambda: self.link_closed(link, reason))
            return
        self._place.lost(self, reason.message)
        self._place.pool.links.pop(link, None)
        for user in list(self.users):
            user.link_closed(link, reason)


class _Place:
    """An address, as channels of one kind see it."""

    def __init__(self, pool: Pool, options: ChannelOptions) -> None:
        self.pool = pool
        # Those that take calls, and the one that is being made.
        self.links: list[_Shared] = []
        self.attempt: _Shared | None = None
        self.why = ""
        self.until = 0.0
        self._began = 0.0
        runtime = pool.runtime
        self._backoff = Backoff(options.initial_backoff, options.max_backoff, runtime.random)

    def begin(self, address: Address, config: Config, user: SharingSubchannel, done: Done) -> None:
        """Begin an attempt to connect."""
        self._began = self.pool.runtime.now()
        self.attempt = attempt = _Shared(self, user)
        attempt.wait(user, done)
        self.pool.runtime.connect(address, config, attempt, attempt.connected)

    def succeeded(self, shared: _Shared) -> None:
        """A connection is usable."""
        self.links.append(shared)
        if shared is self.attempt:
            self.attempt = None
        self._backoff.reset()

    def failed(self, shared: _Shared, why: str) -> None:
        """An attempt came to nothing."""
        if shared is self.attempt:
            self.attempt = None
            self.why = why
            self.until = self._began + self._backoff.next()

    def lost(self, shared: _Shared, why: str) -> None:
        """A connection takes no more calls."""
        if shared in self.links:
            self.links.remove(shared)
        else:
            self.failed(shared, f"connected, but {why}")


class Pool:
    """The shared connections of a runtime.

    Args:
        runtime: the runtime; it lives as long as they do.

    Attributes:
        links: whose each of them is.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.links: dict[Link, _Shared] = {}
        self._places: dict[Hashable, _Place] = {}
        self._many = _MANY

    def connect(
        self,
        key: Hashable,
        address: Address,
        config: Config,
        user: SharingSubchannel,
        done: Done,
    ) -> None:
        """Have a connection, by `Runtime.connect` if need be."""
        place = self._places.get(key)
        if place is None:
            self._forget_places()
            place = self._places[key] = _Place(self, user.options)
        for shared in place.links:
            link = shared.link
            if link is not None and user not in shared.users:
                if not (link.connection.closed or link.connection.draining):
                    shared.users[user] = None
                    done(link, "")
                    self.runtime.post(functools.partial(self._greet, shared, user))
                    return
        if place.attempt is not None:
            self._join(place.attempt, user, done)
        elif place.until > self.runtime.now():
            done(None, place.why)
        else:
            place.begin(address, config, user, done)

    def _forget_places(self) -> None:
        """Keep those only that something is known of, each time that there are twice as many."""
        if len(self._places) >= self._many:
            now = self.runtime.now()
            self._places = {
                key: place
                for key, place in self._places.items()
                if place.links or place.attempt is not None or place.until > now
            }
            self._many = max(2 * len(self._places), _MANY)

    def _join(self, attempt: _Shared, user: SharingSubchannel, done: Done) -> None:
        if attempt.link is None:
            attempt.wait(user, done)
        else:
            attempt.users[user] = None
            done(attempt.link, "")

    def _greet(self, shared: _Shared, user: SharingSubchannel) -> None:
        if user in shared.users and shared.ready and shared.link is not None:
            user.link_ready(shared.link)

    def pause(self, key: Hashable) -> float:
        """How long there will be no attempt to connect."""
        place = self._places.get(key)
        return 0.0 if place is None else max(place.until - self.runtime.now(), 0.0)

    def give_up(self, key: Hashable, user: SharingSubchannel) -> None:
        """`user` waits no longer for the attempt that is being made."""
        place = self._places.get(key)
        attempt = place.attempt if place is not None else None
        if place is None or attempt is None:
            return
        attempt.leave(user)
        if not attempt.wanted:
            place.failed(attempt, _GIVEN_UP)
            if attempt.link is not None:
                attempt.link.close(_GIVEN_UP)

    def alone(self, link: Link, core: SharingChannelCore) -> bool:
        """Whether no other channel uses `link`."""
        shared = self.links.get(link)
        return shared is None or all(user.core is core for user in shared.users)

    def leave(self, link: Link, core: SharingChannelCore) -> None:
        """`core` has no more to do with `link`; if nobody else has, it is closed."""
        shared = self.links.get(link)
        if shared is not None:
            for user in list(shared.users):
                if user.core is core:
                    shared.leave(user)
            if not shared.users:
                link.drain()


class SharingSubchannel(Subchannel):
    """A subchannel whose connections may be those of other channels' subchannels.

    Attributes:
        core: the channel.
    """

    def __init__(
        self,
        core: SharingChannelCore,
        address: Address,
        guard: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        super().__init__(core, address, guard)
        self.core = core
        self._key = (address, core.key)

    def _dial(self, done: Done) -> None:
        self.core.pool.connect(self._key, self.address, self.core.http2, self, done)

    def _pause(self, elapsed: float) -> float:
        # Whoever asks next begins the attempt that all wait for.
        return self.core.pool.pause(self._key) or super()._pause(elapsed)

    def _give_up(self, link: Link | None) -> None:
        pool = self.core.pool
        pool.give_up(self._key, self)
        if link is not None:
            pool.leave(link, self.core)


class SharingChannelCore(ChannelCore):
    """A channel that shares its connections.

    Attributes:
        pool: with whom.
        key: what its connections are like.
    """

    def __init__(
        self,
        runtime: Runtime,
        target: Target,
        options: ChannelOptions,
        security: Security | None,
        pool: Pool,
        credentials: Hashable,
    ) -> None:
        super().__init__(runtime, target, options, security)
        self.pool = pool
        given = options.arguments.given
        self.key: Hashable = (
            credentials,
            getattr(security, "server_name", None),
            frozenset(
                (name, _identity(value)) for name, value in given.items() if name not in _OF_CALLS
            ),
        )
        self._begun = 0

    def find_link(self, call: ClientCall) -> Link | None:
        """See `ChannelCore`."""
        self._begun += 1
        return super().find_link(call)

    def wait(self, waiting: Pending) -> None:
        """See `ChannelCore`."""
        self._begun += 1
        super().wait(waiting)

    def picker_changed(
        self, state: ChannelConnectivity, picker: Picker, config: ServiceConfig = EMPTY
    ) -> None:
        """See `ChannelCore`."""
        super().picker_changed(state, picker, config)
        # So that calls are counted.
        self.link = None

    def create_subchannel(
        self, address: Address, guard: Callable[[Callable[..., None]], Callable[..., None]]
    ) -> Subchannel:
        """See `ChannelCore`."""
        subchannel = SharingSubchannel(self, address, guard)
        self._subchannels.add(subchannel)
        return subchannel

    def take_pending(self, link: Link) -> list[Pending]:
        """See `ChannelCore`."""
        with link.lock:
            mine = [each for each in link.pending if each.call.core is self]
            for each in mine:
                link.pending.remove(each)
        return mine

    def drain_link(self, link: Link) -> None:
        """See `ChannelCore`."""
        if self.pool.alone(link, self):
            link.drain()
        elif link in self.links:
            self._leave_later(link)
        else:
            self.pool.leave(link, self)

    def _leave_later(self, link: Link) -> None:
        """Leave when this channel's calls on it are over."""
        if link not in self.links:
            return
        if self._calls_on(link):
            self.runtime.call_later(_MOMENT, lambda: self.drain_link(link))
        else:
            self.pool.leave(link, self)
            self.link_removed(link)

    def _calls_on(self, link: Link) -> list[Any]:
        return [
            stream
            for stream in list(link.connection.streams.values())
            if getattr(getattr(stream, "call", None), "core", None) is self
        ]

    def close_link(self, link: Link, why: str) -> None:
        """See `ChannelCore`."""
        if self.pool.alone(link, self):
            link.close(why)
            return
        outcome = Outcome(StatusCode.CANCELLED, why)
        with link.lock:
            for attempt in self._calls_on(link):
                attempt.end(outcome)
            link.flush_soon()
        self.pool.leave(link, self)

    def _activity(self) -> tuple[int, bool]:
        return self._begun, any(self._calls_on(link) for link in self.links)


def _identity(value: Any) -> Hashable:
    return value if isinstance(value, (str, bytes, int)) else id(value)


_pools: weakref.WeakKeyDictionary[Any, weakref.ref[Pool]] = weakref.WeakKeyDictionary()


def pool_of(owner: object, make_runtime: Callable[[], Runtime]) -> Pool:
    """The pool that belongs to `owner`, an event loop or a runtime; it lives as long as there are channels that use it.

    Args:
        owner: see above.
        make_runtime: makes the runtime of a new pool.
    """
    known = _pools.get(owner)
    pool = known() if known is not None else None
    if pool is None:
        pool = Pool(make_runtime())
        _pools[owner] = weakref.ref(pool)
    return pool
