"""Mistakes that the strict bases of servicers show, and what is deprecated. Each `E:` names who reports what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import quotes_pb2
import quotes_pb2_grpc
from quotes_pb2 import Count, Quote

import clarion as grpc


class Sync(quotes_pb2_grpc.QuotesSyncServicer):
    async def Get(self, request: Count, context: grpc.ServicerContext) -> Quote:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        return Quote()

    def List(self, request: Count, context: grpc.aio.ServicerContext) -> Iterator[Quote]:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        yield Quote()

    def Sum(self, requests: AsyncIterator[Quote], context: grpc.ServicerContext) -> Count:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        return Count()


class Async(quotes_pb2_grpc.QuotesAsyncServicer):
    def Get(self, request: Count, context: grpc.aio.ServicerContext) -> Quote:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        return Quote()

    def List(self, request: Count, context: grpc.aio.ServicerContext) -> Iterator[Quote]:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        yield Quote()

    async def Chat(self, requests: Iterator[Quote], context: grpc.aio.ServicerContext) -> None:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        pass


def static() -> None:
    quotes_pb2_grpc.Quotes.Get(Quote(), "localhost:50051")  # E: mypy[arg-type] pyright[reportArgumentType]
    quotes_pb2_grpc.Quotes.Get(Count())  # E: mypy[call-arg] pyright[reportCallIssue]
    quotes_pb2_grpc.Quotes.Gte(Count(), "localhost:50051")  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]


def deprecated(channel: grpc.Channel) -> None:
    stub = quotes_pb2_grpc.QuotesStub(channel)
    stub.Old(Count())  # E: mypy[deprecated] pyright[reportDeprecated]
    stub.Old.with_call(Count())  # E: mypy[deprecated] pyright[reportDeprecated]
    stub.OldChat(iter(()))  # E: mypy[deprecated] pyright[reportDeprecated]
    quotes_pb2_grpc.BygoneStub(channel)  # E: mypy[deprecated] pyright[reportDeprecated]


async def deprecated_too(channel: grpc.aio.Channel) -> None:
    stub = quotes_pb2_grpc.QuotesStub(channel)
    await stub.Old(Count())  # E: mypy[deprecated] pyright[reportDeprecated]
    stub.OldChat()  # E: mypy[deprecated] pyright[reportDeprecated]
    quotes_pb2_grpc.BygoneStub(channel)  # E: mypy[deprecated] pyright[reportDeprecated]
    quotes_pb2_grpc.BygoneAsyncStub(channel)  # E: pyright[reportDeprecated]


def channels(channel: grpc.Channel, aio_channel: grpc.aio.Channel) -> None:
    quotes_pb2_grpc.QuotesAsyncStub(channel)  # E: mypy[arg-type] pyright[reportArgumentType]
    one: quotes_pb2_grpc.QuotesStub = quotes_pb2_grpc.QuotesStub(aio_channel)
    two: quotes_pb2_grpc.QuotesAsyncStub = quotes_pb2_grpc.QuotesStub(channel)  # E: mypy[assignment] pyright[reportAssignmentType]
    print(one, two, quotes_pb2.Quote())
