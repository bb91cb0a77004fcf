"""Builds what the programs need: messages for each language, the Go peer, Node's packages.

Rule: a toolchain that is absent, or a build that fails, costs its own row and nothing else; the
reason is printed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.harness.layout import BENCH, GENERATED, ROOT

__all__ = ["GO_PEER", "PROTO", "Missing", "build_go", "generate_python", "install_node"]

PROTO = BENCH / "protos" / "bench.proto"
GO_PEER = GENERATED / "go" / "peer"
BUILD_SECONDS = 300


class Missing(Exception):
    """Something that a row needs is not here; the text says what."""


def _run(command: Sequence[str | Path], folder: Path) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{name} could not be run: {type(error).__name__}") from None
    if done.returncode:
        output = done.stdout.decode(errors="replace").replace(f"{ROOT}{os.sep}", "")
        tail = " | ".join(output.strip().splitlines()[-3:])
        raise Missing(f"{name} ended with exit status {done.returncode}: {tail[-300:]}")


def _digest(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def _protoc() -> list[str]:
    """The compiler: grpcio-tools', the official binary beside this interpreter, or Clarion's."""
    if importlib.util.find_spec("grpc_tools") is not None:
        return [sys.executable, "-m", "grpc_tools.protoc"]
    beside = shutil.which("protoc", path=os.path.dirname(sys.executable)) or shutil.which("protoc")
    if beside:
        return [beside]
    return [sys.executable, "-m", "clarion.protoc"]


def generate_python() -> None:
    """Write bench_pb2.py, which every Python program imports."""
    folder = GENERATED / "python"
    folder.mkdir(parents=True, exist_ok=True)
    _run([*_protoc(), f"-I{PROTO.parent}", f"--python_out={folder}", PROTO.name], PROTO.parent)


def build_go() -> None:
    """Build the grpc-go peer, unless the one that is there came from the same sources."""
    go = shutil.which("go")
    if go is None:
        raise Missing("Go is not on the path")
    sources = sorted((BENCH / "peers" / "go").iterdir())
    stamp = GENERATED / "go" / "stamp"
    digest = _digest([*sources, PROTO])
    if GO_PEER.exists() and stamp.exists() and stamp.read_text() == digest:
        return
    folder = GENERATED / "go"
    messages = folder / "pb"
    messages.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, folder)
    plugin = folder / "protoc-gen-go"
    _run([go, "build", "-o", plugin, "google.golang.org/protobuf/cmd/protoc-gen-go"], folder)
    _run(
        [
            *_protoc(),
            f"-I{PROTO.parent}",
            f"--plugin=protoc-gen-go={plugin}",
            f"--go_out={messages}",
            f"--go_opt=paths=source_relative,M{PROTO.name}=clarionbench/pb",
            PROTO.name,
        ],
        PROTO.parent,
    )
    _run([go, "build", "-o", GO_PEER, "."], folder)
    stamp.write_text(digest)


def install_node() -> None:
    """Install the packages of the grpc-js peer, unless those it names are there."""
    folder = BENCH / "peers" / "node"
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Missing("Node or npm is not on the path")
    stamp = folder / "node_modules" / ".bench-stamp"
    digest = _digest([folder / "package.json"])
    if stamp.exists() and stamp.read_text() == digest:
        return
    _run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], folder)
    stamp.write_text(digest)
