"""Channels with interceptors (`grpc.intercept_channel`).

Each interceptor is a channel around the next one, so the one named first sees a call first and its end last. The
rules are grpcio's:

- In a blocking call, what an interceptor raises is raised to the caller; in a future or a stream of responses it
  becomes a call that failed.
- A continuation raises for no call that failed: it returns the failed call.
- Details that an interceptor passes on may be any object; attributes that it lacks stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, TypeVar

from clarion.connectivity import ChannelConnectivity
from clarion.method import Compression
from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.sync import channel_interface as interface
from clarion.sync.interceptor_interface import (
    ClientCallDetails,
    StreamStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    UnaryUnaryClientInterceptor,
)
from clarion.sync.interfaces import Call, CallFuture, Future, MetadataPairs

__all__ = ["InterceptedChannel", "intercept_channel"]

_Out = TypeVar("_Out")
_In = TypeVar("_In")
_Made = TypeVar("_Made")

_KINDS = (
    UnaryUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    StreamStreamClientInterceptor,
)
ClientInterceptor = (
    UnaryUnaryClientInterceptor
    | UnaryStreamClientInterceptor
    | StreamUnaryClientInterceptor
    | StreamStreamClientInterceptor
)


class _Fields(NamedTuple):
    method: str
    timeout: float | None
    metadata: MetadataPairs | None
    credentials: Any
    wait_for_ready: bool | None
    compression: Compression | None


class CallDetails(_Fields, ClientCallDetails):
    """What an interceptor gets: a named tuple, because interceptors use `_replace`."""

    __slots__ = ()

    def changed_by(self, other: ClientCallDetails) -> dict[str, Any]:
        """All fields by name, as `other` has them where it does."""
        if other is self:
            return self._asdict()
        return {
            name: getattr(other, name, ours) for name, ours in zip(self._fields, self, strict=True)
        }


class FailedCall(RpcError, CallFuture[Any]):
    """A call that failed because something raised before there was one. Iterating over it raises that, too."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self._error = error

    def initial_metadata(self) -> Any:
        return self._error.initial_metadata() if isinstance(self._error, Call) else ()

    def trailing_metadata(self) -> Any:
        return self._error.trailing_metadata() if isinstance(self._error, Call) else ()

    def code(self) -> StatusCode:
        return self._error.code() if isinstance(self._error, Call) else StatusCode.INTERNAL

    def details(self) -> str:
        if isinstance(self._error, Call):
            return self._error.details()
        return f"an interceptor raised, or the call could not be started: {self._error!r}"

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float | None:
        return None

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> NoReturn:
        raise self._error

    def exception(self, timeout: float | None = None) -> Exception:
        return self._error

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        return self._error.__traceback__

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return False

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        fn(self)

    def __iter__(self) -> FailedCall:
        return self

    def __next__(self) -> NoReturn:
        raise self._error

    def next(self) -> NoReturn:
        """Raises what made the call fail."""
        raise self._error


class AnsweredCall(CallFuture[Any]):
    """A call whose response is there: the call, and a future with that very response."""

    def __init__(self, response: Any, call: Call) -> None:
        self._response = response
        self._call = call

    def initial_metadata(self) -> Any:
        return self._call.initial_metadata()

    def trailing_metadata(self) -> Any:
        return self._call.trailing_metadata()

    def code(self) -> StatusCode:
        return self._call.code()

    def details(self) -> str:
        return self._call.details()

    def is_active(self) -> bool:
        return self._call.is_active()

    def time_remaining(self) -> float | None:
        return self._call.time_remaining()

    def cancel(self) -> bool:
        return bool(self._call.cancel())

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> Any:
        return self._response

    def exception(self, timeout: float | None = None) -> None:
        return None

    def traceback(self, timeout: float | None = None) -> None:
        return None

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return self._call.add_callback(callback)

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        fn(self)


class _Intercepted:
    """A method of an intercepted channel.

    Args:
        bind: makes the callable for a method of the channel within.
        method: the method as the application named it.
        intercept: the interceptor, for this kind of call.
    """

    def __init__(
        self, bind: Callable[[str], Any], method: str, intercept: Callable[[Any, Any, Any], Any]
    ) -> None:
        self._bind = bind
        self._method = method
        self._intercept = intercept
        self._bound: Any = None

    def _target(self, method: str) -> Any:
        if method != self._method:
            return self._bind(method)
        if self._bound is None:
            self._bound = self._bind(method)
        return self._bound

    def _go_on_with(
        self, details: CallDetails, start: Callable[[Any, Any, dict[str, Any]], Any]
    ) -> Callable[[Any, Any], Any]:
        """The continuation; `start(target, request, options)` starts the call."""

        def continuation(client_call_details: Any, request: Any) -> Any:
            options = details.changed_by(client_call_details)
            return start(self._target(options.pop("method")), request, options)

        return continuation

    def _answered(self, details: CallDetails, request: Any) -> tuple[Any, Any]:
        """Block until the response is there."""
        call = self._intercept(self._go_on_with(details, _answer), details, request)
        return call.result(), call

    def _started(
        self,
        details: CallDetails,
        request: Any,
        start: Callable[[Any, Any, dict[str, Any]], Any],
    ) -> Any:
        try:
            return self._intercept(self._go_on_with(details, start), details, request)
        except Exception as error:
            return FailedCall(error)


