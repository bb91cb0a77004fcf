"""The list of cases, and what they assert with."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from interop.program.messages import methods
from interop.program.session import Failure, Outcome, Session

__all__ = [
    "CASES",
    "LARGE_REQUEST",
    "LARGE_RESPONSE",
    "TEST",
    "WEB_CASES",
    "Case",
    "case",
    "check",
    "ended",
]

LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
TEST = methods["grpc.testing.TestService"]

Run = Callable[[Session, argparse.Namespace], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """A case, and whether it is only for encrypted connections."""

    name: str
    run: Run
    secure: bool = False


CASES: dict[str, Case] = {}
"""By name, in the order of the descriptions."""
WEB_CASES: dict[str, Case] = {}
"""What is a case for the web alone."""


def case(*, secure: bool = False, web: bool = False) -> Callable[[Run], Run]:
    """Enter a function into `CASES`, or `WEB_CASES`, under its own name."""

    def enter(run: Run) -> Run:
        name = run.__name__
        (WEB_CASES if web else CASES)[name] = Case(name, run, secure)
        return run

    return enter


def check(what: str, found: Any, wanted: Any) -> None:
    """Assert that two values are equal."""
    if found != wanted:
        raise Failure(f"{what}: {_short(found)}, expected {_short(wanted)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"


def ended(outcome: Outcome, code: str = "OK") -> None:
    """Assert how a call ended."""
    if outcome.code != code:
        raise Failure(f"the call ended with {outcome.code} ({outcome.details}), expected {code}")
