"""Finds and loads modules that are made from .proto files.

One finder for all packages that asked for it, last in `sys.meta_path`: it is asked for what nothing else has found, and
answers only for names below those packages. So a generated file in the package is taken as it is, and no other import
takes another way than before.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clarion.proto_imports.cache import Cache
from clarion.proto_imports.compiler import Compiler
from clarion.proto_imports.sources import Sources, package_folder

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

__all__ = ["ProtoFinder", "ProtoPackage"]

# The longer first.
_SUFFIXES = ("_pb2_grpc", "_pb2", "_proto")


class ProtoPackage:
    """A package whose .proto files can be imported.

    Args:
        name: the package.
        cache: the folder for compiled files; None for none.
    """

    def __init__(self, name: str, cache: Path | None) -> None:
        self.name = name
        self._cache = cache
        self._sources: Sources | None = None
        self._compiler: Compiler | None = None

    @property
    def sources(self) -> Sources:
        """The package's files. The package is imported, or being imported."""
        if self._sources is None:
            self._sources = Sources(self.name.replace(".", "/"), package_folder(self.name))
        return self._sources

    @property
    def compiler(self) -> Compiler:
        if self._compiler is None:
            self._compiler = Compiler(self.sources, Cache(self._cache))
        return self._compiler

    def spec(self, name: str) -> ModuleSpec | None:
        """The spec of a module below the package, or None."""
        tail = name[len(self.name) + 1 :]
        for suffix in _SUFFIXES:
            if tail.endswith(suffix):
                path = self.sources.find(tail.removesuffix(suffix))
                if path is None:
                    continue
                loader = _Loader(self, path, suffix)
                origin = str(self.sources.folder.joinpath(*path.split("/")))
                spec = ModuleSpec(name, loader, origin=origin)
                # `__file__`: programs that watch their files watch this one, too.
                spec.has_location = True
                return spec
        # A folder that Python does not know as a package: one with "-" in its name.
        folders = self.sources.folders(tail.split("."))
        if not folders:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder) for _, folder in folders]
        return spec

    def module_of(self, file: str) -> ModuleType:
        """The module with the messages of a file, by the file's name."""
        from clarion.codegen.names import module_name
        from clarion.proto_imports.messages import existing, fill, new_module, publish

        path = self.sources.path_of(file)
        usual = module_name(file)
        if path is not None and not file.startswith("google/"):
            return importlib.import_module(f"{self.name}.{module_name(path)[:-4]}_proto")
        module = existing(usual)
        if module is None and path is not None:
            module = importlib.import_module(f"{self.name}.{module_name(path)[:-4]}_proto")
        if module is None:
            module = new_module(usual, file)
            fill(vars(module), usual, self.descriptor(file), self.module_of)
            module = publish(module)
        return module

    def descriptor(self, file: str) -> FileDescriptorProto:
        """What protoc says of a file."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        return FileDescriptorProto.FromString(self.compiler.descriptor(file))


class ProtoFinder(MetaPathFinder):
    """Answers for the modules of all packages in `packages`."""

    def __init__(self) -> None:
        self.packages: dict[str, ProtoPackage] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = fullname
        while name:
            name = name.rpartition(".")[0]
            package = self.packages.get(name)
            if package is not None and name in sys.modules:
                return package.spec(fullname)
        return None


class _Loader(Loader):
    """Makes one of the modules of a .proto file.

    Args:
        package: the package that the file is in.
        path: the file, from the package's folder.
        suffix: of the module's name: which one.
    """

    def __init__(self, package: ProtoPackage, path: str, suffix: str) -> None:
        self.package = package
        self.path = path
        self._suffix = suffix

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        base = module.__name__.removesuffix(self._suffix)
        if self._suffix == "_proto":
            messages, services = self._load(module, base)
            # Of a message and a service's class with one name, the message is here, and both in their own modules.
            vars(module).update({**services, **messages})
            module.__spec__.loader_state = (messages, services)
        else:
            whole = importlib.import_module(f"{base}_proto")
            assert whole.__spec__ is not None
            messages, services = whole.__spec__.loader_state
            vars(module).update(messages if self._suffix == "_pb2" else services)
        module.__doc__ = f"Made from {self.path} while the program runs."

    def _load(self, module: ModuleType, base: str) -> tuple[dict[str, Any], dict[str, Any]]:
        name = self.package.sources.name_of(self.path)
        generated = _generated(f"{base}_pb2") or _shared(name)
        if generated is not None:
            messages = _public(generated)
            file = _description(generated.DESCRIPTOR)
        else:
            file = self.package.descriptor(name)
            messages = self._messages(module, file)
        services = _generated(f"{base}_pb2_grpc")
        if services is not None:
            return messages, _public(services)
        descriptor = messages["DESCRIPTOR"]
        own = ModuleType(f"{base}_pb2")
        vars(own).update(messages)

        def modules(each: str) -> ModuleType:
            return own if each == descriptor.name else self.package.module_of(each)

        from clarion.proto_imports.services import make_services

        return messages, make_services(file, descriptor, module.__name__, modules)

    def _messages(self, module: ModuleType, file: FileDescriptorProto) -> dict[str, Any]:
        from clarion.proto_imports.messages import fill

        messages: dict[str, Any] = {}
        try:
            fill(messages, module.__name__, file, self.package.module_of)
        except TypeError as error:
            raise ImportError(_conflict(file, error), name=module.__name__) from None
        return messages


def _generated(name: str) -> ModuleType | None:
    """A module that is a file in the package."""
    spec = importlib.util.find_spec(name)
    if spec is None or isinstance(spec.loader, _Loader):
        return None
    return importlib.import_module(name)


def _shared(name: str) -> ModuleType | None:
    """An installed package's module of a file below `google/`."""
    from clarion.codegen.names import module_name
    from clarion.proto_imports.messages import existing

    return existing(module_name(name)) if name.startswith("google/") else None


def _public(module: ModuleType) -> dict[str, Any]:
    # Some classes of a generated module are made when they are first used; `dir` knows them.
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}


def _description(descriptor: FileDescriptor) -> FileDescriptorProto:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    return FileDescriptorProto.FromString(descriptor.serialized_pb)


def _conflict(file: FileDescriptorProto, error: TypeError) -> str:
    from google.protobuf import descriptor_pool

    try:
        descriptor_pool.Default().FindFileByName(file.name)
    except KeyError:
        return (
            f"{file.name} defines what another file that this process has loaded defines, too: {error}."
            " Message names are unique in a process: import the other file, or name another package in this one"
        )
    return (
        f"{file.name} was changed after this process had loaded it, and message classes cannot be replaced:"
        f" start the program anew ({error})"
    )
