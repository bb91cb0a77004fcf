"""Messages a second that a server streams, to one neutral client."""

from __future__ import annotations

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, client_rates, serves

__all__ = ["SCENARIO", "WORKS"]

WORKS = ("down", "pingpong-1", "pingpong-8", "window")


def measure(implementation: Implementation, context: Context) -> Figures:
    if context.neutral_client is None:
        raise Invalid("there is no neutral client on this machine")
    with Server(implementation.server) as server:
        client = context.neutral_client.client
        rates = client_rates(client, server, WORKS, context.seconds)
    return {f"server-{work}": rate for work, rate in rates.items()}


SCENARIO = Scenario(
    "streaming-server", tuple(f"server-{work}" for work in WORKS), serves, measure, neutral=True
)
