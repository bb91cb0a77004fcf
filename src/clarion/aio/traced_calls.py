"""Calls of asyncio clients and servers that tell tracers what happens to them (`clarion.call_tracing`)."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from clarion.aio.call import (
    AioCall,
    Deserializer,
    Serializer,
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.aio.server_call import AioServerCall
from clarion.aio.server_interceptors import InterceptedCall
from clarion.call_tracing import (
    ClientMeasure,
    ClientMethodTracing,
    ServerMeasure,
    ServerTracing,
)
from clarion.client_core import ChannelCore, Start
from clarion.client_core.measuring import MeasuredCall
from clarion.client_core.tracing import TracedCall
from clarion.server_core.measuring import MeasuredServerCall
from clarion.server_core.methods import Method
from clarion.server_core.tracing import TracedServerCall

__all__ = ["client_call_type", "server_call_type"]


def client_call_type(kind: type[AioCall], tracing: ClientMethodTracing) -> Callable[..., Any]:
    """What makes the calls of a method that is traced; `kind` is that of other calls."""
    if isinstance(tracing, ClientMeasure):
        return functools.partial(_MEASURED[kind], tracing)
    return functools.partial(_TRACED[kind], tracing)


def server_call_type(tracing: ServerTracing, intercepted: bool) -> type[AioServerCall]:
    """The class of the calls to a server that is traced."""
    if isinstance(tracing, ServerMeasure):
        return MeasuredInterceptedCall if intercepted else MeasuredAioServerCall
    return TracedInterceptedCall if intercepted else TracedAioServerCall


class _MeasuredAioCall(MeasuredCall, AioCall):
    def __init__(
        self,
        measure: ClientMeasure,
        core: ChannelCore,
        loop: asyncio.AbstractEventLoop,
        start: Start,
        serialize: Serializer,
        deserialize: Deserializer,
    ) -> None:
        self.measure = measure
        self.begun = self.attempt_begun = measure.now()
        AioCall.__init__(self, core, loop, start, serialize, deserialize)

    def send(self, message: tuple[bytes, bytes]) -> bool:
        return self.send_now(message)


class _MeasuredUnaryUnaryCall(_MeasuredAioCall, UnaryUnaryCall):
    """One request, one response."""


class _MeasuredUnaryStreamCall(_MeasuredAioCall, UnaryStreamCall):
    """One request, a stream of responses."""

    def response_received(self) -> None:
        self.count_response()
        UnaryStreamCall.response_received(self)


class _MeasuredStreamUnaryCall(_MeasuredAioCall, StreamUnaryCall):
    """A stream of requests, one response."""


class _MeasuredStreamStreamCall(_MeasuredAioCall, StreamStreamCall):
    """A stream of requests, a stream of responses."""

    def response_received(self) -> None:
        self.count_response()
        StreamStreamCall.response_received(self)


_MEASURED: dict[type[AioCall], Any] = {
    UnaryUnaryCall: _MeasuredUnaryUnaryCall,
    UnaryStreamCall: _MeasuredUnaryStreamCall,
    StreamUnaryCall: _MeasuredStreamUnaryCall,
    StreamStreamCall: _MeasuredStreamStreamCall,
}


class MeasuredAioServerCall(MeasuredServerCall, AioServerCall):
    """A call to a server without interceptors that is measured."""


class MeasuredInterceptedCall(MeasuredServerCall, InterceptedCall):
    """A call to a server with interceptors that is measured."""


class _TracedAioCall(TracedCall, AioCall):
    def __init__(self, tracing: ClientMethodTracing, *args: Any) -> None:
        AioCall.__init__(self, *args)
        self.begin_tracing(tracing)

    def send(self, message: tuple[bytes, bytes]) -> bool:
        return self.send_now(message)

    def half_close(self) -> bool:
        return self.half_close_now()


class _TracedUnaryUnaryCall(_TracedAioCall, UnaryUnaryCall):
    """One request, one response."""


class _TracedUnaryStreamCall(_TracedAioCall, UnaryStreamCall):
    """One request, a stream of responses."""


class _TracedStreamUnaryCall(_TracedAioCall, StreamUnaryCall):
    """A stream of requests, one response."""


class _TracedStreamStreamCall(_TracedAioCall, StreamStreamCall):
    """A stream of requests, a stream of responses."""


_TRACED: dict[type[AioCall], Any] = {
    UnaryUnaryCall: _TracedUnaryUnaryCall,
    UnaryStreamCall: _TracedUnaryStreamCall,
    StreamUnaryCall: _TracedStreamUnaryCall,
    StreamStreamCall: _TracedStreamStreamCall,
}


class _TracedAioServerCall(TracedServerCall, AioServerCall):
    def peer_name(self) -> str:
        link: Any = self.link
        # Asking the transport takes longer than all else that a tracer costs.
        name: str = link.__dict__.get("peer_for_tracers") or link.peer()
        link.peer_for_tracers = name
        return name

    async def _serve(self, method: Method) -> None:
        self.tell_handler_starts()
        await super()._serve(method)


class TracedAioServerCall(_TracedAioServerCall):
    """A call to a server without interceptors."""


class TracedInterceptedCall(_TracedAioServerCall, InterceptedCall):
    """A call to a server with interceptors."""
