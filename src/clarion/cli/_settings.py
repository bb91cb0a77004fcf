"""The settings of `clarion generate`: `[tool.clarion.generate]` of the nearest `pyproject.toml`.

Rule: a setting that is not known, or of the wrong type, is an error that names it and its file. A typing error must not
become a default.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Settings", "SettingsError", "nearest_settings", "read_settings", "settings_from"]

_TABLE = "[tool.clarion.generate]"


class SettingsError(Exception):
    """The settings make no sense; the message is one line that names the file."""


@dataclass(frozen=True)
class Settings:
    """What to generate from what.

    Attributes:
        paths: .proto files, and folders to search for them.
        include: the folders that imports, and the names of files, start from.
        exclude: files and folders that a search leaves out.
        out: the folder of the package to write.
        packages: the Python packages of .proto files that are not generated here, by their folder (`google/api`).
        messages: write `NAME_pb2.py`.
        types: write a `.pyi` file for each module.
        services: write `NAME_pb2_grpc.py`.
        relative: modules import each other relatively; folders get an `__init__.py`.
        py_typed: write `py.typed`.
        base: the folder from which .proto files are named that lie in no include folder.
    """

    paths: tuple[Path, ...] = ()
    include: tuple[Path, ...] = ()
    exclude: tuple[Path, ...] = ()
    out: Path | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    messages: bool = True
    types: bool = True
    services: bool = True
    relative: bool = True
    py_typed: bool = False
    base: Path = Path()


_LISTS = ("paths", "include", "exclude")
_SWITCHES = ("messages", "types", "services", "relative", "py-typed")
_KNOWN = (*_LISTS, "out", "packages", *_SWITCHES)


def _path(base: Path, value: str) -> Path:
    return Path(os.path.normpath(base / value))


def settings_from(table: object, base: Path, where: str) -> Settings:
    """Check a table of settings.

    Args:
        table: what was read.
        base: the folder that paths start from.
        where: the file and table, for messages.

    Raises:
        SettingsError: see the class.
    """
    if not isinstance(table, dict):
        raise SettingsError(f"{where} must be a table")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KNOWN:
            close = difflib.get_close_matches(key, _KNOWN, 1)
            hint = f'did you mean "{close[0]}"?' if close else f"there are: {', '.join(_KNOWN)}"
            raise SettingsError(f'{where} has an unknown setting "{key}"; {hint}')
        problem = _problem(key, value)
        if problem:
            raise SettingsError(f'{where}: "{key}" must be {problem}')
        if key in _LISTS:
            values[key] = tuple(_path(base, part) for part in value)
        elif key == "out":
            values[key] = _path(base, value)
        elif key == "packages":
            values[key] = {folder.strip("/"): package for folder, package in value.items()}
        else:
            values[key.replace("-", "_")] = value
    return Settings(**values, base=base)


def _problem(key: str, value: object) -> str:
    """What the value of a setting must be, if it is not; else ""."""
    if key in _LISTS:
        fine = isinstance(value, list) and all(isinstance(part, str) for part in value)
        return "" if fine else "a list of strings"
    if key == "out":
        return "" if isinstance(value, str) else "a string"
    if key == "packages":
        fine = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
        return "" if fine else 'a table from folders to packages, {"google/api" = "google.api"}'
    return "" if isinstance(value, bool) else "true or false"


def read_settings(file: Path) -> Settings | None:
    """Return the settings in a `pyproject.toml`; None if it has none.

    Raises:
        SettingsError: it is not TOML, or see the class.
    """
    try:
        with file.open("rb") as opened:
            tables: Any = tomllib.load(opened)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    for key in ("tool", "clarion", "generate"):
        if not isinstance(tables, dict) or key not in tables:
            return None
        tables = tables[key]
    return settings_from(tables, file.parent, f"{file}: {_TABLE}")


def nearest_settings(folder: Path) -> Settings:
    """Return the settings for work in `folder`: of the `pyproject.toml` there or above, if there is one."""
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file():
            return read_settings(file) or Settings(base=folder)
    return Settings(base=folder)
