"""Run a program that is written for grpcio on Clarion, unchanged.

    python -m clarion.as_grpc script.py ARGUMENTS
    python -m clarion.as_grpc -m module ARGUMENTS
    python -m clarion.as_grpc -c code ARGUMENTS

Rules: what the program sees is what it would see if Python had started it: `sys.argv`, `sys.path[0]`, `__main__` with
its file and spec, its own frames alone in tracebacks, its exit status. One entry is added to `sys.path`, after the first:
child processes of `multiprocessing` get `sys.path`, and so `grpc` is Clarion in them too. Other child processes are not
reached.
"""

from __future__ import annotations

import importlib.util
import io
import linecache
import os
import pkgutil
import sys
from importlib.abc import FileLoader
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader, SourcelessFileLoader
from types import CodeType, ModuleType, TracebackType

from clarion.replace import FOLDER, install_as_grpc

__all__ = ["main"]

_USAGE = "usage: python -m clarion.as_grpc (script.py | -m module | -c code | -) [argument ...]"


class _NotFound(Exception):
    """There is no such program. Python would print this text and exit with this status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def _new_main(**attributes: object) -> ModuleType:
    """A fresh `__main__`, so that nothing of this module is in the program's globals."""
    module = ModuleType("__main__")
    module.__dict__.update(attributes)
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    sys.modules["__main__"] = module
    return module


def _prepend(entry: str) -> None:
    # `python -m` put the working directory first, where a script has its own folder; with `-P` it put nothing.
    sys.path[: 0 if sys.flags.safe_path else 1] = (
        [FOLDER] if sys.flags.safe_path else [entry, FOLDER]
    )


def _script(path: str) -> tuple[CodeType, ModuleType]:
    """A source file, a compiled one, or a folder or archive with a `__main__` in it."""
    absolute = os.path.abspath(path)
    importer = pkgutil.get_importer(absolute)
    if importer is not None and (spec := importer.find_spec("__main__", None)) is not None:
        _prepend(absolute)
        if sys.flags.safe_path:
            # Python puts a folder or an archive on the path all the same.
            sys.path.insert(0, absolute)
        return _of_spec(spec)
    if os.path.isdir(absolute):
        raise _NotFound(f"{sys.executable}: can't find '__main__' module in {absolute!r}", 1)
    try:
        with io.open_code(absolute) as file:
            source = file.read()
    except OSError as error:
        raise _NotFound(
            f"{sys.executable}: can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}",
            2,
        ) from None
    _prepend(os.path.dirname(os.path.realpath(path)))
    loader: FileLoader
    if path.endswith(".pyc"):
        loader = SourcelessFileLoader("__main__", absolute)
        code = loader.get_code("__main__")
        assert code is not None
    else:
        loader = SourceFileLoader("__main__", absolute)
        code = compile(source, absolute, "exec", dont_inherit=True)
    return code, _new_main(__file__=absolute, __loader__=loader, __cached__=None)


def _module(name: str) -> tuple[CodeType, ModuleType]:
    """A module, or the `__main__` of a package."""
    _prepend(os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package = name
            name = f"{name}.__main__"
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise _NotFound(
                    f"{sys.executable}: No module named {name}; {package!r} is a package and cannot be "
                    "directly executed"
                )
    except ModuleNotFoundError as error:
        raise _NotFound(
            f"{sys.executable}: Error while finding module specification for {name!r} "
            f"({type(error).__name__}: {error})"
        ) from None
    if spec is None:
        raise _NotFound(f"{sys.executable}: No module named {name}")
    sys.argv[0] = spec.origin or name
    return _of_spec(spec)


def _of_spec(spec: ModuleSpec) -> tuple[CodeType, ModuleType]:
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise _NotFound(f"{sys.executable}: No code object available for {spec.name}")
    module = _new_main(
        __file__=spec.origin,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code, module


def _text(source: str, name: str) -> tuple[CodeType, ModuleType]:
    _prepend("")
    if sys.version_info >= (3, 13):
        # Since then Python shows lines of such code in tracebacks.
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = _new_main(__loader__=BuiltinImporter)
    return compile(source, name, "exec", dont_inherit=True), module


def _find(arguments: list[str]) -> tuple[CodeType, ModuleType]:
    first = arguments[0]
    if first in ("-m", "-c"):
        sys.argv[:] = [first, *arguments[2:]]
        if first == "-m":
            return _module(arguments[1])
        return _text(arguments[1], "<string>")
    sys.argv[:] = arguments
    if first == "-":
        return _text(sys.stdin.read(), "<stdin>")
    return _script(first)


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def _show_only(traceback: TracebackType | None) -> None:
    """Let `sys.excepthook` see `traceback` when the exception leaves this module and Python's own frames."""
    hook = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        sys.excepthook = hook
        error.__traceback__ = sys.last_traceback = traceback
        hook(kind, error, traceback)

    sys.excepthook = show


def main() -> None:
    """Run the program that the command line names. Its exceptions and its `SystemExit` pass through."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0] in ("-m", "-c") and len(arguments) < 2):
        print(_USAGE, file=sys.stderr)
        raise SystemExit(2)
    if arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return
    install_as_grpc()
    try:
        code, module = _find(arguments)
        exec(code, module.__dict__)  # nosec B102  # the user's own program, as `python FILE` runs it
    except _NotFound as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.status) from None
    except SystemExit:
        raise
    except BaseException as error:
        _show_only(_without_ours(error.__traceback__))
        raise


if __name__ == "__main__":
    main()
