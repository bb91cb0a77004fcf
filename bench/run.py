"""Runs the benchmarks and prints one table of ratios; `--help` lists the options.

Every measurement is repeated in rounds, and a round takes each implementation in turn, so that a
machine that slows down slows all of them. The order turns from round to round.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.harness import h2load, toolchains
from bench.harness.chart import chart
from bench.harness.implementations import Implementation, candidates, find, neutral, select
from bench.harness.layout import RESULTS
from bench.harness.machine import describe
from bench.harness.metrics import METRICS
from bench.harness.processes import Invalid
from bench.harness.ratios import Row, rows
from bench.harness.samples import Samples
from bench.harness.table import document, markdown, notes
from bench.scenarios import SCENARIOS
from bench.scenarios.base import Context, Scenario

__all__ = ["main"]


def parser() -> argparse.ArgumentParser:
    names = ", ".join(scenario.name for scenario in SCENARIOS)
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="one short round, under 2 minutes")
    arguments.add_argument(
        "--only", default="", help=f"beginnings of scenario names, comma-separated: {names}"
    )
    arguments.add_argument(
        "--impl", default="", help="beginnings of implementation names, comma-separated"
    )
    arguments.add_argument("--rounds", type=int, help="repetitions of every measurement")
    arguments.add_argument("--seconds", type=float, help="how long each piece of work is measured")
    arguments.add_argument(
        "--results", type=Path, default=RESULTS, help="the folder to write latest.* into"
    )
    return arguments


def say(text: str) -> None:
    """Progress goes to standard error, so that standard output is the table."""
    print(text, file=sys.stderr, flush=True)


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def measure(
    scenario: Scenario, implementation: Implementation, context: Context, samples: Samples
) -> None:
    """One repetition of one scenario on one implementation."""
    try:
        figures = scenario.measure(implementation, context)
    except Invalid as reason:
        figures = dict.fromkeys(scenario.metrics, reason)
    for key, value in figures.items():
        if isinstance(value, Invalid):
            say(f"  invalid: {METRICS[key].title}, {implementation.name}: {value}")
            samples.fail(key, implementation.name, str(value))
        else:
            samples.add(key, implementation.name, value)


def run(
    scenarios: Sequence[Scenario],
    implementations: Sequence[Implementation],
    context: Context,
    rounds: int,
) -> Samples:
    samples = Samples()
    for number in range(rounds):
        turn = number % max(1, len(implementations))
        order = [*implementations[turn:], *implementations[:turn]]
        for scenario in scenarios:
            chosen = [one for one in order if scenario.applies(one)]
            say(f"round {number + 1}/{rounds}: {scenario.name}")
            for implementation in chosen:
                measure(scenario, implementation, context, samples)
    return samples


def write(
    folder: Path, table: Sequence[Row], samples: Samples, skipped: dict[str, str], quick: bool
) -> None:
    machine = describe()
    if quick:
        machine["run"] = "--quick: one short round, good for finding faults, not for conclusions"
    folder.mkdir(parents=True, exist_ok=True)
    text = document(table, machine, skipped, samples.failures)
    (folder / "latest.md").write_text(text)
    (folder / "latest.svg").write_text(chart(table))
    result = {
        "machine": machine,
        "skipped": skipped,
        "failures": samples.failures,
        "units": {key: METRICS[key].unit for key in samples.values},
        "values": samples.values,
        "rows": [
            {
                "metric": row.metric,
                "front_end": row.label,
                "ratio": row.ratio,
                "variant": row.variant,
                "baseline": row.baseline,
                "target": row.target,
                "result": row.result,
                "peers": dict(row.peers),
            }
            for row in table
        ],
    }
    (folder / "latest.json").write_text(json.dumps(result, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; 2 if they ask for nothing that there is."""
    args = parser().parse_args(argv)
    only = words(args.only)
    scenarios = [s for s in SCENARIOS if not only or any(s.name.startswith(w) for w in only)]
    known, strays = select(candidates(), words(args.impl))
    strays += [w for w in only if not any(s.name.startswith(w) for s in SCENARIOS)]
    if strays:
        say(f"nothing is called {', '.join(strays)}; see --help")
        return 2
    try:
        toolchains.generate_python()
    except toolchains.Missing as missing:
        say(f"the messages could not be generated: {missing}")
        return 2
    # Only what takes part is built; a neutral end takes part without being measured.
    usable, skipped = find(candidates() if any(s.neutral for s in scenarios) else known)
    skipped = {i.name: skipped[i.name] for i in known if i.name in skipped}
    chosen = [one for one in usable if one in known]
    if h2load.find() is None:
        for name in {"unary-server", "unary-tls"} & {s.name for s in scenarios}:
            skipped[name] = "h2load is not on the path (Debian: nghttp2-client)"
            scenarios = [s for s in scenarios if s.name != name]
    for name, reason in skipped.items():
        say(f"skipped: {name}: {reason}")
    context = Context(
        seconds=args.seconds or (0.2 if args.quick else 1.2),
        neutral_server=neutral(usable, "server"),
        neutral_client=neutral(usable, "client"),
    )
    start = time.monotonic()
    samples = run(scenarios, chosen, context, args.rounds or (1 if args.quick else 3))
    table = rows([key for s in scenarios for key in s.metrics], chosen, samples)
    write(args.results, table, samples, skipped, args.quick)
    print(markdown(table))
    for line in notes(skipped, samples.failures):
        print(line)
    took = time.monotonic() - start
    say(f"{took:.0f} s; the table, the chart and every figure are in {args.results.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
