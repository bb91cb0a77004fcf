"""Channels, calls, contexts and errors that applications implement for their tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

import places_pb2
import places_pb2_grpc

import clarion as grpc

Request = TypeVar("Request")
Response = TypeVar("Response")


class FakeError(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__()
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "made up"


class FakeGet(grpc.UnaryUnaryMultiCallable[places_pb2.Point, places_pb2.Place]):
    def __call__(
        self,
        request: places_pb2.Point,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> places_pb2.Place:
        raise FakeError(grpc.StatusCode.NOT_FOUND)

    def with_call(self, *args: Any, **kwargs: Any) -> tuple[places_pb2.Place, grpc.Call]:
        raise NotImplementedError

    def future(self, *args: Any, **kwargs: Any) -> grpc.CallFuture[places_pb2.Place]:
        raise NotImplementedError


class FakeChannel(grpc.Channel):
    """A channel around another one."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def subscribe(
        self,
        callback: Callable[[grpc.ChannelConnectivity], Any],
        try_to_connect: bool | None = False,
    ) -> None:
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], Any]) -> None:
        self._channel.unsubscribe(callback)

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Request], bytes] | None = None,
        response_deserializer: Callable[[bytes], Response] | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryUnaryMultiCallable[Request, Response]:
        return self._channel.unary_unary(method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = False,
    ) -> grpc.UnaryStreamMultiCallable[Any, Any]:
        return self._channel.unary_stream(method, request_serializer, response_deserializer)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.stream_unary(*args, **kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._channel.stream_stream(*args, **kwargs)

    def close(self) -> None:
        self._channel.close()


class Aborted(Exception):
    pass


class FakeContext(grpc.ServicerContext):
    def __init__(self) -> None:
        self.status: tuple[grpc.StatusCode, str] | None = None

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.status = (code, details)
        raise Aborted

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        self.abort(status.code, status.details)

    def invocation_metadata(self) -> Any:
        return (("key", "value"),)

    def peer(self) -> str:
        return "test"

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def send_initial_metadata(self, initial_metadata: Any) -> None: ...
    def set_trailing_metadata(self, trailing_metadata: Any) -> None: ...
    def set_code(self, code: grpc.StatusCode) -> None: ...
    def set_details(self, details: str) -> None: ...

    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> float | None:
        return None

    def cancel(self) -> None: ...

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return True


class Places(places_pb2_grpc.PlacesServicer):
    def Get(self, request: places_pb2.Point, context: grpc.ServicerContext) -> places_pb2.Place:
        return places_pb2.Place(location=request)


def test_get() -> None:
    place = Places().Get(places_pb2.Point(), FakeContext())
    assert place.name == ""
    stub = places_pb2_grpc.PlacesStub(FakeChannel(grpc.insecure_channel("localhost:1")))
    stub.Get = FakeGet()
    assert stub.Get(places_pb2.Point()).name
