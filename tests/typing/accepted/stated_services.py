"""Services whose messages are dataclasses: what types reach the calls, sync and asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import assert_type

import clarion
import clarion.aio
from clarion.codecs import JSONCodec, Service


@dataclass
class Question:
    text: str


@dataclass
class Answer:
    text: str


service = Service("typing.Questions", JSONCodec())
ask = service.unary_unary("Ask", Question, Answer)
ask_many = service.unary_stream("AskMany", Question, Answer)
collect = service.stream_unary("Collect", Question, Answer)
chat = service.stream_stream("Chat", Question, Answer)


def call(channel: clarion.Channel) -> None:
    assert_type(ask.on(channel), clarion.UnaryUnaryMultiCallable[Question, Answer])
    assert_type(ask.on(channel)(Question("a"), timeout=1), Answer)
    for answer in ask_many.on(channel)(Question("a")):
        assert_type(answer, Answer)
    assert_type(collect.on(channel)(iter([Question("a")])), Answer)
    for answer in chat.on(channel, JSONCodec())(iter([Question("a")])):
        assert_type(answer, Answer)


async def call_async(channel: clarion.aio.Channel) -> None:
    assert_type(await ask.on(channel)(Question("a"), timeout=1), Answer)
    async for answer in ask_many.on(channel)(Question("a")):
        assert_type(answer, Answer)
    assert_type(await collect.on(channel)([Question("a")]), Answer)
    async for answer in chat.on(channel)([Question("a")]):
        assert_type(answer, Answer)


def serve_ask(request: Question, context: clarion.ServicerContext) -> Answer:
    return Answer(request.text)


async def serve_ask_async(request: Question, context: clarion.aio.ServicerContext) -> Answer:
    return Answer(request.text)


def serve_chat(requests: Iterator[Question], context: clarion.ServicerContext) -> Iterator[Answer]:
    for each in requests:
        yield Answer(each.text)


async def serve_chat_async(
    requests: AsyncIterator[Question], context: clarion.aio.ServicerContext
) -> AsyncIterator[Answer]:
    async for each in requests:
        yield Answer(each.text)


def serve(server: clarion.Server, aio_server: clarion.aio.Server) -> None:
    service.add_to_server(server, ask.served_by(serve_ask), chat.served_by(serve_chat))
    service.add_to_server(
        aio_server, ask.served_by(serve_ask_async), chat.served_by(serve_chat_async)
    )
    server.add_generic_rpc_handlers((service.handler(ask.served_by(serve_ask)),))
