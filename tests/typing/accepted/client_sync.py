"""A client of all four patterns, with metadata, deadlines and errors, as grpcio's tutorials write it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import assert_type

import places_pb2
import places_pb2_grpc

import clarion as grpc


def get(stub: places_pb2_grpc.PlacesStub, point: places_pb2.Point) -> None:
    place = stub.Get(point)
    assert_type(place, places_pb2.Place)
    print(f"{place.name} at {place.location.latitude}")

    place, call = stub.Get.with_call(
        point,
        timeout=1.5,
        metadata=[("initial-metadata-1", "one"), ("binary-bin", b"\x00")],
        wait_for_ready=True,
        compression=grpc.Compression.Gzip,
    )
    assert_type(place, places_pb2.Place)
    assert_type(call, grpc.Call)
    for key, value in call.trailing_metadata():
        print(f"trailing {key}={value!r}")
    assert_type(call.code(), grpc.StatusCode)
    assert_type(call.details(), str)


def list_places(stub: places_pb2_grpc.PlacesStub) -> None:
    area = places_pb2.Area(
        low=places_pb2.Point(latitude=400000000, longitude=-750000000),
        high=places_pb2.Point(latitude=420000000, longitude=-730000000),
    )
    places = stub.List(area, metadata=(("key", "value"),))
    for place in places:
        assert_type(place, places_pb2.Place)
        if place.name == "enough":
            places.cancel()
    assert_type(next(places), places_pb2.Place)
    if places.code() is grpc.StatusCode.CANCELLED:
        print(dict(places.initial_metadata()), places.time_remaining(), places.is_active())


def points() -> Iterator[places_pb2.Point]:
    for latitude in range(3):
        yield places_pb2.Point(latitude=latitude)


def record(stub: places_pb2_grpc.PlacesStub) -> None:
    summary = stub.Record(points())
    assert_type(summary, places_pb2.Summary)
    summary, call = stub.Record.with_call(points(), timeout=3)
    assert_type(summary, places_pb2.Summary)
    assert_type(call.code(), grpc.StatusCode)
    assert_type(stub.Record.future(points()).result(timeout=2), places_pb2.Summary)
    print(stub.Record([places_pb2.Point()]))


def chat(stub: places_pb2_grpc.PlacesStub) -> None:
    notes = stub.Chat(places_pb2.Note(text=text) for text in ("first", "second"))
    notes.add_callback(lambda: print("over"))
    for note in notes:
        assert_type(note, places_pb2.Note)


def errors(stub: places_pb2_grpc.PlacesStub) -> None:
    try:
        stub.Get(places_pb2.Point(), timeout=0.1)
    except grpc.RpcError as rpc_error:
        assert_type(rpc_error.code(), grpc.StatusCode)
        if rpc_error.code() == grpc.StatusCode.CANCELLED:
            print("cancelled")
        elif rpc_error.code() is grpc.StatusCode.UNAVAILABLE:
            print(f"{rpc_error.details()}: {rpc_error.debug_error_string()}")
        else:
            print(f"code={rpc_error.code().name} number={rpc_error.code().value[0]}")
        for key, value in rpc_error.trailing_metadata():
            print(key, value)
        if isinstance(rpc_error, grpc.Call):
            print(rpc_error.time_remaining(), rpc_error.initial_metadata())


def run() -> None:
    options = [("grpc.max_send_message_length", 4096), ("grpc.primary_user_agent", "me")]
    with grpc.insecure_channel("localhost:50051", options=options) as channel:
        assert_type(channel, grpc.Channel)
        stub = places_pb2_grpc.PlacesStub(channel)
        assert_type(stub, places_pb2_grpc.PlacesStub)
        get(stub, places_pb2.Point(latitude=409146138))
        list_places(stub)
        record(stub)
        chat(stub)
        errors(stub)


if __name__ == "__main__":
    logging.basicConfig()
    run()
