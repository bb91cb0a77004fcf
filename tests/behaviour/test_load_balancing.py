"""Policies and health checks against real servers, on both front ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import aio
from clarion.load_balancing.messages import health_messages
from support.libraries import LIMIT

METHOD = "/test.Test/Method"
SERVING, NOT_SERVING = 1, 2


class Health:
    """A health service whose answers the test changes. It writes its own messages, as others would."""

    def __init__(self, status: int = SERVING) -> None:
        self.status = status
        self.asked: list[str] = []
        self._changed = threading.Condition()

    def set(self, status: int) -> None:
        with self._changed:
            self.status = status
            self._changed.notify_all()

    def watch(self, request: Any, context: Any) -> Iterator[Any]:
        self.asked.append(request.service)
        context.add_callback(lambda: self.set(self.status))
        last = None
        with self._changed:
            while context.is_active():
                if self.status != last:
                    last = self.status
                    yield health_messages()["HealthCheckResponse"](status=last)
                self._changed.wait(5)

    def handler(self) -> Any:
        messages = health_messages()
        watch = clarion.unary_stream_rpc_method_handler(
            self.watch,
            messages["HealthCheckRequest"].FromString,
            messages["HealthCheckResponse"].SerializeToString,
        )
        return clarion.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": watch})


class Servers:
    """A few servers that say who they are.

    Attributes:
        targets: where they listen.
        failing: those that fail calls, by number.
    """

    def __init__(self, count: int, health: list[Health] | None = None) -> None:
        self.targets: list[str] = []
        self.failing: set[int] = set()
        self._stack = contextlib.ExitStack()
        for number in range(count):
            pool = self._stack.enter_context(futures.ThreadPoolExecutor(8))
            handlers = [health[number].handler()] if health else []
            method = clarion.unary_unary_rpc_method_handler(self._behavior(number))
            handlers.append(
                clarion.method_handlers_generic_handler("test.Test", {"Method": method})
            )
            server = clarion.server(pool, handlers)
            self.targets.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            self._stack.callback(lambda server=server: server.stop(None).wait(LIMIT))

    def _behavior(self, number: int) -> Callable[[bytes, Any], bytes]:
        def serve(request: bytes, context: Any) -> bytes:
            if number in self.failing:
                context.abort(clarion.StatusCode.INTERNAL, "sick")
            return str(number).encode()

        return serve

    @property
    def target(self) -> str:
        return "ipv4:" + ",".join(self.targets)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def options(policy: str, config: Any = None, **members: Any) -> list[tuple[str, Any]]:
    service = {"loadBalancingConfig": [{policy: config or {}}], **members}
    return [("grpc.service_config", json.dumps(service))]


def settles(attempt: Callable[[], bool]) -> bool:
    """Whether `attempt` becomes true; it takes a little time each time."""
    return any(attempt() for _ in range(3000))


def who(method: Any, count: int = 30, **arguments: Any) -> dict[int, int]:
    """Whom so many calls go to; failures are -1."""
    seen: Counter[int] = Counter()
    for _ in range(count):
        try:
            seen[int(method(b"", timeout=20, wait_for_ready=True, **arguments))] += 1
        except clarion.RpcError:
            seen[-1] += 1
    return dict(seen)


CHECKED = options("round_robin", healthCheckConfig={"serviceName": "test.Test"})


def test_health_checks() -> None:
    health = [Health(), Health(NOT_SERVING)]
    with (
        Servers(2, health) as servers,
        clarion.insecure_channel(servers.target, options=CHECKED) as channel,
    ):
        method = channel.unary_unary(METHOD)
        assert who(method) == {0: 30}
        assert health[0].asked == ["test.Test"]
        health[1].set(SERVING)
        assert settles(lambda: 1 in who(method, 2))
        assert who(method) == {0: 15, 1: 15}
        health[0].set(NOT_SERVING)
        assert settles(lambda: who(method, 2) == {1: 2})
        # Nobody is well: calls that do not wait fail.
        health[1].set(NOT_SERVING)

        def fails() -> bool:
            try:
                method(b"", timeout=20)
            except clarion.RpcError as error:
                return "the health of 'test.Test' is NOT_SERVING" in str(error)
            return False

        assert settles(fails)
        health[0].set(SERVING)
        assert who(method, 3) == {0: 3}


def test_health_checks_of_an_asyncio_channel() -> None:
    health = [Health(NOT_SERVING), Health()]

    async def run() -> None:
        with Servers(2, health) as servers:
            async with aio.insecure_channel(servers.target, options=CHECKED) as channel:
                method = channel.unary_unary(METHOD)
                for _ in range(5):
                    assert await method(b"", timeout=20, wait_for_ready=True) == b"1"
                health[0].set(SERVING)
                health[1].set(NOT_SERVING)
                for _ in range(3000):
                    if await method(b"", timeout=20, wait_for_ready=True) == b"0":
                        break
                else:
                    raise AssertionError("nobody goes to 0")
                # In good order, though the checks go on.
                await channel.close(grace=20)

    asyncio.run(run())


def test_a_server_without_health_service() -> None:
    with (
        Servers(1) as servers,
        clarion.insecure_channel(servers.target, options=CHECKED) as channel,
    ):
        assert who(channel.unary_unary(METHOD), 3) == {0: 3}


def test_ring_hash() -> None:
    config = options("ring_hash_experimental", {"requestHashHeader": "session"})
    with (
        Servers(3) as servers,
        clarion.insecure_channel(servers.target, options=config) as channel,
        clarion.insecure_channel(servers.target, options=config) as other,
    ):
        one, two = channel.unary_unary(METHOD), other.unary_unary(METHOD)
        homes = [who(one, 3, metadata=[("session", str(key))]) for key in range(12)]
        assert all(len(home) == 1 for home in homes)
        assert len({next(iter(home)) for home in homes}) > 1
        # Another client agrees.
        assert [who(two, 3, metadata=[("session", str(key))]) for key in range(12)] == homes
        assert sum(who(one, 5).values()) == 5


@pytest.mark.parametrize("policy", ["least_request_experimental", "weighted_round_robin"])
def test_all_are_used(policy: str) -> None:
    with (
        Servers(3) as servers,
        clarion.insecure_channel(servers.target, options=options(policy)) as channel,
    ):
        method = channel.unary_unary(METHOD)
        assert settles(lambda: set(who(method)) == {0, 1, 2})


def test_outlier_detection() -> None:
    config = {
        "interval": "0.1s",
        "baseEjectionTime": "60s",
        "failurePercentageEjection": {"minimumHosts": 2, "requestVolume": 5, "threshold": 50},
        "childPolicy": [{"round_robin": {}}],
    }
    policy = "outlier_detection_experimental"
    with (
        Servers(3) as servers,
        clarion.insecure_channel(servers.target, options=options(policy, config)) as channel,
    ):
        method = channel.unary_unary(METHOD)
        assert settles(lambda: set(who(method, 6)) == {0, 1, 2})
        servers.failing.add(1)
        assert settles(lambda: set(who(method)) == {0, 2})


def test_outlier_detection_of_an_asyncio_channel() -> None:
    config = {
        "interval": "0.1s",
        "baseEjectionTime": "60s",
        "failurePercentageEjection": {"minimumHosts": 2, "requestVolume": 5, "threshold": 50},
        "childPolicy": [{"least_request_experimental": {}}],
    }

    async def run() -> None:
        with Servers(2) as servers:
            servers.failing.add(1)
            policy = options("outlier_detection_experimental", config)
            async with aio.insecure_channel(servers.target, options=policy) as channel:
                method = channel.unary_unary(METHOD)
                good = 0
                for _ in range(3000):
                    try:
                        await method(b"", timeout=20, wait_for_ready=True)
                    except aio.AioRpcError:
                        good = 0
                    else:
                        good += 1
                    if good == 60:
                        return
                raise AssertionError("calls go to the sick server all the time")

    asyncio.run(run())
