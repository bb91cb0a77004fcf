"""What web channels share with all others: interceptors, hedging, call credentials, load balancing, health checks."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

import clarion
import clarion.aio
from support.credentials import client_tls, server_tls
from support.front_end import SERVICE
from support.handlers import ServerCall
from support.libraries import LIMIT, Library
from support.loops import LoopThread
from support.simple import ECHOES, Hang
from support.web_channels import WebFront

# Protocols and versions do not differ here; each comes once.
pytestmark = pytest.mark.parametrize(
    ("protocol", "http"), [("connect", "1.1"), ("grpc-web", "2")], indirect=True
)

UNARY = SERVICE + "UnaryUnary"


class _Sync(clarion.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        assert details.method == UNARY
        return continuation(details._replace(metadata=[("by", "interceptor")]), request + b"!")


class _Aio(clarion.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        details = details._replace(metadata=clarion.aio.Metadata(("by", "interceptor")))
        return await continuation(details, request + b"!")


def test_interceptors(web: WebFront) -> None:
    async def handler(call: ServerCall) -> bytes:
        return call.request + dict(call.metadata)["by"].encode()

    server = web.serve({"unary_unary": handler})
    client = web.connect(server.target, interceptors=[_Sync() if web.name == "sync" else _Aio()])
    assert client.call(UNARY, "unary_unary", [b"x"]).responses == [b"x!interceptor"]


def test_hedging(web: WebFront) -> None:
    hang = Hang()
    numbers = itertools.count()

    async def handler(call: ServerCall) -> bytes:
        if next(numbers) == 0:
            return await hang(call)
        return b"done"

    config = {
        "methodConfig": [
            {"name": [{}], "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "0.01s"}}
        ]
    }
    options = [("grpc.service_config", json.dumps(config))]
    rig = web.rig(unary_unary=handler, client_options=options)
    web.wait_ready(rig.client, LIMIT)
    assert rig.call("unary_unary", [b""]).responses == [b"done"]
    # The other one is given up.
    hang.wait_ended()


def test_call_credentials(
    name: str, protocol: str, http: str, library: Library, loop: LoopThread
) -> None:
    async def handler(call: ServerCall) -> bytes:
        return dict(call.metadata)["authorization"].encode()

    front = WebFront(library, name, loop, protocol=protocol, http=http)
    server = front.serve({"unary_unary": handler}, credentials=server_tls(library))
    credentials = clarion.composite_channel_credentials(
        client_tls(library), clarion.access_token_call_credentials("token")
    )
    client = front.connect(f"https://localhost:{server.ports[0]}", credentials=credentials)
    assert client.call(UNARY, "unary_unary", [b""]).responses == [b"Bearer token"]
    front.close()


def test_wait_for_ready(web: WebFront) -> None:
    rig = web.rig(**ECHOES)
    port = rig.server.ports[0]
    rig.server.stop(None)()
    outcome = rig.call("unary_unary", [b""])
    assert outcome.code == "UNAVAILABLE"
    outcome = rig.call("unary_unary", [b""], wait_for_ready=True, timeout=0.2)
    assert outcome.code == "DEADLINE_EXCEEDED"
    assert str(port) in outcome.details


def test_round_robin(web: WebFront) -> None:
    def named(name: bytes) -> Any:
        async def handler(call: ServerCall) -> bytes:
            return name

        return handler

    servers = [web.serve({"unary_unary": named(name)}) for name in (b"a", b"b")]
    config = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
    client = web.connect(
        "ipv4:" + ",".join(server.target for server in servers),
        options=[("grpc.service_config", config)],
    )
    seen: set[bytes] = set()
    for _ in range(1000):
        seen.add(client.call(UNARY, "unary_unary", [b""], wait_for_ready=True).responses[0])
        if len(seen) == 2:
            break
    counts = [client.call(UNARY, "unary_unary", [b""]).responses[0] for _ in range(10)]
    assert counts.count(b"a") == counts.count(b"b") == 5


def test_health_checks_need_http2(web: WebFront) -> None:
    """Where there can be none, a server counts as healthy, as one does that has no health service."""
    config = json.dumps(
        {
            "healthCheckConfig": {"serviceName": "none"},
            "loadBalancingConfig": [{"round_robin": {}}],
        }
    )
    rig = web.rig(**ECHOES, client_options=[("grpc.service_config", config)])
    outcome = rig.call("unary_unary", [b"x"], wait_for_ready=True, timeout=LIMIT)
    assert outcome.responses == [b"x"]
