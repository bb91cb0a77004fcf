"""A channel without I/O: its state, and the calls that wait for a connection.

    target ──resolver──> endpoints, service config ──policy──> picker ──> a subchannel for each attempt of a call

A channel is IDLE until its first call, and again when it was not used for long: then it has neither resolver nor
policy. Otherwise its state is what its load-balancing policy says. While the policy's picker fails, calls that do not
wait for ready fail, and their errors name every address tried with what it answered.

All of this runs on the runtime, but for `find_link`, which runs on the threads that make calls: that sees one
`Selector`, which is replaced as a whole.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from clarion.channelz_data import ERROR, INFO, NOT_RECORDED, WARNING, Totals
from clarion.client_core.balancing import Balancing
from clarion.client_core.options import ChannelOptions
from clarion.client_core.retry import Throttle
from clarion.client_core.runtime import Link, Runtime, Security, Timer
from clarion.client_core.selector import Selector
from clarion.client_core.subchannel import Subchannel
from clarion.connectivity import ChannelConnectivity
from clarion.credentials.call import Sources
from clarion.http2 import ErrorCode
from clarion.load_balancing.pick import Done, Drop, Fail, FixedPicker, Picked, Picker
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import Address, Target
from clarion.service_config import EMPTY, ServiceConfig
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.call_tracing import PolicyMetrics
    from clarion.client_core.call import ClientCall
    from clarion.client_core.subchannel_call import SubchannelCall

__all__ = ["ChannelCore", "Pending"]

_LOG = logging.getLogger(__name__)

_IDLE = ChannelConnectivity.IDLE
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE
_SHUTDOWN = ChannelConnectivity.SHUTDOWN

# How often a channel looks whether it is used, in each `idle_timeout`.
_LOOKS = 4
# How much of what was recorded a call's timeline is made of: events, and subchannels.
_RECENT = 20


class Pending(Protocol):
    """A call that waits for a connection, or for a free stream on one."""

    @property
    def wait_for_ready(self) -> bool:
        """Wait through failures to connect."""

    @property
    def outcome(self) -> Outcome | None:
        """How the call ended, if it did while it was on its way here."""

    @property
    def call(self) -> ClientCall:
        """The call itself."""

    @property
    def only_asks(self) -> bool:
        """Whether it only wants to know that there is a connection, and asks again for one to use."""

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
        link: the connection for every new call, or None: then `find_link` may know one.
        links: every connection there still is, but for those that are not usable yet.
        last_failure: what addresses answered that there is no connection to, and why the name was not found.
        http2: what new connections begin with.
        security: what secures the connections; None for plain text.
        runtime: time, names and connections.
        pick_lock: held while a picker runs, or is told how its attempt ended.
        throttle: of retries, as the service config has it, or None.
        max_connections: how many connections there may be to each address (gRFC A105).
        sources: the call credentials of every call, for those that the channel makes itself.
        health_service: what health checks ask for (gRFC A17), or None: there are none.
        own_calls: those that the channel makes itself, on some connection.
        told_of_no_health, told_of_no_load: the log has it that a server lacks that service.
        calls, calls_failed: how many there were. Any thread adds to them, which takes no lock: between reading and
            writing an attribute the interpreter does not switch.
        node: what is recorded of the channel.
        policy_metrics: who records what load-balancing policies tell of themselves, or None; it never raises.
        totals: what its connections counted that are gone.
    """

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
        self.links: set[Link] = set()
        self.http2 = options.http2
        self.runtime = runtime
        self._balancing: Balancing | None = None
        self._selector: Selector | None = None
        self.pick_lock = runtime.lock()
        self.throttle: Throttle | None = None
        self.max_connections = 1
        self.sources: Sources = ()
        self.health_service: str | None = None
        self.own_calls: set[SubchannelCall] = set()
        self.told_of_no_health = self.told_of_no_load = False
        self.calls = self.calls_failed = 0
        self.node = NOT_RECORDED
        self.policy_metrics: PolicyMetrics | None = None
        self.totals = Totals()
        self._subchannels: set[Subchannel] = set()
        self._failures: dict[Address, str] = {}
        self._waiting: deque[Pending] = deque()
        # Those that had a connection in reach and wait for something else, which may be a time.
        self._held: dict[Pending, Timer | None] = {}
        self._watchers: list[Callable[[ChannelConnectivity], None]] = []
        self._idle_callback: Callable[[], None] | None = None
        self._idle_timer: Timer | None = None
        self._idle_work = -1
        self._quiet_looks = 0

    @property
    def last_failure(self) -> str:
        """See the class."""
        if self.state is _READY:
            return ""
        unresolved = self._balancing.unresolved if self._balancing is not None else ""
        failures = [f"{address}: {why}" for address, why in self._failures.items()]
        return "; ".join(failures or filter(None, [unresolved]))

    @property
    def name_known(self) -> bool:
        """Whether the target's name was resolved since the channel was last IDLE."""
        return self._balancing is not None and self._balancing.name_known

    def awaited_by(self, waiting: Pending) -> str:
        """What a call that is not on its way waits for, for error texts; from any thread."""
        call = waiting.call
        link = call.crowded
        if waiting in self._held and call.hedging is None:
            return "its next attempt"
        if link is not None and link in self.links and not link.connection.draining:
            limit = link.connection.peer_max_concurrent_streams
            return f"a free stream: {link.peer_name()} takes {limit} at a time"
        return "a connection"

    # What the front end asks

    def connect(self) -> None:
        """Leave IDLE."""
        if self.state is not _IDLE:
            return
        if self._balancing is None:
            self._balancing = Balancing(self)
            self._set_state(ChannelConnectivity.CONNECTING)
            # A watcher may have closed the channel.
            if self._balancing is not None:
                self._watch_idleness()
                self._balancing.start()
        else:
            self._balancing.exit_idle()

    def find_link(self, call: ClientCall) -> Link | None:
        """A connection for `call`, or None: then it has to `wait`. From any thread."""
        selector = self._selector
        if selector is None:
            return None
        if selector.configures and not (selector.admit(call) and call.hedging is None):
            return None
        turn = selector.turn
        if turn is not None:
            subchannel = turn().subchannel
            return subchannel.link if isinstance(subchannel, Subchannel) else None
        only = selector.only
        if only is not None:
            return only.link
        if not selector.admit(call):
            return None
        pick = selector.pick(call)
        if type(pick) is Picked:
            return selector.take(pick, call)
        # It is not asked twice: its answer may have been a matter of chance.
        call.answer = selector, pick
        return None

    def wait(self, waiting: Pending) -> None:
        """Give a call a connection as soon as there is one."""
        if waiting.outcome is not None:
            # It was given up meanwhile.
            return
        selector = self._selector
        if self.link is not None:
            waiting.link_available(self.link)
        elif self.state is _SHUTDOWN:
            waiting.link_failed(Outcome(StatusCode.CANCELLED, "Channel closed!"))
        elif self.security is not None and self.security.unusable is not None:
            target = self.target.authority
            waiting.link_failed(
                Outcome(
                    StatusCode.INTERNAL,
                    f"Failed to create channel to {target!r}: {self.security.unusable}",
                )
            )
        elif selector is None:
            waiting.call.delayed(resolved=False)
            self._waiting.append(waiting)
            self.connect()
        elif selector.admit(waiting.call):
            self._pick(selector, waiting)

    def _pick(self, selector: Selector, waiting: Pending) -> None:
        call = waiting.call
        if call.hedging is not None and waiting is call:
            call.hedging.start()
            return
        if waiting.only_asks and self.state is _READY and self.links:
            # Picks are for attempts.
            waiting.link_available(next(iter(self.links)))
            return
        answer, call.answer = call.answer, None
        if answer is not None and answer[0] is selector:
            pick = answer[1]
        else:
            pick = selector.pick(call)
        if type(pick) is Picked:
            link = selector.take(pick, call)
            if link is not None:
                waiting.link_available(link)
                return
        elif type(pick) is Drop:
            call.commit()
            waiting.link_failed(pick.outcome)
            return
        elif type(pick) is Fail and not waiting.wait_for_ready:
            waiting.link_failed(pick.outcome)
            return
        call.delayed(resolved=self.name_known)
        self._waiting.append(waiting)
        if self.state is _IDLE:
            self.connect()

    def retry(self, call: Pending) -> None:
        """Give `call` a connection again, after what is running now."""
        self.runtime.post(lambda: self.wait(call))

    def wait_beyond(self, call: Pending, link: Link) -> None:
        """Give `call` a connection that is not `link`, which takes no more calls."""

        def move() -> None:
            for subchannel in list(self._subchannels):
                if link in subchannel.links:
                    subchannel.link_draining(link, ErrorCode.NO_ERROR, b"")
            self.wait(call)

        self.runtime.post(move)

    def forget(self, call: Pending) -> None:
        """`call` no longer waits."""
        self.release(call)
        for queue in (self._waiting, *(link.pending for link in self.links)):
            if call in queue:
                queue.remove(call)
        self._check_idle()

    def hold(self, call: Pending) -> None:
        """`call` waits for something else than a connection; it ends with the channel all the same."""
        self._held[call] = None

    def release(self, call: Pending) -> bool:
        """`call` no longer waits for that. Returns False if it ended meanwhile."""
        if call not in self._held:
            return False
        timer = self._held.pop(call)
        if timer is not None:
            # A server may have asked for a wait of days.
            timer.cancel()
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
        self._drain_links()
        if not self._busy:
            return False
        self._idle_callback = callback
        return True

    def _drain_links(self) -> None:
        for subchannel in list(self._subchannels):
            subchannel.stop_asking()
        for link in list(self.links):
            # What waits for a free stream on it goes to a connection of its own.
            for subchannel in list(self._subchannels):
                if link in subchannel.links and link.pending:
                    subchannel.leave(link)
            self.drain_link(link)

    def count_failure(self) -> None:
        """A call ended, and not with OK; from any thread."""
        self.calls_failed += 1

    # What it does to its connections

    def take_pending(self, link: Link) -> Iterable[Pending]:
        """Those of its calls that wait for a free stream on `link` do so no longer."""
        pending, link.pending = link.pending, deque()
        return pending

    def drain_link(self, link: Link) -> None:
        """It has no new calls for `link`, which is to be closed when those on it are over."""
        link.drain()

    def close_link(self, link: Link, why: str) -> None:
        """Its calls on `link` end, and it needs that no more."""
        link.close(why)

    @property
    def _busy(self) -> bool:
        return bool(self._waiting or self._held or self.links)

    def _check_idle(self) -> None:
        callback = self._idle_callback
        if callback is not None and not self._busy:
            self._idle_callback = None
            callback()

    @property
    def locks(self) -> list[Any]:
        """Every lock of the channel and its calls, for a forked child: who had one of them is not there."""
        hedges = (waiting.call.hedging for waiting in self._held)
        return [self.pick_lock, *(each.lock for each in hedges if each is not None)]

    def abandon(self, outcome: Outcome) -> None:
        """End the calls that wait, and touch nothing else: the process was forked, all of it is the parent's."""
        waiting = [*self._waiting, *self._held]
        for link in self.links:
            waiting.extend(link.pending)
            link.pending.clear()
        self._waiting = deque()
        self._held = {}
        for call in waiting:
            call.call.forked()
            call.link_failed(outcome)

    def close(self, outcome: Outcome | None = None) -> None:
        """Close the connections; calls in progress and waiting ones end with `outcome`."""
        if self.state is _SHUTDOWN:
            return
        outcome = outcome or Outcome(StatusCode.CANCELLED, "Channel closed!")
        # First, so that nothing below starts anew.
        self._set_state(_SHUTDOWN)
        self._watchers.clear()
        waiting, self._waiting = self._waiting, deque()
        for held in list(self._held):
            waiting.append(held)
            self.release(held)
        self._stop_balancing()
        waiting.extend(self._waiting)
        self._waiting.clear()
        links, self.links = self.links, set()
        for link in links:
            waiting.extend(self.take_pending(link))
            self.close_link(link, outcome.details)
        for call in waiting:
            call.link_failed(outcome)
        self._check_idle()

    def retry_later(self, call: Pending, delay: float) -> None:
        """The same in `delay` seconds; from any thread."""

        def begin() -> None:
            if self.state is _SHUTDOWN:
                self.wait(call)
            elif call.outcome is None:
                self._held[call] = self.runtime.call_later(delay, end)

        def end() -> None:
            if self.release(call):
                self.wait(call)

        self.runtime.post(begin)

    def attempt_done(self, picked: Picked, outcome: Outcome) -> None:
        """Tell the picker that an attempt of its ended; from any thread."""
        if picked.done is None:
            return
        load = None
        if picked.load:
            # Only a few policies ask for it, and it takes protobuf.
            from clarion.load_balancing.load_report import read_load_report

            load = read_load_report(outcome.trailing_metadata)
        self._tell_picker(picked.done, Done(outcome, not outcome.unprocessed, load))

    def pick_unused(self, picked: Picked) -> None:
        """Tell the picker that no attempt came of its answer; from any thread."""
        if picked.done is not None:
            self._tell_picker(picked.done, None)

    def _tell_picker(self, done: Callable[[Done | None], None], how: Done | None) -> None:
        try:
            with self.pick_lock:
                done(how)
        except Exception:
            _LOG.exception("a load-balancing policy raised when it heard of the end of an attempt")

    # What the policy says

    def picker_changed(
        self, state: ChannelConnectivity, picker: Picker, config: ServiceConfig = EMPTY
    ) -> None:
        """From now on calls ask `picker`."""
        if self.state is _SHUTDOWN:
            return
        if config.throttling != (self.throttle and self.throttle.config):
            self.throttle = (
                Throttle(config.throttling, self.pick_lock) if config.throttling else None
            )
        before = self.max_connections
        self.max_connections = min(config.max_connections, self.options.most_connections)
        self._selector = Selector(picker, config, self.pick_lock, self)
        only = picker.only
        self.link = only.link if isinstance(only, Subchannel) and not config.methods else None
        if state is _READY:
            self._failures.clear()
        self._set_state(state)
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            self.wait(call)
        if self.max_connections > before:
            for link in [link for link in self.links if link.pending]:
                self._find_room(link)
        if self._idle_callback is not None:
            self._drain_links()
        self._check_idle()

    def fail(self, outcome: Outcome, *, final: bool = False) -> None:
        """There is no policy to ask, because of `outcome`; where that is final, no call need wait for better times."""
        self.node.log(outcome.details, ERROR if final else WARNING)
        answer = Drop(outcome) if final else Fail(outcome)
        self.picker_changed(_TRANSIENT_FAILURE, FixedPicker(answer))

    def create_subchannel(
        self, address: Address, guard: Callable[[Callable[..., None]], Callable[..., None]]
    ) -> Subchannel:
        """A subchannel for `address`, IDLE; see `Subchannel` for `guard`."""
        subchannel = Subchannel(self, address, guard)
        self._subchannels.add(subchannel)
        return subchannel

    def check_health(self, service: str | None) -> None:
        """From now on health checks ask for `service`, or there are none."""
        self.health_service = service if self.options.health_checks else None
        for subchannel in list(self._subchannels):
            subchannel.renew_health_check()

    @property
    def subchannels(self) -> list[Subchannel]:
        """Those that the policy has; from any thread."""
        return list(self._subchannels.copy())

    def recent_events(self) -> tuple[tuple[float, str], ...]:
        """What was recorded of the channel and its first subchannels: when, in seconds since 1970, and what."""
        events = [(event.at, event.text) for event in self.node.events[-_RECENT:]]
        for subchannel in self.subchannels[:_RECENT]:
            events += [
                (event.at, f"{subchannel.address}: {event.text}")
                for event in subchannel.node.events[-_RECENT:]
            ]
        return tuple(events)

    def calls_in_progress(self) -> int:
        """How many calls there are that have not ended. Exact while no other thread makes calls."""
        calls = [waiting.call for waiting in [*self._waiting.copy(), *self._held.copy()]]
        for link in self.links.copy():
            calls += [waiting.call for waiting in link.pending.copy()]
            for stream in link.connection.streams.copy().values():
                # One that ended has no call any more.
                call: ClientCall | None = getattr(stream, "call", None)
                if call is not None and call.core is self:
                    calls.append(call)
        return len({call for call in calls if call.outcome is None})

    # What subchannels say

    def subchannel_changed(self, subchannel: Subchannel) -> None:
        """Its state did."""
        link = subchannel.link
        if link is None and self.link is not None:
            selector = self._selector
            if selector is not None and selector.picker.only is subchannel:
                self.link = None
        if subchannel.state is _TRANSIENT_FAILURE:
            self._failures.pop(subchannel.address, None)
            self._failures[subchannel.address] = subchannel.why

    def subchannel_closed(self, subchannel: Subchannel) -> None:
        """Its policy needs it no more."""
        self._subchannels.discard(subchannel)
        self.node.log(f"Subchannel removed: {subchannel.address}", child=subchannel.node)
        subchannel.node.close()
        self._failures.pop(subchannel.address, None)
        if self._selector is not None and self._selector.picker.only is subchannel:
            self.link = None

    def link_added(self, link: Link) -> None:
        """A connection is usable."""
        self.links.add(link)

    def link_removed(self, link: Link) -> None:
        """A connection is over."""
        self.links.discard(link)
        self.totals.add(link.connection)
        for subchannel in self._subchannels:
            subchannel.forget_link(link)
        self._check_idle()

    def link_moved(self, link: Link, other: Link | None) -> None:
        """New calls of a subchannel go to `other` in place of `link`."""
        if self.link is link:
            self.link = other

    def link_full(self, link: Link) -> None:
        """A call waits for a free stream on `link`; from any thread."""
        if self.most_links(link) > 1:
            self.runtime.post_from_thread(lambda: self._find_room(link))

    def most_links(self, link: Link) -> int:
        """How many connections there may be to the address of `link`."""
        return self.max_connections

    def _find_room(self, link: Link) -> None:
        for subchannel in list(self._subchannels):
            if link in subchannel.links:
                subchannel.link_full(link)

    def calls_need_links(self, link: Link) -> None:
        """`link` takes no more calls: those that wait for a free stream on it have to go elsewhere."""
        pending = self.take_pending(link)
        if self.link is link:
            self.link = None
        for call in pending:
            self.retry(call)

    def ping_less(self) -> None:
        """gRFC A8: a client that the server finds too curious doubles its interval."""
        keepalive = self.http2.keepalive
        self.http2 = dataclasses.replace(
            self.http2, keepalive=dataclasses.replace(keepalive, time=keepalive.time * 2)
        )

    # Idleness

    def _watch_idleness(self) -> None:
        self._idle_work = -1
        self._quiet_looks = 0
        if self.options.idle_timeout < math.inf:
            self._look_later()

    def _look_later(self) -> None:
        self._idle_timer = self.runtime.call_later(self.options.idle_timeout / _LOOKS, self._look)

    def _activity(self) -> tuple[int, bool]:
        """A number that grows with use, and whether a call is in progress."""
        own = self.own_calls
        work = sum(link.connection.work for link in self.links) - sum(call.work for call in own)
        streams = sum(len(link.connection.streams) for link in self.links)
        in_progress = streams > sum(call.stream is not None for call in own)
        return work, in_progress

    def _look(self) -> None:
        work, in_progress = self._activity()
        if in_progress or self._waiting or self._held or work != self._idle_work:
            self._idle_work = work
            self._quiet_looks = 0
        else:
            self._quiet_looks += 1
        if self._quiet_looks < _LOOKS:
            self._look_later()
        else:
            self._idle_timer = None
            self._stop_balancing()
            self._set_state(_IDLE)

    def _stop_balancing(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        balancing, self._balancing = self._balancing, None
        self._selector = None
        self.link = None
        if balancing is not None:
            balancing.close()
        for subchannel in list(self._subchannels):
            # A policy may have forgotten it.
            subchannel.close()
        self._failures.clear()

    def _set_state(self, state: ChannelConnectivity) -> None:
        if state is self.state:
            return
        self.state = state
        severity = WARNING if state is _TRANSIENT_FAILURE else INFO
        why = f": {self.last_failure}" if severity is WARNING else ""
        self.node.log(f"Channel state changed to {state.name}{why}", severity)
        for watcher in list(self._watchers):
            try:
                watcher(state)
            except Exception:
                _LOG.exception("a callback for the channel's state raised")
