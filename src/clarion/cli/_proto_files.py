"""Which .proto files to generate for, and by which names protoc knows them.

A .proto file's name is its path from an include folder. It counts: other files import it by this name, and the
generated modules stand in the same folders. Rules:

- With several include folders that hold a file, the innermost names it.
- A folder to search that lies in no include folder is one itself.
- A file outside of all is named from the current folder, or that of `pyproject.toml`.
- Searches leave out hidden files and folders, virtual environments, `node_modules`, and the well-known types, whose classes
  the protobuf runtime has.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clarion.cli._settings import Settings

__all__ = ["ProtoFiles", "ProtoFilesError", "find_proto_files", "shown"]

_RUNTIME_HAS = frozenset(
    f"google/protobuf/{name}.proto"
    for name in (
        "any api descriptor duration empty field_mask source_context struct timestamp type wrappers"
        " compiler/plugin"
    ).split()
)
_NEVER = frozenset({"node_modules", "__pycache__"})


class ProtoFilesError(Exception):
    """There is nothing to generate from, or it cannot be named; the message is one line."""


@dataclass(frozen=True)
class ProtoFiles:
    """The files to generate for.

    Attributes:
        roots: the include folders, in the order in which they are searched.
        names: the path on disk of each file, by the name that protoc knows it by; sorted.
        trees: whether all .proto files of some folder were asked for.
    """

    roots: tuple[Path, ...]
    names: dict[str, Path]
    trees: bool

    def on_disk(self, name: str) -> Path | None:
        """Where the file is that protoc calls `name`."""
        found = self.names.get(name)
        if found is not None:
            return found
        return next((root / name for root in self.roots if (root / name).is_file()), None)


def shown(path: Path, base: Path) -> str:
    """A path as messages show it: from `base` if it is in there."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def find_proto_files(settings: Settings, base: Path) -> ProtoFiles:
    """Find the .proto files that `settings` name.

    Args:
        settings: what to generate from; all paths absolute.
        base: the folder that paths in messages start from.

    Raises:
        ProtoFilesError: see the class.
    """
    for folder in settings.include:
        if not folder.is_dir():
            raise ProtoFilesError(f"there is no folder {shown(folder, base)} to include")
    roots = list(settings.include)
    own: list[Path] = []
    found: dict[Path, bool] = {}
    for path in settings.paths:
        is_folder = path.is_dir()
        if not is_folder and not path.is_file():
            raise ProtoFilesError(f"there is no file or folder {shown(path, base)}")
        home = path if is_folder else path.parent
        if not is_folder and path.is_relative_to(settings.base):
            home = settings.base
        if not any(path.is_relative_to(root) for root in roots) and home not in own:
            own.append(home)
        if not is_folder:
            found[path] = True
            continue
        for file in _search(path, settings.exclude):
            found.setdefault(file, False)
    roots = [*own, *roots]
    names: dict[str, Path] = {}
    for path, asked in sorted(found.items()):
        name = _name(path, roots)
        if asked or name not in _RUNTIME_HAS:
            _add(names, name, path, base)
    if not names:
        raise ProtoFilesError(_nothing(settings, base))
    for name, path in names.items():
        first = next(root / name for root in roots if (root / name).is_file())
        if first != path:
            _refuse(name, path, first, base)
    trees = any(path.is_dir() for path in settings.paths)
    return ProtoFiles(tuple(roots), dict(sorted(names.items())), trees)


def _search(folder: Path, exclude: Iterable[Path]) -> Iterable[Path]:
    excluded = {str(path) for path in exclude}
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name[0] != "."
            and name not in _NEVER
            and (not excluded or os.path.join(place, name) not in excluded)
            and not os.path.exists(os.path.join(place, name, "pyvenv.cfg"))
        ]
        for name in files:
            if not name.endswith(".proto") or name[0] == ".":
                continue
            if os.path.join(place, name) not in excluded:
                yield Path(place, name)


def _name(path: Path, roots: Iterable[Path]) -> str:
    holding = [root for root in roots if path.is_relative_to(root)]
    return path.relative_to(max(holding, key=lambda root: len(root.parts))).as_posix()


def _add(names: dict[str, Path], name: str, path: Path, base: Path) -> None:
    if name in names:
        _refuse(name, path, names[name], base)
    names[name] = path


def _refuse(name: str, path: Path, other: Path, base: Path) -> None:
    raise ProtoFilesError(
        f"{shown(path, base)} is hidden by {shown(other, base)}: for both the name is {name};"
        " rename one, or choose other include folders"
    )


def _nothing(settings: Settings, base: Path) -> str:
    if not settings.paths:
        return (
            "which .proto files? Name files or folders, or set paths in [tool.clarion.generate]"
            " of pyproject.toml"
        )
    return f"no .proto files in {', '.join(shown(path, base) for path in settings.paths)}"
