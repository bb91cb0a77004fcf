"""Prints rows as Markdown, which is also what the terminal shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.harness.metrics import METRICS
from bench.harness.ratios import PEERS, Row

__all__ = ["HEADINGS", "document", "markdown", "number"]

HEADINGS = (
    "Measurement",
    "Clarion",
    "vs grpcio",
    "on asyncio",
    "target",
    "floor",
    "result",
    "grpcio's best",
    *(f"vs {peer}" for peer in PEERS),
)


def number(ratio: float | None) -> str:
    """A ratio with as many digits as it deserves; a dash where there is none."""
    if ratio is None:
        return "-"
    return f"{ratio:.0f}x" if ratio >= 100 else f"{ratio:.3g}x"


def _target(row: Row) -> str:
    if row.target is None:
        return "-"
    return f"{'>=' if row.more_is_better else '<='} {row.target:g}x"


def _cells(row: Row) -> tuple[str, ...]:
    title = row.title if row.more_is_better else f"{row.title} (less is better)"
    return (
        title,
        row.label or "-",
        number(row.ratio),
        number(row.plain_ratio),
        _target(row),
        number(row.floor),
        row.result or "-",
        row.baseline or "-",
        *(number(row.peers.get(peer)) for peer in PEERS),
    )


def markdown(rows: Sequence[Row]) -> str:
    """The table, its columns lined up."""
    grid = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[n]) for line in grid) for n in range(len(HEADINGS))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in grid
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def notes(skipped: Mapping[str, str], failures: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What is not in the table, and why."""
    lines = [f"- skipped: {name}: {reason}" for name, reason in skipped.items()]
    alike: dict[tuple[str, str], list[str]] = {}
    for metric, failed in failures.items():
        for name, reason in failed.items():
            alike.setdefault((name, reason), []).append(METRICS[metric].title)
    for (name, reason), titles in alike.items():
        lines.append(f"- invalid: {name}: {reason} [{'; '.join(titles)}]")
    return lines


def document(
    rows: Sequence[Row],
    machine: Mapping[str, str],
    skipped: Mapping[str, str],
    failures: Mapping[str, Mapping[str, str]],
) -> str:
    """latest.md: the table, what is missing from it, and the machine."""
    parts = ["# Clarion and its peers, in one run", "", markdown(rows), ""]
    parts += [
        "`vs` columns are Clarion's figure divided by the peer's. `on asyncio` is Clarion",
        "without uvloop, against the same baseline. `floor` is what a Python process reaches that",
        "sends canned bytes: a target above it is out of reach. What each row means:",
        "[README](../README.md).",
        "",
    ]
    missing = notes(skipped, failures)
    if missing:
        parts += ["## Not measured", "", *missing, ""]
    parts += ["## Machine", "", *(f"- {name}: {value}" for name, value in machine.items()), ""]
    return "\n".join(parts)
