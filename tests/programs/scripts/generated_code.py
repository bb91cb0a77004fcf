"""Stubs and servicers that grpcio-tools generated, over both front ends. The argument is a folder of `generated`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
from common import LIMIT, serving, serving_aio

sys.path.insert(0, str(Path(__file__).parent.parent / "generated" / sys.argv[1]))

import shelf_pb2 as pb
import shelf_pb2_grpc as stubs

BOOKS = [pb.Book(title="Emma", pages=474), pb.Book(title="Evelina", pages=455)]


def _find(title, context):
    return next((book for book in BOOKS if book.title == title), None)


class Shelf(stubs.ShelfServicer):
    def Get(self, request, context):
        book = _find(request.title, context)
        if book is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no {request.title}")
        return book

    def List(self, request, context):
        yield from (book for book in BOOKS if book.title.startswith(request.prefix))

    def Put(self, request_iterator, context):
        return pb.PutResponse(count=sum(1 for _ in request_iterator))

    def Ask(self, request_iterator, context):
        for request in request_iterator:
            yield self.Get(request, context)


class AioShelf(stubs.ShelfServicer):
    async def Get(self, request, context):
        book = _find(request.title, context)
        if book is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no {request.title}")
        return book

    async def List(self, request, context):
        for book in BOOKS:
            if book.title.startswith(request.prefix):
                yield book

    async def Put(self, request_iterator, context):
        return pb.PutResponse(count=len([book async for book in request_iterator]))

    async def Ask(self, request_iterator, context):
        async for request in request_iterator:
            yield await self.Get(request, context)


def _titles(*titles):
    return (pb.GetRequest(title=title) for title in titles)


with (
    serving(lambda server: stubs.add_ShelfServicer_to_server(Shelf(), server)) as target,
    grpc.insecure_channel(target) as channel,
):
    stub = stubs.ShelfStub(channel)
    assert stub.Get(pb.GetRequest(title="Emma"), timeout=LIMIT) == BOOKS[0]
    assert list(stub.List(pb.ListRequest(prefix="E"), timeout=LIMIT)) == BOOKS
    assert stub.Put(iter(BOOKS), timeout=LIMIT).count == 2
    assert list(stub.Ask(_titles("Evelina", "Emma"), timeout=LIMIT)) == BOOKS[::-1]
    try:
        stub.Get(pb.GetRequest(title="Ulysses"), timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert error.details() == "no Ulysses"
    else:
        raise AssertionError("no error")


async def main():
    add = stubs.add_ShelfServicer_to_server
    async with (
        serving_aio(lambda server: add(AioShelf(), server)) as target,
        grpc.aio.insecure_channel(target) as channel,
    ):
        stub = stubs.ShelfStub(channel)
        assert await stub.Get(pb.GetRequest(title="Emma"), timeout=LIMIT) == BOOKS[0]
        assert [b async for b in stub.List(pb.ListRequest(prefix="E"), timeout=LIMIT)] == BOOKS
        assert (await stub.Put(iter(BOOKS), timeout=LIMIT)).count == 2
        asked = stub.Ask(_titles("Evelina", "Emma"), timeout=LIMIT)
        assert [book async for book in asked] == BOOKS[::-1]
        try:
            await stub.Get(pb.GetRequest(title="Ulysses"), timeout=LIMIT)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND
        else:
            raise AssertionError("no error")


asyncio.run(main())

with serving(lambda server: stubs.add_ShelfServicer_to_server(Shelf(), server)) as target:
    # The static methods of the generated class, which keep channels by themselves.
    got = stubs.Shelf.Get(pb.GetRequest(title="Emma"), target, insecure=True, timeout=LIMIT)
    assert got == BOOKS[0]
    listed = stubs.Shelf.List(pb.ListRequest(prefix="Ev"), target, insecure=True, timeout=LIMIT)
    assert list(listed) == BOOKS[1:]
