"""The gRPC library as a value: the programs run on `clarion` and on `grpc` alike.

Two things the API of grpcio does not have, and the compressed cases need. They are done below the
public API of Clarion, and not at all on grpcio:

- whether a received message was compressed. A registered compressor marks what it unpacks. Where
  JSON is between it and the deserializer the mark is lost; servers unpack directly before they
  deserialize, on the same thread, so it leaves a note, too. Clients of JSON do not know;
- a single message of a compressed call that is sent as it is (`clarion.experimental.Uncompressed`).
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Library", "Plain", "Received", "Unsupported", "load"]


class Unsupported(Exception):
    """A case needs what the library does not offer; the text says what."""


@dataclass(frozen=True)
class Plain:
    """A message that must not be compressed, though its call is."""

    message: Any


@dataclass(frozen=True)
class Received:
    """A message, and whether it came compressed; None where the library does not tell."""

    message: Any
    compressed: bool | None


@dataclass(frozen=True)
class Library:
    """A module with the `grpc` API, and its `aio` submodule.

    Attributes:
        json: messages are in JSON on the wire.
    """

    name: str
    root: Any
    aio: Any
    json: bool = False

    def serializer(self) -> Callable[[Any], bytes]:
        """What turns a message, or a `Plain` one, into bytes."""
        clarion = self.name == "clarion"

        def serialize(message: Any) -> bytes:
            if not isinstance(message, Plain):
                return message.SerializeToString()
            if not clarion:
                raise Unsupported("grpcio cannot leave out compression for a single request")
            from clarion.experimental import Uncompressed

            return Uncompressed(message.message.SerializeToString())

        return serialize

    def deserializer(self, message: Any, *, serving: bool) -> Callable[[bytes], Received]:
        """What turns bytes into `Received`, on a server or a client."""
        if self.name != "clarion" or (self.json and not serving):
            return lambda data: Received(message.FromString(data), None)

        def deserialize(data: bytes) -> Received:
            unpacked, _note.unpacked = getattr(_note, "unpacked", False), False
            return Received(
                message.FromString(data), isinstance(data, _Unpacked) or (serving and unpacked)
            )

        return deserialize


_note = threading.local()


class _Unpacked(bytes):
    """What came compressed."""


class _NotingCompressor:
    """A compressor that marks what it unpacks, and leaves a note."""

    def __init__(self, inner: Any) -> None:
        self.name = inner.name
        self.compress = inner.compress
        self._decompress = inner.decompress

    def decompress(self, data: bytes, max_size: int) -> bytes:
        _note.unpacked = True
        return _Unpacked(self._decompress(data, max_size))


def _take_notes() -> None:
    from clarion.protocol import compression

    for name in ("gzip", "deflate"):
        inner = compression.get_compressor(name)
        if not isinstance(inner, _NotingCompressor):
            compression.register_compressor(_NotingCompressor(inner))


def load(name: str) -> Library:
    """Import the library `name`: `"clarion"` or `"grpc"`."""
    if name == "clarion":
        _take_notes()
    return Library(name, importlib.import_module(name), importlib.import_module(f"{name}.aio"))
