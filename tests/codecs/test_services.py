"""Services that are stated in Python: calls with codecs, on both front ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from google.protobuf import wrappers_pb2

import clarion
from clarion.codecs import Codec, JSONCodec, ProtobufCodec, Service

Message = TypeVar("Message")


@dataclass
class Question:
    text: str


@dataclass
class Answer:
    text: str
    number: int = 0


def ask(request: Question, context: Any) -> Answer:
    return Answer(request.text.upper())


def ask_many(request: Question, context: Any) -> Iterator[Answer]:
    for number in range(3):
        yield Answer(request.text, number)


def collect(requests: Any, context: Any) -> Answer:
    return Answer("+".join(each.text for each in requests))


def chat(requests: Any, context: Any) -> Iterator[Answer]:
    for each in requests:
        yield Answer(each.text)


class AsyncServicer:
    async def Ask(self, request: Question, context: Any) -> Answer:
        return ask(request, context)

    async def AskMany(self, request: Question, context: Any) -> AsyncIterator[Answer]:
        for each in ask_many(request, context):
            yield each

    async def Collect(self, requests: Any, context: Any) -> Answer:
        return Answer("+".join([each.text async for each in requests]))

    async def Chat(self, requests: Any, context: Any) -> AsyncIterator[Answer]:
        async for each in requests:
            yield Answer(each.text)


class Stated:
    """A service of all patterns."""

    def __init__(self, *codecs: Codec) -> None:
        self.service = Service("test.Stated", *(codecs or (JSONCodec(),)))
        self.ask = self.service.unary_unary("Ask", Question, Answer)
        self.ask_many = self.service.unary_stream("AskMany", Question, Answer)
        self.collect = self.service.stream_unary("Collect", Question, Answer)
        self.chat = self.service.stream_stream("Chat", Question, Answer)

    def add(self, front: str) -> Callable[[Any], None]:
        def add(server: Any) -> None:
            served = (
                self.service.servicer(AsyncServicer())
                if front == "aio"
                else (
                    self.ask.served_by(ask),
                    self.ask_many.served_by(ask_many),
                    self.collect.served_by(collect),
                    self.chat.served_by(chat),
                )
            )
            self.service.add_to_server(server, *served)

        return add


def test_all_patterns(end: Any, response_types: list[bytes]) -> None:
    stated = Stated()
    port = end.serve(stated.add(end.name))
    assert end.call(port, stated.ask.on, Question("a")) == Answer("A")
    answers = [Answer("a", number) for number in range(3)]
    assert end.call(port, stated.ask_many.on, Question("a")) == answers
    two = [Question("a"), Question("b")]
    assert end.call(port, stated.collect.on, iter(two)) == Answer("a+b")
    assert end.call(port, stated.chat.on, iter(two)) == [Answer("a"), Answer("b")]
    assert response_types == [b"application/grpc+json"] * 4


def test_the_content_type_of_requests(end: Any) -> None:
    stated = Stated()
    seen: list[tuple[str, str]] = []

    class Rule(clarion.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            seen.append((details.method, getattr(details, "content_subtype", "")))
            return handler.service(details)

    behavior = AsyncServicer().Ask if end.name == "aio" else ask
    handler = stated.service.handler(stated.ask.served_by(behavior))
    port = end.serve(lambda server: server.add_generic_rpc_handlers((Rule(),)))
    end.call(port, stated.ask.on, Question("a"))

    def plain(channel: Any) -> Any:
        return channel.unary_unary("/test.Stated/Ask", lambda _: b'{"text":"b"}')

    # A client that says nothing of JSON, such as grpcio's, is understood.
    assert end.call(port, plain, "b") == b'{"text":"B","number":0}'
    assert seen == [("/test.Stated/Ask", "json"), ("/test.Stated/Ask", "")]


class Reversed(Codec):
    """JSON backwards: no other codec reads it."""

    name = "reversed"

    def __init__(self) -> None:
        self._json = JSONCodec()

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        encode = self._json.serializer(type)
        return lambda message: encode(message)[::-1]

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        decode = self._json.deserializer(type)
        return lambda data: decode(data[::-1])


def test_a_server_with_several_codecs(end: Any, response_types: list[bytes]) -> None:
    reverse = Reversed()
    stated = Stated(JSONCodec(), reverse)
    port = end.serve(stated.add(end.name))
    assert end.call(port, stated.ask.on, Question("a")) == Answer("A")
    in_reverse = end.call(port, lambda channel: stated.ask.on(channel, reverse), Question("b"))
    assert in_reverse == Answer("B")
    assert response_types == [b"application/grpc+json", b"application/grpc+reversed"]
    # The first codec serves those that name none, or another.
    for subtype in (None, "thrift"):

        def encode(_: object) -> bytes:
            return b'{"text":"c"}'

        encode.content_subtype = subtype  # type: ignore[attr-defined]

        def other(channel: Any, encode: Any = encode) -> Any:
            return channel.unary_unary("/test.Stated/Ask", encode)

        assert end.call(port, other, "c") == b'{"text":"C","number":0}'
    with pytest.raises(clarion.RpcError) as caught:
        end.call(port, lambda channel: channel.unary_unary("/test.Stated/None"), b"")
    assert caught.value.code() is clarion.StatusCode.UNIMPLEMENTED


def test_with_interceptors(end: Any, response_types: list[bytes]) -> None:
    stated = Stated(JSONCodec(), Reversed())
    seen: list[str] = []

    class Sync(clarion.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append(details.content_subtype)
            return continuation(details)

    class Aio(clarion.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append(details.content_subtype)
            return await continuation(details)

    interceptor = Aio() if end.name == "aio" else Sync()
    port = end.serve(stated.add(end.name), (interceptor,))
    make = lambda channel: stated.ask_many.on(channel, stated.service.codecs[1])  # noqa: E731
    assert len(end.call(port, make, Question("a"))) == 3
    assert end.call(port, stated.ask.on, Question("a")) == Answer("A")
    assert seen == ["reversed", "json"]
    assert response_types == [b"application/grpc+reversed", b"application/grpc+json"]


def test_a_malformed_request(end: Any, caplog: pytest.LogCaptureFixture) -> None:
    stated = Stated()
    port = end.serve(stated.add(end.name))
    with caplog.at_level(logging.INFO), pytest.raises(clarion.RpcError) as caught:
        end.call(port, lambda channel: channel.unary_unary("/test.Stated/Ask"), b'{"text":5}')
    assert caught.value.code() is clarion.StatusCode.INTERNAL
    assert "$.text: str was expected, not int" in caught.value.details()
    # One line, and no traceback.
    [record] = [record for record in caplog.records if record.name.startswith("clarion")]
    assert record.levelno == logging.WARNING
    assert record.exc_info is None


def test_a_malformed_response(end: Any) -> None:
    stated = Stated()

    def bad(request: Any, context: Any) -> bytes:
        return b"{"

    async def bad_async(request: Any, context: Any) -> bytes:
        return b"{"

    handler = clarion.unary_unary_rpc_method_handler(bad_async if end.name == "aio" else bad)
    port = end.serve(
        lambda server: server.add_generic_rpc_handlers(
            (clarion.method_handlers_generic_handler("test.Stated", {"Ask": handler}),)
        )
    )
    with pytest.raises(clarion.RpcError) as caught:
        end.call(port, stated.ask.on, Question("a"))
    assert caught.value.code() is clarion.StatusCode.INTERNAL
    assert "Exception deserializing response" in caught.value.details()


def test_protobuf_has_the_usual_content_type(end: Any, response_types: list[bytes]) -> None:
    service = Service("test.Wrapped", ProtobufCodec())
    ask = service.unary_unary("Ask", wrappers_pb2.StringValue, wrappers_pb2.Int32Value)

    def serve(request: Any, context: Any) -> Any:
        return wrappers_pb2.Int32Value(value=len(request.value))

    async def serve_async(request: Any, context: Any) -> Any:
        return serve(request, context)

    behavior = serve_async if end.name == "aio" else serve
    port = end.serve(lambda server: service.add_to_server(server, ask.served_by(behavior)))
    assert end.call(port, ask.on, wrappers_pb2.StringValue(value="abc")).value == 3
    assert response_types == [b"application/grpc"]


def test_what_is_refused() -> None:
    stated = Stated()
    service = stated.service
    with pytest.raises(ValueError, match="has a method Ask already"):
        service.unary_unary("Ask", Question, Answer)
    with pytest.raises(TypeError, match="JSONCodec knows no type"):
        service.unary_unary("Other", Question, complex)
    assert "Other" not in service.methods
    with pytest.raises(ValueError, match="has no codec"):
        Service("test.Empty")
    with pytest.raises(ValueError, match="the same name"):
        Service("test.Twice", JSONCodec(), JSONCodec())
    with pytest.raises(ValueError, match=r"/test\.Stated/Ask is no method of this service"):
        Stated().service.handler(stated.ask.served_by(ask))
    with pytest.raises(TypeError, match=r"has none of the methods of test\.Stated: Ask, AskMany"):
        service.servicer(object())
    assert [each.method.name for each in service.servicer(AsyncServicer())] == list(service.methods)
    assert repr(stated.chat) == "<stream_stream method /test.Stated/Chat>"
