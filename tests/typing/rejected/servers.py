"""Mistakes that type checkers find in servers. Each `E:` names who reports what in its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures

import places_pb2
import places_pb2_grpc

import clarion as grpc


class Wrong(places_pb2_grpc.PlacesServicer):
    def Get(self, request: places_pb2.Area, context: grpc.ServicerContext) -> places_pb2.Place:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        return places_pb2.Place()

    def List(self, request: places_pb2.Area, context: grpc.ServicerContext) -> places_pb2.Place:  # E: mypy[override] pyright[reportIncompatibleMethodOverride]
        context.abort(5, "not found")  # E: mypy[arg-type] pyright[reportArgumentType]

    def Record(
        self, request_iterator: Iterator[places_pb2.Point], context: grpc.ServicerContext
    ) -> places_pb2.Summary:
        context.set_code(grpc.StatusCode.OK.value)  # E: mypy[arg-type] pyright[reportArgumentType]
        context.set_detail("x")  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        return places_pb2.Point()  # E: mypy[return-value] pyright[reportReturnType]


class Interceptor(grpc.ServerInterceptor):
    def intercept_service(  # E: pyright[reportIncompatibleMethodOverride]
        self,
        continuation: Callable[[str], grpc.RpcMethodHandler],  # E: mypy[override]
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        return continuation("x")


class OnAio:
    async def get(
        self, request: places_pb2.Point, context: grpc.aio.ServicerContext
    ) -> places_pb2.Place:
        context.abort(grpc.StatusCode.NOT_FOUND)  # E: mypy[unused-coroutine] pyright[reportUnusedCoroutine]
        return places_pb2.Place()


def serve(handler: grpc.RpcMethodHandler) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(), maximum_concurrent_rpc=1)  # E: mypy[call-arg] pyright[reportCallIssue]
    server = grpc.server(10)  # E: mypy[arg-type] pyright[reportArgumentType]
    server.add_insecure_port(50051)  # E: mypy[arg-type] pyright[reportArgumentType]
    server.add_generic_rpc_handlers(handler)  # E: mypy[arg-type] pyright[reportArgumentType]
    places_pb2_grpc.add_PlacesServicer_to_server(server, Wrong())  # E: mypy[arg-type] pyright[reportArgumentType]
    grpc.unary_unary_rpc_method_handler(  # E: mypy[misc]
        OnAio().get,
        request_deserializer=places_pb2.Area.FromString,  # E: pyright[reportArgumentType]
    )
