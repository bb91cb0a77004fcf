"""Runs every scenario and writes docs/simulation.md and its charts: `python -m simulation`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from simulation.report import Report

__all__ = ["main"]

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="the number of servers and clients, 1 is thousands"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help="where to write")
    arguments = parser.parse_args()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=sys.stderr, flush=True)

    report = Report(arguments.scale, say)
    charts = arguments.docs / "simulation"
    charts.mkdir(parents=True, exist_ok=True)
    text = report.text()
    (arguments.docs / "simulation.md").write_text(text, encoding="utf-8")
    for name, chart in report.charts.items():
        (charts / f"{name}.svg").write_text(chart, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
