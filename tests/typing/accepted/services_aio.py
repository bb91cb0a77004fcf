"""The strict base of an asyncio servicer, and the class of asyncio stubs, which is there at run time too."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import assert_type

import quotes_pb2
from quotes_pb2_grpc import (
    NamesAsyncStub_,
    NamesStub,
    QuotesAsyncServicer,
    QuotesAsyncStub,
    QuotesStub,
    add_QuotesServicer_to_server,
)

import clarion as grpc


class Quotes(QuotesAsyncServicer):
    async def Get(
        self, request: quotes_pb2.Count, context: grpc.aio.ServicerContext
    ) -> quotes_pb2.Quote:
        if not request.quotes:
            return await super().Get(request, context)
        return quotes_pb2.Quote()

    # An async generator.
    async def List(
        self,
        request: quotes_pb2.Count,
        context: grpc.aio.ServicerContext[quotes_pb2.Count, quotes_pb2.Quote],
    ) -> AsyncIterator[quotes_pb2.Quote]:
        yield quotes_pb2.Quote()

    async def Sum(
        self, requests: AsyncIterator[quotes_pb2.Quote], context: grpc.aio.ServicerContext
    ) -> quotes_pb2.Count:
        return quotes_pb2.Count(quotes=len([quote async for quote in requests]))

    # A coroutine that writes.
    async def Chat(
        self,
        requests: AsyncIterator[quotes_pb2.Quote],
        context: grpc.aio.ServicerContext[quotes_pb2.Quote, quotes_pb2.Quote],
    ) -> None:
        async for quote in requests:
            assert_type(quote, quotes_pb2.Quote)
            await context.write(quote)


def serve(server: grpc.aio.Server) -> None:
    add_QuotesServicer_to_server(Quotes(), server)


# Annotations are evaluated here.
@dataclass
class Reader:
    stub: QuotesAsyncStub

    async def read(self) -> str:
        return (await self.stub.Get(quotes_pb2.Count(quotes=1))).text


class Own(QuotesAsyncStub):
    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self.calls = 0


async def use(channel: grpc.aio.Channel) -> None:
    assert_type(QuotesAsyncStub(channel), QuotesAsyncStub)
    stub = QuotesStub(channel)
    assert_type(stub, QuotesAsyncStub)
    print(await Reader(stub).read(), await Reader(Own(channel)).read())
    async for quote in stub.List(quotes_pb2.Count()):
        assert_type(quote, quotes_pb2.Quote)
    assert_type(await stub.Sum([quotes_pb2.Quote()]), quotes_pb2.Count)
    chat = stub.Chat()
    assert_type(chat, grpc.aio.StreamStreamCall[quotes_pb2.Quote, quotes_pb2.Quote])
    await chat.write(quotes_pb2.Quote())
    assert_type(NamesStub(channel), NamesAsyncStub_)
    assert_type(await NamesStub(channel).float(quotes_pb2.Count()), quotes_pb2.Quote)
