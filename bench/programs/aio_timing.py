"""Repeats a coroutine step until the time is up; shared by the asyncio clients under test."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.programs.shared import print_results, step_of

__all__ = ["AioStep", "arguments", "complete", "run_works"]

TASKS = 64

AioStep = Callable[[], Awaitable[int]]


def complete(got: int, expected: int) -> int:
    """Return `got`, or fail the whole run: a partial answer is no measurement."""
    if got != expected:
        raise RuntimeError(f"{got} came back where {expected} were expected")
    return got


async def timed(step: AioStep, tasks: int, warm: int, seconds: float) -> tuple[int, float]:
    """Repeat `step` in `tasks` tasks for `seconds`; the operations done and the exact time."""
    for _ in range(warm):
        await step()
    start = time.perf_counter()
    end = start + seconds

    async def work() -> int:
        done = 0
        while True:
            done += await step()
            if time.perf_counter() >= end:
                return done

    if tasks == 1:
        total = await work()
    else:
        total = sum(await asyncio.gather(*(work() for _ in range(tasks))))
    return total, time.perf_counter() - start


async def run_works(work: Any, works: str, seconds: float) -> None:
    """Do each named piece of work in turn and print the result line."""
    results = {}
    for name in works.split(","):
        step, tasks, warm = step_of(work, name, TASKS)
        results[name] = await timed(step, tasks, warm, seconds)
    print_results(results)


def arguments() -> argparse.ArgumentParser:
    """The options that every asyncio client has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    parser.add_argument("--target", required=True)
    parser.add_argument("--works", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    return parser
