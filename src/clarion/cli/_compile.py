"""Run protoc for descriptors, and say what it does not like so that one sees it.

protoc runs once for all files, in an empty folder, and knows files by their names alone: so what lies in the current
folder has no influence on what is generated.
"""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from clarion.cli._proto_files import ProtoFiles, shown
from clarion.cli._protoc_binary import find_protoc, include_flags

__all__ = ["CompileError", "Compiled", "compile_files", "explain"]

_PLACE = re.compile(
    r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<text>(?:warning: )?(?P<said>.*))"
)
_NO_PLACE = re.compile(r"(?P<file>.+?\.proto): (?P<text>.*)")
_NOT_FOUND = re.compile(r"(?P<file>.+): File not found\.")
_BAD_IMPORT = re.compile(r'Import "(?P<file>.*)" was not found or had errors\.')
# What protoc also says of a file that it could not import all of, and would not say otherwise.
_FOLLOWS = re.compile(r'".*" (is not defined|seems to be defined in)')
# protoc's tokenizer counts columns so.
_TAB = 8


class CompileError(Exception):
    """protoc does not accept the files; the message says where and why, with the lines."""


@dataclass(frozen=True)
class Compiled:
    """What protoc made of the files.

    Attributes:
        descriptor_set: a serialized FileDescriptorSet of the files and all they import, with comments.
        warnings: what protoc warns of, as text to show; "" if nothing.
    """

    descriptor_set: bytes
    warnings: str


def compile_files(files: ProtoFiles, base: Path) -> Compiled:
    """Compile .proto files.

    Args:
        files: which.
        base: the folder that paths in messages start from.

    Raises:
        CompileError: see the class.
        ProtocNotFoundError: there is no protoc; says what to install.
    """
    protoc = find_protoc()
    roots = [f"-I{root}" for root in (*files.roots, *_installed(files.roots))]
    with tempfile.TemporaryDirectory(prefix="clarion-generate-") as folder:
        arguments = [
            *roots,
            *include_flags(protoc, roots),
            "--include_imports",
            "--include_source_info",
            "--descriptor_set_out=set",
            *files.names,
        ]
        # A command line has a limited length, a file has not.
        Path(folder, "arguments").write_text("\n".join(arguments) + "\n", encoding="utf-8")
        done = subprocess.run(
            [protoc, "@arguments"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace")
        text = explain(said, files.on_disk, base)
        if done.returncode:
            raise CompileError(text or f"protoc ended with exit code {done.returncode}")
        return Compiled(Path(folder, "set").read_bytes(), text)


def _installed(roots: Iterable[Path]) -> list[Path]:
    """Where packages of this environment keep .proto files, beside their modules."""
    taken = set(roots)
    places = dict.fromkeys(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))
    return [place for place in places if place not in taken and place.is_dir()]


def explain(said: str, on_disk: Callable[[str], Path | None], base: Path) -> str:
    """Return protoc's messages with paths from `base` and with the lines that they are about.

    Args:
        said: what protoc wrote.
        on_disk: gives the path of a file by the name that protoc knows it by.
        base: the folder that paths start from.
    """
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]

    def path_of(file: str) -> str:
        # protoc says where a file is that it reads, and by which name another imports it.
        return str(on_disk(file) or file)

    broken: set[str] = set()
    reported: set[str] = set()
    for line in lines:
        place = _PLACE.fullmatch(line)
        if place and _BAD_IMPORT.fullmatch(place["said"]):
            broken.add(path_of(place["file"]))
        elif place and not place["text"].startswith("warning: "):
            reported.add(path_of(place["file"]))
    result: list[str] = []
    for line in lines:
        place = _PLACE.fullmatch(line)
        if place is None:
            missing = _NOT_FOUND.fullmatch(line)
            # The import of it has a place, and says so too.
            if missing is None or not broken:
                result.append(_relative(line, on_disk, base))
            continue
        imported = _BAD_IMPORT.fullmatch(place["said"])
        if imported:
            if path_of(imported["file"]) in reported | broken:
                continue
            text = f'Import "{imported["file"]}" was not found.'
            text += _hint(on_disk(place["file"]), imported["file"], base)
        elif path_of(place["file"]) in broken and _FOLLOWS.match(place["said"]):
            continue
        else:
            text = place["text"]
        result += _shown(place, text, on_disk(place["file"]), base)
    # An unprintable one would let a file's text speak to the terminal.
    return "\n".join(
        "".join(c if c.isprintable() or c == "\t" else "?" for c in one) for one in result
    )


def _relative(line: str, on_disk: Callable[[str], Path | None], base: Path) -> str:
    """A message about a whole file."""
    about = _NO_PLACE.fullmatch(line)
    if about is None:
        return line
    path = on_disk(about["file"])
    return f"{shown(path or Path(about['file']), base)}: {about['text']}"


def _hint(importer: Path | None, imported: str, base: Path) -> str:
    """What to do where the file is there, but not from an include folder."""
    for folder in importer.parents if importer is not None else ():
        if (folder / imported).is_file():
            return f" It is in {shown(folder, base)}: add that as an include folder (-I)."
        if folder == base:
            break
    return ""


def _shown(place: re.Match[str], text: str, path: Path | None, base: Path) -> list[str]:
    name = shown(path, base) if path is not None else place["file"]
    first = f"{name}:{place['line']}:{place['column']}: {text}"
    if path is None:
        return [first]
    try:
        lines = path.read_bytes().split(b"\n")
        source = lines[int(place["line"]) - 1]
    except (OSError, IndexError):
        return [first]
    if not source.strip():
        return [first]
    before = _before(source.rstrip(b"\r"), int(place["column"]) - 1).decode("utf-8", "replace")
    space = "".join("\t" if c == "\t" else " " for c in before)
    return [first, f"    {source.decode('utf-8', 'replace').rstrip()}", f"    {space}^"]


def _before(source: bytes, column: int) -> bytes:
    """The part of a line that stands before what protoc calls `column`, counted from 0."""
    at = 0
    for index in range(len(source)):
        if at >= column:
            return source[:index]
        at = at + _TAB - at % _TAB if source[index] == 9 else at + 1
    return source
