"""The sync channel (`grpc.Channel`) and its multi-callables."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from clarion.client_core import ChannelCore, ChannelOptions, admit
from clarion.client_core.invocation import Method
from clarion.connectivity import ChannelConnectivity
from clarion.credentials.call import CallCredentials, Sources, sources_of
from clarion.credentials.channel import ChannelCredentials, kind_of_channel
from clarion.method import Compression
from clarion.propagation import current_parent
from clarion.protocol.metadata import InvalidMetadata, InvalidMetadataType
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import parse_target
from clarion.status import StatusCode
from clarion.sync import channel_interface as interface
from clarion.sync import runtime as _runtime
from clarion.sync.call import ResponseFuture, ResponseStream, SyncCall
from clarion.sync.errors import CallError, FutureCancelledError, FutureTimeoutError
from clarion.sync.interfaces import Future

__all__ = [
    "Channel",
    "ReadyFuture",
    "StreamStreamMultiCallable",
    "StreamUnaryMultiCallable",
    "UnaryStreamMultiCallable",
    "UnaryUnaryMultiCallable",
    "channel_ready_future",
    "insecure_channel",
    "secure_channel",
]

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class Channel(interface.Channel):
    """Calls methods of the server at a target, from any thread. Make it with `clarion.insecure_channel`."""

    def __init__(
        self,
        target: str,
        options: Sequence[tuple[str, Any]] | None,
        compression: Compression | None,
        credentials: Any = None,
    ) -> None:
        self.target = parse_target(target)
        self.options = ChannelOptions.read(options)
        self._security: Any = None
        # The call credentials of every call.
        self.sources: Sources = ()
        self._callables = _PLAIN
        if credentials is not None:
            # Where TLS is, which programs that do without it do not load.
            from clarion.security import secure

            self._security, self.options, self.sources = secure(
                credentials, self.target, self.options
            )
            if self.sources:
                self._callables = _CREDENTIALED
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
                    core = ChannelCore(
                        self.runtime, self.target, self.options, self._security
                    )
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
        return self._callables.unary_unary(
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
        return self._callables.unary_stream(
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
        return self._callables.stream_unary(
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
        return self._callables.stream_stream(
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

    def __repr__(self) -> str:
        core = self.core
        state = "closed" if self._closed else "IDLE" if core is None else core.state.name
        return f"<clarion.Channel to {self.target.authority}: {state}>"

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

    def __repr__(self) -> str:
        return (
            f"<clarion.{type(self).__name__} of {self._method.path} "
            f"on {self._channel.target.authority}>"
        )

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
        core: Any = channel.core
        if core is None:
            core = channel.open_core()
        runtime = channel.runtime
        assert runtime is not None
        method = self._method
        parent = current_parent.get()
        if parent is not None:
            if core.options.propagate:
                timeout = parent.shorten(timeout)
            else:
                parent = None
        try:
            start = method.start(time.monotonic(), timeout, metadata, wait_for_ready, compression)
        except InvalidMetadataType:
            raise
        except InvalidMetadata as error:
            raise CallError(
                Outcome(StatusCode.INTERNAL, f"metadata was invalid: {error}"), None
            ) from None
        if credentials is not None:
            core, start = admit(core, start, sources_of(credentials))
        call = SyncCall(
            core,
            runtime,
            start,
            method.serialize,
            method.deserialize,
            response_streaming=self._response_streaming,
        )
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
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> SyncCall:
        sources = self._channel.sources
        if credentials is not None:
            sources += sources_of(credentials)
        return super()._new(
            timeout, metadata, CallCredentials(sources), wait_for_ready, compression
        )


class UnaryUnaryMultiCallable(_MultiCallable, interface.UnaryUnaryMultiCallable[Any, Any]):
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


class UnaryStreamMultiCallable(_MultiCallable, interface.UnaryStreamMultiCallable[Any, Any]):
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


class StreamUnaryMultiCallable(_MultiCallable, interface.StreamUnaryMultiCallable[Any, Any]):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

    def __call__(
        self,
        request_iterator: Iterable[Any],
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
        request_iterator: Iterable[Any],
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
        request_iterator: Iterable[Any],
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


class StreamStreamMultiCallable(_MultiCallable, interface.StreamStreamMultiCallable[Any, Any]):
    """Calls a method with streams both ways."""

    __slots__ = ()

    def __init__(self, channel: Channel, method: Method) -> None:
        super().__init__(channel, method)
        self._response_streaming = True

    def __call__(
        self,
        request_iterator: Iterable[Any],
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


class ReadyFuture(Future[None]):
    """Done when a channel is READY (`channel_ready_future`)."""

    def __init__(self, channel: interface.Channel) -> None:
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

    def __repr__(self) -> str:
        state = "ready" if self._ready else "cancelled" if self._cancelled else "waiting"
        return f"<{type(self).__name__} of {self._channel!r}: {state}>"

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


def channel_ready_future(channel: interface.Channel) -> Future[None]:
    """A future that is done when `channel` is READY; the channel leaves IDLE for it."""
    return ReadyFuture(channel)


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
) -> interface.Channel:
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


def secure_channel(
    target: str,
    credentials: ChannelCredentials,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
) -> interface.Channel:
    """Make a channel as credentials say. Nothing is connected until the first call.

    Args:
        target: see `insecure_channel`. Its host is what the server's certificate must be for; see
            `grpc.ssl_target_name_override` among the channel arguments.
        credentials: made by `ssl_channel_credentials` or its like.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.

    Raises:
        TypeError: `credentials` are no channel credentials.
        ValueError: the target is not of its scheme's form.
    """
    kind_of_channel(credentials)
    return Channel(target, options, compression, credentials)
