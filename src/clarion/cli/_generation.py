"""From settings to the text of each file: what `clarion generate` and the build hook share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clarion.cli._compile import compile_files
from clarion.cli._outputs import Changes, find_changes
from clarion.cli._proto_files import ProtoFiles, find_proto_files
from clarion.cli._settings import Settings, SettingsError
from clarion.codegen.layout import Layout
from clarion.codegen.names import module_path

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, SourceCodeInfo

__all__ = [
    "GENERATED_KINDS",
    "ClashError",
    "Generated",
    "check_clashes",
    "generate_files",
    "make_files",
]

GENERATED_KINDS = ("messages", "types", "services")


class ClashError(Exception):
    """Two files would be one; the message is one line."""


@dataclass(frozen=True)
class Generated:
    """What was generated, before anything is written.

    Attributes:
        files: the text of each file by its path with `/`, relative to the output folder.
        changes: what has to change there.
        sources: the .proto files.
        warnings: what protoc warns of, as text to show; "" if nothing.
    """

    files: dict[str, str]
    changes: Changes
    sources: ProtoFiles
    warnings: str


def generate_files(settings: Settings, base: Path) -> Generated:
    """Generate what `settings` ask for; write nothing.

    Args:
        settings: with absolute paths.
        base: the current folder, which paths in messages start from.

    Raises:
        SettingsError, ProtoFilesError, CompileError, ClashError, UnusableNameError, ProtocNotFoundError: see each; the
            message is for the user.
        OSError: something could not be read.
    """
    if settings.out is None:
        raise SettingsError(
            "where to? Name a folder with --out, or set out in [tool.clarion.generate] of pyproject.toml"
        )
    if settings.out.exists() and not settings.out.is_dir():
        raise SettingsError(f"the output {settings.out} is not a folder")
    sources = find_proto_files(settings, base)
    check_clashes(sources.names)
    compiled = compile_files(sources, base)
    layout = Layout(sources.names if settings.relative else (), settings.packages)
    kinds = [kind for kind in GENERATED_KINDS if getattr(settings, kind)]
    files = make_files(compiled.descriptor_set, list(sources.names), layout, kinds)
    if settings.py_typed:
        files["py.typed"] = ""

    def is_stale(name: str) -> bool:
        if name in sources.names:
            return True
        return sources.trees and sources.on_disk(name) is None

    changes = find_changes(settings.out, files, is_stale, packages=settings.relative)
    return Generated(files, changes, sources, compiled.warnings)


def make_files(
    descriptor_set: bytes, names: list[str], layout: Layout, kinds: Collection[str]
) -> dict[str, str]:
    """Generate for some files of a descriptor set.

    Args:
        descriptor_set: a serialized FileDescriptorSet.
        names: the files, as the set names them.
        layout: where modules stand.
        kinds: of `GENERATED_KINDS`, those that are wanted.

    Returns:
        The text of each file by its path with `/`. A file without services has no services' module.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    parsed = FileDescriptorSet.FromString(descriptor_set)
    serving = {file.name for file in parsed.file if file.service}
    _keep_only_comments(parsed.file, set(names))
    descriptor_set = parsed.SerializeToString()
    files: dict[str, str] = {}
    if "messages" in kinds:
        from clarion.codegen.message_module import message_modules

        files |= message_modules(descriptor_set, names, layout)
        if "types" in kinds:
            from clarion.codegen.message_types import message_types

            files |= message_types(descriptor_set, names, layout)
    if "services" in kinds:
        from clarion.codegen import generate, generate_types

        names = [name for name in names if name in serving]
        files |= generate(descriptor_set, names, layout)
        if "types" in kinds:
            files |= generate_types(descriptor_set, names, layout)
    return dict(sorted(files.items()))


def _matters(location: SourceCodeInfo.Location) -> bool:
    # A place in itself matters where it tells that the file has a `json_name`.
    return bool(
        location.leading_comments
        or location.trailing_comments
        or location.leading_detached_comments
        or location.path[-1:] == [10]
    )


def _keep_only_comments(files: Iterable[FileDescriptorProto], names: set[str]) -> None:
    """Drop most of what protoc says of places in files: each generator goes through all that is left."""
    for file in files:
        if file.name not in names:
            file.ClearField("source_code_info")
            continue
        kept = [one for one in file.source_code_info.location if _matters(one)]
        file.ClearField("source_code_info")
        file.source_code_info.location.extend(kept)


def check_clashes(names: Iterable[str]) -> None:
    """Find .proto files that would become one module, or a module where another needs a folder.

    Raises:
        ClashError: see the class.
        UnusableNameError: a file has a name for which there can be no module.
    """
    modules: dict[str, str] = {}
    for name in names:
        path = module_path(name)
        if path in modules:
            raise ClashError(
                f"{modules[path]} and {name} would both become {path}; rename one of them"
            )
        modules[path] = name
    for name in modules.values():
        _check_folders(name, modules)


def _check_folders(name: str, modules: Mapping[str, str]) -> None:
    folder = module_path(name).rpartition("/")[0]
    while folder:
        for suffix in ("", "_grpc"):
            stem = folder.removesuffix(suffix) if folder.endswith(suffix) else None
            other = modules.get(f"{stem}.py") if stem else None
            if other is not None:
                raise ClashError(
                    f"{other} would become the module {folder}.py, and {name} needs a folder"
                    f" {folder}; rename one of them"
                )
        folder = folder.rpartition("/")[0]
