"""Interceptors of each kind, in the ways that grpcio's examples write them."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import places_pb2
import places_pb2_grpc

import clarion as grpc

Request = TypeVar("Request")
Response = TypeVar("Response")


class _Fields(NamedTuple):
    method: str
    timeout: float | None
    metadata: Sequence[tuple[str, str | bytes]] | None
    credentials: Any
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class Details(_Fields, grpc.ClientCallDetails):
    """Details in grpcio's examples are named tuples."""


@dataclass
class Changeable(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: Any


class AddHeader(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """One class of all four kinds, without types of messages."""

    def changed(self, given: grpc.ClientCallDetails) -> Details:
        metadata: list[tuple[str, str | bytes]] = []
        if given.metadata is not None:
            metadata = list(given.metadata)
        metadata.append(("header", "value"))
        return Details(
            given.method,
            given.timeout,
            metadata,
            given.credentials,
            given.wait_for_ready,
            given.compression,
        )

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        return continuation(self.changed(client_call_details), request)

    def intercept_unary_stream(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        return continuation(Changeable(client_call_details.method, None, ()), request)

    def intercept_stream_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Iterator[Any]], grpc.Future[Any]],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Iterator[Any],
    ) -> grpc.Future[Any]:
        return continuation(self.changed(client_call_details), request_iterator)

    def intercept_stream_stream(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Any], grpc.CallIterator[Any]],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Iterator[Any],
    ) -> grpc.CallIterator[Any]:
        return continuation(client_call_details, request_iterator)


class Generic(grpc.UnaryUnaryClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """A method that is generic itself, as types-grpcio declares them."""

    def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.ClientCallDetails, Request], grpc.CallFuture[Response]],
        client_call_details: grpc.ClientCallDetails,
        request: Request,
    ) -> grpc.CallFuture[Response]:
        return continuation(client_call_details, request)

    def intercept_stream_unary(
        self,
        continuation: Callable[
            [grpc.ClientCallDetails, Iterator[Request]], grpc.CallFuture[Response]
        ],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Iterator[Request],
    ) -> grpc.CallFuture[Response]:
        return continuation(client_call_details, request_iterator)


class Retry(grpc.UnaryUnaryClientInterceptor[places_pb2.Point, places_pb2.Place]):
    """With types of messages."""

    def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.ClientCallDetails, places_pb2.Point], grpc.CallFuture[places_pb2.Place]
        ],
        client_call_details: grpc.ClientCallDetails,
        request: places_pb2.Point,
    ) -> grpc.Future[places_pb2.Place]:
        for _ in range(3):
            response = continuation(client_call_details, request)
            if response.code() is not grpc.StatusCode.UNAVAILABLE:
                return response
        return Answer(places_pb2.Place(name="a default"))


class Answer(grpc.Future[Response]):
    """A future that is done, for an interceptor that answers itself."""

    def __init__(self, response: Response) -> None:
        self._response = response

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def running(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def result(self, timeout: float | None = None) -> Response:
        return self._response

    def exception(self, timeout: float | None = None) -> None:
        return None

    def traceback(self, timeout: float | None = None) -> None:
        return None

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        fn(self)


class Stretch(grpc.UnaryStreamClientInterceptor[places_pb2.Area, places_pb2.Place]):
    """Answers with an iterator of its own."""

    def intercept_unary_stream(
        self,
        continuation: Callable[
            [grpc.ClientCallDetails, places_pb2.Area], grpc.CallIterator[places_pb2.Place]
        ],
        client_call_details: grpc.ClientCallDetails,
        request: places_pb2.Area,
    ) -> Iterator[places_pb2.Place]:
        for place in continuation(client_call_details, request):
            yield place
            yield place


def _refuse(code: grpc.StatusCode, details: str) -> grpc.RpcMethodHandler[Any, Any]:
    def terminate(ignored_request: Any, context: grpc.ServicerContext) -> None:
        context.abort(code, details)

    return grpc.unary_unary_rpc_method_handler(terminate)


class RequireHeader(grpc.ServerInterceptor):
    def __init__(self, header: str, value: str) -> None:
        self._expected = (header, value)
        self._refuse = _refuse(grpc.StatusCode.UNAUTHENTICATED, "no key")

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        if self._expected in handler_call_details.invocation_metadata:
            return continuation(handler_call_details)
        print(handler_call_details.method.rpartition("/"))
        return self._refuse


class Wrap(grpc.ServerInterceptor):
    """As grpcio's documentation has it, without None."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        handler = continuation(handler_call_details)
        behavior = handler.unary_unary
        if behavior is None or handler.request_streaming:
            return handler

        def wrapped(request: Any, context: grpc.ServicerContext) -> Any:
            print(collections.Counter(context.auth_context()))
            return behavior(request, context)

        return grpc.unary_unary_rpc_method_handler(
            wrapped, handler.request_deserializer, handler.response_serializer
        )


class AnyCall(grpc.ServerInterceptor):
    """Generic itself, as types-grpcio declares it."""

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        return continuation(handler_call_details)


def run() -> None:
    channel = grpc.intercept_channel(
        grpc.insecure_channel("localhost:50051"), AddHeader(), Retry(), Generic(), Stretch()
    )
    stub = places_pb2_grpc.PlacesStub(channel)
    print(stub.Get(places_pb2.Point()).name)
    interceptors = [RequireHeader("a", "b"), Wrap(), AnyCall()]
    grpc.server(futures.ThreadPoolExecutor(), interceptors=interceptors)
    grpc.server(futures.ThreadPoolExecutor(), interceptors=(Wrap(),)).start()
