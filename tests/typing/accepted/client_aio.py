"""An asyncio client of all four patterns, as grpcio's tutorials write it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, assert_type

import places_pb2
import places_pb2_grpc

import clarion as grpc

if TYPE_CHECKING:
    from places_pb2_grpc import PlacesAsyncStub


async def get(stub: PlacesAsyncStub) -> None:
    place = await stub.Get(places_pb2.Point(latitude=1), timeout=2)
    assert_type(place, places_pb2.Place)
    call = stub.Get(
        places_pb2.Point(), metadata=grpc.aio.Metadata(("one", "1"), ("two-bin", b"\x02"))
    )
    assert_type(call, grpc.aio.UnaryUnaryCall[places_pb2.Point, places_pb2.Place])
    call.add_done_callback(lambda call: print(call))
    assert_type(await call, places_pb2.Place)
    assert_type(await call.code(), grpc.StatusCode)
    metadata = await call.trailing_metadata()
    assert_type(metadata, grpc.aio.Metadata)
    for key, value in metadata:
        print(key, value)
    print(metadata["one"], await call.initial_metadata(), await call.details())


async def list_places(stub: PlacesAsyncStub) -> None:
    call = stub.List(places_pb2.Area(), metadata=(("key", "value"),))
    async for place in call:
        assert_type(place, places_pb2.Place)

    call = stub.List(places_pb2.Area())
    while True:
        response = await call.read()
        if response == grpc.aio.EOF:
            break
        assert_type(response, places_pb2.Place)
        print(response.name)
    while (response := await call.read()) is not grpc.aio.EOF:
        assert_type(response, places_pb2.Place)


async def points() -> AsyncIterator[places_pb2.Point]:
    for latitude in range(3):
        yield places_pb2.Point(latitude=latitude)
        await asyncio.sleep(0)


async def record(stub: PlacesAsyncStub, more: AsyncIterable[places_pb2.Point]) -> None:
    assert_type(await stub.Record(points()), places_pb2.Summary)
    assert_type(await stub.Record(more), places_pb2.Summary)
    assert_type(await stub.Record([places_pb2.Point()]), places_pb2.Summary)
    call = stub.Record()
    await call.write(places_pb2.Point(latitude=3))
    await call.done_writing()
    assert_type(await call, places_pb2.Summary)


async def chat(stub: PlacesAsyncStub) -> None:
    call = stub.Chat()
    for text in ("first", "second"):
        await call.write(places_pb2.Note(text=text))
        note = await call.read()
        if note is not grpc.aio.EOF:
            print(note.text)
    await call.done_writing()
    async for note in call:
        assert_type(note, places_pb2.Note)
    call.cancel()


async def errors(stub: PlacesAsyncStub) -> None:
    try:
        await stub.Get(places_pb2.Point(), wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        assert_type(error.code(), grpc.StatusCode)
        assert_type(error.trailing_metadata(), grpc.aio.Metadata)
        print(error.details())
    except grpc.RpcError as error:
        assert_type(error.code(), grpc.StatusCode)


async def run() -> None:
    async with grpc.aio.insecure_channel("localhost:50051") as channel:
        assert_type(channel, grpc.aio.Channel)
        stub = places_pb2_grpc.PlacesStub(channel)
        await get(stub)
        await list_places(stub)
        await record(stub, points())
        await chat(stub)
        await errors(stub)
    both = await asyncio.gather(stub.Get(places_pb2.Point()), stub.Get(places_pb2.Point()))
    assert_type(both[0], places_pb2.Place)


async def connectivity() -> None:
    channel = grpc.aio.insecure_channel("localhost:50051", options=[("grpc.enable_retries", 0)])
    await channel.channel_ready()
    state = channel.get_state(try_to_connect=True)
    while state is not grpc.ChannelConnectivity.READY:
        await channel.wait_for_state_change(state)
        state = channel.get_state()
    await channel.close(grace=1.0)


if __name__ == "__main__":
    asyncio.run(run())
