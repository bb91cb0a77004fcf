"""An asyncio server with all four patterns, streams by iteration and by read and write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import assert_type

import places_pb2
import places_pb2_grpc

import clarion as grpc
from clarion import aio


class Places(places_pb2_grpc.PlacesServicer):
    # As in grpcio's documentation, contexts need no types.
    async def Get(
        self, request: places_pb2.Point, context: grpc.aio.ServicerContext
    ) -> places_pb2.Place:
        if request.latitude < 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "below zero", (("why", "cold"),))
        metadata = dict(context.invocation_metadata())
        context.set_trailing_metadata(aio.Metadata(("echo", str(metadata.get("name")))))
        context.set_code(grpc.StatusCode.OK)
        return places_pb2.Place(name="here", location=request)

    async def List(
        self, request: places_pb2.Area, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[places_pb2.Place]:
        await context.send_initial_metadata([("a", "b")])
        for number in range(3):
            yield places_pb2.Place(name=str(number))

    async def Record(
        self,
        request_iterator: AsyncIterable[places_pb2.Point],
        context: grpc.aio.ServicerContext[places_pb2.Point, places_pb2.Summary],
    ) -> places_pb2.Summary:
        points = 0
        async for point in request_iterator:
            assert_type(point, places_pb2.Point)
            points += 1
        context.add_done_callback(lambda context: print(context.cancelled()))
        return places_pb2.Summary(points=points)

    async def Chat(
        self,
        request_iterator: AsyncIterator[places_pb2.Note],
        context: grpc.aio.ServicerContext[places_pb2.Note, places_pb2.Note],
    ) -> None:
        while True:
            note = await context.read()
            if note is grpc.aio.EOF:
                break
            assert_type(note, places_pb2.Note)
            await context.write(note)


class Mixed(places_pb2_grpc.PlacesServicer):
    """An asyncio server runs plain functions on a thread pool."""

    def Get(self, request: places_pb2.Point, context: grpc.ServicerContext) -> places_pb2.Place:
        return places_pb2.Place()


async def serve() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)], maximum_concurrent_rpcs=10)
    places_pb2_grpc.add_PlacesServicer_to_server(Places(), server)
    places_pb2_grpc.add_PlacesServicer_to_server(Mixed(), server)
    server.add_insecure_port("[::]:50051")
    await server.start()
    try:
        await server.wait_for_termination()
    except asyncio.CancelledError:
        await server.stop(grace=5)


if __name__ == "__main__":
    asyncio.run(serve())
