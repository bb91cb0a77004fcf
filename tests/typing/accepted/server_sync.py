"""A threaded server with all four patterns and the context's methods."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import NamedTuple, NoReturn

import places_pb2
import places_pb2_grpc

import clarion as grpc


class Rich(NamedTuple):
    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str], ...]


class Missing(Rich, grpc.Status):
    """A status as grpcio's examples make one."""


class Places(places_pb2_grpc.PlacesServicer):
    def __init__(self) -> None:
        self.db: dict[int, str] = {}

    def Get(self, request: places_pb2.Point, context: grpc.ServicerContext) -> places_pb2.Place:
        for key, value in context.invocation_metadata():
            print(f"Received initial metadata: key={key} value={value!r}")
        headers = {each.key: each.value for each in context.invocation_metadata()}
        if "token" not in headers:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
        if request.latitude < 0:
            context.abort_with_status(Missing(grpc.StatusCode.NOT_FOUND, "nowhere", ()))
        name = self.db.get(request.latitude)
        if name is None:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details(f"nothing at {request.latitude}")
            return places_pb2.Place(name="", location=request)
        context.send_initial_metadata((("a", "b"),))
        context.set_trailing_metadata([("checksum-bin", b"I agree"), ("retry", "false")])
        context.set_compression(grpc.Compression.Gzip)
        return places_pb2.Place(name=name, location=request)

    # The name of an argument is free.
    def List(
        self, area: places_pb2.Area, unused_context: grpc.ServicerContext
    ) -> Iterator[places_pb2.Place]:
        for latitude, name in self.db.items():
            if area.low.latitude <= latitude <= area.high.latitude:
                yield places_pb2.Place(name=name)

    def Record(
        self, request_iterator: Iterator[places_pb2.Point], context: grpc.ServicerContext
    ) -> places_pb2.Summary:
        remaining = context.time_remaining()
        if remaining is not None and remaining < 0.1:
            self.refuse(context)
        return places_pb2.Summary(points=sum(1 for _ in request_iterator))

    def refuse(self, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"too late, {context.peer()}")

    def Chat(
        self, request_iterator: Iterator[places_pb2.Note], context: grpc.ServicerContext
    ) -> Iterator[places_pb2.Note]:
        context.add_callback(lambda: print("the chat is over"))
        context.disable_next_message_compression()
        for note in request_iterator:
            if not context.is_active():
                return
            yield note


class OnlyOne(places_pb2_grpc.PlacesServicer):
    """Serves one method; clients get UNIMPLEMENTED for the others."""

    def Get(self, request: places_pb2.Point, context: grpc.ServicerContext) -> places_pb2.Place:
        return places_pb2.Place()


def serve() -> None:
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=10),
        options=(("grpc.so_reuseport", 0),),
        maximum_concurrent_rpcs=100,
        compression=grpc.Compression.Deflate,
    )
    places_pb2_grpc.add_PlacesServicer_to_server(Places(), server)
    places_pb2_grpc.add_PlacesServicer_to_server(OnlyOne(), server)
    port: int = server.add_insecure_port("[::]:0")
    server.start()
    print(port)
    if not server.wait_for_termination(timeout=10):
        server.stop(None).wait()
    server.stop(grace=1.5)
