"""Unary throughput of a server under h2load, and the CPU time each RPC cost it."""

from __future__ import annotations

from bench.harness import h2load
from bench.harness.implementations import Implementation
from bench.harness.processes import Server
from bench.scenarios.base import Context, Figures, Scenario, answers, attempt, probe

__all__ = ["SCENARIO"]

WARM_SECONDS = 0.7


def measure(implementation: Implementation, context: Context) -> Figures:
    with Server(implementation.server) as server:
        probe(server)
        h2load.load(server.port, 4, 32, WARM_SECONDS)
        before = server.cpu_seconds()
        wide = h2load.load(server.port, 4, 32, context.seconds)
        cpu = server.cpu_seconds() - before
        narrow = attempt(lambda: h2load.load(server.port, 1, 1, context.seconds).per_second)
    return {
        "server-4x32": wide.per_second,
        "server-1x1": narrow,
        "server-cpu": cpu / wide.succeeded * 1e6,
    }


SCENARIO = Scenario("unary-server", ("server-4x32", "server-1x1", "server-cpu"), answers, measure)
