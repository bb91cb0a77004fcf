"""Child processes of a run: a client that runs one cell, a server that serves many. Both are bounded."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Finished", "ServerFailed", "free_port", "run_client", "server"]

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class ServerFailed(Exception):
    """A server did not begin to listen; the text has its last words."""


@dataclass(frozen=True)
class Finished:
    """A client's exit status (None: it was killed for taking too long), last words, seconds, and all it wrote."""

    status: int | None
    words: str
    seconds: float
    output: str = ""


def free_port() -> int:
    """A port on loopback on which nobody listens but who is told of it.

    It stays bound while this process runs, so that the system gives it to nobody who asks for any port. Servers set
    SO_REUSEADDR or SO_REUSEPORT, and can listen on it.
    """
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    taken.bind(("127.0.0.1", 0))
    port = int(taken.getsockname()[1])
    taken.detach()
    return port


def _last_words(data: bytes) -> str:
    lines = [_ANSI.sub("", line).strip() for line in data.decode(errors="replace").splitlines()]
    return " | ".join([line for line in lines if line][-3:])[-400:]


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **extra}


def _end(child: subprocess.Popen[bytes], number: int) -> None:
    """End a child and what it started: it is the leader of its own process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def run_client(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
    """Run a client to its end."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status: int | None = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
            _end(child, signal.SIGKILL)
            child.wait()
        output.seek(0)
        written = output.read()
    text = written.decode(errors="replace")
    return Finished(status, _last_words(written), time.monotonic() - begun, text)


@contextlib.contextmanager
def server(command: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[None]:
    """Run a server that is told to listen on `port`; it listens when the body runs."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command,
            env=_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_listener(child, port, output)
            yield
        finally:
            _end(child, signal.SIGTERM)
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _end(child, signal.SIGKILL)
                child.wait()


def _await_listener(child: subprocess.Popen[bytes], port: int, output: object) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        if child.poll() is not None or time.monotonic() > deadline:
            output.seek(0)  # type: ignore[attr-defined]
            words = _last_words(output.read())  # type: ignore[attr-defined]
            raise ServerFailed(f"exit status {child.poll()}: {words}")
        time.sleep(0.05)
