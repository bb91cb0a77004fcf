"""The asyncio channel (`grpc.aio.Channel`) and its multi-callables.

A channel belongs to no event loop: each loop that calls through it has connections of its own. So a channel
may be made before a loop runs, outlive `asyncio.run`, and serve loops in several threads.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clarion.aio.call import (
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.aio.errors import UsageError
from clarion.aio.runtime import AioRuntime
from clarion.client_core import ChannelCore, ChannelOptions
from clarion.client_core.invocation import Method
from clarion.connectivity import ChannelConnectivity
from clarion.method import Compression
from clarion.protocol.metadata import InvalidMetadata, InvalidMetadataType
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import parse_target
from clarion.status import StatusCode

__all__ = [
    "Channel",
    "StreamStreamMultiCallable",
    "StreamUnaryMultiCallable",
    "UnaryStreamMultiCallable",
    "UnaryUnaryMultiCallable",
    "insecure_channel",
]

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class _OnLoop:
    """What a channel has on one event loop."""

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.runtime = AioRuntime(loop)
        self.core = ChannelCore(self.runtime, channel.target, channel.options)


class Channel:
    """Calls methods of the server at a target. Make it with `clarion.aio.insecure_channel`."""

    def __init__(
        self,
        target: str,
        options: Iterable[tuple[str, Any]] | None,
        compression: Compression | None,
    ) -> None:
        self.target = parse_target(target)
        self.options = ChannelOptions.read(options)
        self._compression = compression
        self._closed = False
        self._loops: dict[asyncio.AbstractEventLoop, _OnLoop] = {}
        self._lock = threading.Lock()
        self._last: _OnLoop | None = None

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

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channel.

        Args:
            grace: seconds that calls in progress may take to finish; then, or with None at once, they are
                cancelled.
        """
        if self._closed:
            return
        self._closed = True
        self._last = None
        running = asyncio.get_running_loop()
        for loop, here in list(self._loops.items()):
            if loop is running:
                if grace is not None:
                    await _calls_over(here.core, grace)
                here.core.close()
                here.runtime.close()
            elif not loop.is_closed():
                loop.call_soon_threadsafe(here.core.close)
        self._loops.clear()

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
        self, path: str, serialize: Serializer | None, deserialize: Deserializer | None
    ) -> Method:
        return Method(path, self.target, self.options, self._compression, serialize, deserialize)

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMultiCallable:
        """Make the callable for a method with one request and one response.

        Args:
            method: `/package.Service/Method`.
            request_serializer: request to bytes; None passes bytes through.
            response_deserializer: bytes to response; None passes bytes through.
        """
        return UnaryUnaryMultiCallable(
            self, self._method(method, request_serializer, response_deserializer)
        )

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMultiCallable:
        """Make the callable for a method with one request and a stream of responses; see `unary_unary`."""
        return UnaryStreamMultiCallable(
            self, self._method(method, request_serializer, response_deserializer)
        )

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMultiCallable:
        """Make the callable for a method with a stream of requests and one response; see `unary_unary`."""
        return StreamUnaryMultiCallable(
            self, self._method(method, request_serializer, response_deserializer)
        )

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMultiCallable:
        """Make the callable for a method with streams both ways; see `unary_unary`."""
        return StreamStreamMultiCallable(
            self, self._method(method, request_serializer, response_deserializer)
        )


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

    __slots__ = ("_channel", "_method")

    def __init__(self, channel: Channel, method: Method) -> None:
        self._channel = channel
        self._method = method

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
        if credentials is not None:
            raise UsageError("call credentials need a secure channel")
        here = channel.on_loop()
        method = self._method
        now = here.loop.time()
        try:
            start = method.start(now, timeout, metadata, wait_for_ready, compression)
        except InvalidMetadataType:
            raise
        except InvalidMetadata as error:
            start = method.start(now, None, None, None, None)
            call = kind(here.core, here.loop, start, method.serialize, method.deserialize)
            call.end(Outcome(StatusCode.INTERNAL, f"metadata was invalid: {error}"))
            return call
        call = kind(here.core, here.loop, start, method.serialize, method.deserialize)
        call.channel = channel
        return call


class UnaryUnaryMultiCallable(_MultiCallable):
    """Calls a method with one request and one response."""

    __slots__ = ()

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
            UnaryUnaryCall, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin(request)
        return call


class UnaryStreamMultiCallable(_MultiCallable):
    """Calls a method with one request and a stream of responses."""

    __slots__ = ()

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
            UnaryStreamCall, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin(request)
        return call


class StreamUnaryMultiCallable(_MultiCallable):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

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
            StreamUnaryCall, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin_stream(request_iterator)
        return call


class StreamStreamMultiCallable(_MultiCallable):
    """Calls a method with streams both ways."""

    __slots__ = ()

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
            StreamStreamCall, timeout, metadata, credentials, wait_for_ready, compression
        )
        call._begin_stream(request_iterator)
        return call


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Sequence[Any] | None = None,
) -> Channel:
    """Make a channel without TLS. Nothing is connected until the first call.

    Args:
        target: `host:port`, `[v6]:port`, `dns:///name:port`, `ipv4:`, `ipv6:`, `unix:path`,
            `unix-abstract:name`.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.
        interceptors: not supported yet; must be empty.

    Raises:
        ValueError: the target is not of its scheme's form.
    """
    if interceptors:
        raise NotImplementedError("client interceptors are not supported yet")
    return Channel(target, options, compression)
