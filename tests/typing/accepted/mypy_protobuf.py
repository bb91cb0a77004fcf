"""A program that imports `grpc`, with stubs that mypy-protobuf generated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING, assert_type

import grpc
import other_pb2
import other_pb2_grpc
from grpc import aio

if TYPE_CHECKING:
    from other_pb2_grpc import OtherAsyncStub


class Other(other_pb2_grpc.OtherServicer):
    def Say(self, request: other_pb2.Word, context: grpc.ServicerContext) -> other_pb2.Word:
        context.set_code(grpc.StatusCode.OK)
        return request

    def Sing(
        self, request_iterator: Iterator[other_pb2.Word], context: grpc.ServicerContext
    ) -> Iterator[other_pb2.Word]:
        yield from request_iterator


def run() -> None:
    server = grpc.server(futures.ThreadPoolExecutor())
    other_pb2_grpc.add_OtherServicer_to_server(Other(), server)
    with grpc.insecure_channel("localhost:1") as channel:
        stub = other_pb2_grpc.OtherStub(channel)
        try:
            assert_type(stub.Say(other_pb2.Word()), other_pb2.Word)
        except grpc.RpcError as error:
            print(error.code())
        for word in stub.Sing(iter([other_pb2.Word()])):
            assert_type(word, other_pb2.Word)


async def sing(stub: OtherAsyncStub) -> None:
    assert_type(await stub.Say(other_pb2.Word()), other_pb2.Word)
    async for word in stub.Sing([other_pb2.Word()]):
        assert_type(word, other_pb2.Word)


async def run_aio() -> None:
    async with aio.insecure_channel("localhost:1") as channel:
        await sing(other_pb2_grpc.OtherStub(channel))
    server = aio.server()
    other_pb2_grpc.add_OtherServicer_to_server(Other(), server)
    await server.start()
    print(grpc.__version__)
