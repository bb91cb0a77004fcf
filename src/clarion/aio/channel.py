"""The asyncio channel (`grpc.aio.Channel`) and its multi-callables.

A channel belongs to no event loop: each loop that calls through it has connections of its own. So a channel
may be made before a loop runs, outlive `asyncio.run`, and serve loops in several threads.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

from clarion.aio import interfaces
from clarion.aio.call import (
    LOCALLY_CANCELLED,
    AioCall,
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.aio.errors import UsageError
from clarion.aio.intercepted_callables import (
    InterceptedStreamStreamMultiCallable,
    InterceptedStreamUnaryMultiCallable,
    InterceptedUnaryStreamMultiCallable,
    InterceptedUnaryUnaryMultiCallable,
)
from clarion.aio.intercepted_calls import InterceptedCall
from clarion.aio.interceptors import ClientInterceptor, client_interceptors_by_kind
from clarion.aio.runtime import AioRuntime
from clarion.call_timeline import channel_tracing
from clarion.call_tracing import policy_metrics
from clarion.channelz_data import CHANNEL, record
from clarion.client_core import ChannelCore, ChannelOptions, admit
from clarion.client_core.invocation import Method
from clarion.connectivity import ChannelConnectivity
from clarion.credentials.call import CallCredentials, Sources, sources_of
from clarion.credentials.channel import ChannelCredentials, kind_of_channel
from clarion.method import Compression
from clarion.propagation import current_parent
from clarion.protocol.metadata import InvalidMetadata, InvalidMetadataType
from clarion.protocol.outcome import Outcome
from clarion.resolver.http_proxy import through_proxy
from clarion.resolver.registry import target_of
from clarion.resolver.target import canonical
from clarion.status import StatusCode

__all__ = [
    "Channel",
    "StreamStreamMultiCallable",
    "StreamUnaryMultiCallable",
    "UnaryStreamMultiCallable",
    "UnaryUnaryMultiCallable",
    "insecure_channel",
    "secure_channel",
]

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class _OnLoop:
    """What a channel has on one event loop."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.process = os.getpid()
        self.runtime = channel.make_runtime(loop)
        self.core = self._make_core(channel)
        self.core.sources = channel.sources
        self.core.node = channel.node
        self.core.policy_metrics = channel.policy_metrics

    def _make_core(self, channel: Channel) -> ChannelCore:
        target, options, security = channel.target, channel.options, channel.security
        if options.web is not None:
            core: ChannelCore = options.web.make_core(self.runtime, target, options, security)
            return core
        if not options.share:
            return ChannelCore(self.runtime, target, options, security)
        # Which most programs do not need.
        from clarion.client_core.sharing import SharingChannelCore, pool_of

        # With a runtime of its own: that of a channel ends with it.
        pool = pool_of(self.loop, lambda: AioRuntime(self.loop))
        return SharingChannelCore(
            self.runtime, target, options, security, pool, channel.credentials
        )


