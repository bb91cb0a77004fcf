"""Starts the programs under test, each pinned to one core, and reads what the kernel says.

Rules: every process is ended by its own id, a program that fails makes its measurement invalid
with the end of what it wrote, and nothing waits without a limit.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from bench.harness.layout import GENERATED, LOAD_CORE, ROOT, SERVER_CORE

__all__ = ["Invalid", "Server", "python", "run_client", "run_pinned"]

START_SECONDS = 30.0
STOP_SECONDS = 5.0
WORK_SECONDS = 120.0


class Invalid(Exception):
    """A measurement that must not become a figure; the text says why."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules in this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def environment() -> dict[str, str]:
    """This environment, with the generated messages and this checkout on the path."""
    mine = [str(ROOT), str(GENERATED / "python")]
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(mine + ([inherited] if inherited else []))
    return {**os.environ, "PYTHONPATH": path, "GOMAXPROCS": "1"}


def _pin(core: int | None) -> Callable[[], None] | None:
    if core is None:
        return None

    def pin() -> None:
        os.sched_setaffinity(0, {core})

    return pin


def _tail(stream: IO[bytes]) -> str:
    """The last lines a program wrote to standard error, on one line, less this checkout's path."""
    stream.seek(0)
    text = stream.read().decode(errors="replace").replace(f"{ROOT}{os.sep}", "")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    # Python says all in the last line of a traceback; others may need the ones before it.
    kept = lines[-1:] if any(line.startswith("Traceback") for line in lines) else lines[-3:]
    return " | ".join(kept)[-400:] or "it wrote nothing"


class Server:
    """A server on the server's core, from `PORT n` to SIGTERM; use as a context manager."""

    def __init__(self, command: Sequence[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _end
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment(),
            cwd=ROOT,
            preexec_fn=_pin(SERVER_CORE),
        )
        try:
            self.port = self._read_port()
        except BaseException:
            self._end()
            raise

    @property
    def target(self) -> str:
        """The address as channels take it."""
        return f"127.0.0.1:{self.port}"

    def _read_port(self) -> int:
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise Invalid(f"the server did not start within {START_SECONDS:.0f} s")
            byte = os.read(self._process.stdout.fileno(), 1)
            if not byte:
                raise Invalid(f"the server ended at its start: {_tail(self._errors)}")
            line += byte
        word, _, number = line.decode(errors="replace").strip().partition(" ")
        if word != "PORT" or not number.isdecimal():
            raise Invalid(f"the server began with {line!r} in place of its port")
        return int(number)

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            raise Invalid("this system has no /proc to read CPU time from") from None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Resident memory now."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except OSError:
            raise Invalid("this system has no /proc to read memory from") from None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is not None:
            reason = f"the server ended under load: {_tail(self._errors)}"
            self._end()
            raise Invalid(reason)
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()


def run_pinned(command: Sequence[str], core: int | None = LOAD_CORE) -> str:
    """Run a program on one core and return its standard output."""
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
                cwd=ROOT,
                timeout=WORK_SECONDS,
                preexec_fn=_pin(core),
            )
        except subprocess.TimeoutExpired:
            raise Invalid(f"not done within {WORK_SECONDS:.0f} s") from None
        if done.returncode:
            raise Invalid(f"exit status {done.returncode}: {_tail(errors)}")
    return done.stdout.decode(errors="replace")


def run_client(
    command: Sequence[str], target: str, works: Sequence[str], seconds: float
) -> dict[str, float]:
    """Run a client under test; operations a second of each piece of work."""
    options = [f"--target={target}", f"--works={','.join(works)}", f"--seconds={seconds}"]
    output = run_pinned([*command, *options])
    try:
        results = json.loads(output.strip().splitlines()[-1])
        return {work: results[work]["ops"] / results[work]["seconds"] for work in works}
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        raise Invalid(f"the client printed no result: {output[-200:]!r}") from None
