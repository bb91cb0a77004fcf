"""Run connectrpc's conformance suite against Clarion's servers and clients, sync and asyncio, and within ASGI servers.

    python conformance/connect/run.py [--modes server,client,server-asgi-hypercorn,...] [--front-ends sync,aio] [--quick] [--verbose] [-- OPTIONS]

What it asks of us is in `server*.yaml` and `client.yaml`; which cases are known to fail, and why, in `known-failing.txt`. A case
that fails otherwise, or that is in that list and passes, makes the exit status 1. `--quick` takes cases with one compression, in
plain text, and with JSON in Connect alone. Options behind `--` are the suite's own, such as `--run PATTERN --trace`. Where there is no Go, the run
says so and the exit status is 0; where there is no such ASGI server, its mode says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from suite import BUILD_SECONDS, HERE, ROOT, Missing, Suite, build

__all__ = ["MODES", "Mode", "Report", "check", "main", "read_report"]


class Mode(NamedTuple):
    """What of ours is tested.

    Attributes:
        side: `server` or `client`.
        program: what the suite starts.
        config: what it asks of that.
        front_ends: those that there are.
        argument: what the program is told; the front end if None.
        needs: modules without which it cannot be.
    """

    side: str
    program: str
    config: str
    front_ends: tuple[str, ...] = ("sync", "aio")
    argument: str | None = None
    needs: tuple[str, ...] = ()


def _asgi(kind: str, config: str, *needs: str) -> Mode:
    return Mode("server", "connect_asgi.py", config, ("aio",), kind, needs)


MODES = {
    "server": Mode("server", "connect_server.py", "server.yaml"),
    "client": Mode("client", "connect_client.py", "client.yaml"),
    "server-asgi-uvicorn": _asgi("uvicorn", "server-asgi-http1.yaml", "uvicorn"),
    "server-asgi-uvicorn-httptools": _asgi(
        "uvicorn-httptools", "server-asgi-http1.yaml", "uvicorn", "httptools"
    ),
    "server-asgi-uvicorn-zttp": _asgi("uvicorn-zttp", "server.yaml", "uvicorn", "zttp"),
    "server-asgi-hypercorn": _asgi("hypercorn", "server.yaml", "hypercorn"),
    "server-asgi-granian": _asgi("granian", "server-asgi-no-trailers.yaml", "granian"),
}
FRONT_ENDS = ("sync", "aio")
_RUN_SECONDS = 900.0
_COMPRESSED = "**/Compression:COMPRESSION_{}/**"
_QUICK = (
    "**/TLS:true/**",
    "**/Protocol:PROTOCOL_GRPC/Codec:CODEC_JSON/**",
    "**/Protocol:PROTOCOL_GRPC_WEB/Codec:CODEC_JSON/**",
    _COMPRESSED.format("IDENTITY"),
    _COMPRESSED.format("DEFLATE"),
)
_ZSTD = ("compression.zstd", "backports.zstd", "zstandard")


@dataclass
class Report:
    """What one run amounted to.

    Attributes:
        passed, failed, known: cases; `known` failed as the list says.
        unrun: cases that could not be run.
        problems: the suite's words on what failed.
    """

    passed: int = 0
    failed: int = 0
    known: int = 0
    unrun: int = 0
    problems: str = ""

    @property
    def ok(self) -> bool:
        """Whether every case ran and did what is expected."""
        return self.passed > 0 and not self.failed and not self.unrun


def read_report(output: str, status: int) -> Report:
    """Read what the suite prints.

    Args:
        output: that.
        status: its exit status.
    """
    report = Report()
    totals = re.search(r"^(\d+) passed, (\d+) failed$", output, re.MULTILINE)
    if totals is not None:
        report.passed, report.failed = int(totals[1]), int(totals[2])
    known = re.search(r"^\(Another (\d+) failed as expected", output, re.MULTILINE)
    unrun = re.search(r"^Another (\d+) could not be run", output, re.MULTILINE)
    report.known = int(known[1]) if known else 0
    report.unrun = int(unrun[1]) if unrun else 0
    begin = output.find("FAILED: ")
    if begin >= 0:
        report.problems = output[begin:]
    elif status or totals is None:
        report.problems = output[-4000:]
        report.failed = report.failed or 1
    return report


def check(
    suite: Suite, mode: Mode, front_end: str, options: Sequence[str], *, verbose: bool = False
) -> Report:
    """Run the suite once.

    Args:
        suite: what was built.
        mode: what of ours is tested.
        front_end: `sync` or `aio`.
        options: of the suite.
        verbose: print what it says as it comes.
    """
    command = [
        *(str(suite.binary), "--mode", mode.side, "--conf", str(HERE / mode.config)),
        *(
            # The suite's own limits of time are short: what is asked of a program at once must not fill a core.
            ("--parallel", "2", "--max-servers", "2")
            if mode.side == "server"
            else ("--max-servers", "1")
        ),
        *options,
        *("--", sys.executable, str(HERE / mode.program), mode.argument or front_end),
    ]
    path = os.pathsep.join([str(ROOT / "src"), str(suite.protos)])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if verbose else subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_RUN_SECONDS,
    )
    if verbose:
        print(done.stdout)
    return read_report(done.stdout, done.returncode)


def _options(mode: str, quick: bool, more: Sequence[str]) -> list[str]:
    skipped = list(_QUICK) if quick else []
    if mode == "server" and (quick or not any(map(_is_there, _ZSTD))):
        skipped.append(_COMPRESSED.format("ZSTD"))
        if not quick:
            print("zstd is not installed (extra `zstd`): cases with it are left out")
    options = [word for pattern in skipped for word in ("--skip", pattern)]
    if mode == "client":
        options += ["--known-failing", f"@{HERE / 'known-failing.txt'}"]
    return [*options, *more]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _chosen(text: str, known: Collection[str]) -> list[str]:
    names = text.split(",")
    wrong = [name for name in names if name not in known]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(known)}")
    return names


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modes", type=lambda text: _chosen(text, MODES), default=list(MODES))
    parser.add_argument(
        "--front-ends", type=lambda text: _chosen(text, FRONT_ENDS), default=FRONT_ENDS
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--build-seconds", type=float, default=BUILD_SECONDS)
    parser.add_argument("options", nargs="*", help="of the suite, behind --")
    arguments = parser.parse_args()
    try:
        suite = build(arguments.build_seconds)
    except Missing as reason:
        print(f"connectrpc conformance: skipped: {reason}")
        return 0
    if arguments.build_only:
        print(suite.binary)
        return 0
    ok = True
    for name in arguments.modes:
        mode = MODES[name]
        missing = [module for module in mode.needs if not _is_there(module)]
        if missing:
            print(f"connectrpc conformance, {name}: skipped: {missing[0]} is not installed")
            continue
        options = _options(mode.side, arguments.quick, arguments.options)
        for front_end in [each for each in arguments.front_ends if each in mode.front_ends]:
            begin = time.monotonic()
            report = check(suite, mode, front_end, options, verbose=arguments.verbose)
            ok = ok and report.ok
            print(
                f"connectrpc conformance, {front_end} {name}: {report.passed} passed,"
                f" {report.failed} failed, {report.known} known to fail, {report.unrun} not run,"
                f" {time.monotonic() - begin:.0f} s",
                flush=True,
            )
            if report.problems and not arguments.verbose:
                print(report.problems)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
