"""What round_robin over three servers, and a retry policy that nothing makes use of, cost a client.

Each figure is a ratio within one client: calls in a second of its CPU time, with one kind of channel and with another,
which take turns.
"""

from __future__ import annotations

import contextlib

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server, python, run_client
from bench.scenarios.base import Context, Figures, Scenario

__all__ = ["SCENARIO"]

SERVERS = 3
CHANNELS = ("plain", "turns", "round-robin", "retries")
WIDTHS = ("sequential", "concurrent")
COMPARED = {"round-robin": "turns", "turns": "plain", "retries": "plain"}
METRICS = tuple(f"picks-{channel}-{width}" for channel in COMPARED for width in WIDTHS)


def applies(implementation: Implementation) -> bool:
    return implementation.library in ("grpcio", "clarion")


def measure(implementation: Implementation, context: Context) -> Figures:
    if context.neutral_server is None:
        raise Invalid("there is no neutral server on this machine")
    command = python(
        "bench.programs.picks_client",
        f"--library={implementation.library}",
        f"--mode={implementation.front_end}",
        f"--loop={implementation.loop}",
    )
    works = [f"{width}-{channel}" for width in WIDTHS for channel in CHANNELS]
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(Server(context.neutral_server.server)) for _ in range(SERVERS)
        ]
        target = "ipv4:" + ",".join(server.target for server in servers)
        rates = run_client(command, target, works, 3 * context.seconds)
    return {
        f"picks-{channel}-{width}": rates[f"{width}-{channel}"] / rates[f"{width}-{other}"]
        for channel, other in COMPARED.items()
        for width in WIDTHS
    }


SCENARIO = Scenario("picks", METRICS, applies, measure, neutral=True)
