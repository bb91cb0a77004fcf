"""Messages a second that a server streams, to one neutral client."""

from __future__ import annotations

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, answers, client_rates

__all__ = ["SCENARIO", "WORKS"]

WORKS = ("down", "pingpong-1", "pingpong-8", "window")
# What bounds these is how quickly a process is woken; the others, how much it does.
WAKING = ("pingpong-1", "pingpong-8")


def measure(implementation: Implementation, context: Context) -> Figures:
    if context.neutral_client is None:
        raise Invalid("there is no neutral client on this machine")
    with Server(implementation.server) as server:
        client = context.neutral_client.client
        works = WAKING if implementation.library == "floor" else WORKS
        rates = client_rates(client, server, works, context.seconds)
    return {f"server-{work}": rate for work, rate in rates.items()}


SCENARIO = Scenario(
    "streaming-server", tuple(f"server-{work}" for work in WORKS), answers, measure, neutral=True
)
