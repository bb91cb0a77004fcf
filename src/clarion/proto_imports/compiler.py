"""Descriptors of .proto files: from memory, from the cache, or from protoc.

protoc sees copies of the files in a folder of their own, in which import statements say the files' names; see
`sources`. One run compiles a file and everything it imports.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from clarion.proto_imports.cache import Cache
from clarion.proto_imports.sources import Source, Sources, search_path

__all__ = ["Compiler", "RefusedError", "compile_all", "run_protoc", "syntax_error"]

# To be changed with what entries of the cache hold.
_FORMAT = b"1"

# `hello.proto:3:12: Expected ";".`, or without column, or without line.
_MESSAGE = re.compile(
    r"(?P<file>(?:[A-Za-z]:)?[^:\n]+\.proto):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)? *(?P<text>.*)"
)
_TAB = 8


class Compiler:
    """Compiles the .proto files of a package, each content once.

    Args:
        sources: the files.
        cache: where compiled files are kept between runs.
    """

    def __init__(self, sources: Sources, cache: Cache) -> None:
        self._sources = sources
        self._cache = cache
        # What protoc said of files that were not asked for yet, by key.
        self._ready: dict[str, bytes] = {}

    def descriptor(self, name: str) -> bytes:
        """The serialized FileDescriptorProto of a file, with source info.

        Raises:
            ImportError: there is no protoc; says what to install.
            SyntaxError: protoc does not accept the file, or one that it imports; says where and why.
        """
        closure = self._sources.closure(name)
        key = _key(name, closure)
        known = self._ready.get(key) or self._cache.get(key)
        if known is not None:
            return known
        compiled = compile_all([name], closure)
        entries = {_key(each, self._sources.closure(each)): compiled[each] for each in closure}
        self._ready.update(entries)
        self._cache.put(entries)
        return compiled[name]


def _key(name: str, closure: dict[str, Source]) -> str:
    parts = [_FORMAT, name.encode(), *(closure[each].digest for each in sorted(closure))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def compile_all(names: Iterable[str], closure: dict[str, Source]) -> dict[str, bytes]:
    """Compile files with protoc.

    Args:
        names: the files.
        closure: these and everything they import.

    Returns:
        The serialized FileDescriptorProto of each file and of everything they import, those first, by name.

    Raises:
        ImportError: there is no protoc; says what to install.
        SyntaxError: protoc does not accept a file; says where and why.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from clarion.cli._protoc_binary import ProtocNotFoundError

    wanted = list(names)

    def read(name: str) -> tuple[str, bytes] | None:
        source = closure.get(name)
        return None if source is None else (source.place, source.text)

    with tempfile.TemporaryDirectory(prefix="clarion-protos-") as staging:
        for source in closure.values():
            path = Path(staging, source.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.staged)
        try:
            compiled = run_protoc(wanted, [staging, *search_path()])
        except ProtocNotFoundError as error:
            raise ImportError(f"cannot compile {', '.join(wanted)}: {error}") from None
        except RefusedError as error:
            said = str(error).replace(staging + os.sep, "").replace(f"{staging}/", "")
            raise syntax_error(wanted[0], said, read) from None
    return {
        file.name: file.SerializeToString() for file in FileDescriptorSet.FromString(compiled).file
    }


class RefusedError(Exception):
    """protoc does not accept a file; the message is what it said."""


def run_protoc(names: Iterable[str], places: Iterable[str]) -> bytes:
    """Run protoc; return the serialized FileDescriptorSet of files and all they import, those first.

    Args:
        names: the files, relative to one of `places`.
        places: directories.

    Raises:
        ProtocNotFoundError: there is no protoc; says what to install.
        RefusedError: protoc does not accept a file.
    """
    from clarion.cli._protoc_binary import find_protoc, include_flags

    protoc = find_protoc()
    flags = [f"-I{place}" for place in places]
    flags += include_flags(protoc, flags)
    # Where no file is, so that protoc does not take a name for that of a file in the current directory.
    with tempfile.TemporaryDirectory(prefix="clarion-protos-") as empty:
        done = subprocess.run(
            [
                protoc,
                *flags,
                "--include_imports",
                "--include_source_info",
                "--descriptor_set_out=set",
                *names,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=empty,
            check=False,
        )
        if done.returncode:
            raise RefusedError(done.stderr.decode("utf-8", "replace").strip())
        return Path(empty, "set").read_bytes()


def syntax_error(
    name: str, said: str, read: Callable[[str], tuple[str, bytes] | None]
) -> SyntaxError:
    """What protoc said as an error that tracebacks show with the line and a caret.

    Args:
        name: the file that was to be compiled.
        said: protoc's messages.
        read: gives the path, for people, and the content of a file that protoc names; or None.
    """
    matches = [match for match in map(_MESSAGE.match, said.splitlines()) if match is not None]
    # A missing file has no line; the statement that imports it has.
    first = next((match for match in matches if match["line"]), matches[0] if matches else None)
    if first is None:
        return SyntaxError(f"protoc does not accept {name}: {said}")
    place, content = read(first["file"]) or (first["file"], b"")
    error = SyntaxError(first["text"] or said)
    error.filename = place
    if first["line"]:
        number = int(first["line"])
        line = (content.split(b"\n") + [b""] * number)[number - 1]
        error.lineno = error.end_lineno = number
        error.text = line.decode("utf-8", "replace").rstrip("\r")
        error.offset = error.end_offset = _offset(line, int(first["column"] or 1))
    if len(matches) > 1:
        lines = [
            (read(match["file"]) or (match["file"],))[0] + match.string[match.end("file") :]
            for match in matches
        ]
        error.add_note("protoc said:\n" + "\n".join(lines))
    return error


def _offset(line: bytes, column: int) -> int:
    """protoc counts bytes, and a tab up to the next multiple of eight; Python counts characters. Both from 1."""
    reached = 0
    for index, byte in enumerate(line):
        if reached >= column - 1:
            return len(line[:index].decode("utf-8", "replace")) + 1
        reached += _TAB - reached % _TAB if byte == 9 else 1
    return len(line.decode("utf-8", "replace")) + 1