def _answer(target: Any, request: Any, options: dict[str, Any]) -> Any:
    try:
        response, call = target.with_call(request, **options)
    except Exception as error:
        return (
            error
            if isinstance(error, RpcError) and isinstance(error, Future)
            else FailedCall(error)
        )
    return AnsweredCall(response, call)


def _start_future(target: Any, request: Any, options: dict[str, Any]) -> Any:
    return target.future(request, **options)


def _start_stream(target: Any, request: Any, options: dict[str, Any]) -> Any:
    return target(request, **options)


class _UnaryUnary(_Intercepted, interface.UnaryUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._answered(details, request)[0]

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[Any, Any]:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._answered(details, request)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._started(details, request, _start_future)


class _UnaryStream(_Intercepted, interface.UnaryStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._started(details, request, _start_stream)


class _StreamUnary(_Intercepted, interface.StreamUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._answered(details, request_iterator)[0]

    def with_call(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[Any, Any]:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._answered(details, request_iterator)

    def future(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._started(details, request_iterator, _start_future)


class _StreamStream(_Intercepted, interface.StreamStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> Any:
        details = CallDetails(
            self._method, timeout, metadata, credentials, wait_for_ready, compression
        )
        return self._started(details, request_iterator, _start_stream)


class InterceptedChannel(interface.Channel):
    """A channel whose calls go through an interceptor. Everything else is the channel's within."""

    def __init__(self, channel: interface.Channel, interceptor: ClientInterceptor) -> None:
        self._channel = channel
        self._interceptor = interceptor

    def subscribe(
        self, callback: Callable[[ChannelConnectivity], Any], try_to_connect: bool | None = False
    ) -> None:
        self._channel.subscribe(callback, try_to_connect=try_to_connect)

    def unsubscribe(self, callback: Callable[[ChannelConnectivity], Any]) -> None:
        self._channel.unsubscribe(callback)

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[_Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], _In] | None = None,
        _registered_method: bool | None = False,
    ) -> interface.UnaryUnaryMultiCallable[_Out, _In]:
        bind = _binder(
            self._channel.unary_unary, request_serializer, response_deserializer, _registered_method
        )
        if isinstance(self._interceptor, UnaryUnaryClientInterceptor):
            return _UnaryUnary(bind, method, self._interceptor.intercept_unary_unary)
        return bind(method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[_Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], _In] | None = None,
        _registered_method: bool | None = False,
    ) -> interface.UnaryStreamMultiCallable[_Out, _In]:
        bind = _binder(
            self._channel.unary_stream,
            request_serializer,
            response_deserializer,
            _registered_method,
        )
        if isinstance(self._interceptor, UnaryStreamClientInterceptor):
            return _UnaryStream(bind, method, self._interceptor.intercept_unary_stream)
        return bind(method)

    def stream_unary(
        self,
        method: str,
        request_serializer: Callable[[_Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], _In] | None = None,
        _registered_method: bool | None = False,
    ) -> interface.StreamUnaryMultiCallable[_Out, _In]:
        bind = _binder(
            self._channel.stream_unary,
            request_serializer,
            response_deserializer,
            _registered_method,
        )
        if isinstance(self._interceptor, StreamUnaryClientInterceptor):
            return _StreamUnary(bind, method, self._interceptor.intercept_stream_unary)
        return bind(method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Callable[[_Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], _In] | None = None,
        _registered_method: bool | None = False,
    ) -> interface.StreamStreamMultiCallable[_Out, _In]:
        bind = _binder(
            self._channel.stream_stream,
            request_serializer,
            response_deserializer,
            _registered_method,
        )
        if isinstance(self._interceptor, StreamStreamClientInterceptor):
            return _StreamStream(bind, method, self._interceptor.intercept_stream_stream)
        return bind(method)

    def close(self) -> None:
        self._channel.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._interceptor!r} before {self._channel!r}>"


def _binder(
    make: Callable[..., _Made], serialize: Any, deserialize: Any, registered: bool | None
) -> Callable[[str], _Made]:
    # Only where it says something: channels of applications may not know the last argument.
    if registered:
        return lambda method: make(method, serialize, deserialize, registered)
    return lambda method: make(method, serialize, deserialize)


def intercept_channel(
    channel: interface.Channel, *interceptors: ClientInterceptor
) -> interface.Channel:
    """Put interceptors before a channel.

    Args:
        channel: what carries the calls out; it may have interceptors already, which come behind these.
        interceptors: the first one sees a call first. Each sees the kinds of calls that it implements.

    Returns:
        A channel that does everything else as `channel` does; closing it closes `channel`.

    Raises:
        TypeError: one of them is no client interceptor of the sync API.
    """
    given: Sequence[Any] = interceptors
    for interceptor in reversed(given):
        if not isinstance(interceptor, _KINDS):
            kinds = ", ".join(f"grpc.{kind.__name__}" for kind in _KINDS)
            raise TypeError(
                f"{interceptor!r} is no interceptor of a sync channel: it must be one or more of {kinds}"
            )
        channel = InterceptedChannel(channel, interceptor)
    return channel