class Channel(interfaces.Channel):
    """Calls methods of the server at a target. Make it with `clarion.aio.insecure_channel`."""

    def __init__(
        self,
        target: str,
        options: Iterable[tuple[str, Any]] | None,
        compression: Compression | None,
        interceptors: Iterable[ClientInterceptor] | None = None,
        credentials: Any = None,
    ) -> None:
        by_kind = client_interceptors_by_kind(interceptors)
        # grpcio's names: clients of Google Cloud append to these lists before they make callables.
        self._unary_unary_interceptors = list(by_kind[0])
        self._unary_stream_interceptors = list(by_kind[1])
        self._stream_unary_interceptors = list(by_kind[2])
        self._stream_stream_interceptors = list(by_kind[3])
        self._intercepted: weakref.WeakSet[InterceptedCall] = weakref.WeakSet()
        self.options = ChannelOptions.read(options)
        parsed = target_of(target)
        self.target = through_proxy(parsed, self.options.arguments.value, os.environ)
        # Who traces the calls, and the target as they know it.
        self._tracing = channel_tracing(self.options.arguments, self.options.timeline)
        self._target_name = canonical(target, parsed)
        self.policy_metrics = policy_metrics(self._tracing, self._target_name)
        self.security: Any = None
        self.has_credentials = credentials is not None
        self.credentials = credentials
        # The call credentials of every call.
        self.sources: Sources = ()
        self._callables = _PLAIN
        if credentials is not None:
            # Where TLS is, which programs that do without it do not load.
            from clarion.security import secure

            self.security, self.options, self.sources = secure(
                credentials, self.target, self.options
            )
            if self.sources:
                self._callables = _CREDENTIALED
        self._compression = compression
        self._closed = False
        self.node = record(CHANNEL, self, time.time, self.options.trace_memory)
        self.node.log("Channel created")
        self._loops: dict[asyncio.AbstractEventLoop, _OnLoop] = {}
        self._lock = threading.Lock()
        self._last: _OnLoop | None = None

    def make_runtime(self, loop: asyncio.AbstractEventLoop) -> AioRuntime:
        """Time, names and connections on `loop`."""
        return AioRuntime(loop)

    def on_loop(self) -> _OnLoop:
        """The channel's state on the running loop.

        Raises:
            RuntimeError: no event loop is running.
            UsageError: the channel is closed.
        """
        loop = asyncio.get_running_loop()
        here = self._last
        if here is not None and here.loop is loop:
            return here
        if self._closed:
            raise UsageError("Channel is closed.")
        with self._lock:
            found = self._loops.get(loop)
            if found is None:
                # What was on loops that have been closed since is of no more use.
                for other in [each for each in self._loops if each.is_closed()]:
                    del self._loops[other]
                found = self._loops[loop] = _OnLoop(self, loop)
        self._last = found
        return found

    @property
    def cores(self) -> list[ChannelCore]:
        """What it has on each event loop of this process; from any thread."""
        here = os.getpid()
        return [each.core for each in self._loops.copy().values() if each.process == here]

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"in use on {len(self._loops)} event loops"
        return f"<clarion.aio.Channel to {self.target.authority}: {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channel.

        Args:
            grace: seconds that calls in progress may take to finish; then, or with None at once, they are
                cancelled: who waits for one gets `asyncio.CancelledError`.
        """
        if self._closed:
            return
        self._closed = True
        self.node.close()
        self._last = None
        running = asyncio.get_running_loop()
        give_up = running.time() + (grace or 0.0)
        for loop, here in list(self._loops.items()):
            if loop is running:
                if grace is not None:
                    await _calls_over(here.core, grace)
                here.core.close(LOCALLY_CANCELLED)
                here.runtime.close()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(here.core.close, LOCALLY_CANCELLED)
        self._loops.clear()
        intercepted = list(self._intercepted)
        # Interceptors may be at work without a call that the core knows.
        tasks = [call.task for call in intercepted if call.loop is running]
        if grace is not None and tasks:
            await asyncio.wait(tasks, timeout=max(give_up - running.time(), 0.0))
        for call in intercepted:
            if call.loop is running:
                call.cancel()
            elif not call.loop.is_closed():
                call.loop.call_soon_threadsafe(call.cancel)

    def track_intercepted(self, call: InterceptedCall) -> None:
        """Cancel the call when the channel is closed, even if it is not on its way yet."""
        self._intercepted.add(call)

    def __del__(self) -> None:
        for loop, here in getattr(self, "_loops", {}).items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(here.core.close)

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        """The connectivity state on the running loop.

        Args:
            try_to_connect: leave IDLE.
        """
        if self._closed:
            return ChannelConnectivity.SHUTDOWN
        core = self.on_loop().core
        state = core.state
        if try_to_connect:
            core.connect()
        return state

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        """Wait until the state is another one than `last_observed_state`."""
        here = self.on_loop()
        if here.core.state is not last_observed_state:
            return
        changed = here.loop.create_future()

        def notice(state: ChannelConnectivity) -> None:
            if not changed.done():
                changed.set_result(None)

        here.core.watch(notice)
        try:
            await changed
        finally:
            here.core.unwatch(notice)

    async def channel_ready(self) -> None:
        """Connect, and wait until the channel is READY.

        Raises:
            UsageError: the channel is closed.
        """
        state = self.get_state(try_to_connect=True)
        while state is not ChannelConnectivity.READY:
            if state is ChannelConnectivity.SHUTDOWN:
                raise UsageError("Channel is closed.")
            await self.wait_for_state_change(state)
            state = self.get_state(try_to_connect=True)

    def _method(
        self,
        path: str,
        serialize: Serializer | None,
        deserialize: Deserializer | None,
        registered: bool | None,
    ) -> Method:
        web = self.options.web
        if web is not None:
            serialize, deserialize = web.codec(path, serialize, deserialize)
        method = Method(path, self.target, self.options, self._compression, serialize, deserialize)
        if self._tracing is not None:
            method.trace(self._tracing, self._target_name, bool(registered))
        return method

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> interfaces.UnaryUnaryMultiCallable[Any, Any]:
        """Make the callable for a method with one request and one response.

        Args:
            method: `/package.Service/Method`.
            request_serializer: request to bytes; None passes bytes through.
            response_deserializer: bytes to response; None passes bytes through.
        """

        def make(path: str) -> UnaryUnaryMultiCallable:
            return self._callables.unary_unary(
                self,
                self._method(path, request_serializer, response_deserializer, _registered_method),
            )

        interceptors = tuple(self._unary_unary_interceptors)
        if interceptors:
            return InterceptedUnaryUnaryMultiCallable(self, interceptors, method, make)
        return make(method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> interfaces.UnaryStreamMultiCallable[Any, Any]:
        """Make the callable for a method with one request and a stream of responses; see `unary_unary`."""

        def make(path: str) -> UnaryStreamMultiCallable:
            return self._callables.unary_stream(
                self,
                self._method(path, request_serializer, response_deserializer, _registered_method),
            )

        interceptors = tuple(self._unary_stream_interceptors)
        if interceptors:
            return InterceptedUnaryStreamMultiCallable(self, interceptors, method, make)
        return make(method)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> interfaces.StreamUnaryMultiCallable[Any, Any]:
        """Make the callable for a method with a stream of requests and one response; see `unary_unary`."""

        def make(path: str) -> StreamUnaryMultiCallable:
            return self._callables.stream_unary(
                self,
                self._method(path, request_serializer, response_deserializer, _registered_method),
            )

        interceptors = tuple(self._stream_unary_interceptors)
        if interceptors:
            return InterceptedStreamUnaryMultiCallable(self, interceptors, method, make)
        return make(method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> interfaces.StreamStreamMultiCallable[Any, Any]:
        """Make the callable for a method with streams both ways; see `unary_unary`."""

        def make(path: str) -> StreamStreamMultiCallable:
            return self._callables.stream_stream(
                self,
                self._method(path, request_serializer, response_deserializer, _registered_method),
            )

        interceptors = tuple(self._stream_stream_interceptors)
        if interceptors:
            return InterceptedStreamStreamMultiCallable(self, interceptors, method, make)
        return make(method)


async def _calls_over(core: ChannelCore, grace: float) -> None:
    """Wait until no call is in progress, for `grace` seconds at most."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def notice() -> None:
        if not over.done():
            over.set_result(None)

    if not core.when_idle(notice):
        return
    try:
        await asyncio.wait_for(over, grace)
    except TimeoutError:
        pass


