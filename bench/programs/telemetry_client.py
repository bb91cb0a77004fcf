"""What metrics cost a client: one channel with clarion.telemetry's metrics and one without, used in turns.

As in `picks_client`, what counts is the CPU time that calls cost this process. A reader collects when the program is over
with a slice, within the time that counts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any

from bench.programs.picks_client import (
    SLICES,
    WORKERS,
    Totals,
    aio_slice,
    hello,
    order,
    sync_slice,
)
from bench.programs.shared import load, print_results, run_loop

__all__: list[str] = []

NAMES = ("plain", "metrics")


class Metrics:
    """A provider, its reader, and the channel arguments of the two channels."""

    def __init__(self) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        from clarion.telemetry import OpenTelemetryPlugin

        self._reader = InMemoryMetricReader()
        provider = MeterProvider([self._reader], shutdown_on_exit=False)
        plugin = OpenTelemetryPlugin(meter_provider=provider)
        self.options: dict[str, Sequence[tuple[str, Any]]] = {
            "plain": (),
            "metrics": plugin.channel_options(),
        }

    def collect(self, name: str) -> None:
        """As an exporter would, every now and then."""
        if name == "metrics":
            self._reader.collect()


def run_sync(grpc: Any, target: str, totals: Totals, workers: int, seconds: float) -> None:
    metrics = Metrics()
    channels = {
        name: grpc.insecure_channel(target, options=options)
        for name, options in metrics.options.items()
    }
    calls = {name: hello([channel]) for name, channel in channels.items()}
    try:
        for name, channel in channels.items():
            grpc.channel_ready_future(channel).result(20)
            sync_slice(calls[name], workers, 0.1)
        for turn in range(SLICES):
            for name in order(list(calls), turn):
                before = time.process_time()
                done = sync_slice(calls[name], workers, seconds / SLICES)
                metrics.collect(name)
                totals.add(name, done, time.process_time() - before)
    finally:
        for channel in channels.values():
            channel.close()


async def run_aio(aio: Any, target: str, totals: Totals, tasks: int, seconds: float) -> None:
    metrics = Metrics()
    channels = {
        name: aio.insecure_channel(target, options=options)
        for name, options in metrics.options.items()
    }
    calls = {name: hello([channel]) for name, channel in channels.items()}
    try:
        for name, channel in channels.items():
            await asyncio.wait_for(channel.channel_ready(), 20)
            await aio_slice(calls[name], tasks, 0.1)
        for turn in range(SLICES):
            for name in order(list(calls), turn):
                before = time.process_time()
                done = await aio_slice(calls[name], tasks, seconds / SLICES)
                metrics.collect(name)
                totals.add(name, done, time.process_time() - before)
    finally:
        for channel in channels.values():
            await channel.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", required=True, choices=list(WORKERS))
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    parser.add_argument("--target", required=True)
    parser.add_argument("--works", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    results: dict[str, tuple[int, float]] = {}
    for width in ("sequential", "concurrent"):
        workers = 1 if width == "sequential" else WORKERS[args.mode]
        totals = Totals(NAMES)
        if args.mode == "sync":
            run_sync(load("clarion"), args.target, totals, workers, args.seconds)
        else:
            aio = load("clarion.aio")
            run_loop(run_aio(aio, args.target, totals, workers, args.seconds), args.loop)
        results |= {f"{width}-{name}": found for name, found in totals.found.items()}
    print_results({name: results[name] for name in args.works.split(",")})


if __name__ == "__main__":
    main()
