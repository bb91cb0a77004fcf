"""The sync channel (`grpc.Channel`) and its multi-callables."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

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
from clarion.sync import channel_interface as interface
from clarion.sync import runtime as _runtime
from clarion.sync.call import SyncCall
from clarion.sync.call_objects import ResponseFuture, ResponseStream

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


class _Subscription:
    """A callback that hears of a channel's states, in the order of `tell`, until it is no longer `active`."""

    __slots__ = ("_callback", "_runtime", "active")

    def __init__(
        self, callback: Callable[[ChannelConnectivity], Any], runtime: _runtime.SyncRuntime
    ) -> None:
        self._callback = callback
        self._runtime = runtime
        self.active = True

    def is_for(self, callback: Any) -> bool:
        """Whether this is a subscription of `callback`."""
        return bool(self._callback == callback)

    def tell(self, state: ChannelConnectivity) -> None:
        """The channel's state is `state`."""
        self._runtime.call_back(lambda: self._deliver(state))

    def _deliver(self, state: ChannelConnectivity) -> None:
        if self.active:
            self._callback(state)


class Channel(interface.Channel):
    """Calls methods of the server at a target, from any thread. Make it with `clarion.insecure_channel`."""

    def __init__(
        self,
        target: str,
        options: Sequence[tuple[str, Any]] | None,
        compression: Compression | None,
        credentials: Any = None,
    ) -> None:
        self.options = ChannelOptions.read(options)
        parsed = target_of(target)
        self.target = through_proxy(parsed, self.options.arguments.value, os.environ)
        # Who traces the calls, and the target as they know it.
        self._tracing = channel_tracing(self.options.arguments, self.options.timeline)
        self._target_name = canonical(target, parsed)
        self._security: Any = None
        self._credentials = credentials
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
        self.node = record(CHANNEL, self, time.time, self.options.trace_memory)
        self.node.log("Channel created")
        # In order; a callback may be there more than once, and need not be hashable.
        self._subscriptions: list[_Subscription] = []
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
                    core = self._make_core(self.runtime)
                    core.sources = self.sources
                    core.node = self.node
                    core.policy_metrics = policy_metrics(self._tracing, self._target_name)
                    self.core = core
        return core

    @property
    def cores(self) -> list[ChannelCore]:
        """Its states, which is one, once it was used."""
        return [] if self.core is None else [self.core]

    def renew_locks(self) -> None:
        """In a forked child, first of all."""
        for lock in self.core.locks if self.core is not None else ():
            # As the standard library does it for its own.
            lock._at_fork_reinit()

    def _make_core(self, runtime: _runtime.SyncRuntime) -> ChannelCore:
        if self.options.web is not None:
            core: ChannelCore = self.options.web.make_core(
                runtime, self.target, self.options, self._security
            )
            return core
        if not self.options.share:
            return ChannelCore(runtime, self.target, self.options, self._security)
        # Which most programs do not need.
        from clarion.client_core.sharing import SharingChannelCore, pool_of

        pool = pool_of(runtime, lambda: runtime)
        return SharingChannelCore(
            runtime, self.target, self.options, self._security, pool, self._credentials
        )

    def forget_fork(self) -> None:
        """In a forked child: start anew."""
        core = self.core
        self._subscriptions = []
        self._start()
        self.node.log("The process was forked, and the channel starts anew in this one")
        if core is not None:
            core.abandon(
                Outcome(
                    StatusCode.UNAVAILABLE,
                    "the process was forked; this call is the parent's",
                )
            )

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
    ) -> UnaryUnaryMultiCallable:
        """Make the callable for a method with one request and one response.

        Args:
            method: `/package.Service/Method`.
            request_serializer: request to bytes; None passes bytes through.
            response_deserializer: bytes to response; None passes bytes through.
        """
        return self._callables.unary_unary(
            self,
            self._method(method, request_serializer, response_deserializer, _registered_method),
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
            self,
            self._method(method, request_serializer, response_deserializer, _registered_method),
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
            self,
            self._method(method, request_serializer, response_deserializer, _registered_method),
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
            self,
            self._method(method, request_serializer, response_deserializer, _registered_method),
        )

    def subscribe(
        self, callback: Callable[[ChannelConnectivity], None], try_to_connect: bool | None = False
    ) -> None:
        """Call `callback(state)` now and on every change of the connectivity state.

        The callback runs on a thread of Clarion's that runs such callbacks one after another. It hears nothing
        of the channel's end, nor anything at all on a channel that is closed. One that is subscribed twice is
        called twice.

        Args:
            callback: what to call.
            try_to_connect: leave IDLE.
        """
        if self._closed:
            return
        core = self.open_core()
        runtime = self.runtime
        assert runtime is not None
        subscription = _Subscription(callback, runtime)
        self._subscriptions.append(subscription)
        # Closed meanwhile, it may not have been seen by `close`.
        subscription.active = not self._closed

        def begin() -> None:
            if subscription.active:
                core.watch(subscription.tell)
                subscription.tell(core.state)
                if try_to_connect:
                    core.connect()

        runtime.post(begin)

    def unsubscribe(self, callback: Callable[[ChannelConnectivity], None]) -> None:
        """Undo one `subscribe(callback)`, the first that there is."""
        core, runtime = self.core, self.runtime
        if core is None or runtime is None:
            return
        subscriptions = self._subscriptions
        with self._lock:
            for at, subscription in enumerate(subscriptions):
                if subscription.is_for(callback):
                    del subscriptions[at]
                    break
            else:
                return
        subscription.active = False
        runtime.post(lambda: core.unwatch(subscription.tell))

    def _tell_no_more(self) -> None:
        """The channel is closed, which its subscribers do not hear."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.active = False

    def close(self) -> None:
        """Close the channel. Calls in progress end with CANCELLED."""
        if self._closed:
            return
        self._closed = True
        self.node.close()
        self._tell_no_more()
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
            self._tell_no_more()
            runtime.post(core.close)


class _MultiCallable:
    """A method of a channel."""

    __slots__ = ("_call", "_channel", "_method", "_response_streaming")

    def __init__(self, channel: Channel, method: Method) -> None:
        self._channel = channel
        self._method = method
        self._call: Callable[..., SyncCall] = SyncCall
        if method.tracing is not None:
            # Which channels that are not traced do not need.
            from clarion.sync.traced_calls import client_call_type

            self._call = client_call_type(method.tracing)
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
            return self._refused(core, runtime, f"Invalid metadata: {error}")
        if credentials is not None:
            core, start = admit(core, start, sources_of(credentials))
        call = self._call(
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

    def _refused(self, core: Any, runtime: Any, details: str) -> SyncCall:
        """A call that is over before it begins: futures and streams tell of it as of any other end."""
        method = self._method
        start = method.start(time.monotonic(), None, None, None, None)
        call = self._call(
            core,
            runtime,
            start,
            method.serialize,
            method.deserialize,
            response_streaming=self._response_streaming,
        )
        call.channel = self._channel
        call._never_begun(Outcome(StatusCode.INTERNAL, details))
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


def insecure_channel(
    target: str,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
) -> interface.Channel:
    """Make a channel without TLS. Nothing is connected until the first call.

    Args:
        target: `host:port`, `[v6]:port`, `dns:///name:port`, `ipv4:`, `ipv6:`, `unix:path`, `unix-abstract:name`.
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
