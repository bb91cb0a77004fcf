"""Servers that are killed, or asked to go, while clients of both front ends call them with every pattern.

Killed (SIGKILL) and started again: calls in progress end with UNAVAILABLE, those that wait for ready go to the new server,
and no handler, of the old server or of the new, sees a call twice.

Asked to go (SIGTERM, which these servers answer with `stop(grace)`): calls in flight finish; new ones go to the server that
is there already, on the same port or on another of the target's, or wait for one. None fails: OK and, where the client
cancelled, CANCELLED are the only right ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clarion
from clarion.testing import ChaosProxy
from support.loops import LoopThread
from support.processes import LineProcess, free_port
from support.verified import PATTERNS, Witness
from support.verified_calls import Ledger, Planner
from support.verified_load import AioLoad, SyncLoad, loads_end

LIMIT = 40.0
SAME, OTHER = "the same port", "another port"
# In the short form processes, which take long to start, are started for each case once.
LONG = float(os.environ.get("CLARION_CHAOS_SECONDS", "0")) >= 10
OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
]


class Servers:
    """Server processes of one front end, and the journal in which they note the calls that begin."""

    def __init__(self, front: str, folder: Path) -> None:
        self._command = [sys.executable, "-m", "support.verified_server", front]
        self._journal = str(folder / "journal")
        self.running: list[tuple[LineProcess, int]] = []

    def start(self, port: int = 0) -> int:
        """Start one more; return its port when it serves."""
        process = LineProcess([*self._command, "--port", str(port), "--journal", self._journal])
        self.running.append((process, 0))
        # It competes with the callers for the processor.
        port = process.receive(2 * LIMIT)["port"]
        self.running[-1] = (process, port)
        return port

    def kill(self) -> None:
        """SIGKILL to the oldest."""
        process, _ = self.running.pop(0)
        process.kill()
        process.close()

    def terminate(self) -> None:
        """SIGTERM to the oldest; wait until it has gone, in good order."""
        process, _ = self.running.pop(0)
        process.terminate()
        self._see_out(process)

    def _see_out(self, process: LineProcess) -> None:
        try:
            assert process.receive(LIMIT) == {"faults": []}
            assert process.stderr() == ""
        finally:
            code = process.close()
        assert code == 0

    def close(self) -> None:
        while self.running:
            process, _ = self.running.pop(0)
            process.terminate()
            self._see_out(process)

    def begun(self) -> Counter[int]:
        """How often each call began, on all servers together."""
        return Witness.read_journal(self._journal)


@pytest.fixture
def servers(front: str, tmp_path: Path) -> Iterator[Servers]:
    with contextlib.closing(Servers(front, tmp_path)) as servers:
        yield servers


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with contextlib.closing(LoopThread()) as loop, loads_end():
        yield loop


def loads(
    target: str, loop: LoopThread, ledger: Ledger, planner: Planner
) -> list[SyncLoad | AioLoad]:
    found: list[SyncLoad | AioLoad] = []
    for seed in range(2):
        channel = clarion.insecure_channel(target, options=OPTIONS)
        found.append(SyncLoad(channel, ledger, planner, seed, 3))
        found.append(AioLoad(loop, target, OPTIONS, None, ledger, planner, seed, 6))
    return found


def run(
    seconds: float, callers: list[SyncLoad | AioLoad], ledger: Ledger, act: Callable[[], None]
) -> int:
    """`act` again and again, each time after some calls more; return how often."""
    end = time.monotonic() + seconds
    acts = 0
    while time.monotonic() < end or not acts:
        for _ in range(50):
            assert ledger.progress.acquire(timeout=LIMIT), "no call comes to an end"
        act()
        acts += 1
    hanging = [each for each in callers if not each.stop(LIMIT)]
    assert hanging == [], "a call hangs"
    return acts


def verify(callers: list[SyncLoad | AioLoad], ledger: Ledger, servers: Servers) -> None:
    for each in callers:
        for pattern in PATTERNS:
            assert each.call(Planner.patient(pattern, LIMIT)) == "OK", ledger.wrong
        each.close()
    assert ledger.wrong == []
    assert ledger.callbacks_missing() == ""
    assert ledger.patterns.keys() == set(PATTERNS)
    begun = servers.begun()
    assert [call for call, count in begun.items() if count > 1] == []
    assert ledger.fine - begun.keys() == set()


@pytest.mark.parametrize("front", ["sync", "aio"] if LONG else ["sync"])
def test_a_server_that_is_killed_and_started_again(
    seconds: float, servers: Servers, loop: LoopThread, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger()
    planner = Planner(timeouts=(0.5, 2.0, 10.0))
    with ChaosProxy(servers.start()) as proxy:
        callers = loads(proxy.target, loop, ledger, planner)

        def kill() -> None:
            servers.kill()
            proxy.set_server(servers.start())

        acts = run(seconds / 3, callers, ledger, kill)
        verify(callers, ledger, servers)
    if LONG:
        with capsys.disabled():
            print(f"\n  SIGKILL {acts} times: {ledger.total} calls {dict(ledger.codes)}")


@pytest.mark.parametrize(
    ("front", "elsewhere"),
    [("aio", SAME), ("sync", OTHER), *([("aio", OTHER), ("sync", SAME)] if LONG else [])],
)
def test_servers_that_are_asked_to_go(
    seconds: float,
    servers: Servers,
    loop: LoopThread,
    elsewhere: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A call that waits for ready may be lost by no restart at all.
    ledger = Ledger(unavailable=False)
    planner = Planner(timeouts=(LIMIT,), waits=1.0)
    # Nobody else may have the ports while nobody listens there.
    ports = [servers.start(free_port())]
    if elsewhere == OTHER:
        ports.append(servers.start(free_port()))
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    callers = loads(target, loop, ledger, planner)

    def replace() -> None:
        if elsewhere == SAME:
            servers.start(ports[0])
            servers.terminate()
        else:
            gone = servers.running[0][1]
            servers.terminate()
            servers.start(gone)

    acts = run(seconds / 3, callers, ledger, replace)
    verify(callers, ledger, servers)
    if LONG:
        with capsys.disabled():
            print(
                f"\n  SIGTERM {acts} times, {elsewhere}: {ledger.total} calls {dict(ledger.codes)}"
            )


@pytest.mark.parametrize("front", ["sync", "aio"] if LONG else ["aio"])
def test_a_server_that_comes_back_later(servers: Servers, loop: LoopThread) -> None:
    """New calls wait, where there is nobody else."""
    ledger = Ledger(unavailable=False)
    with ChaosProxy(servers.start()) as proxy:
        callers = loads(proxy.target, loop, ledger, Planner(timeouts=(LIMIT,), waits=1.0))
        for _ in range(50):
            assert ledger.progress.acquire(timeout=LIMIT)
        # Nobody answers any more; who holds a connection to the server may finish.
        proxy.refuse()
        servers.terminate()
        proxy.set_server(servers.start())
        proxy.accept()
        run(0, callers, ledger, lambda: None)
        verify(callers, ledger, servers)
