"""Message classes and stubs from a .proto file while the program runs, without generated files.

`clarion.protos("hello.proto")` is what `import hello_pb2` would give had protoc been run before, and
`clarion.services("hello.proto")` what `import hello_pb2_grpc` would. Rules it keeps:

- A module that exists already, generated on disk or loaded before, is taken as it is.
- protoc says what the files mean, and the modules are built from its descriptors. So they do not depend on the
  protobuf package being as new as protoc, which generated files do.
- Modules go into `sys.modules` when they are whole, under their usual names, so that messages can be pickled and
  other modules can import them. No import hook is installed.
- Threads may make the same module at once; the first that is done is everybody's. No lock is held while something is
  imported, because another thread may hold an import lock and wait for this one.
- Compiler and generator are imported with the first call: most programs never make one.
"""

from __future__ import annotations

import os
import posixpath
import sys
from types import ModuleType

__all__ = ["protos", "protos_and_services", "services"]


def protos(protobuf_path: str) -> ModuleType:
    """Compile a .proto file; return the module with its message classes, as `hello_pb2` would be.

    Args:
        protobuf_path: the file, relative to a directory on `sys.path`, such as `company/hello.proto`. What it
            imports is looked for there too.

    Raises:
        NotImplementedError: there is no protoc; says what to install.
        ModuleNotFoundError: no directory on `sys.path` has the file.
        SyntaxError: protoc does not accept the file, or one that it imports; says where and why.
    """
    return _protos(_Source(protobuf_path))


def services(protobuf_path: str) -> ModuleType:
    """Compile a .proto file; return the module with its stubs and servicers, as `hello_pb2_grpc` would be.

    Args:
        protobuf_path: see `protos`.

    Raises:
        NotImplementedError, ModuleNotFoundError, SyntaxError: see `protos`.
    """
    return protos_and_services(protobuf_path)[1]


def protos_and_services(protobuf_path: str) -> tuple[ModuleType, ModuleType]:
    """Both `protos(protobuf_path)` and `services(protobuf_path)`.

    Args:
        protobuf_path: see `protos`.

    Raises:
        NotImplementedError, ModuleNotFoundError, SyntaxError: see `protos`.
    """
    source = _Source(protobuf_path)
    return _protos(source), _services(source)


class _Source:
    """A .proto file to compile, at most once."""

    def __init__(self, path: str) -> None:
        from clarion.codegen.names import module_name

        self.path = posixpath.normpath(path.replace(os.sep, "/"))
        if self.path.startswith(("/", "../")) or os.path.isabs(self.path):
            raise ModuleNotFoundError(
                f"{path} is to be given relative to a directory on sys.path", path=path
            )
        self.module = module_name(self.path)
        self._compiled: bytes | None = None

    @property
    def descriptors(self) -> bytes:
        """The serialized FileDescriptorSet of the file and all it imports, those first."""
        if self._compiled is None:
            self._compiled = _compile(self.path)
        return self._compiled


def _protos(source: _Source) -> ModuleType:
    from clarion.proto_imports.messages import existing, fill, new_module, publish

    module = existing(source.module)
    if module is not None:
        return module
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from clarion.codegen.names import module_name

    for file in FileDescriptorSet.FromString(source.descriptors).file:
        name = module_name(file.name)
        if existing(name) is None:
            module = new_module(name, file.name)
            fill(vars(module), name, file, lambda each: sys.modules[module_name(each)])
            publish(module)
    return sys.modules[source.module]


def _services(source: _Source) -> ModuleType:
    from clarion.proto_imports.messages import existing, new_module, publish

    name = source.module + "_grpc"
    module = existing(name)
    if module is not None:
        return module
    from clarion.codegen import generate

    [text] = generate(source.descriptors, [source.path]).values()
    module = new_module(name, source.path)
    exec(compile(text, f"<made from {source.path}>", "exec"), vars(module))  # nosec B102  # made here
    return publish(module)


def _compile(path: str) -> bytes:
    """The descriptors of the file `path` and its imports; see `protos` for what it raises."""
    from clarion.cli._protoc_binary import ProtocNotFoundError
    from clarion.proto_imports.compiler import RefusedError, run_protoc, syntax_error
    from clarion.proto_imports.sources import search_path

    places = search_path()
    if not path.startswith("google/protobuf/") and not any(
        os.path.isfile(os.path.join(place, path)) for place in places
    ):
        raise ModuleNotFoundError(
            f"no directory on sys.path has {path}; looked in {', '.join(places)}", path=path
        )
    try:
        return run_protoc([path], places)
    except ProtocNotFoundError as error:
        raise NotImplementedError(f"cannot compile {path}: {error}") from None
    except RefusedError as error:
        raise syntax_error(path, str(error), _read) from None


def _read(place: str) -> tuple[str, bytes] | None:
    try:
        with open(place, "rb") as file:
            return place, file.read()
    except OSError:
        return None
