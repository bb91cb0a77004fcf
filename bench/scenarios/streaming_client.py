"""Messages a second that a client exchanges with one neutral server."""

from __future__ import annotations

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, client_rates, has_client
from bench.scenarios.streaming_server import WORKS

__all__ = ["SCENARIO"]


def measure(implementation: Implementation, context: Context) -> Figures:
    if context.neutral_server is None:
        raise Invalid("there is no neutral server on this machine")
    with Server(context.neutral_server.server) as server:
        rates = client_rates(implementation.client, server, WORKS, context.seconds)
    return {f"client-{work}": rate for work, rate in rates.items()}


SCENARIO = Scenario(
    "streaming-client", tuple(f"client-{work}" for work in WORKS), has_client, measure, neutral=True
)