class _MultiCallable:
    """A method of a channel."""

    # Libraries give callables attributes of their own, such as a `__name__`.
    __slots__ = ("__dict__", "_channel", "_kind", "_method")

    KIND: type[AioCall]

    def __init__(self, channel: Channel, method: Method) -> None:
        self._channel = channel
        self._method = method
        self._kind: Callable[..., Any] = self.KIND
        if method.tracing is not None:
            # Which channels that are not traced do not need.
            from clarion.aio.traced_calls import client_call_type

            self._kind = client_call_type(self.KIND, method.tracing)

    def __repr__(self) -> str:
        return (
            f"<clarion.aio.{type(self).__name__} of {self._method.path} "
            f"on {self._channel.target.authority}>"
        )

    def _new(
        self,
        kind: Any,
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> Any:
        channel = self._channel
        if channel._closed:
            raise UsageError("Channel is closed.")
        here = channel.on_loop()
        method = self._method
        now = here.loop.time()
        parent = current_parent.get()
        if parent is not None:
            if here.core.options.propagate:
                timeout = parent.shorten(timeout)
            else:
                parent = None
        try:
            start = method.start(now, timeout, metadata, wait_for_ready, compression)
        except InvalidMetadataType:
            raise
        except InvalidMetadata as error:
            start = method.start(now, None, None, None, None)
            call = kind(here.core, here.loop, start, method.serialize, method.deserialize)
            call.end(Outcome(StatusCode.INTERNAL, f"Invalid metadata: {error}"))
            return call
        core: Any = here.core
        if credentials is not None:
            sources = sources_of(credentials)
            if not channel.has_credentials:
                raise UsageError("Call credentials are only valid on secure channels")
            core, start = admit(core, start, sources)
        call = kind(core, here.loop, start, method.serialize, method.deserialize)
        call.channel = channel
        if parent is not None:
            call.parent = parent
            parent.adopt(call)
        return call


class _Credentialed(_MultiCallable):
    """A method of a channel that has call credentials: they go before those of the call."""

    __slots__ = ()

    def _new(
        self,
        kind: Any,
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> Any:
        sources = self._channel.sources
        if credentials is not None:
            sources += sources_of(credentials)
        return super()._new(
            kind, timeout, metadata, CallCredentials(sources), wait_for_ready, compression
        )


class UnaryUnaryMultiCallable(_MultiCallable, interfaces.UnaryUnaryMultiCallable[Any, Any]):
    """Calls a method with one request and one response."""

    __slots__ = ()

    KIND = UnaryUnaryCall

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryUnaryCall:
        """Start a call; await the result for the response.

        Args:
            request: the request message.
            timeout: seconds that the call may take.
            metadata: `(key, value)` pairs.
            credentials: call credentials; they need a secure channel.
            wait_for_ready: wait through failures to connect, instead of failing with UNAVAILABLE.
            compression: overrides the channel's.

        Raises:
            AioRpcError: from awaiting, if the status is not OK.
            UsageError: the channel is closed.
        """
        call: UnaryUnaryCall = self._new(
            self._kind, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin(request)
        return call


class UnaryStreamMultiCallable(_MultiCallable, interfaces.UnaryStreamMultiCallable[Any, Any]):
    """Calls a method with one request and a stream of responses."""

    __slots__ = ()

    KIND = UnaryStreamCall

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryStreamCall:
        """Start a call; iterate over the result for the responses. See `UnaryUnaryMultiCallable`."""
        call: UnaryStreamCall = self._new(
            self._kind, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin(request)
        return call


class StreamUnaryMultiCallable(_MultiCallable, interfaces.StreamUnaryMultiCallable[Any, Any]):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

    KIND = StreamUnaryCall

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamUnaryCall:
        """Start a call; await the result for the response. See `UnaryUnaryMultiCallable`.

        Args:
            request_iterator: an iterable or async iterable of requests; None to use `write`.
        """
        call: StreamUnaryCall = self._new(
            self._kind, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin_stream(request_iterator)
        return call


class StreamStreamMultiCallable(_MultiCallable, interfaces.StreamStreamMultiCallable[Any, Any]):
    """Calls a method with streams both ways."""

    __slots__ = ()

    KIND = StreamStreamCall

    def __call__(
        self,
        request_iterator: Any = None,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamStreamCall:
        """Start a call; iterate over the result for the responses. See `StreamUnaryMultiCallable`."""
        call: StreamStreamCall = self._new(
            self._kind, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin_stream(request_iterator)
        return call


class _CredentialedUnaryUnary(_Credentialed, UnaryUnaryMultiCallable):
    __slots__ = ()


class _CredentialedUnaryStream(_Credentialed, UnaryStreamMultiCallable):
    __slots__ = ()


class _CredentialedStreamUnary(_Credentialed, StreamUnaryMultiCallable):
    __slots__ = ()


class _CredentialedStreamStream(_Credentialed, StreamStreamMultiCallable):
    __slots__ = ()


class _Callables(NamedTuple):
    unary_unary: type[UnaryUnaryMultiCallable]
    unary_stream: type[UnaryStreamMultiCallable]
    stream_unary: type[StreamUnaryMultiCallable]
    stream_stream: type[StreamStreamMultiCallable]


_PLAIN = _Callables(
    UnaryUnaryMultiCallable,
    UnaryStreamMultiCallable,
    StreamUnaryMultiCallable,
    StreamStreamMultiCallable,
)
_CREDENTIALED = _Callables(
    _CredentialedUnaryUnary,
    _CredentialedUnaryStream,
    _CredentialedStreamUnary,
    _CredentialedStreamStream,
)


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Sequence[ClientInterceptor] | None = None,
) -> interfaces.Channel:
    """Make a channel without TLS. Nothing is connected until the first call.

    Args:
        target: `host:port`, `[v6]:port`, `dns:///name:port`, `ipv4:`, `ipv6:`, `unix:path`,
            `unix-abstract:name`.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.
        interceptors: see calls before they are made; the first is the outermost.

    Raises:
        ValueError: the target is not of its scheme's form, or one of `interceptors` is no client interceptor.
    """
    return Channel(target, options, compression, interceptors)


def secure_channel(
    target: str,
    credentials: ChannelCredentials,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Sequence[ClientInterceptor] | None = None,
) -> interfaces.Channel:
    """Make a channel as credentials say. Nothing is connected until the first call.

    Args:
        target: see `insecure_channel`. Its host is what the server's certificate must be for; see
            `grpc.ssl_target_name_override` among the channel arguments.
        credentials: made by `clarion.ssl_channel_credentials` or its like.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.
        interceptors: see calls before they are made; the first is the outermost.

    Raises:
        TypeError: `credentials` are no channel credentials.
        ValueError: the target is not of its scheme's form, or one of `interceptors` is no client interceptor.
    """
    kind_of_channel(credentials)
    return Channel(target, options, compression, interceptors, credentials)
