"""Runs the soak, judges it and draws it.

    python -m soak [--minutes 30] [--pause 0] [--out soak/results]

Servers and clients of both front ends, each in a process of its own. Every client calls both servers with every pattern,
cancels some calls, lets others run into deadlines, has its connections reset now and then, and makes new channels every few
seconds. All messages are checked, all calls must end as they should (`tests/support/verified_calls.py`). The exit code is
not 0 if one did not, or if a process grew more than the bounds allow.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from soak.curve import curve
from soak.judge import Verdict, judge
from soak.samples import Sample

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
_START = 30.0
_END = 120.0
_NICE = 10


class Worker:
    """A child, and what it says.

    Attributes:
        samples: so far.
        codes: of a client, its calls by status, at the end.
        wrong: what was not right, in words; None before it said so.
    """

    def __init__(self, role: str, front: str, *arguments: str) -> None:
        self.name = f"{front} {role}"
        self.samples: list[Sample] = []
        self.codes: dict[str, int] = {}
        self.port = 0
        self.wrong: str | None = None
        self._begun = threading.Event()
        paths = [
            str(ROOT / "src"),
            str(ROOT),
            str(ROOT / "tests"),
            os.environ.get("PYTHONPATH", ""),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "soak.worker", role, front, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._heard(json.loads(line))
            self._begun.set()
        self._begun.set()

    def _heard(self, words: dict[str, Any]) -> None:
        if "port" in words:
            self.port = words["port"]
        elif "over" in words:
            self.wrong = words["over"]
        elif "codes" in words:
            self.codes = words["codes"]
        else:
            self.samples.append(Sample(**words))

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait_begun(self) -> None:
        """Wait until it said something."""
        if not self._begun.wait(_START) or not self.runs:
            raise SystemExit(f"soak: the {self.name} did not start")

    def end(self) -> None:
        """End its input, and wait until it is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # It is gone already; its exit code tells.
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self.wrong is None:
            self.wrong = f"it ended with exit code {self._process.returncode} before its time"


def _work(seconds: float, every: float, pause: float) -> list[Worker]:
    workers: list[Worker] = []
    try:
        servers = [Worker("server", front, f"--every={every}") for front in ("sync", "aio")]
        workers += servers
        for server in servers:
            server.wait_begun()
        ports = [str(server.port) for server in servers]
        clients = [
            Worker("client", front, f"--pause={pause}", "--ports", *ports)
            for front in ("sync", "aio")
        ]
        workers += clients
        end = time.monotonic() + seconds
        while time.monotonic() < end and all(worker.runs for worker in workers):
            time.sleep(min(1.0, max(end - time.monotonic(), 0.0)))
    finally:
        # Clients first, so that no call is cut off.
        for worker in reversed(workers):
            worker.end()
    return workers


def _report(workers: list[Worker], minutes: float, out: Path) -> bool:
    calls: Counter[str] = Counter()
    for worker in workers:
        calls.update(worker.codes)
    verdicts: list[Verdict] = []
    for worker in workers:
        verdicts += judge(worker.name, worker.samples)
    about = (
        f"{calls.total():,} calls in {minutes:g} minutes, Python {platform.python_version()}; "
        f"the warm-up is shaded"
    )
    processes = {worker.name: worker.samples for worker in workers if worker.samples}
    out.mkdir(parents=True, exist_ok=True)
    if processes:
        (out / "soak.svg").write_text(curve(processes, about), encoding="utf-8")
    result = {
        "minutes": minutes,
        "python": platform.python_version(),
        "calls": dict(calls),
        "wrong": {worker.name: worker.wrong for worker in workers},
        "growth": [dataclasses.asdict(verdict) for verdict in verdicts],
    }
    (out / "soak.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    with (out / "soak.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["process", *(field.name for field in dataclasses.fields(Sample))])
        for name, samples in processes.items():
            table.writerows([name, *dataclasses.astuple(each)] for each in samples)
    print(f"soak: {calls.total()} calls {dict(calls)}")
    for verdict in verdicts:
        print(f"  {verdict}")
    ok = all(verdict.ok for verdict in verdicts)
    for worker in workers:
        if worker.wrong:
            print(f"  {worker.name}: {worker.wrong}")
            ok = False
        if len(worker.samples) < 3:
            print(f"  {worker.name}: {len(worker.samples)} samples, which say nothing")
            ok = False
    if not calls["OK"]:
        print("  no call succeeded")
        ok = False
    print(f"soak: {'passed' if ok else 'FAILED'}; memory: {out / 'soak.svg'}")
    return ok


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--pause", type=float, default=0.0, help="seconds each caller waits after a call"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "soak" / "results")
    args = parser.parse_args()
    if not Sample.possible():
        print("soak: not run: memory and descriptors are read from Linux's /proc")
        return 0
    os.nice(_NICE)
    seconds = args.minutes * 60
    workers = _work(seconds, min(5.0, max(seconds / 60, 0.5)), args.pause)
    return 0 if _report(workers, args.minutes, args.out) else 1
