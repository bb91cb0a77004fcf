"""The names of grpcio-health-checking and grpcio-reflection, where Clarion stands in grpcio's place."""

from __future__ import annotations

import pytest

from support.processes import run_script

PROGRAM = """
import clarion
clarion.install_as_grpc()
import asyncio, pickle
from concurrent import futures
import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import _async, health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import _async as reflection_async, _base, reflection, reflection_pb2
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

folder = clarion.replace.FOLDER
for module in health, health_pb2, health_pb2_grpc, reflection, reflection_pb2, reflection_pb2_grpc:
    assert module.__file__.startswith(folder), module
assert health.SERVICE_NAME == health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
assert health.OVERALL_HEALTH == "" and health.aio is _async
assert reflection.SERVICE_NAME == "grpc.reflection.v1alpha.ServerReflection"
assert reflection.aio is reflection_async
assert issubclass(reflection.ReflectionServicer, reflection_pb2_grpc.ServerReflectionServicer)
assert issubclass(reflection.aio.ReflectionServicer, _base.BaseReflectionServicer)
response = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
assert pickle.loads(pickle.dumps(response)) == response
assert health_pb2.HealthCheckResponse.ServingStatus.Name(2) == "NOT_SERVING"

def names():
    return [health.SERVICE_NAME, reflection.SERVICE_NAME]

def ask(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(service="x"), timeout=20) == response
        assert stub.List(health_pb2.HealthListRequest(), timeout=20).statuses["x"] == response
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="x"), timeout=20)
        assert next(watch) == response
        watch.cancel()
        database = ProtoReflectionDescriptorDatabase(channel)
        assert sorted(database.get_services()) == sorted(names())
        pool = DescriptorPool(database)
        assert pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Check"]
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(file_by_filename="x")
        [answer] = stub.ServerReflectionInfo(iter([request]), timeout=20)
        assert answer.error_response.error_code == 5

server = grpc.server(futures.ThreadPoolExecutor(4))
servicer = health.HealthServicer(
    experimental_non_blocking=True, experimental_thread_pool=futures.ThreadPoolExecutor(1)
)
assert isinstance(servicer, health_pb2_grpc.HealthServicer)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
servicer.set("x", health_pb2.HealthCheckResponse.SERVING)
reflection.enable_server_reflection(names(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
ask(port)
server.stop(None).wait(20)

async def main():
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("x", health_pb2.HealthCheckResponse.SERVING)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(
        reflection.aio.ReflectionServicer(names()), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await asyncio.to_thread(ask, port)
    await servicer.enter_graceful_shutdown()
    await servicer.set("x", health_pb2.HealthCheckResponse.SERVING)
    assert servicer.health.get("x") == 2
    await server.stop(None)

asyncio.run(main())
"""


def test_programs_for_grpcio() -> None:
    done = run_script(PROGRAM)
    assert done.returncode == 0, done.stderr


# Others bring the same file, before Clarion needs it or after, and perhaps in another version.
BESIDE = """
import sys
from clarion.health.contract import HEALTH
from google.protobuf import descriptor_pb2, descriptor_pool
from clarion.health import Health
from clarion.health.messages import messages

file = descriptor_pb2.FileDescriptorProto.FromString(HEALTH)
before, changed = sys.argv[1:]
if changed == "changed":
    # As an older release of grpcio-health-checking has it.
    del file.service[0].method[1:2]
if before == "before":
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
response = messages().HealthListResponse()
response.statuses[""].status = 1
if before == "after":
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
in_default = response.DESCRIPTOR.file.pool is descriptor_pool.Default()
assert in_default == ((before, changed) == ("before", "same"))
"""


@pytest.mark.parametrize(
    ("when", "what"), [("before", "same"), ("before", "changed"), ("after", "changed")]
)
def test_beside_the_same_file_of_others(when: str, what: str) -> None:
    done = run_script(BESIDE, when, what)
    assert done.returncode == 0, done.stderr
