"""The example of telemetry prints what its page promises, on a free port."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.limits import CHILD_SECONDS

pytest.importorskip(
    "opentelemetry.exporter.prometheus",
    reason="opentelemetry-exporter-prometheus is not installed",
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "telemetry"


def test_telemetry() -> None:
    page = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    promised = [
        line.strip() for line in page.partition("would:\n")[2].splitlines() if line[:4] == "    "
    ]
    server = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLE / "server.py"), "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        # Its lines are waited for without a limit.
        watchdog = threading.Timer(1.5 * CHILD_SECONDS, server.kill)
        watchdog.start()
        try:
            port = server.stdout.readline().rpartition(" ")[2].strip()
            url = server.stdout.readline().partition(" ")[2].strip()
            done = subprocess.run(
                [sys.executable, str(EXAMPLE / "client.py"), port, url],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=CHILD_SECONDS,
            )
            assert done.stdout.splitlines() == promised, done.stderr
            server.send_signal(signal.SIGTERM)
            assert server.stdout.readline() == "Server stopped\n"
        finally:
            watchdog.cancel()
            server.kill()
