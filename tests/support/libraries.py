"""The gRPC library under test, as a value.

Tests that run against more than one library (Clarion and its peers) or more than one front end take a
`Library` and never import `grpc` or `clarion` themselves. Names in the four patterns are grpcio's, so
that `getattr(channel, pattern)` and `getattr(root, f"{pattern}_rpc_method_handler")` work.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["LIMIT", "PATTERNS", "Library", "Metadata", "load", "pairs"]

LIMIT = 20.0
"""Seconds after which a wait gives up. Only a defect makes a test wait that long."""

PATTERNS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

Metadata = list[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Library:
    """A module that has the `grpc` API and its `aio` submodule."""

    name: str
    root: Any
    aio: Any

    def status(self, name: str) -> Any:
        return getattr(self.root.StatusCode, name)

    def compression(self, name: str | None) -> Any:
        return None if name is None else getattr(self.root.Compression, name)


def load(name: str) -> Library:
    """Imports the library `name`: `"grpc"` or `"clarion"`."""
    return Library(name, importlib.import_module(name), importlib.import_module(f"{name}.aio"))


def pairs(metadata: Iterable[Any] | None) -> Metadata:
    """Metadata of any library's type as a list of plain pairs."""
    return [(key, value) for key, value in metadata or ()]
