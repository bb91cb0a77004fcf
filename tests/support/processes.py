"""Child processes of tests: started, talked to by lines, and ended by their own handle."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.libraries import LIMIT

__all__ = ["START_LIMIT", "LineProcess", "free_port", "python_environment", "run_script"]

START_LIMIT = 3 * LIMIT
"""Seconds in which a child's first answer must come: where all are busy, to start one takes long."""

_TESTS = Path(__file__).resolve().parent.parent


def python_environment() -> dict[str, str]:
    """The environment in which a child Python finds `clarion` and `support`."""
    paths = [str(_TESTS.parent / "src"), str(_TESTS), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run_script(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python `source` in a fresh interpreter and returns its exit code and output.

    Raises `subprocess.TimeoutExpired`, with the child killed, if it does not exit by itself.
    """
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", source, *arguments],
        env=python_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def free_port() -> int:
    """A TCP port on 127.0.0.1 on which nobody listens but who is told of it.

    It stays taken while this process runs: the system gives it to no other test that asks for any port, here or in a
    run beside this one, to which the client of this test would then talk. A server with SO_REUSEADDR or SO_REUSEPORT,
    as all have, can listen on it.
    """
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    taken.bind(("127.0.0.1", 0))
    port: int = taken.getsockname()[1]
    taken.detach()
    return port


class LineProcess:
    """A child that is sent lines and answers with JSON lines. It ends when its input ends."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # A file and not a pipe: a chatty child must never block on a pipe that nobody reads.
        self._stderr = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
        self._child = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment or python_environment()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self._command = " ".join(command)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put("")

    @property
    def alive(self) -> bool:
        """Whether it runs, and has answered in time so far."""
        return self._child.poll() is None

    def send(self, line: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(f"{self._command} is gone; its stderr:\n{self.stderr()}") from None

    def receive(self, limit: float = LIMIT) -> Any:
        """The next JSON line.

        Raises AssertionError with the child's stderr if none comes within `limit` seconds. The child is ended then: a later
        answer would be taken for that to another question, and who asks it again would wait as long again.
        """
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            line = ""
        if not line:
            self.kill()
            # For who asks once more.
            self._lines.put("")
            raise AssertionError(f"{self._command} gave no answer; its stderr:\n{self.stderr()}")
        return json.loads(line)

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()

    def kill(self) -> None:
        """Ends the child with SIGKILL: its sockets close without a goodbye."""
        self._child.kill()
        self._child.wait(LIMIT)

    def terminate(self) -> None:
        """Asks the child to go, with SIGTERM."""
        self._child.terminate()

    @property
    def pid(self) -> int:
        return self._child.pid

    def close(self) -> int:
        """Ends the child's input, waits for its exit and returns the exit code."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.close()
        except BrokenPipeError:
            pass  # The child is gone already, which is what was wanted.
        try:
            code = self._child.wait(LIMIT / 2)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._child.returncode
        self._reader.join(LIMIT)
        self._stderr.close()
        # A pipe that is being read cannot be closed: that waits for the reader, where no signal gets through.
        assert not self._reader.is_alive(), (
            f"{self._command} has ended, but not what it started: its output is still open"
        )
        assert self._child.stdout is not None
        self._child.stdout.close()
        return code
