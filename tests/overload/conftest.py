"""Overload: more calls than a server can serve, and clients that hold on to connections.

`CLARION_OVERLOAD=full` is the full form, `make overload`: 1,000 connections for each attack, minutes in all. The short form
is part of the tests. Servers are processes of their own, of which the memory is measured.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.attackers import Memory
from support.loops import LoopThread
from support.processes import LineProcess

FULL = os.environ.get("CLARION_OVERLOAD") == "full"
LIMIT = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    # All items of the session come here.
    for item in (each for each in items if each.path.is_relative_to(here)):
        item.add_marker(pytest.mark.timeout(180))
        if not Memory.available:
            item.add_marker(pytest.mark.skip(reason="memory is measured by Linux's /proc"))


@dataclass
class Target:
    """A server process under attack."""

    process: LineProcess
    port: int
    memory: Memory
    idle: int = field(init=False)

    def __post_init__(self) -> None:
        self.idle = self.memory.resident

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def grown(self) -> int:
        """Bytes more than at first."""
        return self.memory.peak - self.idle


Start = Callable[..., Target]


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start(front: str) -> Iterator[Start]:
    """Starts a server with further arguments of `support.verified_server`, and channel arguments."""
    started: list[LineProcess] = []

    def start(*arguments: str, **options: int) -> Target:
        given = [f"--option={name.replace('__', '.')}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "support.verified_server", front, "--grace=0.5"]
        process = LineProcess([*command, *arguments, *given])
        started.append(process)
        port = process.receive(LIMIT)["port"]
        return Target(process, port, Memory(process.pid))

    try:
        yield start
        for process in started:
            process.terminate()
            assert process.receive() == {"faults": []}
    finally:
        codes = [process.close() for process in started]
    assert codes == [0] * len(started)


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with contextlib.closing(LoopThread()) as loop:
        yield loop


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a figure, in the full form."""

    def say(words: str) -> None:
        if FULL:
            with capsys.disabled():
                print(f"\n  {words}", end="")

    return say
