"""qdrant-client over gRPC, sync and asyncio, against a servicer."""

from __future__ import annotations

import asyncio

import grpc
from common import LIMIT, serving, serving_aio
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client import grpc as pb
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse


class Points(pb.PointsServicer):
    def __init__(self):
        self.points = {}
        self.keys = set()

    def Upsert(self, request, context):
        self.keys.add(dict(context.invocation_metadata()).get("api-key"))
        for point in request.points:
            self.points[point.id.num] = point
        if request.collection_name == "full":
            context.set_trailing_metadata((("retry-after", "3"),))
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down")
        result = pb.UpdateResult(operation_id=1, status=pb.UpdateStatus.Completed)
        return pb.PointsOperationResponse(result=result)

    def Count(self, request, context):
        return pb.CountResponse(result=pb.CountResult(count=len(self.points)))


class AioPoints(Points):
    async def Count(self, request, context):
        return super().Count(request, context)


vectors = [models.PointStruct(id=n, vector=[0.5, n], payload={"n": n}) for n in (1, 2, 3)]


def options(target):
    return {
        "host": "127.0.0.1",
        "grpc_port": int(target.split(":")[1]),
        "prefer_grpc": True,
        "https": False,
        "api_key": "secret",
        "timeout": LIMIT,
        "check_compatibility": False,
        "grpc_compression": grpc.Compression.Gzip,
    }


points = Points()
with serving(lambda server: pb.add_PointsServicer_to_server(points, server)) as target:
    client = QdrantClient(**options(target))
    assert client.upsert("things", vectors).status == models.UpdateStatus.COMPLETED
    assert client.count("things").count == 3
    try:
        client.upsert("full", vectors)
    except ResourceExhaustedResponse as error:
        assert error.retry_after_s == 3
    else:
        raise AssertionError("no error")
    client.close()
assert points.keys == {"secret"}
assert points.points[2].payload["n"].integer_value == 2


async def main():
    points = AioPoints()
    add = pb.add_PointsServicer_to_server
    async with serving_aio(lambda server: add(points, server)) as target:
        client = AsyncQdrantClient(**options(target))
        answer = await client.upsert("things", vectors)
        assert answer.status == models.UpdateStatus.COMPLETED
        assert (await client.count("things")).count == 3
        await client.close()
    assert points.keys == {"secret"}


asyncio.run(main())
