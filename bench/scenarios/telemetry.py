"""What the metrics of clarion.telemetry cost: unary calls with them and without, in the same run.

Each figure is a ratio within Clarion. A client's is of calls in a second of its CPU time; a server's is of requests in a second
under h2load, with two servers that take turns.
"""

from __future__ import annotations

import importlib.util
from functools import partial

from bench.harness import h2load
from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server, python, run_client
from bench.scenarios.base import Context, Figures, Scenario, attempt, in_turns, probe

__all__ = ["SCENARIO"]

WIDTHS = ("sequential", "concurrent")
METRICS = (*(f"telemetry-{width}" for width in WIDTHS), "telemetry-server")


def applies(implementation: Implementation) -> bool:
    return implementation.library == "clarion"


def measure(implementation: Implementation, context: Context) -> Figures:
    if importlib.util.find_spec("opentelemetry") is None:
        raise Invalid("opentelemetry-sdk is not installed")
    server = attempt(lambda: _server(implementation, context))
    if context.neutral_server is None:
        raise Invalid("there is no neutral server on this machine")
    command = python(
        "bench.programs.telemetry_client",
        f"--mode={implementation.front_end}",
        f"--loop={implementation.loop}",
    )
    works = [f"{width}-{channel}" for width in WIDTHS for channel in ("plain", "metrics")]
    with Server(context.neutral_server.server) as neutral:
        rates = run_client(command, neutral.target, works, 3 * context.seconds)
    return {
        **{
            f"telemetry-{width}": rates[f"{width}-metrics"] / rates[f"{width}-plain"]
            for width in WIDTHS
        },
        "telemetry-server": server,
    }


def _server(implementation: Implementation, context: Context) -> float:
    with (
        Server(implementation.server) as plain,
        Server((*implementation.server, "--metrics")) as metrics,
    ):
        loads = {}
        for name, server in (("plain", plain), ("metrics", metrics)):
            probe(server)
            loads[name] = partial(_load, server)
        rates = in_turns(loads, 2 * context.seconds)
    return rates["metrics"] / rates["plain"]


def _load(server: Server, seconds: float) -> float:
    return h2load.load(server.port, 4, 32, seconds).per_second


SCENARIO = Scenario("telemetry", METRICS, applies, measure, neutral=True)
