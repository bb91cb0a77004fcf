"""Run h2spec against Clarion's servers, sync and asyncio, over plain text and TLS.

    python conformance/h2spec/run.py [--binary FILE] [--front-ends sync,aio] [--transports plain,tls] [...]

Rules: all cases, strict ones included, against a real server on a real socket (see `h2spec_server`). A case that
fails or that h2spec skips makes the exit status 1. h2spec is built from the Go module proxy into `.venvs/h2spec`
with the versions in go.mod and go.sum here; where there is no Go, the run says so and the exit status is 0.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from h2spec_server import FRONT_ENDS, serving

__all__ = ["Missing", "Report", "build", "check", "main", "read_report"]

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent.parent / ".venvs" / "h2spec"
PACKAGE = "github.com/summerwind/h2spec/cmd/h2spec"
TRANSPORTS = ("plain", "tls")
_BUILD_SECONDS = 300.0
# A run takes about two seconds; one where every case waits in vain for its answer some five minutes.
_RUN_SECONDS = 400.0


class Missing(Exception):
    """h2spec is not to be had here; the text says why."""


@dataclass
class Report:
    """What one run amounted to; `problems` names every case that failed or was skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every case ran and passed."""
        return self.passed > 0 and not self.failed and not self.skipped


def build(seconds: float = _BUILD_SECONDS) -> Path:
    """Return the h2spec program, built unless that was done before.

    Args:
        seconds: how long a build may take.

    Raises:
        Missing: there is no Go, or the build failed.
    """
    pins = (HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes()
    binary = BUILT / f"h2spec-{hashlib.sha256(pins).hexdigest()[:12]}"
    if binary.exists():
        return binary
    go = shutil.which("go")
    if go is None:
        raise Missing("Go is not on the path, and h2spec is a Go program")
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "lock").open("w") as lock:
        # Test runs of several Pythons come here at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(go, binary, seconds)
    return binary


def _build(go: str, binary: Path, seconds: float) -> None:
    partial = binary.with_suffix(".partial")
    try:
        done = subprocess.run(
            [go, "build", "-mod=readonly", "-o", str(partial), PACKAGE],
            cwd=HERE,
            env={**os.environ, "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"go build did not end within {seconds:.0f} s; try `make h2spec`") from None
    if done.returncode:
        raise Missing(f"go build failed: {' | '.join(done.stdout.strip().splitlines()[-3:])}")
    partial.replace(binary)


def read_report(report: Path) -> Report:
    """Add up h2spec's JUnit report."""
    result = Report()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('package')}: {case.get('classname')}"
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
            text = " ".join(part.strip() for part in case.itertext() if part.strip())
            result.problems.append(f"FAILED {name}: {' '.join(text.split())}")
        elif case.find("skipped") is not None:
            result.skipped += 1
            result.problems.append(f"SKIPPED {name}")
        else:
            result.passed += 1
    return result


def check(binary: Path, front_end: str, transport: str) -> Report:
    """Run all cases against one front end's server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(front_end, tls=transport == "tls") as port,
    ):
        report = Path(folder, "report.xml")
        command = [str(binary), "--strict", "-h", "127.0.0.1", "-p", str(port), "-j", str(report)]
        if transport == "tls":
            command += ["--tls", "--insecure"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_RUN_SECONDS,
        )
        if not report.exists():
            last = " | ".join(done.stdout.strip().splitlines()[-3:])
            return Report(failed=1, problems=[f"h2spec wrote no report: {last}"])
        return read_report(report)


def _chosen(text: str, known: tuple[str, ...]) -> list[str]:
    names = text.split(",")
    wrong = [name for name in names if name not in known]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(known)}")
    return names


def main() -> int:
    """Run the command line; return the exit status."""
    fronts = tuple(FRONT_ENDS)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, help="an h2spec that is there already")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--build-seconds", type=float, default=_BUILD_SECONDS)
    parser.add_argument("--front-ends", type=lambda text: _chosen(text, fronts), default=fronts)
    parser.add_argument(
        "--transports", type=lambda text: _chosen(text, TRANSPORTS), default=TRANSPORTS
    )
    arguments = parser.parse_args()
    try:
        binary = arguments.binary or build(arguments.build_seconds)
    except Missing as reason:
        print(f"h2spec: skipped: {reason}")
        return 0
    if arguments.build_only:
        print(binary)
        return 0
    ok = True
    for front_end in arguments.front_ends:
        for transport in arguments.transports:
            report = check(binary, front_end, transport)
            ok = ok and report.ok
            print(
                f"h2spec --strict, {front_end} server, {transport}: {report.passed} passed,"
                f" {report.failed} failed, {report.skipped} skipped",
                flush=True,
            )
            for line in report.problems:
                print(f"  {line}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
