"""The resolver and the load-balancing policy of a channel that is not IDLE.

The first resolution makes the policy. A resolution that fails changes nothing once there is a policy, but what errors
say; a service config that is refused leaves the last good one in force (gRFC A21), and fails the channel if there was
none. A policy that raises fails the channel too, with its words, until the resolver speaks again.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from clarion.channelz_data import INFO, WARNING
from clarion.client_core.runtime import Timer
from clarion.client_core.subchannel import Subchannel
from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing import pick_first
from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.graceful_switch import GracefulSwitch
from clarion.load_balancing.metrics import NO_LABELS, PolicyMetric
from clarion.load_balancing.pick import Picker
from clarion.load_balancing.policy import Update
from clarion.load_balancing.registry import PolicyConfig, find_policy, parse_policy_list
from clarion.protocol.outcome import Outcome
from clarion.resolver import dns, fixed
from clarion.resolver.backoff import Backoff
from clarion.resolver.http_proxy import address_proxy
from clarion.resolver.registry import find_resolver
from clarion.resolver.resolver import Resolution, Resolver
from clarion.resolver.target import Address, HostPort
from clarion.resolver.unregistered import UnregisteredResolver
from clarion.service_config import EMPTY, ServiceConfig, parse_service_config
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.client_core.channel import ChannelCore

__all__ = ["Balancing"]

_LOG = logging.getLogger(__name__)

# So many addresses are named in what is recorded.
_SHOWN = 5

# What nearly every channel needs is imported with this module, not by the thread that first needs it: a child that is
# forked while a thread of its parent imports a module waits for that module for ever.
_ALWAYS_THERE = (pick_first.POLICY, dns.RESOLVER, fixed.RESOLVER)


class Balancing:
    """What lies between a channel's target and its subchannels.

    Args:
        core: the channel.

    Attributes:
        unresolved: why the last resolution failed, or "".
    """

    def __init__(self, core: ChannelCore) -> None:
        self.unresolved = ""
        self._core = core
        self._config: ServiceConfig | None = None
        self._policy: GracefulSwitch | None = None
        self._closed = False
        self._resolver: Resolver | None = None
        self._backoff: Backoff | None = None
        self._timer: Timer | None = None
        self._kind: type[object] = object
        # What was recorded of the last resolution.
        self._noted = ""
        # What the policy said last, and the service config that it was said under.
        self._said: tuple[ChannelConnectivity, Picker] | None = None
        self._said_under: ServiceConfig | None = None

    @property
    def name_known(self) -> bool:
        """Whether the name was resolved, so that there is a policy to ask."""
        return self._policy is not None

    def start(self) -> None:
        """Resolve the target."""
        core = self._core
        kind = find_resolver(core.target.scheme) or UnregisteredResolver
        try:
            self._resolver = kind(core.target, _ResolverHelper(core, self))
            self._resolver.start()
        except Exception as error:
            self._raised("resolver", kind, error)

    def exit_idle(self) -> None:
        """There is a call, and the policy is IDLE."""
        policy = self._policy
        if policy is not None:
            self._ask_policy(policy.exit_idle)

    def close(self) -> None:
        """The channel is IDLE, or closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for part in (self._resolver, self._policy):
            try:
                if part is not None:
                    part.close()
            except Exception:
                _LOG.exception("%r raised while it was closed", part)

    # What the resolver says

    def resolved(self, resolution: Resolution) -> None:
        """The resolver found something, or not."""
        if self._closed:
            return
        self.unresolved = resolution.error
        if resolution.error:
            self._note(f"Resolution failed: {resolution.error}", WARNING)
            if self._policy is None:
                self._fail(resolution.error)
            return
        config = self._choose_config(resolution)
        if config is None:
            return
        choice = config.policy or self._default_policy()
        if choice is None:
            return
        self._note(_describe(resolution))
        if config != (self._config or EMPTY):
            self._core.node.log("Service config changed")
        if choice.policy is not self._kind:
            self._core.node.log(f"Load-balancing policy: {choice.policy.name}")
        self._config = config
        self._core.check_health(config.health_service)
        policy = self._policy
        if policy is None:
            policy = self._policy = GracefulSwitch(_PolicyHelper(self._core, self))
        why = "" if resolution.endpoints else f"{self._core.target.authority} has no addresses"
        update = Update(resolution.endpoints, choice, why)
        self._kind = choice.policy
        self._ask_policy(functools.partial(policy.update, update))
        if self._said is not None and self._said_under != config:
            # To the policy all is as it was. What the config says of methods counts all the same.
            self.picker_changed(*self._said)

    def _note(self, text: str, severity: int = INFO) -> None:
        """Record what the resolver says, if it is new."""
        if text != self._noted:
            self._noted = text
            self._core.node.log(text, severity)

    def _choose_config(self, resolution: Resolution) -> ServiceConfig | None:
        """The service config from now on; None if there was none before and this one is refused."""
        options = self._core.options
        source: str | Mapping[str, Any] | None = None
        problem = ""
        if not options.ignore_resolved_config:
            source, problem = resolution.service_config, resolution.config_error
        own = source is None and not problem
        if own:
            source = options.service_config
        if not problem:
            try:
                return EMPTY if source is None else parse_service_config(source)
            except ConfigError as error:
                problem = str(error)
        if self._config is None:
            # The channel's own will not change.
            self._fail(f"the service config is not acceptable: {problem}", final=own)
            if not own:
                self._resolve_later()
        else:
            _LOG.warning(
                "%s: a new service config is not acceptable, and the last one stays: %s",
                self._core.target.authority,
                problem,
            )
        return self._config

    def _default_policy(self) -> PolicyConfig | None:
        """The policy where no service config names one; None if it cannot be had, of which calls are told."""
        name = self._core.options.policy or "pick_first"
        if find_policy(name) is None:
            _LOG.warning("grpc.lb_policy_name: no policy %r here", name)
            name = "pick_first"
        try:
            return parse_policy_list([{name: {}}], "")
        except ConfigError as error:
            why = f"grpc.lb_policy_name names a policy that needs a service config: {error}"
            self._fail(why, final=True)
            return None

    # What the policy says

    def picker_changed(self, state: ChannelConnectivity, picker: Picker) -> None:
        """From now on calls ask `picker`."""
        if not self._closed:
            self._said, self._said_under = (state, picker), self._config
            self._core.picker_changed(state, picker, self._config or EMPTY)

    def request_resolution(self) -> None:
        """Addresses seem out of date."""
        if not self._closed:
            # Not from here: the resolver might answer from within.
            self._core.runtime.post(self._resolve_now)

    def _resolve_later(self) -> None:
        """gRFC A21: a first service config that is refused is as good as no answer."""
        if self._timer is not None:
            self._timer.cancel()
        core = self._core
        if self._backoff is None:
            options = core.options
            initial, most = options.initial_backoff, options.max_backoff
            self._backoff = Backoff(initial, most, core.runtime.random)
        self._timer = core.runtime.call_later(self._backoff.next(), self._resolve_now)

    def _resolve_now(self) -> None:
        resolver = self._resolver
        if not self._closed and resolver is not None:
            try:
                resolver.resolve_now()
            except Exception as error:
                self._raised("resolver", type(resolver), error)

    def _ask_policy(self, question: Callable[[], None]) -> None:
        try:
            question()
        except Exception as error:
            self._raised("load-balancing policy", self._kind, error)

    def guard(self, callback: Callable[..., None]) -> Callable[..., None]:
        """`callback`, of a policy, so that what it raises fails the channel and nothing else."""

        def guarded(*arguments: Any) -> None:
            if not self._closed:
                self._ask_policy(functools.partial(callback, *arguments))

        return guarded

    def _raised(self, what: str, kind: type, error: Exception) -> None:
        _LOG.exception("the %s of %s raised", what, self._core.target.authority)
        self._said = None
        name = kind.__qualname__
        self._core.fail(
            Outcome(
                StatusCode.INTERNAL,
                f"the channel's {what} {name} raised {type(error).__name__}: {error}",
            )
        )

    def _fail(self, why: str, *, final: bool = False) -> None:
        self._core.fail(
            Outcome(
                StatusCode.UNAVAILABLE,
                f"failed to connect to all addresses; last error: {why}",
                debug=f"target {self._core.target.authority}",
                unprocessed=True,
            ),
            final=final,
        )


