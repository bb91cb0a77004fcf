"""The strict base of a sync servicer, static methods, and what stubs know about their service."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import assert_type

import quotes_pb2
import quotes_pb2_grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

import clarion as grpc


class Quotes(quotes_pb2_grpc.QuotesSyncServicer):
    def Get(self, request: quotes_pb2.Count, context: grpc.ServicerContext) -> quotes_pb2.Quote:
        context.set_code(grpc.StatusCode.OK)
        return super().Get(request, context)

    def List(
        self, request: quotes_pb2.Count, context: grpc.ServicerContext
    ) -> Iterator[quotes_pb2.Quote]:
        for _ in range(request.quotes):
            yield quotes_pb2.Quote()

    def Chat(
        self, requests: Iterator[quotes_pb2.Quote], context: grpc.ServicerContext
    ) -> Iterator[quotes_pb2.Quote]:
        return requests

    # What is deprecated is served without a warning.
    def Old(self, request: quotes_pb2.Count, context: grpc.ServicerContext) -> quotes_pb2.Quote:
        return quotes_pb2.Quote()


class Bygone(quotes_pb2_grpc.BygoneSyncServicer):
    pass


def serve(aio_server: grpc.aio.Server) -> None:
    server = grpc.server(futures.ThreadPoolExecutor())
    quotes_pb2_grpc.add_QuotesServicer_to_server(Quotes(), server)
    # An asyncio server runs its methods on a thread pool.
    quotes_pb2_grpc.add_QuotesServicer_to_server(Quotes(), aio_server)
    quotes_pb2_grpc.add_BygoneServicer_to_server(Bygone(), server)


def without_a_channel() -> None:
    quote = quotes_pb2_grpc.Quotes.Get(quotes_pb2.Count(), "localhost:50051", insecure=True)
    assert_type(quote, quotes_pb2.Quote)
    for quote in quotes_pb2_grpc.Quotes.List(quotes_pb2.Count(), "localhost:50051", timeout=3.0):
        assert_type(quote, quotes_pb2.Quote)
    quotes = iter([quotes_pb2.Quote()])
    assert_type(quotes_pb2_grpc.Quotes.Sum(quotes, "localhost:50051"), quotes_pb2.Count)
    chat = quotes_pb2_grpc.Quotes.Chat(quotes, "localhost:50051", metadata=(("key", "value"),))
    assert_type(chat, grpc.CallIterator[quotes_pb2.Quote])


def descriptors(details: grpc.HandlerCallDetails) -> None:
    assert_type(quotes_pb2_grpc.QuotesStub.DESCRIPTOR, ServiceDescriptor)
    assert_type(quotes_pb2_grpc.QuotesServicer.DESCRIPTOR, ServiceDescriptor)
    assert_type(quotes_pb2_grpc.QuotesSyncServicer.DESCRIPTOR, ServiceDescriptor)
    method = grpc.method_descriptor(details.method)
    assert_type(method, MethodDescriptor)
    print(method.GetOptions().idempotency_level, method.containing_service.full_name)


def names(channel: grpc.Channel) -> None:
    stub = quotes_pb2_grpc.NamesStub(channel)
    assert_type(stub.DESCRIPTOR(quotes_pb2.Count()), quotes_pb2.Quote)
    assert_type(stub._typing(quotes_pb2.Count()), quotes_pb2.Quote)  # pyright: ignore[reportPrivateUsage]
    assert_type(stub.float(quotes_pb2.Count(), timeout=1.0), quotes_pb2.Quote)
    quote = quotes_pb2_grpc.Names.float(quotes_pb2.Count(), "localhost:50051", timeout=1.0)
    assert_type(quote, quotes_pb2.Quote)
    assert_type(quotes_pb2_grpc.NamesAsyncStub(channel), quotes_pb2_grpc.NamesAsyncStub)
