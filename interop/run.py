"""Runs the interop matrix and writes it to docs/interop.md; `--help` lists the options.

python interop/run.py --peers go,grpcio --cases large_unary,orca_oob --quick
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from interop.cases import CASES
from interop.harness.cells import Cell, Sizes
from interop.harness.document import document
from interop.harness.matrix import Settings, run_peer
from interop.harness.peers import PEERS, Peer
from interop.harness.reasons import reason
from interop.harness.toolchains import INTEROP, Missing

__all__ = ["main"]

DOCUMENT = INTEROP.parent / "docs" / "interop.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(peer.name for peer in PEERS)
    parser.add_argument("--peers", default="", help=f"beginnings of names, of {names}")
    parser.add_argument("--cases", default="", help=f"of {', '.join(CASES)}")
    parser.add_argument("--front_end", default="", help="sync or aio: Clarion's alone")
    parser.add_argument(
        "--quick", action="store_true", help="fewer calls in the cases that make many"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="clients at once")
    parser.add_argument("--seconds", type=float, default=240, help="how long a client may take")
    parser.add_argument(
        "--output", type=Path, help="the file to write; docs/interop.md for a full run"
    )
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _settings(flags: argparse.Namespace) -> Settings:
    cases = _words(flags.cases) or list(CASES)
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        raise SystemExit(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    sizes = Sizes(5, 100) if flags.quick else Sizes(25, 1000)
    return Settings(cases, max(flags.jobs, 1), flags.seconds, sizes)


def _report(cell: Cell) -> None:
    """One line on standard error for what did not pass."""
    key, finished = cell.key, cell.finished
    if cell.passed:
        if reason(key):
            print(f"passes, and has a reason on record why not: {key}", file=sys.stderr)
        return
    mark = "explained" if reason(key) else "FAILED"
    where = f"{key.peer}, {key.direction.value}, {key.front_end}, {'TLS' if key.tls else 'plain'}"
    status = "took too long" if finished.status is None else f"exit status {finished.status}"
    print(f"  {mark}: {where}: {key.case}: {status}: {finished.words}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    settings = _settings(flags)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # ends the servers too
    beginnings = _words(flags.peers)
    chosen = [p for p in PEERS if not beginnings or any(p.name.startswith(b) for b in beginnings)]
    begun = time.monotonic()
    ready: list[Peer] = []
    skipped: dict[str, str] = {}
    cells: list[Cell] = []
    for peer in chosen:
        try:
            peer.prepare()
        except Missing as why:
            print(f"{peer.title}: skipped: {why}", file=sys.stderr, flush=True)
            skipped[peer.title] = str(why)
            continue
        ready.append(peer)
        print(f"{peer.title} {peer.version}", file=sys.stderr, flush=True)
        cells += run_peer(peer, settings, _report, flags.front_end)
    failed = [cell for cell in cells if not cell.passed and cell.reason is None]
    whole = not (beginnings or flags.cases or flags.front_end)
    output = flags.output or (DOCUMENT if whole else None)
    if output is not None:
        output.write_text(document(ready, skipped, cells, settings.sizes))
    passed = sum(cell.passed for cell in cells)
    explained = len(cells) - passed - len(failed)
    minutes = (time.monotonic() - begun) / 60
    print(
        f"{passed} cells passed, {explained} have a reason why not, {len(failed)} failed,"
        f" {len(skipped)} peers skipped, in {minutes:.1f} minutes"
    )
    return 1 if failed or not cells else 0


if __name__ == "__main__":
    sys.exit(main())
