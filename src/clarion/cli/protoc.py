"""`clarion protoc`: the official protoc plus Clarion's `--grpc_python_out`.

Rules: flags are protoc's own and pass through untouched, except `--grpc_python_out` and
`--grpc_python_opt`, which protoc does not know. protoc's messages and exit code come through as they
are. Nothing is written until every .proto file has parsed and every stub has been generated; each
stub file appears whole or not at all.

The generator runs in this process on a descriptor set rather than as a protoc plugin: a plugin has
to be an executable file, which Windows, `noexec` directories and zipped environments do not offer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from clarion.cli._protoc_binary import (
    ProtocNotFoundError,
    find_protoc,
    include_flags,
    runtime_warning,
)
from clarion.codegen import generate, generate_types
from clarion.codegen.names import UnusableNameError

__all__ = ["run"]

_HELP = """\
Usage: {prog} [protoc's options] --grpc_python_out=DIR PROTO_FILES

  --grpc_python_out=DIR       Generate Clarion stubs and servicers (NAME_pb2_grpc.py); with --pyi_out
                              also their types, beside them (NAME_pb2_grpc.pyi).
  --grpc_python_opt=OPTS      Accepted for the sake of grpcio-tools' options; none is needed.

Everything else is protoc's:
"""

# Flags of protoc that take no value; every other `--name` without "=" takes the next argument.
_SWITCHES = frozenset(
    "--version --help --include_imports --include_source_info --retain_options --print_free_field_numbers"
    " --decode_raw --deterministic_output --fatal_warnings --notices --disallow_services"
    " --experimental_allow_proto3_optional --experimental_editions --enable_codegen_trace".split()
)
# Left out when the descriptors are asked for: they name outputs or shape them.
_OUTPUT_FLAGS = frozenset(
    "-o --descriptor_set_out --dependency_out --include_imports --include_source_info"
    " --retain_options --plugin --encode --decode --decode_raw --deterministic_output".split()
)


class _UsageError(Exception):
    """The command line makes no sense; the message is one line."""


@dataclass
class _CommandLine:
    """protoc's arguments, sorted by who needs them."""

    # What protoc gets when it does what the user asked for, without our flags.
    own: list[str] = field(default_factory=list)
    # What protoc gets when we ask it for descriptors.
    parse: list[str] = field(default_factory=list)
    stubs_out: str | None = None
    # Whether stubs get types, too: if messages do, and no plugin writes the same files.
    types: bool = False
    types_by_plugin: bool = False
    writes_python: bool = False
    has_output: bool = False


def _expand(arguments: list[str]) -> list[str]:
    """Put the lines of `@file` arguments in their place, as protoc does."""
    expanded: list[str] = []
    for argument in arguments:
        if argument.startswith("@"):
            try:
                expanded += Path(argument[1:]).read_text(encoding="utf-8").splitlines()
            except OSError as error:
                raise _UsageError(f"cannot read {argument[1:]}: {error.strerror}") from None
        else:
            expanded.append(argument)
    return expanded


def _directory(value: str) -> str:
    """Return the directory of an `[options:]DIRECTORY` value."""
    drive = len(value) > 2 and value[0].isalpha() and value[1] == ":" and value[2] in "\\/"
    if drive:
        return value
    before, colon, after = value.partition(":")
    return after if colon else before


def _read(arguments: list[str]) -> _CommandLine:
    line = _CommandLine()
    rest = iter(_expand(arguments))
    for argument in rest:
        pieces = [argument]
        name, equals, value = argument.partition("=")
        if argument[:2] in ("-I", "-o"):
            name, value, equals = argument[:2], argument[2:], argument[2:3]
        takes_value = name.startswith("--") and name not in _SWITCHES
        if (takes_value or name in ("-I", "-o")) and not equals:
            following = next(rest, None)
            if following is None:
                raise _UsageError(f"{argument} needs a value")
            pieces.append(following)
            value = following
        if name == "--grpc_python_out":
            if line.stubs_out is not None:
                raise _UsageError("--grpc_python_out may be given only once")
            line.stubs_out = _directory(value) or "."
        elif name == "--grpc_python_opt":
            continue
        else:
            line.own += pieces
            output = name.endswith("_out") or name == "-o"
            line.has_output |= output
            line.writes_python |= name in ("--python_out", "--pyi_out")
            line.types |= name == "--pyi_out"
            line.types_by_plugin |= name == "--mypy_grpc_out"
            if not output and name not in _OUTPUT_FLAGS and not name.endswith("_opt"):
                line.parse += pieces
    return line


def _descriptors(protoc: Path, arguments: list[str]) -> tuple[bytes, list[str], str] | int:
    """Ask protoc for the descriptors of the files named and of all they import.

    Returns:
        The serialized FileDescriptorSet, the names of the files to generate for and protoc's
        warnings; or protoc's exit code when it failed and has said why.
    """
    # The names come from a second set because the first does not tell named from imported files.
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    with tempfile.TemporaryDirectory(prefix="clarion-protoc-") as folder:
        everything, named = Path(folder, "all"), Path(folder, "named")
        first = subprocess.run(
            [
                protoc,
                *arguments,
                "--include_imports",
                "--include_source_info",
                f"--descriptor_set_out={everything}",
            ],
            stderr=subprocess.PIPE,
            check=False,
        )
        warnings = first.stderr.decode(errors="replace")
        if first.returncode:
            sys.stderr.write(warnings)
            return first.returncode
        second = subprocess.run(
            [protoc, *arguments, f"--descriptor_set_out={named}"],
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if second.returncode:
            return second.returncode
        names = [file.name for file in FileDescriptorSet.FromString(named.read_bytes()).file]
        return everything.read_bytes(), names, warnings


def _write(directory: Path, name: str, text: str) -> None:
    target = directory / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _protoc(protoc: Path, arguments: list[str]) -> int:
    code = subprocess.run([protoc, *arguments], check=False).returncode
    return code if code >= 0 else 128 - code


def _run(arguments: list[str], prog: str) -> int:
    line = _read(arguments)
    protoc = find_protoc()
    if arguments in (["--help"], ["-h"]) or not arguments:
        print(_HELP.format(prog=prog), flush=True)
        return _protoc(protoc, ["--help"])
    include = include_flags(protoc, line.own)
    stubs: dict[str, str] = {}
    if line.stubs_out is not None:
        if not Path(line.stubs_out).is_dir():
            raise _UsageError(
                f"the directory of --grpc_python_out does not exist: {line.stubs_out}"
            )
        parsed = _descriptors(protoc, [*line.parse, *include])
        if isinstance(parsed, int):
            return parsed if parsed >= 0 else 128 - parsed
        descriptor_set, names, warnings = parsed
        stubs = generate(descriptor_set, names)
        if line.types and not line.types_by_plugin:
            stubs |= generate_types(descriptor_set, names)
        if not line.has_output:
            sys.stderr.write(warnings)
    if line.has_output or line.stubs_out is None:
        code = _protoc(protoc, [*line.own, *include])
        if code:
            return code
        if line.writes_python:
            warning = runtime_warning(protoc)
            if warning:
                print(f"{prog}: warning: {warning}", file=sys.stderr)
    for name, text in stubs.items():
        _write(Path(line.stubs_out or "."), name, text)
    return 0


def run(arguments: list[str], *, prog: str) -> int:
    """Run protoc with `arguments` and write the stubs that they ask for.

    Args:
        arguments: what the user wrote after the command.
        prog: the command, for messages.

    Returns:
        protoc's exit code; 1 when it is not installed or the arguments make no sense.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        return _run(arguments, prog)
    except (ProtocNotFoundError, UnusableNameError, _UsageError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"{prog}: {error.filename or 'protoc'}: {error.strerror}", file=sys.stderr)
    return 1
