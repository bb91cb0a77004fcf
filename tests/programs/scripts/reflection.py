"""grpcio-reflection: its servicers on both servers, and its descriptor database as the client."""

from __future__ import annotations

import asyncio

import grpc
from common import serving, serving_aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
NAMES = (HEALTH, reflection.SERVICE_NAME)


def look(target):
    with grpc.insecure_channel(target) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == set(NAMES)
        service = DescriptorPool(database).FindServiceByName(HEALTH)
        assert service.FindMethodByName("Check").input_type.name == "HealthCheckRequest"
        try:
            database.FindFileByName("nowhere.proto")
        except KeyError:
            pass
        else:
            raise AssertionError("no error")


with serving(lambda server: reflection.enable_server_reflection(NAMES, server)) as target:
    look(target)


async def main():
    async with serving_aio(
        lambda server: reflection.enable_server_reflection(NAMES, server)
    ) as target:
        await asyncio.to_thread(look, target)


asyncio.run(main())