def _describe(resolution: Resolution) -> str:
    addresses = [str(each) for endpoint in resolution.endpoints for each in endpoint.addresses]
    shown = ", ".join(addresses[:_SHOWN])
    more = len(addresses) - _SHOWN
    return f"Addresses: {shown or 'none'}" + (f" and {more} more" if more > 0 else "")


class _ResolverHelper:
    """See `clarion.resolver.ResolverHelper`."""

    def __init__(self, core: ChannelCore, balancing: Balancing) -> None:
        runtime = core.runtime
        self._core = core
        self._balancing = balancing
        self.now = runtime.now
        self.random = runtime.random
        self.call_later = runtime.call_later
        self.post = runtime.post_from_thread
        self.apart = runtime.apart
        self._map = address_proxy(core.options.arguments.value, os.environ)

    def update(self, resolution: Resolution) -> None:
        change = self._map
        if change is not None:
            resolution = resolution._replace(
                endpoints=tuple(
                    dataclasses.replace(each, addresses=tuple(map(change, each.addresses)))
                    for each in resolution.endpoints
                )
            )
        self._core.runtime.post_from_thread(lambda: self._balancing.resolved(resolution))

    def look_up(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        self._core.runtime.resolve(name, done)

    def option(self, name: str) -> Any:
        return self._core.options.arguments.value(name)

    def backoff(self) -> Backoff:
        options = self._core.options
        return Backoff(options.initial_backoff, options.max_backoff, self.random)


class _PolicyHelper:
    """See `clarion.load_balancing.Helper`."""

    def __init__(self, core: ChannelCore, balancing: Balancing) -> None:
        runtime = core.runtime
        self._core = core
        self._balancing = balancing
        self.now = runtime.now
        self.random = runtime.random
        self.target = core.target.authority
        self.update_state = balancing.picker_changed
        self.request_resolution = balancing.request_resolution
        self._record = core.policy_metrics

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return self._core.runtime.call_later(delay, self._balancing.guard(callback))

    def post(self, callback: Callable[[], None]) -> None:
        self._core.runtime.post_from_thread(self._balancing.guard(callback))

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        return self._core.create_subchannel(address, self._balancing.guard)

    def record(
        self, metric: PolicyMetric, value: float = 1, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        if self._record is not None:
            self._record(metric, value, labels)
