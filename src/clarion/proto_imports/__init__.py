"""Importing .proto files as Python modules, for packages that ask for it.

See docs/no-codegen.md. What this costs other programs, and other imports, is nothing: modules of this package are
loaded when a .proto file is imported, but for this one.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarion.proto_imports.finder import ProtoFinder

__all__ = ["import_protos"]

_lock = threading.Lock()
_finder: ProtoFinder | None = None


def import_protos(package: str, *, cache: bool | str | os.PathLike[str] = True) -> None:
    """Make the .proto files of a package importable; to be called in the package's `__init__.py`.

    With `clarion.import_protos(__name__)` in `myapp/protos/__init__.py`, `from myapp.protos import hello_proto` imports
    `myapp/protos/hello.proto`: one module with its messages, enums, stubs, servicers and their registration. The same
    objects are in `hello_pb2` and `hello_pb2_grpc`, for code that was written for generated modules. Files in
    subfolders are modules of subpackages. A generated file in the package is taken as it is. Other packages, and other
    imports, are not touched.

    The import raises `SyntaxError`, with file, line and column, if protoc does not accept the file, and `ImportError`
    if there is no protoc, or if the process has other messages of the same full names.

    Args:
        package: the package's name: `__name__`.
        cache: keep compiled files in the user's cache folder, so that protoc runs only for a content that it has not
            seen; or the folder to keep them in. False runs protoc in every process.

    Raises:
        TypeError: `package` is no string.
        ValueError: `package` is "" or "__main__".
    """
    if not isinstance(package, str):
        raise TypeError(f"the package's name is a str, such as __name__, not {package!r}")
    if package in ("", "__main__"):
        raise ValueError(
            "import_protos wants the name of a package: call import_protos(__name__) in the __init__.py"
            " of the folder with the .proto files"
        )
    from clarion.proto_imports.cache import user_folder
    from clarion.proto_imports.finder import ProtoFinder, ProtoPackage

    global _finder
    if isinstance(cache, bool):
        folder = user_folder() if cache else None
    else:
        folder = Path(cache)
    with _lock:
        if _finder is None:
            _finder = ProtoFinder()
        if _finder not in sys.meta_path:
            sys.meta_path.append(_finder)
        _finder.packages[package] = ProtoPackage(package, folder)
