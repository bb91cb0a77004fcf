"""Callables and handlers made by hand, with and without serializers, as health checks and proxies do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from typing import Any, assert_type

import places_pb2

import clarion as grpc


def call(channel: grpc.Channel, path: str) -> None:
    get: grpc.UnaryUnaryMultiCallable[places_pb2.Point, places_pb2.Place] = channel.unary_unary(
        "/places.Places/Get",
        request_serializer=places_pb2.Point.SerializeToString,
        response_deserializer=places_pb2.Place.FromString,
    )
    assert_type(get(places_pb2.Point()), places_pb2.Place)

    listing = channel.unary_stream(
        "/places.Places/List",
        places_pb2.Area.SerializeToString,
        places_pb2.Place.FromString,
        _registered_method=True,
    )
    for place in listing(places_pb2.Area()):
        assert_type(place, places_pb2.Place)

    proxied = channel.stream_stream(path)
    assert_type(proxied, grpc.StreamStreamMultiCallable[bytes, bytes])
    for message in proxied(iter([b"", b"x"])):
        assert_type(message, bytes)

    raw = channel.unary_unary(path)
    assert_type(raw(b"request"), bytes)

    as_json = channel.unary_unary(path, _dump, json.loads)
    print(as_json({"a": 1}))
    recorded = channel.stream_unary(path, response_deserializer=places_pb2.Summary.FromString)
    assert_type(recorded(iter([b""])), places_pb2.Summary)


def _dump(message: dict[str, int]) -> bytes:
    return json.dumps(message).encode()


async def call_aio(channel: grpc.aio.Channel, path: str) -> None:
    get = channel.unary_unary(
        path,
        request_serializer=places_pb2.Point.SerializeToString,
        response_deserializer=places_pb2.Place.FromString,
    )
    assert_type(await get(places_pb2.Point()), places_pb2.Place)
    raw = channel.unary_unary(path)
    assert_type(await raw(b""), bytes)
    async for message in channel.stream_stream(path)([b""]):
        assert_type(message, bytes)
    chat = channel.stream_stream(path, _dump, places_pb2.Note.FromString)()
    await chat.write({"a": 2})
    assert_type(await chat.read(), places_pb2.Note | grpc.aio.EOFType)


def passed_on(
    channel: grpc.Channel,
    serialize: Callable[[places_pb2.Point], bytes] | None,
    deserialize: Callable[[bytes], places_pb2.Place] | None,
) -> grpc.UnaryUnaryMultiCallable[places_pb2.Point, places_pb2.Place]:
    return channel.unary_unary("/places.Places/Get", serialize, deserialize)


class Servicer:
    def get(self, request: places_pb2.Point, context: grpc.ServicerContext) -> places_pb2.Place:
        return places_pb2.Place(location=request)

    def chat(
        self, requests: Iterator[places_pb2.Note], context: grpc.ServicerContext
    ) -> Iterator[places_pb2.Note]:
        yield from requests


class AioServicer:
    async def get(
        self, request: places_pb2.Point, context: grpc.aio.ServicerContext
    ) -> places_pb2.Place:
        return places_pb2.Place(location=request)

    async def chat(
        self, requests: AsyncIterator[places_pb2.Note], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[places_pb2.Note]:
        async for note in requests:
            yield note

    async def write(self, request: bytes, context: grpc.aio.ServicerContext) -> None:
        await context.write(request)


class Echo(grpc.GenericRpcHandler):
    """Serves whatever is asked for."""

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if handler_call_details.method.startswith("/echo."):
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)
        return None


class OwnDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


class OwnHandler(grpc.RpcMethodHandler):
    """A handler with attributes of its own."""

    def __init__(self) -> None:
        self.request_streaming = False
        self.response_streaming = True
        self.request_deserializer = None
        self.response_serializer = places_pb2.Place.SerializeToString
        self.unary_unary = None
        self.unary_stream = self.serve
        self.stream_unary = None
        self.stream_stream = None

    def serve(self, request: bytes, context: grpc.ServicerContext) -> Iterator[places_pb2.Place]:
        yield places_pb2.Place()


def serve(server: grpc.Server, servicer: Servicer) -> None:
    handlers = {
        "Get": grpc.unary_unary_rpc_method_handler(
            servicer.get,
            request_deserializer=places_pb2.Point.FromString,
            response_serializer=places_pb2.Place.SerializeToString,
        ),
        "Chat": grpc.stream_stream_rpc_method_handler(
            servicer.chat, places_pb2.Note.FromString, places_pb2.Note.SerializeToString
        ),
        "List": OwnHandler(),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("places.Places", handlers), Echo())
    )
    server.add_registered_method_handlers("places.Places", handlers)
    print(Echo().service(OwnDetails("/echo.Echo/Echo")))


def serve_aio(server: grpc.aio.Server, servicer: AioServicer) -> None:
    handlers: dict[str, grpc.RpcMethodHandler] = {
        "Get": grpc.unary_unary_rpc_method_handler(
            servicer.get,
            request_deserializer=places_pb2.Point.FromString,
            response_serializer=places_pb2.Place.SerializeToString,
        ),
        "Chat": grpc.stream_stream_rpc_method_handler(
            servicer.chat, places_pb2.Note.FromString, places_pb2.Note.SerializeToString
        ),
        "Write": grpc.unary_stream_rpc_method_handler(servicer.write),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("p.P", handlers),))


def run() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(), handlers=(Echo(),))
    serve(server, Servicer())
