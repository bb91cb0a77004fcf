"""The sync channel (`grpc.Channel`) and its multi-callables."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from clarion.client_core import ChannelCore, ChannelOptions
from clarion.client_core.invocation import Method
from clarion.connectivity import ChannelConnectivity
from clarion.method import Compression
from clarion.protocol.metadata import InvalidMetadata, InvalidMetadataType
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import parse_target
from clarion.status import StatusCode
from clarion.sync import runtime as _runtime
from clarion.sync.call import ResponseFuture, ResponseStream, SyncCall
from clarion.sync.errors import CallError, FutureCancelledError, FutureTimeoutError

__all__ = [
    "Channel",
    "ReadyFuture",
    "StreamStreamMultiCallable",
    "StreamUnaryMultiCallable",
    "UnaryStreamMultiCallable",
    "UnaryUnaryMultiCallable",
    "channel_ready_future",
    "insecure_channel",
]

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class Channel:
    """Calls methods of the server at a target, from any thread. Make it with `clarion.insecure_channel`."""

    def __init__(
        self,
        target: str,
        options: Sequence[tuple[str, Any]] | None,
        compression: Compression | None,
    ) -> None:
        self.target = parse_target(target)
        self.options = ChannelOptions.read(options)
        self._compression = compression
        self._closed = False
        self._subscribers: dict[Any, Callable[[ChannelConnectivity], None]] = {}
        self._start()
        _runtime.channels.add(self)

    def _start(self) -> None:
        self.runtime: _runtime.SyncRuntime | None = None
        self.core: ChannelCore | None = None
        self._lock = threading.Lock()

    def open_core(self) -> ChannelCore:
        """The channel's state, begun with the first use."""
        core = self.core
        if core is None:
            with self._lock:
                core = self.core
                if core is None:
                    self.runtime = _runtime.runtime()
                    core = ChannelCore(self.runtime, self.target, self.options)
                    self.core = core
        return core

    def forget_fork(self) -> None:
        """In a forked child: start anew."""
        if self.core is not None:
            self.core.abandon(
                Outcome(
                    StatusCode.UNAVAILABLE,
                    "the process was forked; this call is the parent's",
                )
            )
        self._subscribers.clear()
        self._start()

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

    def subscribe(
        self, callback: Callable[[ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Call `callback(state)` now and on every change of the connectivity state.

        The callback runs on a thread of Clarion's that runs such callbacks one after another.

        Args:
            callback: what to call.
            try_to_connect: leave IDLE.
        """
        self._check_open()
        core = self.open_core()
        assert self.runtime is not None

        runtime = self.runtime

        def tell(state: ChannelConnectivity) -> None:
            runtime.call_back(lambda: callback(state))

        def begin() -> None:
            if callback in self._subscribers:
                core.watch(tell)
                tell(core.state)
                if try_to_connect:
                    core.connect()

        self._subscribers[callback] = tell
        runtime.post(begin)

    def unsubscribe(self, callback: Callable[[ChannelConnectivity], None]) -> None:
        """Stop calling `callback`."""
        core, runtime = self.core, self.runtime
        tell = self._subscribers.pop(callback, None)
        if tell is not None and core is not None and runtime is not None:
            runtime.post(lambda: core.unwatch(tell))

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")

    def close(self) -> None:
        """Close the channel. Calls in progress end with CANCELLED."""
        if self._closed:
            return
        self._closed = True
        core, runtime = self.core, self.runtime
        if core is None or runtime is None:
            return
        if runtime.io.is_current:
            core.close()
            return
        done = threading.Event()

        def close() -> None:
            try:
                core.close()
            finally:
                done.set()

        runtime.post(close)
        done.wait(5)

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Not `close`: that waits, and this may run on any thread at any time.
        core, runtime = getattr(self, "core", None), getattr(self, "runtime", None)
        if core is not None and runtime is not None and not self._closed:
            self._closed = True
            runtime.post(core.close)


class _MultiCallable:
    """A method of a channel."""

    __slots__ = ("_channel", "_method", "_response_streaming")

    def __init__(self, channel: Channel, method: Method) -> None:
        self._channel = channel
        self._method = method
        self._response_streaming = False

    def _new(
        self,
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> SyncCall:
        channel = self._channel
        if channel._closed:
            raise ValueError("Cannot invoke RPC on closed channel!")
        if credentials is not None:
            raise ValueError("call credentials need a secure channel")
        core = channel.core
        if core is None:
            core = channel.open_core()
        runtime = channel.runtime
        assert runtime is not None
        method = self._method
        try:
            start = method.start(time.monotonic(), timeout, metadata, wait_for_ready, compression)
        except InvalidMetadataType:
            raise
        except InvalidMetadata as error:
            raise CallError(
                Outcome(StatusCode.INTERNAL, f"metadata was invalid: {error}"), None
            ) from None
        call = SyncCall(
            core,
            runtime,
            start,
            method.serialize,
            method.deserialize,
            response_streaming=self._response_streaming,
        )
        call.channel = channel
        return call


class UnaryUnaryMultiCallable(_MultiCallable):
    """Calls a method with one request and one response."""

    __slots__ = ()

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        """Call the method, and wait for the response.

        Args:
            request: the request message.
            timeout: seconds that the call may take.
            metadata: `(key, value)` pairs.
            credentials: call credentials; they need a secure channel.
            wait_for_ready: wait through failures to connect, instead of failing with UNAVAILABLE.
            compression: overrides the channel's.

        Returns:
            The response message.

        Raises:
            RpcError: the call ended with another status than OK.
            ValueError: the channel is closed.
        """
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.exchange(request)
        return call.take_response()

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[Any, ResponseFuture]:
        """Call the method; see `__call__`.

        Returns:
            The response and the call, for its metadata.
        """
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.exchange(request)
        return call.take_response(), ResponseFuture(call)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseFuture:
        """Start a call; see `__call__`.

        Returns:
            A future for the response, which is the call too.
        """
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.leave_unattended()
        call.start_with(request)
        return ResponseFuture(call)


class UnaryStreamMultiCallable(_MultiCallable):
    """Calls a method with one request and a stream of responses."""

    __slots__ = ()

    def __init__(self, channel: Channel, method: Method) -> None:
        super().__init__(channel, method)
        self._response_streaming = True

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseStream:
        """Start a call; iterate over the result for the responses. See `UnaryUnaryMultiCallable`."""
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.watch_deadline()
        call.start_with(request)
        return ResponseStream(call)


class StreamUnaryMultiCallable(_MultiCallable):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

    def __call__(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        """Call the method, and wait for the response. See `UnaryUnaryMultiCallable`.

        Args:
            request_iterator: an iterable of requests; it is consumed on a thread of its own.
        """
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.start_stream(iter(request_iterator))
        call.wait_done()
        return call.take_response()

    def with_call(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[Any, ResponseFuture]:
        """Call the method; returns the response and the call. See `__call__`."""
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.start_stream(iter(request_iterator))
        call.wait_done()
        return call.take_response(), ResponseFuture(call)

    def future(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseFuture:
        """Start a call; returns a future for the response. See `__call__`."""
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.leave_unattended()
        call.start_stream(iter(request_iterator))
        return ResponseFuture(call)


class StreamStreamMultiCallable(_MultiCallable):
    """Calls a method with streams both ways."""

    __slots__ = ()

    def __init__(self, channel: Channel, method: Method) -> None:
        super().__init__(channel, method)
        self._response_streaming = True

    def __call__(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseStream:
        """Start a call; iterate over the result for the responses. See `StreamUnaryMultiCallable`."""
        call = self._new(timeout, metadata, credentials, wait_for_ready, compression)
        call.watch_deadline()
        call.start_stream(iter(request_iterator))
        return ResponseStream(call)


class ReadyFuture:
    """Done when a channel is READY (`channel_ready_future`)."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._condition = threading.Condition()
        self._ready = False
        self._cancelled = False
        self._callbacks: list[Callable[[Any], Any]] = []
        channel.subscribe(self._update, try_to_connect=True)

    def _update(self, state: ChannelConnectivity) -> None:
        if state is not ChannelConnectivity.READY:
            return
        with self._condition:
            if self._ready or self._cancelled:
                return
            self._ready = True
            self._condition.notify_all()
        self._channel.unsubscribe(self._update)
        self._run_callbacks()

    def _run_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def cancel(self) -> bool:
        """Stop waiting."""
        with self._condition:
            if self._ready:
                return False
            self._cancelled = True
            self._condition.notify_all()
        self._channel.unsubscribe(self._update)
        self._run_callbacks()
        return True

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled

    def running(self) -> bool:
        """Whether it still waits."""
        return not self.done()

    def done(self) -> bool:
        """Whether the channel became READY, or it was cancelled."""
        return self._ready or self._cancelled

    def result(self, timeout: float | None = None) -> None:
        """Wait until the channel is READY.

        Args:
            timeout: seconds to wait.

        Raises:
            FutureTimeoutError: it was not READY in time.
            FutureCancelledError: it was cancelled.
        """
        with self._condition:
            if not self._condition.wait_for(self.done, timeout):
                raise FutureTimeoutError(f"the channel was not ready within {timeout} s")
        if self._cancelled:
            raise FutureCancelledError("the wait was cancelled")

    def exception(self, timeout: float | None = None) -> Exception | None:
        """None, after `result`."""
        self.result(timeout)
        return None

    def traceback(self, timeout: float | None = None) -> Any:
        """None, after `result`."""
        self.result(timeout)
        return None

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Call `fn(self)` when it is done; at once if it is."""
        with self._condition:
            if not self.done():
                self._callbacks.append(fn)
                return
        fn(self)


def channel_ready_future(channel: Channel) -> ReadyFuture:
    """A future that is done when `channel` is READY; the channel leaves IDLE for it."""
    return ReadyFuture(channel)


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
) -> Channel:
    """Make a channel without TLS. Nothing is connected until the first call.

    Args:
        target: `host:port`, `[v6]:port`, `dns:///name:port`, `ipv4:`, `ipv6:`, `unix:path`,
            `unix-abstract:name`.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.

    Raises:
        ValueError: the target is not of its scheme's form.
    """
    return Channel(target, options, compression)
