"""Describes the machine and the versions that took part: never its name, paths or addresses."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata

from bench.harness.layout import BENCH, pinned

__all__ = ["describe"]

DISTRIBUTIONS = ("clarion-rpc", "grpcio", "grpclib", "h2", "protobuf", "uvloop")


def _output(command: Sequence[str]) -> str:
    """What a program says, or nothing where it is absent."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _grpc_go() -> str:
    match = re.search(r"google\.golang\.org/grpc v(\S+)", _read("go", "go.mod"))
    return match.group(1) if match else ""


def _grpc_js() -> str:
    package = json.loads(_read("node", "package.json"))
    return str(package["dependencies"]["@grpc/grpc-js"])


def _read(*parts: str) -> str:
    return BENCH.joinpath("peers", *parts).read_text()


def describe() -> dict[str, str]:
    """Facts by name; what is absent is left out."""
    facts = {
        "CPUs": str(os.cpu_count()),
        "pinning": "servers on one core, load on another" if pinned() else "none possible",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in DISTRIBUTIONS},
        "h2load": _output(["h2load", "--version"]).rpartition("/")[2],
        "Node": _output(["node", "--version"]).removeprefix("v"),
        "grpc-js": _grpc_js() if shutil.which("node") else "",
        "Go": _output(["go", "env", "GOVERSION"]).removeprefix("go"),
        "grpc-go": f"{_grpc_go()}, GOMAXPROCS=1" if shutil.which("go") else "",
    }
    return {name: value for name, value in facts.items() if value}
