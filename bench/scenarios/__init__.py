"""The scenarios, in the order they run; `--only` picks by the beginning of a name."""

from __future__ import annotations

from bench.scenarios import (
    footprint,
    memory,
    payload,
    picks,
    streaming_client,
    streaming_server,
    telemetry,
    unary_client,
    unary_server,
    unary_tls,
    web,
)
from bench.scenarios.base import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (
    unary_server.SCENARIO,
    unary_tls.SCENARIO,
    unary_client.SCENARIO,
    picks.SCENARIO,
    telemetry.SCENARIO,
    web.SCENARIO,
    streaming_server.SCENARIO,
    streaming_client.SCENARIO,
    payload.SCENARIO,
    memory.SCENARIO,
    footprint.SCENARIO,
)
