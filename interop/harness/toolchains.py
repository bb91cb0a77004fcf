"""Builds what the programs need, under `interop/.build`, once for each state of its sources.

Rule: a toolchain that is absent, or a build that fails, costs its own peer and nothing else; the
reason is part of the result.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

__all__ = [
    "BUILD",
    "INTEROP",
    "PROTOS",
    "Missing",
    "build",
    "descriptor_set",
    "generate_python",
    "protoc",
    "run",
    "tool",
]

INTEROP = Path(__file__).resolve().parent.parent
BUILD = INTEROP / ".build"
PROTOS = INTEROP / "protos"
BUILD_SECONDS = 1200


class Missing(Exception):
    """Something that a peer needs is not here; the text says what."""


def tool(name: str) -> str:
    """The path of a command, or `Missing`."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"`{name}` is not on the path")
    return found


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a step of a build; return what it wrote, or raise `Missing`."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{name} could not be run: {type(error).__name__}") from None
    output = done.stdout.decode(errors="replace").replace(f"{INTEROP.parent}{os.sep}", "")
    if done.returncode:
        tail = " | ".join(output.strip().splitlines()[-3:])
        raise Missing(f"{name} ended with exit status {done.returncode}: {tail[-300:]}")
    return output


def _digest(files: Iterable[Path], *words: str) -> str:
    total = hashlib.sha256("\0".join(words).encode())
    for file in sorted(files):
        total.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


def build(name: str, sources: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """The folder `.build/NAME`, made by `make` unless that has made it of the same sources before."""
    folder = BUILD / name
    stamp = folder / "stamp"
    digest = _digest(sources, inspect.getsource(make))
    if not stamp.exists() or stamp.read_text() != digest:
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        make(folder)
        stamp.write_text(digest)
    return folder


def protoc() -> list[str]:
    """The compiler: grpcio-tools', or the one Clarion finds."""
    if importlib.util.find_spec("grpc_tools") is not None:
        return [sys.executable, "-m", "grpc_tools.protoc"]
    return [sys.executable, "-m", "clarion.protoc"]


def generate_python() -> Path:
    """The folder with the Python modules of `protos/`; safe to ask for from many processes."""
    return _generated(
        "python", sorted(PROTOS.glob("*.proto")), lambda made: [f"--python_out={made}"]
    )


def descriptor_set() -> Path:
    """A file with the descriptors of the test service, for peers that need no generated code; as safe."""
    name = "interop.binpb"
    sources = [PROTOS / "interop_test.proto"]
    made = _generated("descriptors", sources, lambda made: [f"--descriptor_set_out={made / name}"])
    return made / name


def _generated(kind: str, sources: Sequence[Path], options: Callable[[Path], list[str]]) -> Path:
    """A folder that the compiler made of `sources`, with the options that `options` has for it."""
    folder = BUILD / kind / _digest(sources, sys.prefix)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            made = Path(work) / "made"
            made.mkdir()
            names = [source.name for source in sources]
            run([*protoc(), f"-I{PROTOS}", *options(made), *names], PROTOS)
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # else another process was quicker
                    raise
    return folder
