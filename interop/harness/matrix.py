"""Runs the cells of one peer: a server for each combination, a client for each cell."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interop.harness.cells import Cell, Direction, Key, Sizes, flags_of, keys
from interop.harness.peers import Peer, Python
from interop.harness.processes import Finished, ServerFailed, free_port, run_client, server
from interop.harness.reasons import reason
from interop.program.authority import ACCOUNT, SCOPE, Authority
from interop.program.flags import CERTIFICATES

__all__ = ["Settings", "run_peer"]

_ATTEMPTS = 3


@dataclass(frozen=True)
class Settings:
    """How much is run.

    Attributes:
        cases: names of cases.
        jobs: clients at the same time.
        seconds: how long a client may take.
        sizes: how many calls the cases make that make many.
    """

    cases: list[str]
    jobs: int
    seconds: float
    sizes: Sizes


@contextmanager
def _authority() -> Iterator[tuple[Authority, dict[str, str]]]:
    authority = Authority(CERTIFICATES / "service-account.key")
    with tempfile.TemporaryDirectory() as folder:
        key_file = Path(folder) / "account.json"
        authority.write_key_file(key_file)
        flags = {
            "service_account_key_file": str(key_file),
            "default_service_account": ACCOUNT,
            "oauth_scope": SCOPE,
        }
        try:
            yield authority, flags
        finally:
            authority.close()


@contextmanager
def _served(peer: Peer, *, tls: bool) -> Iterator[int]:
    """A server on a free port; another port if somebody else took it meanwhile."""
    for attempt in range(_ATTEMPTS):
        port = free_port()
        running = server(peer.server(port, tls=tls), peer.environment(), port)
        try:
            running.__enter__()
        except ServerFailed:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    try:
        yield port
    finally:
        running.__exit__(None, None, None)


def run_peer(
    peer: Peer, settings: Settings, report: Callable[[Cell], None], only: str = ""
) -> list[Cell]:
    """Run every cell of a peer that is ready. `only` limits Clarion's front ends."""
    groups: dict[tuple[Direction, str, bool], list[Key]] = {}
    for key in keys(peer, settings.cases):
        if not only or key.front_end == only:
            groups.setdefault((key.direction, key.front_end, key.tls), []).append(key)
    cells = []
    with _authority() as (authority, account):
        world = {
            "GCE_METADATA_HOST": authority.host,
            "GOOGLE_APPLICATION_CREDENTIALS": account["service_account_key_file"],
        }
        for (direction, front_end, tls), group in groups.items():
            ours = Python("clarion", front_end)
            serving, calling = (peer, ours) if direction is Direction.CLIENT else (ours, peer)
            try:
                with _served(serving, tls=tls) as port, ThreadPoolExecutor(settings.jobs) as pool:
                    one = functools.partial(_run, calling, port, account, world, settings, report)
                    found = list(pool.map(one, group))
            except ServerFailed as error:
                words = f"the server did not start: {error}"
                found = [Cell(key, Finished(1, words, 0.0)) for key in group]
                report(found[0])
            cells += [cell.explained(None if cell.passed else reason(cell.key)) for cell in found]
    return cells


def _run(
    calling: Peer,
    port: int,
    account: dict[str, str],
    world: dict[str, str],
    settings: Settings,
    report: Callable[[Cell], None],
    key: Key,
) -> Cell:
    """Run the client of one cell."""
    flags = flags_of(key, port, account, settings.sizes, official=calling.official)
    environment = {**calling.environment(), **world}
    cell = Cell(key, run_client(calling.client(flags), environment, settings.seconds))
    report(cell)
    return cell
