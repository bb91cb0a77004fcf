"""The result as a page: versions and totals, a table for each peer, the reasons, and the comparison through Envoy."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence

from interop.harness.cells import Direction
from interop.web.alike import ALLOWED, Difference
from interop.web.cells import CASES, PROTOCOLS, Cell
from interop.web.peers import WebPeer

__all__ = ["Comparison", "document"]

_HEAD = """\
# Interoperability on the web

<!-- Written by `make webinterop`; do not edit. Reasons are in interop/web/reasons.py and interop/web/alike.py. -->

Clarion's [gRPC-Web and Connect](web.md) with other implementations: libraries of the Connect project, the official
gRPC-Web client, a command line, and Envoy as a proxy. The cases are those of gRPC's
[interop test descriptions](https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md) that are not about
credentials, load reports or endurance; for the official client and Envoy those of
[gRPC-Web's own](https://github.com/grpc/grpc-web/blob/master/doc/interop-test-descriptions.md), 11 for text and 9 for
binary. How it is run is in [testing](testing.md#interop-cases).

A cell counts runs that passed, of all runs: both front ends, in plain text and over TLS, messages in protobuf and in
JSON, as far as the peer has them. `- n`: what did not pass has the reason of that number beneath; `FAIL`: it has none, and
that is a defect. An empty cell is a case that the protocol or the version of HTTP does not have. gRPC itself is among the
protocols, since it is served on the same port. Clarion's clients of JSON do not know whether a message came compressed, so
in cases of compression that is not asked there.
"""


class Comparison:
    """The comparison through Envoy: how many requests there were, and what differed, or why there was none."""

    def __init__(self, requests: int, differences: Sequence[Difference], skipped: str = "") -> None:
        self.requests = requests
        self.differences = differences
        self.skipped = skipped


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _numbers(cells: Sequence[Cell]) -> list[str]:
    passed = sum(cell.passed for cell in cells)
    explained = sum(not cell.passed and cell.reason is not None for cell in cells)
    return [str(number) for number in (passed, explained, len(cells) - passed - explained)]


def _totals(
    ready: Sequence[WebPeer], skipped: Mapping[str, str], cells: Sequence[Cell]
) -> list[str]:
    rows = []
    for peer in ready:
        for direction in Direction:
            own = [
                cell
                for cell in cells
                if cell.key.peer == peer.name and cell.key.direction is direction
            ]
            if own:
                rows.append([peer.title, peer.version, direction.value, *_numbers(own)])
    rows += [[title, f"skipped: {why}", "", "", "", ""] for title, why in skipped.items()]
    rows.append(["", "", "all", *_numbers(cells)])
    return _table(["peer", "version", "Clarion's side", "passed", "with a reason", "failed"], rows)


def _by_protocol(cells: Sequence[Cell]) -> list[str]:
    rows = []
    for direction in Direction:
        for protocol, title in PROTOCOLS.items():
            for http in ("1.1", "2"):
                own = [
                    cell
                    for cell in cells
                    if cell.key.direction is direction
                    and (cell.key.wire.protocol, cell.key.wire.http) == (protocol, http)
                ]
                if own:
                    rows.append([direction.value, f"{title}, HTTP/{http}", *_numbers(own)])
    return _table(["Clarion's side", "protocol", "passed", "with a reason", "failed"], rows)


def _mark(cells: Sequence[Cell], reasons: dict[str, int]) -> str:
    if not cells:
        return ""
    passed = sum(cell.passed for cell in cells)
    words = [f"{passed}/{len(cells)}"]
    others = [cell for cell in cells if not cell.passed]
    numbers = sorted(
        {reasons.setdefault(cell.reason, len(reasons) + 1) for cell in others if cell.reason}
    )
    words += [f"- {number}" for number in numbers]
    if any(cell.reason is None for cell in others):
        words.append("FAIL")
    return " ".join(words)


def _section(peer: WebPeer, direction: Direction, cells: Sequence[Cell]) -> list[str]:
    own = [cell for cell in cells if (cell.key.peer, cell.key.direction) == (peer.name, direction)]
    if not own:
        return []
    columns = list(dict.fromkeys(cell.key.wire.title for cell in own))
    reasons: dict[str, int] = {}
    rows = []
    for case in CASES:
        row = [cell for cell in own if cell.key.case == case]
        if row:
            marks = [
                _mark([cell for cell in row if cell.key.wire.title == column], reasons)
                for column in columns
            ]
            rows.append([f"`{case}`", *marks])
    lines = ["", f"### {direction.value}", "", *_table(["case", *columns], rows)]
    if reasons:
        lines += ["", *(f"{number}. {text}" for text, number in reasons.items())]
    failed = [cell for cell in own if not cell.passed and cell.reason is None]
    if failed:
        lines += ["", "Failed:", ""]
        for cell in failed:
            words = cell.words.replace("|", "/").replace("`", "'")[:300]
            where = f"{cell.key.front_end}, {'TLS' if cell.key.tls else 'plain'}, {cell.key.wire}"
            lines.append(f"- `{cell.key.case}`, {where}: `{words}`")
    return lines


def _alike(comparison: Comparison) -> list[str]:
    lines = ["", "## Envoy in front, and none", ""]
    if comparison.skipped:
        return [*lines, f"Not compared: {comparison.skipped}"]
    lines += [
        "The same requests were made of Clarion directly and through Envoy, which asks Clarion's gRPC: by its filter for",
        "gRPC-Web, and by its bridge for Connect. Status, header fields and bodies of the answers are the same, octet for",
        f"octet: {comparison.requests} requests, {len(comparison.differences)} differences. Not compared are:",
        "",
        *(f"- {what}. {why}" for what, why in ALLOWED.items()),
    ]
    for each in comparison.differences:
        lines += ["", f"- differs: {each.name}: {each.what}"]
    return lines


def document(
    ready: Sequence[WebPeer],
    skipped: Mapping[str, str],
    cells: Sequence[Cell],
    comparison: Comparison,
) -> str:
    """The page."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = [_HEAD, f"This run: {python} on {platform.system()} {platform.machine()}.", ""]
    lines += [*_totals(ready, skipped, cells), "", *_by_protocol(cells)]
    for peer in ready:
        lines += ["", f"## {peer.title}"]
        for direction in Direction:
            lines += _section(peer, direction, cells)
    lines += _alike(comparison)
    return "\n".join(lines) + "\n"
