"""Servers that come, go, and come back while a channel to them exists."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from support.libraries import LIMIT
from support.peers import Pair, ServerProgram, script
from support.processes import free_port

QUICK = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]


@pytest.fixture
def start(pair: Pair) -> Iterator[Callable[[int], ServerProgram]]:
    """Starts another server program of the pair's kind on a given port."""
    started: list[ServerProgram] = []

    def start(port: int) -> ServerProgram:
        started.append(ServerProgram(pair.server_kind, port))
        return started[-1]

    yield start
    for program in started:
        program.close()


def test_nobody_listens(pair: Pair) -> None:
    port = free_port()
    client = pair.connect(f"127.0.0.1:{port}")
    outcome = pair.call("unary_unary", [b"x"], client=client)
    assert outcome.code == "UNAVAILABLE"
    assert str(port) in outcome.details


def test_a_server_comes_goes_and_comes_back(
    pair: Pair, start: Callable[[int], ServerProgram]
) -> None:
    port = free_port()
    client = pair.connect(f"127.0.0.1:{port}", options=QUICK)
    waiting = pair.open("unary_unary", [b"early"], client=client, wait_for_ready=True)
    first = start(port)
    assert waiting.finish().responses == [b"early"]

    hanging = pair.open("stream_stream", None, client=client)
    hanging.write(b"in flight")
    assert hanging.read() == b"in flight"
    first.process.kill()
    assert hanging.finish().code == "UNAVAILABLE"

    start(port)
    outcome = pair.call("unary_unary", [b"again"], client=client, wait_for_ready=True)
    assert (outcome.code, outcome.responses) == ("OK", [b"again"])


def test_a_graceful_stop_lets_a_call_finish(
    pair: Pair, start: Callable[[int], ServerProgram]
) -> None:
    port = free_port()
    server = start(port)
    client = pair.connect(f"127.0.0.1:{port}", options=QUICK)
    key = pair.key()
    held = pair.open("unary_unary", [b"x"], script(hold=key), client=client)
    pair.recorded(f"{key}:started", client)
    server.process.send("stop 15")
    assert server.process.receive() == {"stopping": True}
    # The program says that it is about to stop: calls may pass until it has. A call that meets grpcio's
    # stop half-way is left unanswered until the grace is over, or cancelled.
    # And where all are busy, an answer may take longer than the call's second.
    racing = {"OK", "DEADLINE_EXCEEDED"}
    if pair.server_kind.startswith("grpc"):
        racing.add("CANCELLED")
    give_up = time.monotonic() + LIMIT
    while True:
        late = pair.call("unary_unary", [b"x"], client=client, timeout=1)
        if late.code not in racing:
            break
        assert time.monotonic() < give_up, "the server takes calls after its stop"
    assert late.code == "UNAVAILABLE", late
    server.process.send(f"release {key}")
    assert held.finish().responses == [b"x"]
    assert server.process.receive() == {"stopped": True}


def test_a_stop_without_patience_ends_calls(
    pair: Pair, start: Callable[[int], ServerProgram]
) -> None:
    port = free_port()
    server = start(port)
    client = pair.connect(f"127.0.0.1:{port}", options=QUICK)
    key = pair.key()
    hanging = pair.open("unary_unary", [b"x"], script(hang=key), client=client)
    pair.recorded(f"{key}:started", client)
    server.process.send("stop 0")
    assert server.process.receive() == {"stopping": True}
    # grpcio may also close the connection in the middle, which grpc-js calls INTERNAL.
    abrupt = {"INTERNAL"} if pair.server_kind.startswith("grpc") else set()
    assert hanging.finish().code in {"UNAVAILABLE", "CANCELLED", *abrupt}
    assert server.process.receive() == {"stopped": True}
