"""Runs of pytest that are watched while they go, by the record that `tests/support/run_record.py` writes.

A test that does not end although its time is over is named: the process is told to print the stacks of all threads and
ends, and a second process goes on behind that test. So one test that hangs costs a run that test and no other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from venvs import ROOT

__all__ = ["Result", "run_again", "run_pytest", "shortened"]

# Beyond a test's own limit, in seconds: time for its fixtures to be taken down.
_GRACE = 90.0
# Without a test at work: modules are imported, coverage is written.
_BETWEEN = 600.0
# After all is over: threads that were left behind keep a process alive.
_EXIT = 120.0
# Far above what the suite needs: it only keeps a slow run from holding CI for ever.
_SUITE_SECONDS = 2700.0
_HUNG_TESTS = 3
# More failures than these at once are no accident.
_UNSTEADY = 8
_FAILURE_LINES = 60
_STACK_LINES = 150
# A module that cannot be imported keeps no other one from being run.
_EVERYTHING = ["--continue-on-collection-errors"]


@dataclass
class Result:
    """What a run amounted to."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    ok: bool = True
    # The text of each failure.
    failures: list[str] = field(default_factory=list)
    # Run the failed ones once more; None where that is not known to be possible.
    again: Callable[[], Result] | None = None

    def __add__(self, other: Result) -> Result:
        return Result(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.ok and other.ok,
            self.failures + other.failures,
        )


def run_pytest(python: Path, arguments: list[str], *, coverage: bool, live: bool) -> Result:
    """Run pytest to its end, whatever hangs on the way.

    Args:
        python: the interpreter of the environment.
        arguments: pytest's.
        coverage: measure it.
        live: show the output as it comes, not when all is over.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder, "record.jsonl")
        hung: dict[str, str] = {}
        while True:
            output = Path(folder, f"output-{len(hung)}.txt")
            run = _Run(python, arguments, record, output, coverage=coverage, live=live)
            code = run.wait(started + _SUITE_SECONDS)
            text = "" if live else output.read_text(encoding="utf-8", errors="replace").rstrip()
            print(text, flush=True)
            test = _read(record).at_work
            if not test or run.is_late:
                break
            what = (
                f"did not end; its process was ended ({code})"
                if run.was_hung
                else f"ended its process ({code})"
            )
            print(f"{test} {what}", flush=True)
            hung[test] = f"{what}; the last that was printed:\n{_tail(text, _STACK_LINES)}"
            if len(hung) > _HUNG_TESTS:
                break
        return _result(_read(record), hung, code, partial(_rerun, python, live=live))


class _Run:
    """One process of pytest."""

    def __init__(
        self,
        python: Path,
        arguments: list[str],
        record: Path,
        output: Path,
        *,
        coverage: bool,
        live: bool,
    ) -> None:
        # What pytest itself does about stacks ends before the process does.
        runner = ["-X", "faulthandler", "-m", *(["coverage", "run", "-m"] if coverage else [])]
        # Runs of one environment go side by side.
        cache = python.parent.parent / f"pytest-cache{'-covered' if coverage else ''}"
        self._record = record
        self.is_late = self.was_hung = False
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [
                    str(python),
                    *runner,
                    "pytest",
                    "-q",
                    *_EVERYTHING,
                    "-o",
                    f"cache_dir={cache}",
                    *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, "CLARION_RUN_RECORD": str(record)},
                stdin=subprocess.DEVNULL,
                stdout=None if live else file,
                stderr=subprocess.STDOUT if not live else None,
            )

    def wait(self, deadline: float) -> int:
        """Wait for the end, and bring it about where a test, or the whole run, takes too long."""
        try:
            return self._watch(deadline)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def _watch(self, deadline: float) -> int:
        size, changed, patience = -1, time.monotonic(), _BETWEEN
        while True:
            try:
                return self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            if now > deadline:
                print(f"the run was ended after {_SUITE_SECONDS:.0f} s", flush=True)
                self.is_late = True
                return self._end()
            if (current := self._record.stat().st_size if self._record.exists() else 0) != size:
                size, changed = current, now
                patience = _patience(self._record)
            elif now - changed > patience:
                self.was_hung = True
                return self._end()

    def _end(self) -> int:
        # pytest has the stacks of all threads printed for it.
        self._process.send_signal(getattr(signal, "SIGABRT", signal.SIGTERM))
        try:
            return self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


@dataclass
class _Record:
    """What a record says so far."""

    passed: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    at_work: str = ""
    complete: bool = False


def _read(path: Path) -> _Record:
    record = _Record()
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            # It is being written, or was when its process was ended.
            continue
        record.complete = "complete" in line
        record.at_work = line.get("begun", "")
        if "test" not in line:
            continue
        if line["outcome"] == "failed":
            record.failed[line["test"]] = line["text"]
        elif line["outcome"] == "skipped":
            record.skipped += 1
        else:
            record.passed += 1
    return record


def _patience(path: Path) -> float:
    """Seconds in which another line has to come."""
    if path.exists():
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 4096, 0))
            last = file.read().splitlines()[-1:]
        try:
            line = json.loads(last[0]) if last else {}
        except ValueError:
            # It is being written.
            line = {}
        if "complete" in line:
            return _EXIT
        # pytest-timeout takes 0 for no limit.
        if limit := line.get("limit"):
            return float(limit) + _GRACE
    return _BETWEEN


def _result(
    record: _Record, hung: dict[str, str], code: int, again: Callable[[list[str]], Result]
) -> Result:
    failed = {**record.failed, **hung}
    result = Result(record.passed, len(failed), record.skipped, not failed)
    result.failures = [
        f"{test}\n{_tail(text, _STACK_LINES if test in hung else _FAILURE_LINES)}"
        for test, text in failed.items()
    ]
    if not record.complete or (code and not failed):
        print(f"pytest ended with exit code {code}", flush=True)
        result.failed += 1
        result.ok = False
    elif len(failed) <= _UNSTEADY:
        result.again = partial(again, list(failed))
    return result


def _rerun(python: Path, tests: list[str], *, live: bool) -> Result:
    return run_pytest(python, tests, coverage=False, live=live)


def run_again(label: str, result: Result) -> Result:
    """Give the few that failed another chance, alone.

    Args:
        label: whose run it was.
        result: what it came to.
    """
    if result.again is None or not result.failed:
        return result
    print(
        f"{label}: {result.failed} failed; running {'them' if result.failed > 1 else 'it'} alone",
        flush=True,
    )
    second = result.again()
    if second.failed or not second.ok or second.passed + second.skipped != result.failed:
        return Result(
            result.passed, result.failed, result.skipped, False, result.failures + second.failures
        )
    for text in result.failures:
        print(f"{label}: unsteady: failed among all the others, passed alone: {text}\n", flush=True)
    return Result(result.passed + second.passed, 0, result.skipped + second.skipped)


def shortened(text: str) -> str:
    """The end of a long text."""
    return _tail(text.strip(), _FAILURE_LINES)


def _tail(text: str, limit: int) -> str:
    lines = text.splitlines()
    return "\n".join(["...", *lines[-limit:]] if len(lines) > limit else lines)
