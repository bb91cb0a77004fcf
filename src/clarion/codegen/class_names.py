"""The names of the classes in `NAME_pb2_grpc.py` that grpcio-tools' output lacks, or has for experiments only.

For a service `Greeter`, grpcio-tools' `GreeterStub`, `GreeterServicer` and `add_GreeterServicer_to_server` are
always named so. Beside them are `GreeterAsyncStub`, as mypy-protobuf calls it, `GreeterSyncServicer` and
`GreeterAsyncServicer`, named alike, and the static class `Greeter`. Where another service of the file is called
`GreeterAsync`, its stub is `GreeterAsyncStub`: what is added gives way, and ends with an underscore.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FURTHER", "RESERVED", "ClassNames", "class_names", "free_name"]

# The table of classes that are made when they are first used.
FURTHER = "_FURTHER"
# What the code of a generated module looks up among its globals.
RESERVED = frozenset(
    f"{FURTHER} AttributeError NotImplementedError clarion getattr globals importlib setattr sorted".split()
)


@dataclass(frozen=True)
class ClassNames:
    """The names for one service; `static` is "" if the module, or a program, cannot have that class."""

    async_stub: str
    sync_servicer: str
    async_servicer: str
    static: str


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return `name`, with as many underscores behind it as it takes not to be in `taken`."""
    taken = frozenset(taken)
    while name in taken:
        name += "_"
    return name


def class_names(services: list[str]) -> list[ClassNames]:
    """Return the names for the services of one file, in their order."""
    taken = set(RESERVED)
    for service in services:
        taken |= {f"{service}Stub", f"{service}Servicer", f"add_{service}Servicer_to_server"}
    added: list[tuple[str, str, str]] = []
    for service in services:
        names = [
            free_name(f"{service}{kind}", taken)
            for kind in ("AsyncStub", "SyncServicer", "AsyncServicer")
        ]
        taken |= set(names)
        added.append((names[0], names[1], names[2]))
    return [
        ClassNames(*names, static=service if _can_be_static(service, taken) else "")
        for service, names in zip(services, added, strict=True)
    ]


def _can_be_static(service: str, taken: set[str]) -> bool:
    # Message modules go by names that end so.
    return not keyword.iskeyword(service) and service not in taken and not service.endswith("__pb2")
