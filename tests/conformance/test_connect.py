"""connectrpc's conformance suite against both front ends and both sides, in short; `make conformance` runs all of it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "conformance" / "connect"
# From an empty module cache it takes minutes; `make conformance` has more patience.
BUILD_SECONDS = 60
# The oldest Python has the other half: once is enough for each.
PAIRS = [("server", "aio"), ("client", "sync")]
if sys.version_info >= (3, 12):
    PAIRS = [("server", "sync"), ("client", "aio")]
# Fewer, and a pattern leaves out what it should not.
LEAST = {"server": 700, "client": 850}


@pytest.fixture(scope="module", autouse=True)
def available() -> None:
    for module in ("google.protobuf", "h11"):
        pytest.importorskip(module, reason=f"{module} is not installed")


@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform == "win32", reason="the runner locks files as POSIX does")
@pytest.mark.parametrize(("mode", "front_end"), PAIRS)
def test_the_suite(mode: str, front_end: str) -> None:
    command = [sys.executable, str(FOLDER / "run.py"), "--quick", "--modes", mode]
    command += ["--front-ends", front_end, "--build-seconds", str(BUILD_SECONDS)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=380,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    if done.stdout.startswith("connectrpc conformance: skipped: "):
        pytest.skip(done.stdout.strip())
    counts = re.search(r"(\d+) passed, 0 failed, \d+ known to fail, 0 not run", done.stdout)
    assert counts is not None, done.stdout
    assert int(counts[1]) >= LEAST[mode]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the runner."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("connect_run", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "connect_run", module)
    spec.loader.exec_module(module)
    return module


def test_the_report_is_read(run: Any) -> None:
    report = run.read_report("words\n\nTotal cases: 7\n7 passed, 0 failed\n", 0)
    assert (report.passed, report.ok, report.problems) == (7, True, "")
    text = (
        "FAILED: a/b:\n\tactual error\n\nTotal cases: 9\n5 passed, 1 failed\n"
        "Another 2 could not be run due to client timing out or exiting prematurely.\n"
        "(Another 3 failed as expected due to being known failures/flakes.)\n"
    )
    report = run.read_report(text, 1)
    assert (report.passed, report.failed, report.unrun, report.known) == (5, 1, 2, 3)
    assert not report.ok
    assert report.problems.startswith("FAILED: a/b:")


@pytest.mark.parametrize("status", [0, 1])
def test_a_run_that_says_nothing_is_no_success(run: Any, status: int) -> None:
    report = run.read_report("unmatched and possibly invalid patterns: x", status)
    assert not report.ok
    assert report.problems.endswith(": x")


def test_a_run_that_ends_badly_is_no_success(run: Any) -> None:
    assert not run.read_report("7 passed, 0 failed\n", 1).ok


def test_the_modes_have_what_they_name(run: Any) -> None:
    for name, mode in run.MODES.items():
        assert (FOLDER / mode.program).is_file(), name
        config = (FOLDER / mode.config).read_text()
        assert "features:" in config, name
        # gRPC itself is asked where there are trailers, and HTTP/2 with them.
        grpc = "PROTOCOL_GRPC," in config
        assert grpc == ("supports_trailers: true" in config), name
        assert not grpc or "HTTP_VERSION_2" in config, name


def test_a_mode_whose_server_is_missing_says_so(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "build", lambda seconds: None)
    monkeypatch.setitem(
        run.MODES, "server-asgi-uvicorn", run.MODES["client"]._replace(needs=("no_such_server",))
    )
    monkeypatch.setattr(sys, "argv", ["run.py", "--modes", "server-asgi-uvicorn"])
    assert run.main() == 0
    assert "skipped: no_such_server is not installed" in capsys.readouterr().out
