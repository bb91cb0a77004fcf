"""pymilvus, sync and asyncio, against a servicer: connecting, its interceptors, answers and errors."""

from __future__ import annotations

import asyncio

import grpc
from common import LIMIT, serving, serving_aio
from pymilvus import AsyncMilvusClient, MilvusClient, MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc


class Milvus(milvus_pb2_grpc.MilvusServiceServicer):
    def __init__(self):
        self.seen = []

    def _note(self, context):
        self.seen.append(dict(context.invocation_metadata()))

    def Connect(self, request, context):
        self._note(context)
        assert request.client_info.sdk_type == "Python"
        return milvus_pb2.ConnectResponse(
            identifier=77, server_info=common_pb2.ServerInfo(build_tags="2.6.0")
        )

    def GetVersion(self, request, context):
        return milvus_pb2.GetVersionResponse(version="v2.6.0")

    def ShowCollections(self, request, context):
        self._note(context)
        return milvus_pb2.ShowCollectionsResponse(collection_names=["books", "films"])

    def CreateDatabase(self, request, context):
        if request.db_name != "taken":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only for admins")
        return common_pb2.Status(error_code=1, code=1100, reason="database exists")


class AioMilvus(Milvus):
    async def Connect(self, request, context):
        return super().Connect(request, context)

    async def GetVersion(self, request, context):
        return super().GetVersion(request, context)

    async def ShowCollections(self, request, context):
        return super().ShowCollections(request, context)


add = milvus_pb2_grpc.add_MilvusServiceServicer_to_server
servicer = Milvus()
with serving(lambda server: add(servicer, server)) as target:
    client = MilvusClient(f"http://{target}", token="root:secret", timeout=LIMIT)
    assert client.list_collections() == ["books", "films"]
    assert client.get_server_version() == "v2.6.0"
    for name, text in ("taken", "database exists"), ("mine", "only for admins"):
        try:
            client.create_database(name, timeout=LIMIT)
        except (MilvusException, grpc.RpcError) as error:
            assert text in str(error), error
        else:
            raise AssertionError("no error")
    client.close()
assert all(metadata["authorization"] for metadata in servicer.seen)
assert servicer.seen[-1]["identifier"] == "77"


async def main():
    servicer = AioMilvus()
    async with serving_aio(lambda server: add(servicer, server)) as target:
        client = AsyncMilvusClient(f"http://{target}", token="root:secret", timeout=LIMIT)
        assert await client.list_collections() == ["books", "films"]
        await client.close()
    assert servicer.seen[-1]["authorization"]


asyncio.run(main())
