"""Where generated modules stand, and how they import each other.

protoc's layout: each module is known by its file's path, from an output directory that is on `sys.path`. A
package's layout: the output directory is a package, or part of one, and modules that were generated together
import each other relatively; so the package may stand anywhere and be renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from clarion.codegen.names import is_plain, literal, module_alias, module_name

__all__ = ["PROTOC_LAYOUT", "Layout"]

_NO_PACKAGES: Mapping[str, str] = MappingProxyType({})


class Layout:
    """How the modules with the message classes of .proto files are imported.

    Args:
        together: files that import each other relatively; with none, this is protoc's layout.
        packages: the Python package that holds the modules of each folder of other .proto files, by the folder's
            path (`"google/api"`); the longest that fits counts, "" is all the others. A folder that is not named
            is imported as protoc would.
    """

    def __init__(
        self, together: Iterable[str] = (), packages: Mapping[str, str] = _NO_PACKAGES
    ) -> None:
        self._together = frozenset(together)
        self._packages = packages

    def is_relative(self, proto_file: str) -> bool:
        """Tell whether the modules generated together import that of `proto_file` relatively."""
        return proto_file in self._together

    def import_lines(self, importer: str, proto_files: Iterable[str]) -> list[str]:
        """Return the statements that import message modules, in a fixed order.

        Each makes the module of one file known by its `module_alias`. Statements that need `importlib` come last.

        Args:
            importer: the file whose module, or whose services' module, has the statements.
            proto_files: the files whose messages it needs.
        """
        plain: list[str] = []
        dynamic: list[str] = []
        for file in sorted(set(proto_files), key=module_name):
            alias = module_alias(file)
            package, module = self._module(importer, file)
            if not (is_plain(package) and is_plain(module)):
                dynamic.append(_dynamic(package, module, alias))
            elif package:
                plain.append(f"from {package} import {module} as {alias}")
            else:
                plain.append(f"import {module} as {alias}")
        return plain + dynamic

    def reexport_lines(self, importer: str, proto_files: Iterable[str]) -> list[str]:
        """Return the statements that make the public names of message modules names of another, too.

        They come after `import_lines` for the same files, in the order given: it is that of public imports.
        """
        lines: list[str] = []
        for file in proto_files:
            package, module = self._module(importer, file)
            if is_plain(package) and is_plain(module):
                separator = "." if package.strip(".") else ""
                lines.append(f"from {package}{separator}{module} import *")
            else:
                names = f"vars({module_alias(file)}).items()"
                lines.append(f'globals().update((k, v) for k, v in {names} if k[0] != "_")')
        return lines

    def _module(self, importer: str, file: str) -> tuple[str, str]:
        """The package of a message module, with leading dots if it is relative, and its name there."""
        package, _, module = module_name(file).rpartition(".")
        if file in self._together:
            here = module_name(importer).split(".")[:-1]
            there = package.split(".") if package else []
            common = 0
            while common < min(len(here), len(there)) and here[common] == there[common]:
                common += 1
            return "." * (len(here) - common + 1) + ".".join(there[common:]), module
        folder = file.rpartition("/")[0]
        while True:
            if folder in self._packages:
                tail = file[len(folder) :].lstrip("/")
                inner, _, module = module_name(tail).rpartition(".")
                return ".".join(filter(None, (self._packages[folder], inner))), module
            if not folder:
                return package, module
            folder = folder.rpartition("/")[0]


def _dynamic(package: str, module: str, alias: str) -> str:
    if package.startswith("."):
        separator = "" if package.endswith(".") else "."
        name = literal(f"{package}{separator}{module}")
        return f"{alias} = importlib.import_module({name}, __package__)"
    name = f"{package}.{module}" if package else module
    return f"{alias} = importlib.import_module({literal(name)})"


PROTOC_LAYOUT = Layout()
