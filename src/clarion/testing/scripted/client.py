"""A channel whose calls a test answers."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from clarion.connectivity import ChannelConnectivity
from clarion.sync import channel_interface
from clarion.testing.scripted import interfaces
from clarion.testing.scripted.calls import ClientCall, ResponseFuture, ResponseStream

__all__ = ["ScriptedChannel"]


class _Calls:
    """The calls that were made and not taken yet, by method."""

    def __init__(self, time: interfaces.Time) -> None:
        self._time = time
        self._waiting: dict[str, list[ClientCall]] = defaultdict(list)
        self._changed = threading.Condition()

    def make(self, method: str, metadata: Any, timeout: float | None, *request: Any) -> ClientCall:
        call = ClientCall(
            metadata, list(request), closed=bool(request), time=self._time, timeout=timeout
        )
        with self._changed:
            self._waiting[method].append(call)
            self._changed.notify_all()
        return call

    def take(self, descriptor: Any) -> ClientCall:
        method = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
        with self._changed:
            self._changed.wait_for(lambda: self._waiting[method])
            return self._waiting[method].pop(0)


class _Callable:
    def __init__(self, calls: _Calls, method: str) -> None:
        self._calls = calls
        self._method = method

    def _one(self, request: Any, timeout: float | None, metadata: Any) -> ClientCall:
        return self._calls.make(self._method, metadata, timeout, request)

    def _many(self, requests: Iterable[Any], timeout: float | None, metadata: Any) -> ClientCall:
        call = self._calls.make(self._method, metadata, timeout)
        call.send(requests)
        return call


class _UnaryUnary(_Callable, channel_interface.UnaryUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        return self._one(request, timeout, metadata).response()

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> tuple[Any, ResponseFuture]:
        call = self._one(request, timeout, metadata)
        return call.response(), ResponseFuture(call)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> ResponseFuture:
        return ResponseFuture(self._one(request, timeout, metadata))


class _UnaryStream(_Callable, channel_interface.UnaryStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> ResponseStream:
        return ResponseStream(self._one(request, timeout, metadata))


class _StreamUnary(_Callable, channel_interface.StreamUnaryMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> Any:
        return self._many(request_iterator, timeout, metadata).response()

    def with_call(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> tuple[Any, ResponseFuture]:
        call = self._many(request_iterator, timeout, metadata)
        return call.response(), ResponseFuture(call)

    def future(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> ResponseFuture:
        return ResponseFuture(self._many(request_iterator, timeout, metadata))


class _StreamStream(_Callable, channel_interface.StreamStreamMultiCallable[Any, Any]):
    def __call__(
        self,
        request_iterator: Iterable[Any],
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Any = None,
    ) -> ResponseStream:
        return ResponseStream(self._many(request_iterator, timeout, metadata))


class ScriptedChannel(interfaces.Channel):
    """The channel. Messages are handed over as they are: nothing is serialized."""

    def __init__(self, time: interfaces.Time) -> None:
        self._calls = _Calls(time)

    def subscribe(
        self,
        callback: Callable[[ChannelConnectivity], Any],
        try_to_connect: bool | None = False,
    ) -> None:
        """The channel is READY, always."""
        callback(ChannelConnectivity.READY)

    def unsubscribe(self, callback: Callable[[ChannelConnectivity], Any]) -> None:
        """There is nothing more to hear anyway."""

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> channel_interface.UnaryUnaryMultiCallable[Any, Any]:
        return _UnaryUnary(self._calls, method)

    def unary_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> channel_interface.UnaryStreamMultiCallable[Any, Any]:
        return _UnaryStream(self._calls, method)

    def stream_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> channel_interface.StreamUnaryMultiCallable[Any, Any]:
        return _StreamUnary(self._calls, method)

    def stream_stream(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: bool | None = False,
    ) -> channel_interface.StreamStreamMultiCallable[Any, Any]:
        return _StreamStream(self._calls, method)

    def close(self) -> None:
        """Nothing is open. Calls go on until the test ends them."""

    def __enter__(self) -> ScriptedChannel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def take_unary_unary(self, method_descriptor: Any) -> Any:
        call = self._calls.take(method_descriptor)
        return call.metadata, call.take_request(), _UnaryUnaryRpc(call)

    def take_unary_stream(self, method_descriptor: Any) -> Any:
        call = self._calls.take(method_descriptor)
        return call.metadata, call.take_request(), _UnaryStreamRpc(call)

    def take_stream_unary(self, method_descriptor: Any) -> Any:
        call = self._calls.take(method_descriptor)
        return call.metadata, _StreamUnaryRpc(call)

    def take_stream_stream(self, method_descriptor: Any) -> Any:
        call = self._calls.take(method_descriptor)
        return call.metadata, _StreamStreamRpc(call)


# The server's side


class _Rpc:
    def __init__(self, call: ClientCall) -> None:
        self._call = call

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._call.send_initial_metadata(initial_metadata)

    def cancelled(self) -> None:
        self._call.cancelled()

    def take_request(self) -> Any:
        return self._call.take_request()

    def requests_closed(self) -> None:
        self._call.requests_closed()

    def send_response(self, response: Any) -> None:
        self._call.send_response(response)


class _AnsweredRpc(_Rpc):
    def terminate(self, response: Any, trailing_metadata: Any, code: Any, details: Any) -> None:
        self._call.terminate(trailing_metadata, code, details, response)


class _StreamedRpc(_Rpc):
    def terminate(self, trailing_metadata: Any, code: Any, details: Any) -> None:
        self._call.terminate(trailing_metadata, code, details)


class _UnaryUnaryRpc(_AnsweredRpc, interfaces.UnaryUnaryChannelRpc): ...


class _UnaryStreamRpc(_StreamedRpc, interfaces.UnaryStreamChannelRpc): ...


class _StreamUnaryRpc(_AnsweredRpc, interfaces.StreamUnaryChannelRpc): ...


class _StreamStreamRpc(_StreamedRpc, interfaces.StreamStreamChannelRpc): ...
