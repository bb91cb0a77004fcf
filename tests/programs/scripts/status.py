"""grpcio-status: rich errors from sync and asyncio handlers, read back on the client."""

from __future__ import annotations

import asyncio

import grpc
from common import LIMIT, handlers, serving, serving_aio
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

detail = any_pb2.Any()
detail.Pack(error_details_pb2.RetryInfo(retry_delay={"seconds": 3}))
STATUS = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="full", details=[detail])


def refuse(request, context):
    context.abort_with_status(rpc_status.to_status(STATUS))


async def refuse_aio(request, context):
    context.set_trailing_metadata(rpc_status.to_status(STATUS).trailing_metadata)
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, STATUS.message)


def plain(request, context):
    context.abort(grpc.StatusCode.INTERNAL, "no more to say")


services = handlers(
    "test.Status",
    Refuse=("unary_unary", refuse, None, None),
    Plain=("unary_unary", plain, None, None),
)
with serving(services) as target, grpc.insecure_channel(target) as channel:
    try:
        channel.unary_unary("/test.Status/Refuse")(b"", timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert rpc_status.from_call(error) == STATUS
    else:
        raise AssertionError("no error")
    try:
        channel.unary_unary("/test.Status/Plain")(b"", timeout=LIMIT)
    except grpc.RpcError as error:
        assert rpc_status.from_call(error) is None
    else:
        raise AssertionError("no error")


async def main():
    services = handlers("test.Status", Refuse=("unary_unary", refuse_aio, None, None))
    async with serving_aio(services) as target, grpc.aio.insecure_channel(target) as channel:
        call = channel.unary_unary("/test.Status/Refuse")(b"", timeout=LIMIT)
        assert await rpc_status.aio.from_call(call) == STATUS
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


asyncio.run(main())
