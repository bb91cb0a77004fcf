"""gRPC whose content-type names an encoding, such as `application/grpc+json`, on servers that take web requests."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import clarion
import clarion.aio
from clarion.web import WebOptions
from support.front_end import SERVICE, FrontEnd
from support.handlers import Method, ServerCall
from support.servers import AioServer, SyncServer
from support.simple import ECHOES
from support.web_clients import Http2Client

OPTIONS = [("clarion.web", WebOptions())]
THINGS = "/webgrpc.Things/"
LIMIT = 20


def _describe() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="webgrpc/things.proto", package="webgrpc", syntax="proto3"
    )
    thing = file.message_type.add(name="Thing")
    thing.field.add(name="the_size", number=1, type="TYPE_INT64", label="LABEL_OPTIONAL")
    service = file.service.add(name="Things")
    for name in ("Grow", "Watch", "Add"):
        method = service.method.add(name=name)
        method.input_type = method.output_type = ".webgrpc.Thing"
    service.method[1].server_streaming = True
    service.method[2].client_streaming = True
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("webgrpc.Thing"))


Thing = _describe()


async def _grow(call: ServerCall) -> Any:
    return Thing(the_size=call.request.the_size + 1)


async def _watch(call: ServerCall) -> None:
    for number in range(call.request.the_size):
        await call.write(Thing(the_size=number))


async def _add(call: ServerCall) -> Any:
    total = 0
    while (request := await call.read()) is not None:
        total += request.the_size
    return Thing(the_size=total)


def serve(front: FrontEnd, options: Any = OPTIONS, interceptors: Any = ()) -> Any:
    codec = (Thing.FromString, Thing.SerializeToString)
    methods = {
        THINGS + "Grow": Method("unary_unary", _grow, *codec),
        THINGS + "Watch": Method("unary_stream", _watch, *codec),
        THINGS + "Add": Method("stream_unary", _add, *codec),
    }
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, options=options, interceptors=interceptors)
    else:
        server = AioServer(
            front.library, methods, front.loop, options=options, interceptors=interceptors
        )
    front._opened.append(server)
    return server


@pytest.fixture
def channel_to() -> Iterator[Callable[[Any], Any]]:
    opened: list[Any] = []

    def open_channel(server: Any) -> Any:
        opened.append(clarion.insecure_channel(f"127.0.0.1:{server.ports[0]}"))
        return opened[-1]

    yield open_channel
    for channel in opened:
        channel.close()


def labelled(name: str) -> Callable[[Any], bytes]:
    """A serializer of JSON that says that it is `name`."""

    def encode(value: Any) -> bytes:
        return json.dumps(value).encode()

    encode.content_subtype = name  # type: ignore[attr-defined]
    return encode


class _SyncPassing(clarion.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return continuation(handler_call_details)


class _AioPassing(clarion.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await continuation(handler_call_details)


@pytest.mark.parametrize("intercepted", [False, True], ids=["", "intercepted"])
def test_json(front: FrontEnd, channel_to: Callable[[Any], Any], intercepted: bool) -> None:
    interceptor = _SyncPassing() if front.name == "sync" else _AioPassing()
    channel = channel_to(serve(front, interceptors=[interceptor] if intercepted else []))
    codec = (labelled("json"), json.loads)
    for _ in range(2):
        grow = channel.unary_unary(THINGS + "Grow", *codec)
        assert grow({"theSize": "41", "other": 1}, timeout=LIMIT) == {"theSize": "42"}
    watch = channel.unary_stream(THINGS + "Watch", *codec)
    assert list(watch({"theSize": 2}, timeout=LIMIT)) == [{}, {"theSize": "1"}]
    add = channel.stream_unary(THINGS + "Add", *codec)
    assert add(iter([{"theSize": 1}, {"theSize": 2}]), timeout=LIMIT) == {"theSize": "3"}
    with pytest.raises(clarion.RpcError) as raised:
        grow({"theSize": "many"}, timeout=LIMIT)
    assert raised.value.code() is clarion.StatusCode.INVALID_ARGUMENT
    # And protobuf's own, in between.
    plain = channel.unary_unary(THINGS + "Grow", Thing.SerializeToString, Thing.FromString)
    assert plain(Thing(the_size=1), timeout=LIMIT).the_size == 2


@pytest.mark.parametrize("method", ["Grow", "Missing"])
def test_the_answer_is_called_what_the_request_is(front: FrontEnd, method: str) -> None:
    """Clients look for it whatever the answer is."""
    client = Http2Client(serve(front).ports[0])
    try:
        headers = {"content-type": "application/grpc+json", "te": "trailers"}
        answer = client.request(THINGS + method, headers, struct.pack(">BI", 0, 2) + b"{}")
        assert answer["content-type"] == "application/grpc+json"
        if method == "Missing":
            assert answer["grpc-status"] == "12"
        else:
            assert json.loads(answer.body[5:]) == {"theSize": "1"}
        answer = client.request(THINGS + method, {**headers, "content-type": "application/grpc"})
        assert answer["content-type"] == "application/grpc"
    finally:
        client.close()


def test_an_encoding_that_protobuf_has_not(
    front: FrontEnd, channel_to: Callable[[Any], Any]
) -> None:
    channel = channel_to(serve(front))
    grow = channel.unary_unary(THINGS + "Grow", labelled("foo"))
    with pytest.raises(clarion.RpcError) as raised:
        grow({}, timeout=LIMIT)
    assert raised.value.code() is clarion.StatusCode.UNIMPLEMENTED
    assert "'foo'" in raised.value.details()


@pytest.mark.parametrize("name", ["foo", "json"])
def test_handlers_of_others_are_given_what_comes(
    front: FrontEnd, channel_to: Callable[[Any], Any], name: str
) -> None:
    """What their messages are, nobody knows but they."""
    channel = channel_to(front.serve(ECHOES, options=OPTIONS))
    echo = channel.unary_unary(SERVICE + "UnaryUnary", labelled(name), json.loads)
    assert echo([1], timeout=LIMIT) == [1]


def test_without_web_requests_nothing_is_known_of_it(
    front: FrontEnd, channel_to: Callable[[Any], Any]
) -> None:
    channel = channel_to(serve(front, options=[]))
    proto = channel.unary_unary(THINGS + "Grow", _mislabelled, Thing.FromString)
    assert proto(Thing(the_size=1), timeout=LIMIT).the_size == 2
    with pytest.raises(clarion.RpcError) as raised:
        channel.unary_unary(THINGS + "Grow", labelled("json"))({"theSize": 1}, timeout=LIMIT)
    assert raised.value.code() is clarion.StatusCode.INTERNAL


def _mislabelled(thing: Any) -> bytes:
    data: bytes = thing.SerializeToString()
    return data


_mislabelled.content_subtype = "json"  # type: ignore[attr-defined]
