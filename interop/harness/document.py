"""The result as a page: versions, totals, a table for each peer, and the reasons beneath it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence

from interop.cases import CASES
from interop.harness.cells import FRONT_ENDS, Cell, Direction, Key, Sizes
from interop.harness.peers import Peer

__all__ = ["document"]

_HEAD = """\
# Interoperability

<!-- Written by `make interop`; do not edit. Reasons are in interop/harness/reasons.py. -->

gRPC's [interop test cases](https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md), with Clarion
on each side and another implementation on the other. Every cell is the exit status of one run of a client against a
server, each a process of its own. How the programs work, and how to run them, is in
[testing](testing.md#interop-cases).

`+` passed; `-` did not, for the reason of that number beneath the table; `FAIL` did not, and that is a defect;
an empty cell is a case for TLS alone. Columns are Clarion's front end, in plain text and over TLS.
"""

_COLUMNS = [
    (direction, front_end, tls)
    for direction in Direction
    for front_end in FRONT_ENDS
    for tls in (False, True)
]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _versions(
    ready: Sequence[Peer], skipped: Mapping[str, str], cells: Sequence[Cell]
) -> list[str]:
    rows = []
    for peer in ready:
        own = [cell for cell in cells if cell.key.peer == peer.name]
        passed = sum(cell.passed for cell in own)
        explained = sum(not cell.passed and cell.reason is not None for cell in own)
        numbers = [passed, explained, len(own) - passed - explained]
        rows.append([peer.title, peer.version, *map(str, numbers)])
    rows += [[title, f"skipped: {why}", "", "", ""] for title, why in skipped.items()]
    return _table(["peer", "version", "passed", "with a reason", "failed"], rows)


def _section(peer: Peer, cells: Sequence[Cell]) -> list[str]:
    found: dict[Key, Cell] = {cell.key: cell for cell in cells if cell.key.peer == peer.name}
    directions = {key.direction for key in found}
    columns = [column for column in _COLUMNS if column[0] in directions]
    reasons: dict[str, int] = {}

    def mark(cell: Cell | None) -> str:
        if cell is None:
            return ""
        if cell.passed:
            return "+"
        if cell.reason is None:
            return "FAIL"
        return f"- {reasons.setdefault(cell.reason, len(reasons) + 1)}"

    heads = [
        f"{'client' if direction is Direction.CLIENT else 'server'} {front_end}{' TLS' if tls else ''}"
        for direction, front_end, tls in columns
    ]
    cases = [case for case in CASES if any(key.case == case for key in found)]
    rows = [
        [f"`{case}`", *(mark(found.get(Key(peer.name, *column, case))) for column in columns)]
        for case in cases
    ]
    lines = ["", f"## {peer.title}", "", *_table(["case", *heads], rows)]
    if reasons:
        lines += ["", *(f"{number}. {text}" for text, number in reasons.items())]
    failed = [cell for cell in found.values() if not cell.passed and cell.reason is None]
    if failed:
        lines += ["", "Failed:", ""]
        for cell in failed:
            words = cell.finished.words.replace("|", "/").replace("`", "'")
            lines.append(f"- `{cell.key.case}`, {cell.key.front_end}: `{words}`")
    return lines


def document(
    ready: Sequence[Peer], skipped: Mapping[str, str], cells: Sequence[Cell], sizes: Sizes
) -> str:
    """The page."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    calls = f"{sizes.soak_iterations} calls in a soak, {sizes.concurrent_calls} concurrent ones"
    lines = [_HEAD, f"This run: {python} on {platform.system()} {platform.machine()}; {calls}.", ""]
    lines += _versions(ready, skipped, cells)
    for peer in ready:
        lines += _section(peer, cells)
    return "\n".join(lines) + "\n"
