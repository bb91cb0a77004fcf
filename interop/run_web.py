"""Runs the matrix of the web and writes it to docs/interop-web.md; `--help` lists the options.

python interop/run_web.py --peers connect-node,buf --cases large_unary --protocol connect
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

from interop.harness.cells import FRONT_ENDS
from interop.harness.processes import free_port, server
from interop.harness.toolchains import INTEROP, Missing, descriptor_set
from interop.web.alike import REQUESTS, Difference, compare
from interop.web.cells import CASES, PROTOCOLS, Cell
from interop.web.document import Comparison, document
from interop.web.envoy import envoy_in_front, find_envoy
from interop.web.matrix import Settings, run_peer
from interop.web.peers import PEERS, Clarion, WebPeer
from interop.web.reasons import reason

__all__ = ["main"]

DOCUMENT = INTEROP.parent / "docs" / "interop-web.md"
_ALIKE = "alike"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(peer.name for peer in PEERS)
    parser.add_argument(
        "--peers",
        default="",
        help=f"beginnings of names, of {names}, and {_ALIKE}, which compares answers through Envoy",
    )
    parser.add_argument("--cases", default="", help=f"of {', '.join(CASES)}")
    parser.add_argument("--front_end", default="", choices=("", *FRONT_ENDS), help="Clarion's")
    parser.add_argument("--protocol", default="", choices=("", *PROTOCOLS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="clients at once")
    parser.add_argument("--seconds", type=float, default=300, help="how long a client may take")
    parser.add_argument(
        "--output", type=Path, help="the file to write; docs/interop-web.md for a full run"
    )
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _settings(flags: argparse.Namespace) -> Settings:
    cases = _words(flags.cases) or list(CASES)
    unknown = [case for case in cases if case not in CASES]
    if unknown:
        raise SystemExit(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    return Settings(cases, max(flags.jobs, 1), flags.seconds, flags.front_end, flags.protocol)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _report(cell: Cell) -> None:
    """One line on standard error for what did not pass."""
    key = cell.key
    if cell.passed:
        if reason(key):
            _say(f"passes, and has a reason on record why not: {key}")
        return
    if reason(key):
        return
    where = f"{key.peer}, {key.direction.value}, {key.front_end}, {'TLS' if key.tls else 'plain'}"
    _say(f"  FAILED: {where}, {key.wire}: {key.case}: {cell.words}")


def _comparison() -> Comparison:
    """All requests of `alike`, of both front ends, over both versions of HTTP."""
    try:
        envoy = find_envoy()
    except Missing as why:
        _say(f"answers through Envoy: skipped: {why}")
        return Comparison(0, [], str(why))
    found: list[Difference] = []
    made = 0
    for front_end in FRONT_ENDS:
        ours, port = Clarion(front_end), free_port()
        with (
            server(ours.server(port, tls=False), ours.environment(), port),
            envoy_in_front(envoy, port) as through,
        ):
            for version in ("1.1", "2"):
                found += compare(through, port, version)
                made += len(REQUESTS)
    for each in found:
        _say(f"  FAILED: through Envoy: {each.name}: {each.what}: {each.through_envoy!r}"[:400])
        _say(f"    directly: {each.directly!r}"[:400])
    _say(f"answers through Envoy: {made} requests, {len(found)} differences")
    return Comparison(made, found)


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    settings = _settings(flags)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))  # ends the servers too
    beginnings = _words(flags.peers)
    chosen = [p for p in PEERS if not beginnings or any(p.name.startswith(b) for b in beginnings)]
    begun = time.monotonic()
    descriptor_set()
    ready: list[WebPeer] = []
    skipped: dict[str, str] = {}
    cells: list[Cell] = []
    for peer in chosen:
        try:
            peer.prepare()
        except Missing as why:
            _say(f"{peer.title}: skipped: {why}")
            skipped[peer.title] = str(why)
            continue
        ready.append(peer)
        _say(f"{peer.title} {peer.version}")
        cells += run_peer(peer, settings, _report)
    comparison = Comparison(0, [], "left out of this run")
    if not beginnings or _ALIKE in beginnings:
        comparison = _comparison()
    failed = [cell for cell in cells if not cell.passed and cell.reason is None]
    whole = not (beginnings or flags.cases or flags.front_end or flags.protocol)
    output = flags.output or (DOCUMENT if whole else None)
    if output is not None:
        output.write_text(document(ready, skipped, cells, comparison))
    passed = sum(cell.passed for cell in cells)
    explained = len(cells) - passed - len(failed)
    minutes = (time.monotonic() - begun) / 60
    print(
        f"{passed} cells passed, {explained} have a reason why not, {len(failed)} failed,"
        f" {len(skipped)} peers skipped, in {minutes:.1f} minutes"
    )
    return 1 if failed or comparison.differences or not (cells or comparison.requests) else 0


if __name__ == "__main__":
    sys.exit(main())
