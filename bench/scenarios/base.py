"""What a scenario is: a name, whom it applies to, and how one implementation is measured once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.harness.h2load import REQUEST
from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, Server, run_client
from bench.harness.raw_http2 import RawConnection

__all__ = [
    "Context",
    "Figures",
    "Scenario",
    "answers",
    "attempt",
    "client_rates",
    "has_client",
    "in_turns",
    "probe",
    "serves",
]

_TURNS = 4
_WARM_SECONDS = 0.5

Figures = Mapping[str, float | Invalid]
"""Values by metric key, or why there is none."""


@dataclass(frozen=True)
class Context:
    """What is the same for all implementations of a run.

    `seconds` is how long each piece of work is measured; the neutral ends are None where nothing
    on this machine can be one.
    """

    seconds: float
    neutral_server: Implementation | None
    neutral_client: Implementation | None


@dataclass(frozen=True)
class Scenario:
    """`metrics` names the keys that `measure` returns; `neutral` says that it needs a neutral end."""

    name: str
    metrics: tuple[str, ...]
    applies: Callable[[Implementation], bool]
    measure: Callable[[Implementation, Context], Figures]
    neutral: bool = False


def serves(implementation: Implementation) -> bool:
    """Every implementation has a server; the floor is none."""
    return bool(implementation.server) and implementation.library != "floor"


def answers(implementation: Implementation) -> bool:
    """What takes requests and answers them, the floor included."""
    return bool(implementation.server)


def has_client(implementation: Implementation) -> bool:
    """Whether the implementation has a client to measure."""
    return bool(implementation.client)


def attempt(measure: Callable[[], float]) -> float | Invalid:
    """A figure, or the reason why there is none."""
    try:
        return measure()
    except Invalid as reason:
        return reason


def client_rates(
    command: Sequence[str], server: Server, works: Sequence[str], seconds: float
) -> dict[str, float | Invalid]:
    """Rates of several pieces of work by one client; should it fail, of each by its own."""

    def alone(work: str) -> float | Invalid:
        return attempt(lambda: run_client(command, server.target, [work], seconds)[work])

    try:
        return {**run_client(command, server.target, works, seconds)}
    except Invalid:
        return {work: alone(work) for work in works}


def probe(server: Server) -> None:
    """Check SayHello's answer, which also makes the server load what it loads on first use."""
    connection = RawConnection(server.port)
    try:
        reply = connection.call("/hello.Greeter/SayHello", REQUEST)
    finally:
        connection.close()
    if not reply.endswith(b"Hello, Alice!"):
        raise Invalid(f"the server answered SayHello with {reply!r}")


def in_turns(loads: Mapping[str, Callable[[float], float]], seconds: float) -> dict[str, float]:
    """The mean rate of each of several loads, which take turns for `seconds` each in all.

    Args:
        loads: makes the load for some seconds, and returns the rate.
        seconds: see above.
    """
    totals = dict.fromkeys(loads, 0.0)
    for load in loads.values():
        load(_WARM_SECONDS)
    for turn in range(_TURNS):
        # In a changing order, so that whatever else the machine does meets all alike.
        for name in list(loads)[:: 1 if turn % 2 else -1]:
            totals[name] += loads[name](seconds / _TURNS) / _TURNS
    return totals
