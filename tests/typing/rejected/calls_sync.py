"""Mistakes that type checkers find in sync clients. Each `E:` names who reports what in its line."""

from __future__ import annotations

import places_pb2
import places_pb2_grpc

import clarion as grpc


async def wrong(stub: places_pb2_grpc.PlacesStub, channel: grpc.Channel) -> None:
    stub.Get(places_pb2.Area())  # E: mypy[arg-type] pyright[reportArgumentType]
    stub.Get(places_pb2.Point(), timeot=1.0)  # E: mypy[call-arg] pyright[reportCallIssue]
    stub.Get(places_pb2.Point(), timeout="1")  # E: mypy[arg-type] pyright[reportArgumentType]
    stub.Get(places_pb2.Point(), metadata={"key": "value"})  # E: mypy[dict-item] pyright[reportArgumentType]
    stub.Get(places_pb2.Point(), metadata=[("key", 1)])  # E: mypy[list-item] pyright[reportArgumentType]
    await stub.Get(places_pb2.Point())  # E: mypy[misc] pyright[reportGeneralTypeIssues]
    stub.Gte(places_pb2.Point())  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    number: int = stub.Get(places_pb2.Point())  # E: mypy[assignment] pyright[reportAssignmentType]
    print(number)
    stub.Record(places_pb2.Point())  # E: mypy[arg-type] pyright[reportArgumentType]
    stub.Record([places_pb2.Note()])  # E: mypy[list-item] pyright[reportArgumentType]
    for place in stub.List(places_pb2.Area()):
        print(place.nmae)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    async for place in stub.List(places_pb2.Area()):  # E: mypy[attr-defined] pyright[reportGeneralTypeIssues]
        break
    print(stub.List(places_pb2.Area()).name)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    channel.unary_unray("/x")  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    raw = channel.unary_unary("/x")
    raw("text")  # E: mypy[arg-type] pyright[reportArgumentType]
    grpc.insecure_chanel("x")  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    grpc.insecure_channel("x", compression="gzip")  # E: mypy[arg-type] pyright[reportArgumentType]
    grpc.insecure_channel("x", options={"a": 1})  # E: mypy[arg-type] pyright[reportArgumentType]
    places_pb2_grpc.PlacesStub("localhost:1")  # E: mypy[call-overload] pyright[reportCallIssue,reportArgumentType]


def error_without_call(error: grpc.RpcError) -> None:
    error.status()  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
    print(error.code().nmae)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
