"""Calls of sync clients and servers that tell tracers what happens to them (`clarion.call_tracing`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from clarion.call_tracing import (
    ClientMeasure,
    ClientMethodTracing,
    ServerMeasure,
    ServerTracing,
)
from clarion.client_core import ChannelCore, Start
from clarion.client_core.measuring import MeasuredCall
from clarion.client_core.tracing import TracedCall
from clarion.protocol.outcome import Outcome
from clarion.server_core.measuring import MeasuredServerCall
from clarion.server_core.methods import Method
from clarion.server_core.tracing import TracedServerCall
from clarion.sync.call import Deserializer, Serializer, SyncCall
from clarion.sync.runtime import SyncRuntime
from clarion.sync.server_call import SyncServerCall
from clarion.sync.server_interceptors import InterceptedCall

__all__ = ["client_call_type", "server_call_type"]


def client_call_type(tracing: ClientMethodTracing) -> Callable[..., SyncCall]:
    """What makes the calls of a method that is traced."""
    if isinstance(tracing, ClientMeasure):
        return functools.partial(MeasuredSyncCall, tracing)
    return functools.partial(TracedSyncCall, tracing)


def server_call_type(tracing: ServerTracing, intercepted: bool) -> type[SyncServerCall]:
    """The class of the calls to a server that is traced."""
    if isinstance(tracing, ServerMeasure):
        return MeasuredInterceptedCall if intercepted else MeasuredSyncServerCall
    return TracedInterceptedCall if intercepted else TracedSyncServerCall


class MeasuredSyncCall(MeasuredCall, SyncCall):
    """A client's call that is measured."""

    def __init__(
        self,
        measure: ClientMeasure,
        core: ChannelCore,
        runtime: SyncRuntime,
        start: Start,
        serialize: Serializer,
        deserialize: Deserializer,
        *,
        response_streaming: bool,
    ) -> None:
        self.measure = measure
        self.begun = self.attempt_begun = measure.now()
        SyncCall.__init__(
            self,
            core,
            runtime,
            start,
            serialize,
            deserialize,
            response_streaming=response_streaming,
        )

    def response_received(self) -> None:
        self.count_response()
        SyncCall.response_received(self)

    def _never_begun(self, outcome: Outcome) -> None:
        SyncCall._never_begun(self, outcome)
        self.tell_ended()


class MeasuredSyncServerCall(MeasuredServerCall, SyncServerCall):
    """A call to a server without interceptors that is measured."""


class MeasuredInterceptedCall(MeasuredServerCall, InterceptedCall):
    """A call to a server with interceptors that is measured."""


class TracedSyncCall(TracedCall, SyncCall):
    """A client's call."""

    def __init__(self, tracing: ClientMethodTracing, *args: Any, **named: Any) -> None:
        SyncCall.__init__(self, *args, **named)
        self.begin_tracing(tracing)

    def _never_begun(self, outcome: Outcome) -> None:
        SyncCall._never_begun(self, outcome)
        self.tell_ended()


class TracedSyncServerCall(TracedServerCall, SyncServerCall):
    """A call to a server without interceptors."""

    def peer_name(self) -> str:
        return self.link.peer

    def handle(self) -> None:
        self.tell_handler_starts()
        SyncServerCall.handle(self)


class TracedInterceptedCall(TracedServerCall, InterceptedCall):
    """A call to a server with interceptors."""

    def peer_name(self) -> str:
        return self.link.peer

    def _decide(self) -> Method | None:
        # The handler runs in the same context.
        self.tell_handler_starts()
        return InterceptedCall._decide(self)
