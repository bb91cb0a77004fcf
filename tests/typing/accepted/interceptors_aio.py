"""Interceptors of each kind for asyncio."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import places_pb2
import places_pb2_grpc

import clarion as grpc
from clarion.aio import ClientCallDetails, Metadata

Request = TypeVar("Request")
Response = TypeVar("Response")
rpc_id = contextvars.ContextVar("rpc_id", default="none")


class AddHeader(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [ClientCallDetails, Any], Awaitable[grpc.aio.UnaryUnaryCall[Any, Any]]
        ],
        client_call_details: ClientCallDetails,
        request: Any,
    ) -> grpc.aio.UnaryUnaryCall[Any, Any]:
        metadata = client_call_details.metadata
        if metadata is None:
            metadata = Metadata()
        metadata.add("header", "value")
        changed = ClientCallDetails(
            client_call_details.method,
            client_call_details.timeout,
            metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
        )
        call = await continuation(changed, request)
        print(await call.code())
        return call


class Typed(grpc.aio.UnaryUnaryClientInterceptor[places_pb2.Point, places_pb2.Place]):
    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [ClientCallDetails, places_pb2.Point],
            Awaitable[grpc.aio.UnaryUnaryCall[places_pb2.Point, places_pb2.Place]],
        ],
        client_call_details: ClientCallDetails,
        request: places_pb2.Point,
    ) -> places_pb2.Place:
        call = await continuation(client_call_details._replace(timeout=1.0), request)
        place = await call
        place.name += "!"
        return place


class Stream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [ClientCallDetails, Request],
            Awaitable[grpc.aio.UnaryStreamCall[Request, Response]],
        ],
        client_call_details: ClientCallDetails,
        request: Request,
    ) -> AsyncIterator[Response]:
        return self.each(await continuation(client_call_details, request))

    async def each(self, call: grpc.aio.UnaryStreamCall[Any, Response]) -> AsyncIterator[Response]:
        async for response in call:
            yield response


class Requests(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Callable[
            [ClientCallDetails, AsyncIterable[Request] | Iterable[Request]],
            Awaitable[grpc.aio.StreamUnaryCall[Request, Response]],
        ],
        client_call_details: ClientCallDetails,
        request_iterator: AsyncIterable[Request] | Iterable[Request],
    ) -> Response | grpc.aio.StreamUnaryCall[Request, Response]:
        return await continuation(client_call_details, request_iterator)


class Both(grpc.aio.StreamStreamClientInterceptor[places_pb2.Note, places_pb2.Note]):
    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [ClientCallDetails, Any],
            Awaitable[grpc.aio.StreamStreamCall[places_pb2.Note, places_pb2.Note]],
        ],
        client_call_details: ClientCallDetails,
        request_iterator: Any,
    ) -> grpc.aio.StreamStreamCall[places_pb2.Note, places_pb2.Note]:
        return await continuation(client_call_details, request_iterator)


class OnServer(grpc.aio.ServerInterceptor):
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        rpc_id.set(dict(handler_call_details.invocation_metadata).get("id", "none"))
        return await continuation(handler_call_details)


class MayBeNone(grpc.aio.ServerInterceptor):
    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        return handler if handler is not None and not handler.response_streaming else None


async def run() -> None:
    interceptors: list[grpc.aio.ClientInterceptor] = [AddHeader(), Typed()]
    channel = grpc.aio.insecure_channel(
        "localhost:50051", interceptors=[*interceptors, Stream(), Requests(), Both()]
    )
    print(await places_pb2_grpc.PlacesStub(channel).Get(places_pb2.Point()))
    server = grpc.aio.server(interceptors=(OnServer(), MayBeNone()))
    await server.start()
