"""Fuzz for a while.

    python fuzz/run.py [--targets a,b] [--seconds N] [--engine auto|atheris|hypothesis]
    python fuzz/run.py --targets a --replay FILE ...

Rules: each target runs for N seconds in a process of its own. The engine is atheris, which is guided by coverage,
where it can be imported; else Hypothesis, and the reason is printed. What a run finds goes to `.fuzz/TARGET`: inputs
that reached something new, which the next run starts from, and inputs that failed. The exit status is 1 if any did.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fuzz.seeds import CORPUS, seeds  # noqa: E402 - the path comes first
from fuzz.targets import NAMES, load  # noqa: E402

__all__ = ["main"]

WORK = ROOT / ".fuzz"
MAX_SIZE = 4096
# For one input. The slowest of a few thousand bytes take some hundredths of a second.
INPUT_SECONDS = 20
MEMORY_MB = 2048
_FAILED = 77


def _why_no_atheris() -> str:
    """Empty if atheris can be used."""
    probe = subprocess.run(
        [sys.executable, "-c", "import atheris"], capture_output=True, text=True, check=False
    )
    lines = probe.stderr.strip().splitlines()
    return "" if not probe.returncode else (lines[-1] if lines else f"exit {probe.returncode}")


def _atheris(target: str, seconds: int) -> None:
    """In the child: run libFuzzer, which ends the process."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    with atheris.instrument_imports(include=["clarion"]):
        function = load(target)
    folder = WORK / target
    atheris.Setup(
        [
            sys.argv[0],
            str(folder),
            str(CORPUS / target),
            f"-max_total_time={seconds}",
            f"-max_len={MAX_SIZE}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={folder}-",
            "-print_final_stats=1",
        ],
        function,
    )
    atheris.Fuzz()


def _hypothesis(target: str, seconds: int) -> None:
    """In the child: rounds of examples until the time is up."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from fuzz.strategies import inputs

    function = load(target)
    strategy = inputs(seeds(target).values())
    end = time.monotonic() + seconds
    runs = 0
    failing = b""

    def one(data: bytes) -> None:
        nonlocal runs, failing
        runs += 1
        try:
            function(data)
        except BaseException:
            failing = data
            raise

    while not runs or time.monotonic() < end:
        examples = settings(
            max_examples=200,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        try:
            seed(time.time_ns())(examples(given(strategy)(one)))()
        except Exception:
            file = WORK / f"{target}-crash-{hashlib.sha256(failing).hexdigest()[:16]}"
            file.write_bytes(failing)
            traceback.print_exc()
            print(f"Test unit written to {file}")
            print(f"stat::number_of_executed_units: {runs}")
            sys.exit(_FAILED)
    print(f"stat::number_of_executed_units: {runs}")


_ENGINES = {"atheris": _atheris, "hypothesis": _hypothesis}


def _fuzz(target: str, engine: str, seconds: int) -> bool:
    """Run one target in a child; print one line, or what it found. Return whether it found nothing."""
    folder = WORK / target
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            sys.executable,
            __file__,
            *("--child", engine, "--targets", target, "--seconds", str(seconds)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        cwd=ROOT,
    )
    runs = re.findall(r"stat::number_of_executed_units: (\d+)", done.stdout)
    if not done.returncode and runs:
        features = re.findall(r"ft: (\d+)", done.stdout)
        reached = f", {features[-1]} features" if features else ""
        print(f"{target}: {runs[-1]} runs, nothing found{reached}", flush=True)
        return True
    print(f"{target}: FAILED\n{done.stdout[-6000:].strip()}", flush=True)
    return False


def _replay(target: str, files: list[Path]) -> bool:
    ok = True
    function = load(target)
    for file in files:
        try:
            function(file.read_bytes())
        except Exception:
            ok = False
            print(f"{file}: FAILED")
            traceback.print_exc()
        else:
            print(f"{file}: passed")
    return ok


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--targets", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (20)")
    parser.add_argument("--engine", choices=["auto", *_ENGINES], default="auto")
    parser.add_argument("--replay", type=Path, nargs="+", help="run these inputs and nothing else")
    parser.add_argument("--child", choices=_ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    targets = arguments.targets.split(",")
    for target in targets:
        if target not in NAMES:
            parser.error(f"there is no target {target!r}; there are {', '.join(NAMES)}")
    if arguments.child:
        _ENGINES[arguments.child](targets[0], arguments.seconds)
        return 0
    if arguments.replay:
        passed = [_replay(target, arguments.replay) for target in targets]
        return 0 if all(passed) else 1
    engine = arguments.engine
    if engine == "auto":
        reason = _why_no_atheris()
        engine = "hypothesis" if reason else "atheris"
        if reason:
            print(f"Hypothesis takes the place of atheris: {reason}")
    print(f"{engine}, Python {sys.version.split()[0]}, {arguments.seconds} s for each target")
    passed = [_fuzz(target, engine, arguments.seconds) for target in targets]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
