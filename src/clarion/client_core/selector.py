"""What becomes of one attempt of a call: what the service config says of its method, and what the picker answers."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from clarion.client_core.subchannel import Subchannel
from clarion.load_balancing.pick import Drop, Fail, Pick, Picked, Picker, PickInfo, Queue
from clarion.protocol.outcome import Outcome
from clarion.service_config import MethodConfig, ServiceConfig
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.client_core.call import ClientCall
    from clarion.client_core.channel import ChannelCore
    from clarion.client_core.options import ChannelOptions
    from clarion.client_core.runtime import Link

__all__ = ["Plan", "Selector"]

_LOG = logging.getLogger(__name__)

# Methods remembered by path; a program that makes up more paths than that gets them worked out anew.
_MOST_METHODS = 1000

# Of iterators made in C.
_STEPS_ARE_ATOMIC: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


class Plan:
    """What the service config says of a method.

    Args:
        path: the method.
        config: what it says, or None.
        options: the channel's.

    Attributes:
        path, config: see above.
        retry: when calls are tried again, or None.
        room: calls with one request, of no more bytes than that, need not be told of `config`.
    """

    __slots__ = ("config", "path", "retry", "room")

    def __init__(self, path: str, config: MethodConfig | None, options: ChannelOptions) -> None:
        self.path = path
        self.config = config
        self.retry = config.retry if config is not None and options.retries else None
        self.room = -1
        if self.retry is not None and config == MethodConfig(retry=self.retry):
            self.room = options.retry_buffer - 5


class Selector:
    """A picker and a service config.

    Args:
        picker: the policy's.
        config: the service config.
        lock: held while the picker, or a `done` of what it picked, runs.
        core: the channel.

    Attributes:
        picker: see above.
        configures: the service config says something of methods, so every call has to be admitted.
        only, turn: the picker's, where the channel can go by them.
    """

    __slots__ = ("_config", "_core", "_lock", "_methods", "configures", "only", "picker", "turn")

    def __init__(
        self,
        picker: Picker,
        config: ServiceConfig,
        lock: AbstractContextManager[object],
        core: ChannelCore,
    ) -> None:
        self.picker = picker
        self._config = config
        self._lock = lock
        self._core = core
        self._methods: dict[bytes, Plan] = {}
        self.configures = bool(config.methods)
        only = picker.only
        self.only = only if isinstance(only, Subchannel) else None
        self.turn = picker.turn if _STEPS_ARE_ATOMIC else None

    def admit(self, call: ClientCall) -> bool:
        """Apply the service config to `call`, once in its life; False if that ended it."""
        if call.plan is None:
            path = call.start.fields[2][1]
            plan = self._methods.get(path)
            if plan is None:
                name = path.decode()
                plan = Plan(name, self._config.method(name), self._core.options)
                if len(self._methods) < _MOST_METHODS:
                    self._methods[path] = plan
            call.plan = plan
            message = call.message
            if message is None or len(message[1]) > plan.room:
                if plan.config is not None:
                    call.configure(plan.config, self._core)
        return call.outcome is None

    def pick(self, call: ClientCall) -> Pick:
        """Ask the picker."""
        assert call.plan is not None
        info = PickInfo(call.plan.path, call.start.fields, call.wait_for_ready)
        try:
            with self._lock:
                # An application's may be no `Pick`.
                pick: Any = self.picker.pick(info)
        except Exception as error:
            _LOG.exception("a load-balancing picker raised")
            return self._unusable(f"raised {type(error).__name__}: {error}")
        if type(pick) is Picked:
            if isinstance(pick.subchannel, Subchannel):
                return pick
            return self._unusable(f"picked {pick.subchannel!r}, which is no subchannel of its")
        if isinstance(pick, (Queue, Fail, Drop)):
            return pick
        return self._unusable(f"answered with {pick!r}, which is no answer of a picker")

    def _unusable(self, what: str) -> Drop:
        name = type(self.picker).__qualname__
        details = f"the channel's load-balancing picker {name} {what}"
        return Drop(Outcome(StatusCode.INTERNAL, details))

    def take(self, pick: Picked, call: ClientCall) -> Link | None:
        """The connection that `pick` means, for `call`; None if it is gone."""
        subchannel = pick.subchannel
        link = subchannel.link if isinstance(subchannel, Subchannel) else None
        if link is None:
            self._core.pick_unused(pick)
            return None
        before, call.picked = call.picked, None
        if before is not None:
            # It waited there for a free stream, and the connection ended.
            self._core.pick_unused(before)
        if pick.done is not None or pick.metadata:
            call.picked = pick
            call.configured = True
        return link
