"""What `clarion.web` costs the gRPC of a server that has it on, and what calls of the web cost beside it.

Each figure is a ratio within Clarion. gRPC's is of a server with the option against one without. The others are of calls in
another protocol against gRPC on the same server; over HTTP/1.1 with as many connections as there are calls at a time.
"""

from __future__ import annotations

import importlib.util
from functools import partial

from bench.harness import h2load
from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server
from bench.scenarios.base import Context, Figures, Scenario, in_turns, probe

__all__ = ["SCENARIO"]

METRICS = ("web-off", "web-grpc-web", "web-connect", "web-connect-json", "web-http1")


def applies(implementation: Implementation) -> bool:
    return implementation.library == "clarion"


def measure(implementation: Implementation, context: Context) -> Figures:
    if importlib.util.find_spec("h11") is None:
        raise Invalid("h11 is not installed")
    with Server(implementation.server) as plain, Server((*implementation.server, "--web")) as web:
        for server in (plain, web):
            probe(server)
        several = {
            "off": partial(_load, plain, h2load.GRPC),
            "on": partial(_load, web, h2load.GRPC),
        }
        grpc = in_turns(several, 2 * context.seconds)
        protocols = {
            "grpc": partial(_load, web, h2load.GRPC),
            "web-grpc-web": partial(_load, web, h2load.GRPC_WEB),
            "web-connect": partial(_load, web, h2load.CONNECT),
            "web-connect-json": partial(_load, web, h2load.CONNECT_JSON),
            "web-http1": partial(_load_http1, web),
        }
        rates = in_turns(protocols, context.seconds)
    against = rates.pop("grpc")
    return {
        "web-off": grpc["on"] / grpc["off"],
        **{name: rate / against for name, rate in rates.items()},
    }


def _load(server: Server, requests: h2load.Requests, seconds: float) -> float:
    return h2load.load(server.port, 4, 32, seconds, requests=requests).per_second


def _load_http1(server: Server, seconds: float) -> float:
    requests = h2load.CONNECT
    return h2load.load(server.port, 128, 1, seconds, requests=requests, http1=True).per_second


SCENARIO = Scenario("web", METRICS, applies, measure)
