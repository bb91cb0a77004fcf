"""Runs the cells of one peer of the web: a server for each combination, a client for each wire."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from interop.harness.cells import Direction
from interop.harness.processes import Finished, ServerFailed, free_port, run_client, server
from interop.web.cells import Cell, Key, Wire
from interop.web.envoy import envoy_in_front
from interop.web.peers import Clarion, WebPeer
from interop.web.reasons import reason

__all__ = ["Settings", "results", "run_peer"]

_ATTEMPTS = 3
_OVERRIDE = "foo.test.google.fr"


@dataclass(frozen=True)
class Settings:
    """How much is run.

    Attributes:
        cases: names of cases.
        jobs: clients at the same time.
        seconds: how long a client may take for all of its cases.
        front_end: Clarion's, if not both.
        protocol: of calls, if not all.
    """

    cases: list[str]
    jobs: int
    seconds: float
    front_end: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class _Group:
    """Cells that one server serves."""

    direction: Direction
    front_end: str
    tls: bool
    http: str


@contextlib.contextmanager
def _served(command: Callable[[int], list[str]], environment: dict[str, str]) -> Iterator[int]:
    """A server on a free port; another port if somebody else took it meanwhile."""
    with contextlib.ExitStack() as stack:
        for attempt in range(_ATTEMPTS):
            port = free_port()
            try:
                stack.enter_context(server(command(port), environment, port))
            except ServerFailed:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        yield port


@contextlib.contextmanager
def _target(peer: WebPeer, group: _Group) -> Iterator[int]:
    """The port that clients of the group call."""
    ours = Clarion(group.front_end)
    with contextlib.ExitStack() as stack:
        if group.direction is Direction.SERVER:
            command = lambda port: ours.server(port, tls=group.tls)  # noqa: E731
            environment = ours.environment()
        else:
            command = lambda port: peer.server(port, group.http, tls=group.tls)  # noqa: E731
            environment = peer.environment()
        port = stack.enter_context(_served(command, environment))
        if peer.envoy:
            port = stack.enter_context(envoy_in_front(peer.envoy, port))
        yield port


def results(cases: list[str], finished: Finished) -> dict[str, tuple[bool, str]]:
    """What a client printed: a line for each case, `NAME: passed` or why not."""
    found: dict[str, tuple[bool, str]] = {}
    for line in finished.output.splitlines():
        name, colon, words = line.partition(": ")
        if colon and name in cases:
            found[name] = words == "passed", words
    if finished.status is None:
        missing = "took too long"
    else:
        missing = f"exit status {finished.status}: {finished.words}"
    return {case: found.get(case, (False, missing)) for case in cases}


def _flags(port: int, key: Key) -> list[str]:
    flags = ["--server_host=localhost", f"--server_port={port}"]
    flags.append(f"--use_tls={str(key.tls).lower()}")
    if key.tls:
        flags += ["--use_test_ca=true", f"--server_host_override={_OVERRIDE}"]
    return flags


def _run(
    peer: WebPeer, port: int, settings: Settings, report: Callable[[Cell], None], group: list[Key]
) -> list[Cell]:
    """Run one client for all the cases of one wire."""
    first = group[0]
    cases = [key.case for key in group]
    flags = [*_flags(port, first), f"--test_case={','.join(cases)}"]
    if first.direction is Direction.SERVER:
        command, environment = peer.client(first.wire, flags), peer.environment()
    else:
        ours = Clarion(first.front_end)
        wire = first.wire
        flags += [
            f"--protocol={wire.protocol}",
            f"--http_version={wire.http}",
            f"--codec={wire.codec}",
        ]
        flags.append(f"--half_duplex={str(peer.half_duplex).lower()}")
        command, environment = ours.client(flags), ours.environment()
    found = results(cases, run_client(command, environment, settings.seconds))
    cells = []
    for key in group:
        passed, words = found[key.case]
        cell = Cell(key, passed, words)
        report(cell)
        cells.append(cell.explained(None if passed else reason(key)))
    return cells


def run_peer(peer: WebPeer, settings: Settings, report: Callable[[Cell], None]) -> list[Cell]:
    """Run every cell of a peer that is ready."""
    groups: dict[_Group, dict[Wire, list[Key]]] = {}
    for key in peer.keys(settings.cases):
        if settings.front_end not in ("", key.front_end):
            continue
        if settings.protocol not in ("", key.wire.protocol):
            continue
        fixed = peer.one_http and key.direction is Direction.CLIENT
        group = _Group(key.direction, key.front_end, key.tls, key.wire.http if fixed else "")
        groups.setdefault(group, {}).setdefault(key.wire, []).append(key)
    cells: list[Cell] = []
    for group, ways in groups.items():
        try:
            with _target(peer, group) as port, ThreadPoolExecutor(settings.jobs) as pool:
                work = [
                    pool.submit(_run, peer, port, settings, report, way) for way in ways.values()
                ]
                for each in work:
                    cells += each.result()
        except ServerFailed as error:
            failed = [
                Cell(key, False, f"no server: {error}") for way in ways.values() for key in way
            ]
            report(failed[0])
            cells += failed
    return cells
