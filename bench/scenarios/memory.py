"""Resident memory that a server spends on a connection, and on a stream, that does nothing.

Each figure comes from a server of its own that has answered one call: growth from there to
CONNECTIONS more connections, or to STREAMS open bidirectional calls on a few connections, by their
number.
"""

from __future__ import annotations

import contextlib
import time

from bench.harness.h2load import REQUEST
from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.harness.raw_http2 import RawConnection
from bench.scenarios.base import Context, Figures, Scenario, attempt, probe, serves

__all__ = ["SCENARIO"]

CONNECTIONS = 500
STREAM_CONNECTIONS = 20
STREAMS = 1000
QUIET_SECONDS = 0.3
PATIENCE_SECONDS = 5.0


def steady(server: Server) -> int:
    """Resident memory once it has stopped moving by more than 1%."""
    end = time.monotonic() + PATIENCE_SECONDS
    last = server.resident_bytes()
    while time.monotonic() < end:
        time.sleep(QUIET_SECONDS)
        now = server.resident_bytes()
        if abs(now - last) * 100 <= last:
            return now
        last = now
    return last


def open_connections(port: int, count: int, stack: contextlib.ExitStack) -> list[RawConnection]:
    connections = []
    for _ in range(count):
        connection = RawConnection(port)
        stack.callback(connection.close)
        connections.append(connection)
    for connection in connections:
        connection.settle()
    return connections


def growth(before: int, after: int, count: int) -> float:
    if after <= before:
        raise Invalid("the server's memory did not grow: too little to measure")
    return (after - before) / count


def per_connection(implementation: Implementation) -> float:
    with Server(implementation.server) as server, contextlib.ExitStack() as stack:
        probe(server)
        before = steady(server)
        open_connections(server.port, CONNECTIONS, stack)
        return growth(before, steady(server), CONNECTIONS)


def per_stream(implementation: Implementation) -> float:
    with Server(implementation.server) as server, contextlib.ExitStack() as stack:
        probe(server)
        connections = open_connections(server.port, STREAM_CONNECTIONS, stack)
        before = steady(server)
        for connection in connections:
            for _ in range(STREAMS // STREAM_CONNECTIONS):
                connection.open_stream("/hello.Bench/Talk")
        for connection in connections:
            connection.settle()
        after = steady(server)
        # The streams must be alive: a server that dropped them would look thrifty. The first one
        # opened has a handler even in a thread pool.
        if connections[0].echo(1, REQUEST) != REQUEST:
            raise Invalid("an idle stream did not echo its first message")
        return growth(before, after, STREAMS)


def measure(implementation: Implementation, context: Context) -> Figures:
    return {
        "memory-connection": attempt(lambda: per_connection(implementation)),
        "memory-stream": attempt(lambda: per_stream(implementation)),
    }


SCENARIO = Scenario("memory", ("memory-connection", "memory-stream"), serves, measure)
