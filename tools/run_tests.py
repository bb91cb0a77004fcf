"""Run the test suite on every supported Python of this machine and add up the results.

    python tools/run_tests.py [--only 3.12,3.13] [--jobs N] [pytest arguments ...]

Rules: one environment per minor version under `.venvs/`, made again when `pyproject.toml` or the
interpreter changes. Coverage is measured on the newest version only, of the tests that cover the modules without I/O
(`_COVERING`): those modules (`[tool.clarion] fully-covered`) must reach 100 % with branches. The last line is always the sum,
`N passed, N failed, N skipped`; the exit code is non-zero on any failure. Two versions run side by
side where there are two cores: every test is bounded by its own time limit and none asserts a timing.

Other people's programs (`tests/programs`) have an environment of their own with many libraries and without
grpcio, `.venvs/programs`, and run once: on the newest Python for which all of them have wheels.

What loads a machine, or tests tools and examples more than the package, runs on the oldest and the newest Python
alone (`_AT_BOTH_ENDS`); what drives a browser, on the newest alone (`_AT_NEWEST`).

The soak runs once, too, on the newest Python and beside the tests: two minutes at a low priority and a moderate rate.

A few tests that failed are run once more when everything else is over. What passes alone is named as unsteady, with
the text of its failure, and does not fail the run: real sockets and processes share two cores with all the others,
and what a crowded machine does to a test says nothing of a change. What fails twice fails the run, and so do more
than a few at once. A test that does not end is named, with the stacks of its threads, and the run goes on behind it
(`recorded_runs`). The texts of all failures come last, where a shortened log still has them.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pythons
import venvs
from recorded_runs import Result, run_again, run_pytest, shortened
from venvs import ROOT

__all__ = ["main"]

_PROGRAMS = "tests/programs"
_AT_BOTH_ENDS = [
    f"tests/{name}"
    for name in (
        "chaos cli codegen conformance examples fuzz interop overload simulation stress test_recorded_runs.py "
        "web/asgi/test_servers.py"
    ).split()
]
# A browser on one server's page: what it shows depends on no version.
_AT_NEWEST = ["tests/browser"]
# Tests under coverage: it doubles what they take, and the others, with their sockets and processes, add nothing to it.
_COVERING = [
    *(
        f"tests/{name}"
        for name in (
            "auth binary_log call_tracing channelz client_core credentials health hpack http2 interceptors load_balancing "
            "name_lookup negative oauth2 protocol reflection resolver rich_errors security server_core telemetry web/asgi "
            "web/connect web/http1 wire_trace web/apps/test_answers.py web/apps/websocket web/client/test_call_side.py"
        ).split()
    ),
    *(
        f"tests/web/test_{name}.py"
        for name in "base64_stream codec cors envelopes fields grpc_encodings grpc_web http1_connection".split()
    ),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("test_*.py")),
]
_SOAK = ["-m", "soak", "--minutes", "2", "--pause", "0.05", "--out", "build/soak"]
_SOAK_SECONDS = 600


def _say(text: str) -> None:
    print(text, flush=True)


def _prepare(interpreter: pythons.Interpreter, *, newest: bool) -> tuple[Path, list[str]]:
    directory = ROOT / ".venvs" / interpreter.minor
    # Type checkers and build backends say the same on every version.
    optional = [
        "peers",
        "protos",
        "codecs",
        "asgi",
        *(["builds", "errors", "frameworks", "telemetry", "typing", "webpeers"] if newest else []),
    ]
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
    state.update(f"{interpreter.full} {interpreter.path} {optional}".encode())
    stamp = directory / ".clarion-stamp"
    lines = stamp.read_text().splitlines() if stamp.exists() else []
    if not lines or lines[0] != state.hexdigest():
        venvs.create(directory, interpreter.path)
        absent = venvs.install(
            directory,
            extras=["auth", "protoc", "uvloop", "zstd"],
            groups=["test"],
            optional=optional,
        )
        lines = [state.hexdigest(), *absent]
        stamp.write_text("\n".join(lines) + "\n")
    return venvs.python_of(directory), lines[1:]


def _prepare_programs(found: list[pythons.Interpreter]) -> tuple[Path, list[str]]:
    """The environment of the programs; which Python it has, and why newer ones do not."""
    directory = ROOT / ".venvs" / "programs"
    with (ROOT / "pyproject.toml").open("rb") as file:
        wanted = "\n".join(tomllib.load(file)["dependency-groups"]["programs"])
    state = hashlib.sha256(f"{wanted}\n{[(one.full, one.path) for one in found]}".encode())
    stamp = directory / ".clarion-stamp"
    lines = stamp.read_text().splitlines() if stamp.exists() else []
    if lines and lines[0] == state.hexdigest():
        return venvs.python_of(directory), lines[1:]
    reasons: list[str] = []
    for interpreter in sorted(found, key=lambda one: one.version, reverse=True):
        try:
            venvs.create(directory, interpreter.path)
            venvs.install(directory, groups=["programs"], only_wheels=True)
            # Most of them require it. That nothing needs it is the point.
            venvs.remove(directory, "grpcio")
        except venvs.InstallError as error:
            last = str(error).strip().splitlines()[-1]
            reasons.append(f"not on Python {interpreter.full}: {last}")
            continue
        reasons.append(f"on Python {interpreter.full} alone, the newest for which all have wheels")
        stamp.write_text("\n".join([state.hexdigest(), *reasons]) + "\n")
        return venvs.python_of(directory), reasons
    raise venvs.InstallError("\n".join(reasons))


def _coverage(python: Path) -> bool:
    def run(*arguments: str) -> int:
        return subprocess.run(
            [str(python), "-m", "coverage", *arguments], cwd=ROOT, check=False
        ).returncode

    with (ROOT / "pyproject.toml").open("rb") as file:
        pure = ",".join(tomllib.load(file)["tool"]["clarion"]["fully-covered"])
    if run("combine", "--quiet"):
        return False
    _say("\nCoverage of the modules without I/O, which must be 100 %:")
    return run("report", f"--include={pure}", "--fail-under=100", "--skip-covered") == 0


def _run_version(
    label: str,
    prepared: Callable[[], tuple[Path, list[str]]],
    arguments: list[str],
    *,
    coverage: bool,
    live: bool,
) -> Result:
    started = time.monotonic()
    try:
        python, absent = prepared()
    except venvs.InstallError as error:
        _say(f"{label}: no environment\n{error}")
        return Result(failed=1, ok=False)
    for line in absent:
        _say(f"{label}: {line}")
    left_out = [path for path in _AT_BOTH_ENDS + _AT_NEWEST if f"--ignore={path}" in arguments]
    _say(
        f"{label}: running{' with coverage' if coverage else ''}"
        f"{' without ' if left_out else ''}{', '.join(left_out)}"
    )
    result = run_pytest(python, arguments, coverage=coverage, live=live)
    _say(
        f"{label}: {result.passed} passed, {result.failed} failed, {result.skipped} skipped"
        f" in {time.monotonic() - started:.0f} s\n"
    )
    return result


def _run_soak(prepared: Callable[[], tuple[Path, list[str]]]) -> Result:
    try:
        python, _ = prepared()
    except venvs.InstallError:
        # The run of the tests says so.
        return Result()
    try:
        done = subprocess.run(
            [str(python), *_SOAK],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SOAK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        output, failed = f"ended after {_SOAK_SECONDS} s", True
    else:
        output, failed = shortened(done.stdout), done.returncode != 0
    _say(f"Soak:\n{output}\n")
    if not failed:
        return Result(passed=1)
    return Result(
        failed=1, ok=False, failures=[f"soak\n{output}"], again=lambda: _run_soak(prepared)
    )


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="minor versions, such as 3.12,3.13")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2))
    parser.add_argument("--no-coverage", action="store_true")
    parser.add_argument("--programs", action="store_true", help=f"{_PROGRAMS} alone")
    args, arguments = parser.parse_known_args()
    found = pythons.find()
    _say(pythons.report(found))
    only = {name for name in args.only.split(",") if name}
    chosen = [one for one in found if not only or one.minor in only]
    if not chosen:
        _say(f"no interpreter to run: asked for {args.only or 'any'}")
        return 1
    # The newest goes first: with coverage it takes longest.
    chosen.reverse()
    for leftover in ROOT.glob(".coverage.*"):
        leftover.unlink()
    jobs = max(1, min(args.jobs, len(chosen)))
    # Who chooses tests says so if the programs are meant.
    programs = [_PROGRAMS, *arguments] if args.programs else [] if arguments else [_PROGRAMS]
    if args.programs:
        chosen, jobs, args.no_coverage = [], 1, True
    elif programs:
        arguments = [f"--ignore={_PROGRAMS}"]
    between = [f"--ignore={path}" for path in _AT_BOTH_ENDS] if programs else []
    with (
        ThreadPoolExecutor(jobs) as pool,
        ThreadPoolExecutor(jobs) as builders,
        ThreadPoolExecutor(1) as aside,
    ):
        environments = [builders.submit(_prepare, one, newest=one is found[-1]) for one in chosen]
        runs = {}
        for one, environment in zip(chosen, environments, strict=True):
            label = f"Python {one.full}"
            run = partial(_run_version, label, environment.result, live=jobs == 1)
            alone = [*arguments, *([] if one in (found[0], found[-1]) else between)]
            if programs and one is not found[-1]:
                alone += [f"--ignore={path}" for path in _AT_NEWEST]
            measured = one is chosen[0] and not args.no_coverage
            if programs and one in (found[0], found[-1]):
                # These have most to do. In two parts, they leave no core idle for long.
                runs[f"{label}, first part"] = pool.submit(run, _COVERING, coverage=measured)
                alone += [f"--ignore={path}" for path in _COVERING]
            runs[label] = pool.submit(run, alone, coverage=measured and not programs)
        if programs and environments:
            runs["Soak"] = aside.submit(_run_soak, environments[0].result)
        if programs:
            libraries = builders.submit(_prepare_programs, found)
            runs["Programs"] = pool.submit(
                _run_version,
                "Programs",
                libraries.result,
                programs,
                coverage=False,
                live=jobs == 1,
            )
        results = {label: run.result() for label, run in runs.items()}
    total = sum((run_again(label, result) for label, result in results.items()), Result())
    if not args.no_coverage:
        try:
            newest = environments[0].result()[0]
        except venvs.InstallError:
            total.ok = False
        else:
            if not _coverage(newest):
                _say("coverage: FAILED, see above")
                total.ok = False
    for text in total.failures:
        _say(f"FAILED {text}\n")
    _say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 0 if total.ok and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
