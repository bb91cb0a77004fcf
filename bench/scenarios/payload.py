"""Large unary messages echoed between a server and a client of the same library, limits raised.

The figure is the payload's size times echoes a second, in units of 10**6 bytes: each byte travels
both ways but is counted once.
"""

from __future__ import annotations

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, client_rates, has_client

__all__ = ["SCENARIO"]

SIZES = {"payload-1": 1 << 20, "payload-64": 64 << 20}


def measure(implementation: Implementation, context: Context) -> Figures:
    with Server(implementation.server) as server:
        rates = client_rates(implementation.client, server, tuple(SIZES), context.seconds)
    return {
        work: rate if isinstance(rate, Invalid) else rate * SIZES[work] / 1e6
        for work, rate in rates.items()
    }


SCENARIO = Scenario("payload", tuple(SIZES), has_client, measure)
