"""Unary calls of a client, one after another and many at a time, against one neutral server."""

from __future__ import annotations

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, client_rates, has_client

__all__ = ["SCENARIO"]

WORKS = ("unary-sequential", "unary-concurrent")


def measure(implementation: Implementation, context: Context) -> Figures:
    if context.neutral_server is None:
        raise Invalid("there is no neutral server on this machine")
    with Server(context.neutral_server.server) as server:
        rates = client_rates(implementation.client, server, WORKS, context.seconds)
    sequential = rates["unary-sequential"]
    return {
        "client-sequential": sequential if isinstance(sequential, Invalid) else 1e6 / sequential,
        "client-concurrent": rates["unary-concurrent"],
    }


SCENARIO = Scenario(
    "unary-client", ("client-sequential", "client-concurrent"), has_client, measure, neutral=True
)
