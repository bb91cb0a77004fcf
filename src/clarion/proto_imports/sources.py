"""The .proto files of a Python package, and what their import statements mean.

Every file has one name, whichever way others import it: the package's path and the file's path in it, such as
`myapp/protos/hello.proto`. So two packages may have a `hello.proto` each. Rules for an import statement:

- `google/protobuf/` is the protobuf runtime's own.
- Other files below `google/` are the same for everybody and keep their names; a copy in the package is for
  environments without `googleapis-common-protos`.
- A file of the package is meant if its path is given from the package's folder (`common.proto`) or from the folder
  that the top-level package is in (`myapp/protos/common.proto`).
- All else is looked for on `sys.path`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Source", "Sources", "package_folder", "search_path"]

_SHARED = "google/"
_RUNTIME = "google/protobuf/"

_GAP = rb"(?:\s|//[^\n]*\n|/\*.*?\*/)*"
# Comments and other strings are matched, too, so that an import in one of them is not taken for one.
_IMPORT = re.compile(
    rb"""//[^\n]*|/\*.*?\*/|(?<![\w.])import\b%b(?:(?:public|weak|option)\b%b)?"""
    rb"""(?P<name>"[^"\n\\]*"|'[^'\n\\]*')|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
    % (_GAP, _GAP),
    re.DOTALL,
)


def search_path() -> list[str]:
    """The directories on `sys.path`, in order, as protoc takes them."""
    found = dict.fromkeys(os.path.abspath(place) for place in sys.path)
    return [place for place in found if os.path.isdir(place) and os.pathsep not in place]


def package_folder(package: str) -> Traversable:
    """The folder of a package that is imported, or being imported; also one in a zip file."""
    spec = sys.modules[package].__spec__
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if places and os.path.isdir(places[0]):
        return Path(places[0])
    from importlib.resources import files

    return files(package)


def _python_name(name: str) -> str:
    return name.replace("-", "_")


@dataclass(frozen=True)
class Source:
    """One .proto file.

    Attributes:
        name: see the module's rules.
        place: its path, for people.
        text: its bytes.
        imports: the names of the files that it imports, in order.
        staged: its bytes with these names in the import statements.
        digest: of `name`, `text` and `imports`.
    """

    name: str
    place: str
    text: bytes
    imports: tuple[str, ...]
    staged: bytes
    digest: bytes


class Sources:
    """The .proto files below one folder.

    Args:
        prefix: the path of the package, such as `myapp/protos`.
        folder: the package's folder.
        aliases: other paths, up to the folder, that import statements may begin with.
    """

    def __init__(self, prefix: str, folder: Traversable, aliases: Iterable[str] = ()) -> None:
        self.prefix = prefix
        self.folder = folder
        self._starts = tuple(f"{path}/" for path in (prefix, *aliases))
        # What was read, by name, with what tells whether the file is still the same.
        self._read: dict[str, tuple[object, Source]] = {}

    def name_of(self, path: str) -> str:
        """The name of the file with this path below the folder."""
        return path if path.startswith(_SHARED) else f"{self.prefix}/{path}"

    def path_of(self, name: str) -> str | None:
        """The path below the folder of the file with this name, or None if it is none of the folder's."""
        if name.startswith(_RUNTIME):
            return None
        if not name.startswith(_SHARED):
            start = f"{self.prefix}/"
            if not name.startswith(start):
                return None
            name = name[len(start) :]
        return name if self._file(name) is not None else None

    def is_own(self, name: str) -> bool:
        """Whether the modules of the file with this name are made from the folder, not from elsewhere."""
        return self.path_of(name) is not None and not (
            name.startswith(_SHARED) and _is_installed(name)
        )

    def python_path(self, stem: str) -> str:
        """Where below the folder the types of a module are looked for: its name with `/`, without the prefix."""
        return stem.removeprefix(f"{_python_name(self.prefix)}/")

    def find(self, module: str) -> str | None:
        """The path of the file that a module is made from.

        Args:
            module: the module's name below the package, without suffix: `sub.some_file` for `sub/some-file.proto`.

        Raises:
            ImportError: two files have this name.
        """
        *folders, last = module.split(".")
        found = [
            f"{path}/{child.name}" if path else child.name
            for path, place in self.folders(folders)
            for child in _children(place)
            if child.name.endswith(".proto")
            and _python_name(child.name.removesuffix(".proto")) == last
            and child.is_file()
        ]
        if len(found) > 1:
            raise ImportError(
                f"{' and '.join(sorted(found))} in {self.folder} give modules of the same name; rename one of them"
            )
        return found[0] if found else None

    def folders(self, parts: list[str]) -> list[tuple[str, Traversable]]:
        """The folders that are known as a package, with their paths; `-` is `_` in Python."""
        found: list[tuple[str, Traversable]] = [("", self.folder)]
        for part in parts:
            found = [
                (f"{path}/{child.name}" if path else child.name, child)
                for path, place in found
                for child in _children(place)
                if _python_name(child.name) == part and child.is_dir()
            ]
        return found

    def paths(self) -> list[str]:
        """The paths of all files below the folder, sorted."""
        return sorted(_walk(self.folder, ""))

    def source(self, name: str) -> Source | None:
        """Read a file by its name; None for the protobuf runtime's own, and for one that is nowhere."""
        if name.startswith(_RUNTIME):
            return None
        path = self.path_of(name)
        if path is not None and not (name.startswith(_SHARED) and _is_installed(name)):
            file = self._file(path)
        else:
            file = next(
                (Path(place, name) for place in search_path() if os.path.isfile(f"{place}/{name}")),
                None if path is None else self._file(path),
            )
        if file is None:
            return None
        mark: object = None
        if isinstance(file, Path):
            stat = file.stat()
            mark = (str(file), stat.st_mtime_ns, stat.st_size)
        known = self._read.get(name)
        if known is not None and known[0] == mark:
            return known[1]
        source = self._parse(name, str(file), file.read_bytes(), inside=path is not None)
        self._read[name] = (mark, source)
        return source

    def closure(self, name: str) -> dict[str, Source]:
        """A file and all that it imports, as far as they are found."""
        found: dict[str, Source] = {}
        wanted = [name]
        while wanted:
            each = wanted.pop()
            source = self.source(each) if each not in found else None
            if source is not None:
                found[each] = source
                wanted += source.imports
        return found

    def _file(self, path: str) -> Traversable | None:
        place = self.folder
        for part in path.split("/"):
            if part in ("", ".", ".."):
                return None
            place = place.joinpath(part)
        return place if place.is_file() else None

    def _meaning(self, imported: str) -> str:
        if imported.startswith(_SHARED):
            return imported
        if self._file(imported) is not None:
            return self.name_of(imported)
        for start in self._starts:
            if imported.startswith(start) and self._file(imported[len(start) :]) is not None:
                return self.name_of(imported[len(start) :])
        return imported

    def _parse(self, name: str, place: str, text: bytes, *, inside: bool) -> Source:
        imports: list[str] = []
        staged: list[bytes] = []
        end = 0
        for match in _IMPORT.finditer(text):
            if match["name"] is None:
                continue
            imported = match["name"][1:-1].decode("utf-8", "replace")
            if inside:
                meant = self._meaning(imported)
                staged += (text[end : match.start("name") + 1], meant.encode())
                end = match.end("name") - 1
                imported = meant
            imports.append(imported)
        staged.append(text[end:])
        parts = [name.encode(), text, *(each.encode() for each in imports)]
        digest = hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()
        return Source(name, place, text, tuple(imports), b"".join(staged), digest)


def _children(place: Traversable) -> list[Traversable]:
    try:
        return list(place.iterdir())
    except OSError:
        return []


def _walk(place: Traversable, path: str) -> Iterator[str]:
    for child in _children(place):
        if child.name.endswith(".proto") and child.is_file():
            # Hidden files, such as those that some systems keep beside each, are nobody's to import.
            if child.name[0] != ".":
                yield path + child.name
        elif child.is_dir() and not child.name.startswith((".", "__")):
            yield from _walk(child, f"{path}{child.name}/")


def _is_installed(name: str) -> bool:
    from clarion.codegen.names import module_name

    try:
        return importlib.util.find_spec(module_name(name)) is not None
    except ImportError:
        return False
