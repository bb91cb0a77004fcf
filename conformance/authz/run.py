"""Ask grpc-go's authorization engine what the policies of `table.json` allow, and compare with what that says.

    python conformance/authz/run.py

That Clarion's servers agree with the table is what `tests/auth/test_policy_table.py` tests. The program is built from the
Go module proxy into `.venvs/authz` with the versions in go.mod and go.sum here; where there is no Go, the run says so and
the exit status is 0. An answer that differs makes it 1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["Missing", "ask", "build", "differences", "main"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = ROOT / ".venvs" / "authz" / "authz"
CERTIFICATES = ROOT / "tests" / "support" / "certificates"
_BUILD_SECONDS = 600.0
_RUN_SECONDS = 300.0
_WORDS = {True: "allowed", False: "denied"}


class Missing(Exception):
    """The program is not to be had here; the text says why."""


def build() -> Path:
    """Build the program; quick where that was done before.

    Raises:
        Missing: there is no Go, or the build failed.
    """
    go = shutil.which("go")
    if go is None:
        raise Missing("Go is not on the path")
    BINARY.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [go, "build", "-mod=readonly", "-o", str(BINARY), "."],
            cwd=HERE,
            env={**os.environ, "GOWORK": "off", "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"go build did not end within {_BUILD_SECONDS:.0f} s") from None
    if done.returncode:
        raise Missing(f"go build failed: {' | '.join(done.stdout.strip().splitlines()[-3:])}")
    return BINARY


def ask(binary: Path, cases: list[dict[str, Any]]) -> list[list[str] | None]:
    """grpc-go's answers to each case's requests; None for a policy that it refuses."""
    question = {
        "certificates": str(CERTIFICATES),
        "cases": [
            {"policy": json.dumps(case["policy"]), "requests": case.get("requests", [])}
            for case in cases
        ],
    }
    done = subprocess.run(
        [str(binary)],
        input=json.dumps(question),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=_RUN_SECONDS,
    )
    answers: list[list[str] | None] = json.loads(done.stdout)
    return answers


def differences(cases: list[dict[str, Any]], answers: list[list[str] | None]) -> list[str]:
    """Where the answers are others than the table's, in words."""
    found = []
    for case, answer in zip(cases, answers, strict=True):
        name, requests = case["name"], case.get("requests")
        if requests is None or answer is None:
            if requests is not None or answer is not None:
                found.append(f"{name}: the policy is {'refused' if answer is None else 'taken'}")
            continue
        for request, word in zip(requests, answer, strict=True):
            if word != _WORDS[request["allowed"]]:
                found.append(f"{name}: {json.dumps(request)}: {word}")
    return found


def main() -> int:
    """Run it; 1 if an answer differs."""
    cases = json.loads((HERE / "table.json").read_text())["cases"]
    try:
        binary = build()
    except Missing as why:
        print(f"skipped: {why}")
        return 0
    wrong = differences(cases, ask(binary, cases))
    for each in wrong:
        print(f"grpc-go differs: {each}")
    requests = sum(len(case.get("requests", ())) for case in cases)
    print(f"{len(cases)} policies, {requests} requests: grpc-go differs in {len(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
