"""Unary throughput of a server with TLS under h2load, and the CPU time each RPC cost it."""

from __future__ import annotations

import dataclasses

from bench.harness import h2load
from bench.harness.implementations import Implementation
from bench.harness.processes import Server
from bench.scenarios.base import Context, Figures, Scenario

__all__ = ["SCENARIO"]

WARM_SECONDS = 0.7


def applies(implementation: Implementation) -> bool:
    """Those whose server is `programs/python_server.py`."""
    return implementation.library in ("grpcio", "clarion")


def measure(implementation: Implementation, context: Context) -> Figures:
    secure = dataclasses.replace(implementation, server=(*implementation.server, "--tls"))
    with Server(secure.server) as server:
        h2load.load(server.port, 4, 32, WARM_SECONDS, scheme="https")
        before = server.cpu_seconds()
        report = h2load.load(server.port, 4, 32, context.seconds, scheme="https")
        cpu = server.cpu_seconds() - before
    return {"tls-4x32": report.per_second, "tls-cpu": cpu / report.succeeded * 1e6}


SCENARIO = Scenario("unary-tls", ("tls-4x32", "tls-cpu"), applies, measure)
