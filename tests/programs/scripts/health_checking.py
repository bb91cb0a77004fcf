"""grpcio-health-checking: its servicers on a sync and an asyncio server, asked with its stub."""

from __future__ import annotations

import asyncio

import grpc
from common import LIMIT, serving, serving_aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def ask(service):
    return health_pb2.HealthCheckRequest(service=service)


servicer = health.HealthServicer()
with (
    serving(
        lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    ) as target,
    grpc.insecure_channel(target) as channel,
):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(ask(""), timeout=LIMIT).status == SERVING
    try:
        stub.Check(ask("shop"), timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
    else:
        raise AssertionError("no error")
    watch = stub.Watch(ask("shop"), timeout=LIMIT)
    assert next(watch).status == UNKNOWN
    servicer.set("shop", SERVING)
    assert next(watch).status == SERVING
    servicer.enter_graceful_shutdown()
    assert next(watch).status == NOT_SERVING
    watch.cancel()


async def main():
    servicer = health.aio.HealthServicer()
    add = health_pb2_grpc.add_HealthServicer_to_server
    async with (
        serving_aio(lambda server: add(servicer, server)) as target,
        grpc.aio.insecure_channel(target) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(ask(""), timeout=LIMIT)).status == SERVING
        watch = stub.Watch(ask("shop"), timeout=LIMIT)
        assert (await watch.read()).status == UNKNOWN
        await servicer.set("shop", SERVING)
        assert (await watch.read()).status == SERVING
        await servicer.enter_graceful_shutdown()
        assert (await watch.read()).status == NOT_SERVING
        watch.cancel()


asyncio.run(main())
