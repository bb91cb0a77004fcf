"""Service configs, retries, hedges and load balancing with real servers: attempts are counted where they arrive."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.handlers import Handler, ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES

PATTERNS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


class Failing:
    """A handler that fails so often before it answers, in the way of its pattern.

    Attributes:
        attempts: what each attempt said of those before it.
        requests: what each attempt sent.
    """

    def __init__(self, pattern: str, times: int, code: str = "UNAVAILABLE") -> None:
        self._pattern = pattern
        self._times = times
        self._code = code
        self.attempts: list[str | None] = []
        self.requests: list[Any] = []

    async def __call__(self, call: ServerCall) -> Any:
        self.attempts.append(dict(call.metadata).get("grpc-previous-rpc-attempts"))
        if self._pattern.startswith("stream"):
            received = []
            while (message := await call.read()) is not None:
                received.append(message)
            self.requests.append(received)
        if len(self.attempts) <= self._times:
            await call.abort(self._code, f"attempt {len(self.attempts)}")
        if self._pattern.endswith("unary"):
            return b"done"
        await call.write(b"done")
        return None


def config(policy: dict[str, Any] | None = None, **top: Any) -> list[tuple[str, Any]]:
    retry = {
        "maxAttempts": 4,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.02s",
        "backoffMultiplier": 1.5,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    text = json.dumps(
        {"methodConfig": [{"name": [{}], "retryPolicy": {**retry, **(policy or {})}}], **top}
    )
    return [("grpc.service_config", text), ("grpc.enable_retries", 1)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_until_it_works(front: FrontEnd, pattern: str) -> None:
    handler = Failing(pattern, 2)
    rig = front.rig(client_options=config(), **{pattern: handler})
    requests = [b"1", b"2", b"3"] if pattern.startswith("stream") else [b"1"]
    outcome = rig.call(pattern, requests)
    assert (outcome.code, outcome.responses) == ("OK", [b"done"])
    assert handler.attempts == [None, "1", "2"]
    if pattern.startswith("stream"):
        assert handler.requests == [requests] * 3


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_more_often_than_that(front: FrontEnd, pattern: str) -> None:
    handler = Failing(pattern, 9)
    outcome = front.rig(client_options=config(), **{pattern: handler}).call(pattern, [b"1"])
    assert (outcome.code, outcome.details) == ("UNAVAILABLE", "attempt 4")
    assert len(handler.attempts) == 4


def test_another_status_is_final(front: FrontEnd) -> None:
    handler = Failing("unary_unary", 9, "NOT_FOUND")
    rig = front.rig(client_options=config(), unary_unary=handler)
    assert rig.call("unary_unary", [b"1"]).code == "NOT_FOUND"
    assert len(handler.attempts) == 1


def test_what_was_read_is_not_read_again(front: FrontEnd) -> None:
    """Response headers commit a call, so a stream that fails later is not tried again."""
    attempts = []

    async def handler(call: ServerCall) -> None:
        attempts.append(1)
        await call.write(b"1")
        await call.abort("UNAVAILABLE", "after the first message")

    outcome = front.rig(client_options=config(), unary_stream=handler).call("unary_stream", [b"x"])
    assert (outcome.code, outcome.responses) == ("UNAVAILABLE", [b"1"])
    assert len(attempts) == 1


def test_throttling(front: FrontEnd) -> None:
    handler = Failing("unary_unary", 99)
    rig = front.rig(
        client_options=config(retryThrottling={"maxTokens": 4, "tokenRatio": 0.1}),
        unary_unary=handler,
    )
    # The tokens go 4, 3, 2, and 2 is not more than half of them.
    assert rig.call("unary_unary", [b"1"]).details == "attempt 2"
    assert rig.call("unary_unary", [b"1"]).details == "attempt 3"


def test_the_attempts_are_in_the_error(front: FrontEnd) -> None:
    front.clarion_only("grpcio does not tell")
    handler = Failing("unary_unary", 99)
    rig = front.rig(client_options=config(), unary_unary=handler)
    error: Any = None
    client: Any = rig.client
    call = client.raw.unary_unary("/test.Service/UnaryUnary")
    try:
        if front.name == "sync":
            call(b"1", timeout=LIMIT)
        else:

            async def use() -> None:
                await call(b"1", timeout=LIMIT)

            front.loop.run(use)
    except front.library.root.RpcError as raised:
        error = raised
    assert [attempt.details for attempt in error.attempts] == [
        "attempt 1",
        "attempt 2",
        "attempt 3",
    ]
    assert "attempt 2: UNAVAILABLE at ipv4:127.0.0.1:" in error.debug_error_string()
    assert error.details() == "attempt 4"


def test_a_deadline_from_the_service_config(front: FrontEnd) -> None:
    hang = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.until_cancelled(hang.set)
        return b""

    text = json.dumps({"methodConfig": [{"name": [{}], "timeout": "0.2s"}]})
    rig = front.rig(client_options=[("grpc.service_config", text)], unary_unary=handler)
    assert rig.call("unary_unary", [b"1"], timeout=LIMIT).code == "DEADLINE_EXCEEDED"
    assert hang.wait(LIMIT)


# Several servers


class Named:
    """A handler that says which server it is, until it hangs."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.hangs = threading.Event()
        self.calls_that_hang = 0
        self.cancelled = threading.Event()

    async def __call__(self, call: ServerCall) -> bytes:
        if self.hangs.is_set():
            self.calls_that_hang += 1
            await call.until_cancelled(self.cancelled.set)
        return self.name


