"""With grpcio-health-checking and grpcio-reflection on the other side, and `buf curl`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

import clarion
from clarion import health, reflection
from clarion.cli import main
from clarion.health import ServingStatus
from support.libraries import LIMIT
from support.loops import LoopThread
from support.servers import end_pool
from support.trial import POOL, SERVICE

ABSENT = "grpcio-health-checking or grpcio-reflection is not installed for this Python"


@pytest.fixture(scope="module")
def peer() -> Any:
    """grpcio's modules."""

    class Peer:
        grpc = pytest.importorskip("grpc", reason=ABSENT)
        health = pytest.importorskip("grpc_health.v1.health", reason=ABSENT)
        health_pb2 = pytest.importorskip("grpc_health.v1.health_pb2", reason=ABSENT)
        health_pb2_grpc = pytest.importorskip("grpc_health.v1.health_pb2_grpc", reason=ABSENT)
        reflection = pytest.importorskip("grpc_reflection.v1alpha.reflection", reason=ABSENT)
        database = pytest.importorskip(
            "grpc_reflection.v1alpha.proto_reflection_descriptor_database", reason=ABSENT
        )

    if getattr(Peer.grpc, "__clarion__", False):
        pytest.skip("Clarion is grpc here")
    return Peer


def test_grpcios_clients(serve: Callable[..., str], peer: Any) -> None:
    from google.protobuf.descriptor_pool import DescriptorPool

    boards: list[health.Health] = []

    def tell(server: Any) -> None:
        boards.append(health.add_service(server))
        reflection.add_service(server, pool=POOL)

    target = serve(tell)
    [board] = boards
    with peer.grpc.insecure_channel(target) as channel:
        stub = peer.health_pb2_grpc.HealthStub(channel)
        request = peer.health_pb2.HealthCheckRequest(service="x")
        watch = stub.Watch(request, timeout=LIMIT)
        assert next(watch).status == ServingStatus.SERVICE_UNKNOWN
        board.set("x", peer.health_pb2.HealthCheckResponse.NOT_SERVING)
        assert next(watch).status == ServingStatus.NOT_SERVING
        watch.cancel()
        assert stub.Check(request, timeout=LIMIT).status == ServingStatus.NOT_SERVING
        listed = stub.List(peer.health_pb2.HealthListRequest(), timeout=LIMIT)
        assert listed.statuses["x"].status == ServingStatus.NOT_SERVING
        with pytest.raises(peer.grpc.RpcError) as caught:
            stub.Check(peer.health_pb2.HealthCheckRequest(service="y"), timeout=LIMIT)
        assert caught.value.code() is peer.grpc.StatusCode.NOT_FOUND

        database = peer.database.ProtoReflectionDescriptorDatabase(channel)
        assert {SERVICE, health.SERVICE_NAME} <= set(database.get_services())
        service = DescriptorPool(database).FindServiceByName(SERVICE)
        assert service.methods_by_name["Chat"].input_type.full_name == "trial.Guest"
        assert list(database.FindAllExtensionNumbers("trial.Extendable")) == [100, 101]
        with pytest.raises(KeyError):
            database.FindFileContainingSymbol("no.Such")


@pytest.fixture
def grpcio_server(peer: Any) -> Iterator[str]:
    """A server of grpcio's with both of its add-on services."""
    pool = futures.ThreadPoolExecutor(4)
    server = peer.grpc.server(pool)
    servicer = peer.health.HealthServicer()
    servicer.set("x", peer.health_pb2.HealthCheckResponse.NOT_SERVING)
    peer.health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = [peer.health.SERVICE_NAME, peer.reflection.SERVICE_NAME]
    peer.reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait(LIMIT)
    end_pool(pool)


def test_grpcios_server(grpcio_server: str, loop: LoopThread) -> None:
    assert main(["health", grpcio_server, f"--timeout={LIMIT}"]) == 0
    assert main(["health", grpcio_server, "--service=x", f"--timeout={LIMIT}"]) == 1
    with clarion.insecure_channel(grpcio_server) as channel:
        assert health.check(channel, "y", timeout=LIMIT) is ServingStatus.SERVICE_UNKNOWN
    with clarion.reflect(grpcio_server, timeout=LIMIT) as client:
        assert client.services == (health.SERVICE_NAME, reflection.Version.V1ALPHA.service)
        response = client.Health.Check({"service": "x"}, timeout=LIMIT)
        assert reflection.to_dict(response) == {"status": "NOT_SERVING"}
        watch = client.Health.Watch(service="x", timeout=LIMIT)
        assert next(watch).status == ServingStatus.NOT_SERVING
        watch.cancel()

    async def later() -> int:
        async with await reflection.aio.reflect(grpcio_server, timeout=LIMIT) as client:
            response = await client.Health.Check(service="x")
            status: int = response.status
            return status

    assert loop.run(later) == ServingStatus.NOT_SERVING


def _buf() -> str | None:
    here = Path(sysconfig.get_path("scripts"), "buf")
    return str(here) if here.exists() else shutil.which("buf")


def test_buf_curl(serve: Callable[..., str]) -> None:
    buf = _buf()
    if buf is None:
        pytest.skip("buf (buf-bin) is not installed for this Python")
    url = f"http://{serve()}"
    curl = [buf, "curl", "--protocol=grpc", "--http2-prior-knowledge"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*curl, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert f"{SERVICE}/GreetOften" in run("--list-methods", url)
    guest = json.dumps({"firstName": "Ann", "born": "2024-01-02T12:00:00Z"})
    answer = run("--data", guest, f"{url}/{SERVICE}/Greet")
    assert json.loads(answer) == {"text": "Hello, Ann!"}
    older = run("--reflect-protocol=grpc-v1alpha", "--data", guest, f"{url}/{SERVICE}/GreetOften")
    assert older.count("Ann") == 3
