"""Read the public surface of a library's modules: names, members and signatures, as plain data.

What is kept is what a program can rely on and what is the same on every Python: no annotations, no addresses, nothing
that classes inherit from outside the library.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

__all__ = ["Entry", "Surface", "read", "show_signature"]

Entry = dict[str, Any]
Surface = dict[str, dict[str, Entry]]

_KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "",
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.KEYWORD_ONLY: "keyword-only",
    inspect.Parameter.VAR_KEYWORD: "**",
}
# Special methods that make a difference to a program; all others are Python's business.
_SPECIAL = frozenset(
    "__aenter__ __aexit__ __aiter__ __anext__ __await__ __call__ __contains__ __delitem__ __enter__"
    " __exit__ __getitem__ __iter__ __len__ __next__ __setitem__".split()
)


def read(module_names: Iterable[str], library: str, extra: dict[str, list[str]]) -> Surface:
    """Describe what some modules offer.

    Args:
        module_names: the modules. A module that cannot be imported offers nothing.
        library: the package whose classes count, such as `grpc`.
        extra: by module, public names that its `__all__` leaves out.
    """
    surface: Surface = {}
    for module_name in module_names:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            surface[module_name] = {}
            continue
        names = sorted({*_public(module), *extra.get(module_name, ())})
        surface[module_name] = {
            name: _describe(getattr(module, name), library)
            for name in names
            if hasattr(module, name)
        }
    return surface


def _public(module: ModuleType) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return [name for name in listed if not name.startswith("_")]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _describe(value: Any, library: str) -> Entry:
    if isinstance(value, type):
        return _describe_class(value, library)
    if callable(value):
        return _function(value)
    return {"kind": "object"}


def _describe_class(cls: type, library: str) -> Entry:
    entry: Entry = {"kind": "class", "is": sorted(_ancestors(cls))}
    if issubclass(cls, enum.Enum):
        entry["kind"] = "enum"
        entry["values"] = {name: repr(value.value) for name, value in cls.__members__.items()}
        return entry
    entry["abstract"] = sorted(getattr(cls, "__abstractmethods__", ()))
    entry["members"] = {
        name: _member(cls, name) for name in sorted(_own_names(cls, library)) if _counts(name)
    }
    constructor = _constructor(cls, library)
    if constructor is not None:
        entry["members"]["__init__"] = constructor
    return entry


def _ancestors(cls: type) -> Iterator[str]:
    for base in cls.__mro__[1:]:
        if base.__name__ in ("object", "Generic", "Protocol", "ABC"):
            continue
        if not base.__name__.startswith("_") and base.__name__ != cls.__name__:
            yield base.__name__


def _own_names(cls: type, library: str) -> set[str]:
    names: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] == library:
            names.update(vars(base))
    return names


def _counts(name: str) -> bool:
    return name in _SPECIAL or not name.startswith("_")


def _member(cls: type, name: str) -> Entry:
    value = inspect.getattr_static(cls, name)
    if isinstance(value, (staticmethod, classmethod)):
        return _function(getattr(cls, name)) | {"of": type(value).__name__}
    if inspect.isfunction(value):
        return _function(value, bound=True)
    if callable(value) and not isinstance(value, type):
        return _function(value, bound=True)
    return {"kind": "attribute"}


def _constructor(cls: type, library: str) -> Entry | None:
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != library:
            continue
        for name in ("__init__", "__new__"):
            function = vars(base).get(name)
            # Named tuples and protocols get theirs from the standard library.
            if inspect.isfunction(function) and function.__module__ == base.__module__:
                return _function(function, bound=True)
    return None


def _function(function: Callable[..., Any], *, bound: bool = False) -> Entry:
    entry: Entry = {"kind": "function"}
    if inspect.iscoroutinefunction(function):
        entry["async"] = True
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        # Written in C, without a description.
        return entry
    entry["signature"] = [_parameter(each) for each in parameters[1 if bound else 0 :]]
    return entry


def _parameter(parameter: inspect.Parameter) -> list[str | None]:
    default: str | None = None
    if parameter.default is not parameter.empty:
        default = _default(parameter.default)
    return [parameter.name, _KINDS[parameter.kind], default]


def _default(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str, bytes)) or value == ():
        return repr(value)
    return "..."


def show_signature(parameters: list[list[str | None]]) -> str:
    """Write a signature as Python does."""
    parts: list[str] = []
    keyword_only = False
    for name, kind, default in parameters:
        assert name is not None
        if kind == "keyword-only" and not keyword_only:
            parts.append("*")
        keyword_only = keyword_only or kind in ("keyword-only", "*")
        text = f"{kind}{name}" if kind in ("*", "**") else name
        parts.append(text if default is None else f"{text}={default}")
        if kind == "positional-only":
            parts.append("/")
    # Only the last of several slashes means anything.
    while parts.count("/") > 1:
        parts.remove("/")
    return f"({', '.join(parts)})"