def several(front: FrontEnd, *handlers: Handler) -> tuple[list[Any], str]:
    servers = [front.serve({**ECHOES, "unary_unary": handler}) for handler in handlers]
    return servers, "ipv4:" + ",".join(server.target for server in servers)


def until_answered_by(front: FrontEnd, client: Any, names: set[bytes]) -> None:
    """Calls until every one of these servers has answered once: all of them are connected then."""
    seen: set[bytes] = set()
    for _ in range(1000):
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b""], wait_for_ready=True)
        assert outcome.code == "OK", outcome
        seen.add(outcome.responses[0])
        if seen == names:
            return
    raise AssertionError(f"only {seen} answered")


ROUND_ROBIN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


def test_round_robin(front: FrontEnd) -> None:
    names = {b"a", b"b", b"c"}
    _, target = several(front, *(Named(name) for name in sorted(names)))
    client = front.connect(target, options=[("grpc.service_config", ROUND_ROBIN)])
    until_answered_by(front, client, names)
    counts = Counter(
        client.call("/test.Service/UnaryUnary", "unary_unary", [b""]).responses[0]
        for _ in range(30)
    )
    assert counts == dict.fromkeys(names, 10)


def test_a_server_goes_away(front: FrontEnd) -> None:
    servers, target = several(front, Named(b"a"), Named(b"b"))
    client = front.connect(target, options=[("grpc.service_config", ROUND_ROBIN)])
    until_answered_by(front, client, {b"a", b"b"})
    servers[0].stop(None)()
    outcomes = [
        client.call("/test.Service/UnaryUnary", "unary_unary", [b""], wait_for_ready=True)
        for _ in range(10)
    ]
    # A call that was on its way when the connection closed fails; no other does.
    assert sum(outcome.code != "OK" for outcome in outcomes) <= 1
    assert outcomes[-1].responses == [b"b"]


def test_hedging(front: FrontEnd) -> None:
    """The server that does not answer hears that it is not needed."""
    front.clarion_only("hedging is an experiment there, with other commit rules")
    slow, fast = Named(b"slow"), Named(b"fast")
    _, target = several(front, slow, fast)
    text = json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [
                {
                    "name": [{}],
                    "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.01s"},
                }
            ],
        }
    )
    client = front.connect(target, options=[("grpc.service_config", text)])
    until_answered_by(front, client, {b"slow", b"fast"})
    slow.hangs.set()
    while not slow.calls_that_hang:
        outcome = client.call("/test.Service/UnaryUnary", "unary_unary", [b""], wait_for_ready=True)
        assert (outcome.code, outcome.responses) == ("OK", [b"fast"])
    assert slow.cancelled.wait(LIMIT)


HEDGED = json.dumps(
    {"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "30s"}}]}
)


def test_waiting_for_the_connection_of_a_hedged_call(aio: FrontEnd) -> None:
    """It is there before the server has said which of the attempts is the call's."""
    aio.clarion_only("hedging is an experiment there, with other commit rules")
    server = aio.serve(ECHOES)

    async def main() -> None:
        options = [("grpc.service_config", HEDGED)]
        async with aio.library.aio.insecure_channel(server.target, options=options) as channel:
            call = channel.stream_stream("/test.Service/StreamStream")(timeout=LIMIT)
            await call.wait_for_connection()
            await call.write(b"1")
            assert await call.read() == b"1"
            await call.done_writing()

    aio.loop.run(main)


def test_hedged_futures(sync: FrontEnd) -> None:
    """The connection is left to nobody's care once, not twice."""
    sync.clarion_only("hedging is an experiment there, with other commit rules")
    server = sync.serve(ECHOES)
    options = [("grpc.service_config", HEDGED)]
    with sync.library.root.insecure_channel(server.target, options) as channel:
        method = channel.unary_unary("/test.Service/UnaryUnary")
        futures = [method.future(b"1", timeout=LIMIT) for _ in range(10)]
        assert [future.result() for future in futures] == [b"1"] * 10
        assert [link._unattended for link in channel.core.links] == [0]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_hedging_of_every_pattern(front: FrontEnd, pattern: str) -> None:
    front.clarion_only("hedging is an experiment there, with other commit rules")
    handler = Failing(pattern, 2)
    policy = {
        "maxAttempts": 4,
        "hedgingDelay": "30s",
        "nonFatalStatusCodes": ["UNAVAILABLE"],
    }
    text = json.dumps({"methodConfig": [{"name": [{}], "hedgingPolicy": policy}]})
    rig = front.rig(client_options=[("grpc.service_config", text)], **{pattern: handler})
    requests = [b"1", b"2", b"3"] if pattern.startswith("stream") else [b"1"]
    outcome = rig.call(pattern, requests)
    assert (outcome.code, outcome.responses) == ("OK", [b"done"])
    assert handler.attempts == [None, "1", "2"]
    if pattern.startswith("stream"):
        assert handler.requests == [requests] * 3
