"""Mistakes that type checkers find in asyncio clients. Each `E:` names who reports what in its line."""

from __future__ import annotations

import places_pb2
import places_pb2_grpc

import clarion as grpc


async def wrong(channel: grpc.aio.Channel) -> None:
    stub = places_pb2_grpc.PlacesStub(channel)
    await stub.Get(places_pb2.Area())  # E: mypy[arg-type] pyright[reportArgumentType]
    print(stub.Get(places_pb2.Point()).name)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    await stub.Get(places_pb2.Point(), 1.0)  # E: mypy[call-arg] pyright[reportCallIssue]
    for place in stub.List(places_pb2.Area()):  # E: mypy[attr-defined] pyright[reportGeneralTypeIssues]
        break
    await stub.List(places_pb2.Area())  # E: mypy[misc] pyright[reportGeneralTypeIssues]
    call = stub.Chat()
    await call.write(places_pb2.Point())  # E: mypy[arg-type] pyright[reportArgumentType]
    note = await call.read()
    print(note.text)  # E: mypy[union-attr] pyright[reportAttributeAccessIssue]
    await stub.List(places_pb2.Area()).write(places_pb2.Area())  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    raw = channel.unary_unary("/x")
    await raw("text")  # E: mypy[arg-type] pyright[reportArgumentType]
    print(call.code().name)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    with grpc.aio.insecure_channel("x"):  # E: mypy[attr-defined] pyright[reportGeneralTypeIssues]
        pass
