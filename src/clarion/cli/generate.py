"""`clarion generate`: a tree of .proto files becomes an importable package, with types.

Rules: one run of protoc, for descriptors; everything is generated before the first file is written, and then all files
are written or none. What goes wrong is said in one line, or at the line of the .proto file that it is about; the exit
code is 1 then (2 for a wrong command line), and the folder is as it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

from clarion.cli._compile import CompileError
from clarion.cli._generation import ClashError, Generated, generate_files
from clarion.cli._outputs import apply_changes
from clarion.cli._proto_files import ProtoFilesError, shown
from clarion.cli._protoc_binary import ProtocNotFoundError
from clarion.cli._settings import Settings, SettingsError, nearest_settings
from clarion.cli._watching import Snapshot, pause, take_snapshot, wait_for_change
from clarion.codegen.names import UnusableNameError

__all__ = ["generate_in", "run"]

_ABOUT = """\
Turn .proto files into a Python package: NAME_pb2.py (messages), NAME_pb2_grpc.py (services), and the types of both.
Settings that are not given here come from [tool.clarion.generate] of the nearest pyproject.toml.
"""


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=_ABOUT, allow_abbrev=False)
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help=".proto files, and folders to search for them")
    add(
        *("-I", "--include"),
        action="append",
        metavar="DIR",
        help="a folder that imports start from (default: each folder in PATH)",
    )
    add("--exclude", action="append", metavar="PATH", help="leave this out of the search")
    add("--out", metavar="DIR", help="the folder of the package to write")
    add(
        "--package",
        action="append",
        metavar="FOLDER=PACKAGE",
        help="where the modules of other .proto files are, such as google/api=google.api",
    )
    switch = argparse.BooleanOptionalAction
    add("--messages", action=switch, help="NAME_pb2.py (default: yes)")
    add("--types", action=switch, help="a .pyi file for each module (default: yes)")
    add("--services", action=switch, help="NAME_pb2_grpc.py (default: yes)")
    add("--relative", action=switch, help="import each other relatively (default: yes)")
    add("--py-typed", action=switch, help="write py.typed (default: no)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; list what would change")
    mode.add_argument("--watch", action="store_true", help="go on whenever a file changes")
    add("-q", "--quiet", action="store_true", help="say nothing unless something is wrong")
    return parser


def _settings(given: argparse.Namespace, base: Path) -> Settings:
    """What the command line says, and `pyproject.toml` where it says nothing."""
    settings = nearest_settings(base)
    changes: dict[str, object] = {}
    for name in ("paths", "include", "exclude"):
        values = getattr(given, name)
        if values:
            changes[name] = tuple(Path(os.path.normpath(base / value)) for value in values)
    if given.paths:
        changes["base"] = base
    if given.out is not None:
        changes["out"] = Path(os.path.normpath(base / given.out))
    for name in ("messages", "types", "services", "relative", "py_typed"):
        if getattr(given, name) is not None:
            changes[name] = getattr(given, name)
    if given.package:
        packages = dict(settings.packages)
        for pair in given.package:
            folder, equals, package = pair.partition("=")
            if not equals:
                raise SettingsError(f"--package needs FOLDER=PACKAGE, not {pair}")
            packages[folder.strip("/")] = package
        changes["packages"] = packages
    return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]


def _guarded(action: Callable[[], int], prog: str, base: Path) -> int:
    """Do `action`; what goes wrong becomes a message and the exit code 1."""
    try:
        return action()
    except CompileError as error:
        print(error, file=sys.stderr)
    except (
        SettingsError,
        ProtoFilesError,
        ClashError,
        UnusableNameError,
        ProtocNotFoundError,
    ) as error:
        print(f"{prog}: {error}", file=sys.stderr)
    except OSError as error:
        where = shown(Path(error.filename or "protoc"), base)
        print(f"{prog}: {where}: {error.strerror or error}; nothing was changed", file=sys.stderr)
    return 1


def _generate(settings: Settings, base: Path, quiet: bool) -> int:
    generated = generate_files(settings, base)
    if generated.warnings:
        print(generated.warnings, file=sys.stderr)
    apply_changes(generated.changes)
    if not quiet:
        print(_summary(generated, base), flush=True)
    return 0


def _summary(generated: Generated, base: Path) -> str:
    changes = generated.changes
    counts = [(len(changes.new) + len(changes.changed), "written"), (changes.same, "unchanged")]
    if changes.removed:
        counts.append((len(changes.removed), "removed"))
    said = ", ".join(f"{number} {word}" for number, word in counts)
    number = len(generated.sources.names)
    return f"{shown(changes.folder, base)}: {number} .proto file{'s'[: number != 1]}; {said}"


def _check(settings: Settings, base: Path, prog: str) -> int:
    changes = generate_files(settings, base).changes
    for kind, paths in (
        ("missing", changes.new),
        ("differs", changes.changed),
        ("stale", changes.removed),
    ):
        for path in paths:
            print(f"{kind}: {shown(path, base)}")
    if changes:
        print(f"{prog}: generated files are not up to date", file=sys.stderr)
    return 1 if changes else 0


def generate_in(base: Path, settings: Settings) -> int:
    """Generate what `settings` ask for; say nothing unless something is wrong.

    Args:
        base: the folder that paths in messages start from.
        settings: with absolute paths.

    Returns:
        0, or 1 where something is wrong; it has been said on standard error.
    """
    return _guarded(lambda: _generate(settings, base, True), "clarion generate", base)


class _Watch:
    """`--watch`: generates, and again whenever something changes."""

    def __init__(self, given: argparse.Namespace, prog: str, base: Path) -> None:
        self._given = given
        self._prog = prog
        self._base = base
        self._projects = tuple(place / "pyproject.toml" for place in (base, *base.parents))
        # What the settings of the last run name; those of this run may be broken.
        self._folders: tuple[Path, ...] = ()
        self._files: tuple[Path, ...] = ()
        # The state of all that before it was read: what changes while protoc runs counts, too.
        self._seen: Snapshot = {}

    def _look(self) -> Snapshot:
        return take_snapshot(self._folders, (*self._projects, *self._files))

    def _once(self) -> int:
        settings = _settings(self._given, self._base)
        self._folders = (*(path for path in settings.paths if path.is_dir()), *settings.include)
        self._files = settings.paths
        self._seen = self._look()
        return _generate(settings, self._base, self._given.quiet)

    def run(self, wait: Callable[[], None]) -> int:
        """Go on until interrupted."""
        try:
            while True:
                self._seen = self._look()
                _guarded(self._once, self._prog, self._base)
                wait_for_change(self._seen, self._look, wait)
        except KeyboardInterrupt:
            return 0


def run(arguments: list[str], *, prog: str, wait: Callable[[], None] = pause) -> int:
    """Run `clarion generate`.

    Args:
        arguments: what the user wrote after the command.
        prog: the command, for messages.
        wait: waits between two looks at the files with `--watch`.

    Returns:
        0 on success, 1 if something is wrong or `--check` found a difference, 2 for a wrong command line.
    """
    try:
        given = _parser(prog).parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    base = Path.cwd()
    if given.watch:
        return _Watch(given, prog, base).run(wait)

    def once() -> int:
        settings = _settings(given, base)
        if given.check:
            return _check(settings, base, prog)
        return _generate(settings, base, given.quiet)

    try:
        return _guarded(once, prog, base)
    except KeyboardInterrupt:
        return 130
