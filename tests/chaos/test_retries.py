"""Retries and hedges through a network that resets connections: no response twice, no attempt beyond the budget.

Each call says who it is in its metadata, and servers count how often they saw it. A request that no server acted on may
be sent once more than the policy says (gRFC A6, transparent retries), but a server has not seen it then.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion.testing import ChaosProxy, Ending, Faults
from support.loops import LoopThread

LIMIT = 20.0
MOST = 4
CALLS = 60
FAULTS = [
    Faults(),
    Faults(jitter=0.005, chunk=(1, 50)),
    Faults(ending=Ending.RESET, ends_after=(0, 4_000)),
    Faults(ending=Ending.TRUNCATE, ends_after=(0, 4_000), chunk=(1, 500)),
]


class Counted:
    """A service whose handlers fail on purpose, and count what they see."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._random = random.Random(7)

    def _see(self, context: Any) -> None:
        name = dict(context.invocation_metadata())["call"]
        with self._lock:
            self.seen[name] += 1
            unwilling = self._random.random() < 0.3
        if unwilling:
            context.abort(clarion.StatusCode.UNAVAILABLE, "on purpose")

    def one(self, request: bytes, context: Any) -> bytes:
        self._see(context)
        return request

    def join(self, requests: Iterator[bytes], context: Any) -> bytes:
        self._see(context)
        return b"".join(requests)

    def count(self, request: bytes, context: Any) -> Iterator[bytes]:
        self._see(context)
        for number in range(10):
            yield b"%s %d" % (request, number)

    def echo(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        self._see(context)
        for number, request in enumerate(requests):
            yield b"%s %d" % (request, number)


@pytest.fixture
def proxied() -> Iterator[tuple[Counted, str]]:
    """The service, and the target of two servers of it, each behind a proxy."""
    service = Counted()
    methods = {
        "One": clarion.unary_unary_rpc_method_handler(service.one),
        "Join": clarion.stream_unary_rpc_method_handler(service.join),
        "Count": clarion.unary_stream_rpc_method_handler(service.count),
        "Echo": clarion.stream_stream_rpc_method_handler(service.echo),
    }
    with futures.ThreadPoolExecutor(16) as pool:
        servers, proxies = [], []
        for seed in range(2):
            server = clarion.server(pool)
            server.add_registered_method_handlers("test.Counted", methods)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            servers.append(server)
            proxies.append(ChaosProxy(port, FAULTS, seed=seed))
        try:
            yield service, "ipv4:" + ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        finally:
            for proxy in proxies:
                proxy.close()
            for server in servers:
                assert server.stop(0).wait(LIMIT)


def options(policy: str) -> list[tuple[str, Any]]:
    policies: dict[str, Any] = {
        "retryPolicy": {
            "maxAttempts": MOST,
            "initialBackoff": "0.01s",
            "maxBackoff": "0.05s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
        "hedgingPolicy": {
            "maxAttempts": MOST,
            "hedgingDelay": "0.02s",
            "nonFatalStatusCodes": ["UNAVAILABLE"],
        },
    }
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": [{}], policy: policies[policy]}],
    }
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]


def right(method: str, name: bytes, responses: list[bytes]) -> bool:
    """Whether these are all responses of a call that ended with OK, once and in order."""
    if method == "One":
        return responses == [name]
    if method == "Join":
        return responses == [name * 3]
    return responses == [b"%s %d" % (name, number) for number in range(len(responses))] and len(
        responses
    ) == (10 if method == "Count" else 3)


PATTERNS = {
    "One": "unary_unary",
    "Join": "stream_unary",
    "Count": "unary_stream",
    "Echo": "stream_stream",
}


def check(service: Counted, ends: Counter[str]) -> None:
    assert set(ends) <= {"OK", "UNAVAILABLE", "DEADLINE_EXCEEDED"}, ends
    assert ends["OK"] > CALLS / 4, ends
    assert max(service.seen.values()) <= MOST
    assert max(service.seen.values()) > 1, "nothing was tried again"


@pytest.mark.parametrize("policy", ["retryPolicy", "hedgingPolicy"])
def test_threads(proxied: tuple[Counted, str], policy: str) -> None:
    service, target = proxied
    ends: Counter[str] = Counter()

    def call(channel: clarion.Channel, number: int) -> None:
        method = list(PATTERNS)[number % 4]
        name = b"%d" % number
        callable_: Callable[..., Any] = getattr(channel, PATTERNS[method])(
            f"/test.Counted/{method}"
        )
        request = iter([name] * 3) if method in ("Join", "Echo") else name
        metadata = (("call", str(number)),)
        try:
            answer = callable_(request, timeout=LIMIT / 2, metadata=metadata)
            responses = [answer] if method in ("One", "Join") else list(answer)
        except clarion.RpcError as error:
            ends[error.code().name] += 1
        else:
            assert right(method, name, responses), (method, name, responses)
            ends["OK"] += 1

    with (
        clarion.insecure_channel(target, options(policy)) as channel,
        futures.ThreadPoolExecutor(8) as pool,
    ):
        for done in [pool.submit(call, channel, number) for number in range(CALLS)]:
            done.result(LIMIT)
    check(service, ends)


@pytest.mark.parametrize("policy", ["retryPolicy", "hedgingPolicy"])
def test_tasks(proxied: tuple[Counted, str], policy: str) -> None:
    service, target = proxied
    ends: Counter[str] = Counter()

    async def call(channel: clarion.aio.Channel, number: int) -> None:
        method = list(PATTERNS)[number % 4]
        name = b"%d" % number
        callable_: Any = getattr(channel, PATTERNS[method])(f"/test.Counted/{method}")
        request = iter([name] * 3) if method in ("Join", "Echo") else name
        metadata = (("call", str(number)),)
        answer = callable_(request, timeout=LIMIT / 2, metadata=metadata)
        try:
            if method in ("One", "Join"):
                responses = [await answer]
            else:
                responses = [response async for response in answer]
        except clarion.RpcError as error:
            ends[error.code().name] += 1
        else:
            assert right(method, name, responses), (method, name, responses)
            ends["OK"] += 1

    async def run() -> None:
        async with clarion.aio.insecure_channel(target, options(policy)) as channel:
            numbers = iter(range(CALLS))

            async def some() -> None:
                for number in numbers:
                    await call(channel, number)

            await asyncio.wait_for(asyncio.gather(*(some() for _ in range(8))), LIMIT)

    loop = LoopThread()
    try:
        loop.run(run)
    finally:
        loop.close()
    check(service, ends)
