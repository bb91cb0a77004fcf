"""h2spec against both front ends, as `make h2spec` runs it. Skips where there is no Go to build it with."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent.parent / "conformance" / "h2spec"
# From an empty module cache it takes most of a minute; `make h2spec` has more patience.
BUILD_SECONDS = 60


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "run.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform == "win32", reason="the runner locks files as POSIX does")
def test_h2spec() -> None:
    output = run("--build-seconds", str(BUILD_SECONDS))
    if output.startswith("h2spec: skipped: "):
        pytest.skip(output.strip())
    lines = output.splitlines()
    assert len(lines) == 4, output
    for line in lines:
        counts = re.search(r"(\d+) passed, 0 failed, 0 skipped$", line)
        assert counts is not None, output
        assert int(counts[1]) >= 146


def test_the_report_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that fails, and one that is skipped, is named and spoils the run."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("h2spec_run", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "h2spec_run", module)
    spec.loader.exec_module(module)
    file = tmp_path / "report.xml"
    file.write_text(
        "<testsuites><testsuite>"
        '<testcase package="http2/4.2" classname="one"></testcase>'
        '<testcase package="http2/4.2" classname="two"><failure>Expected: GOAWAY</failure></testcase>'
        '<testcase package="http2/4.3" classname="three"><skipped></skipped></testcase>'
        "</testsuite></testsuites>"
    )
    report = module.read_report(file)
    assert (report.passed, report.failed, report.skipped, report.ok) == (1, 1, 1, False)
    assert report.problems == [
        "FAILED http2/4.2: two: Expected: GOAWAY",
        "SKIPPED http2/4.3: three",
    ]
