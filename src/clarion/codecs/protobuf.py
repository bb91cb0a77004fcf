"""Codecs for the three libraries of Protocol Buffers messages. None of them is imported here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from clarion.codecs.codec import Codec

__all__ = ["Betterproto2Codec", "ProtobufCodec", "ProtobufPyCodec"]

Message = TypeVar("Message")


class ProtobufCodec(Codec):
    """Messages of the `protobuf` package, from generated code, `clarion.protos` or `clarion.import_protos`."""

    name = "proto"

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        return _method(type, "SerializeToString", "protobuf")

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        return _method(type, "FromString", "protobuf")


class Betterproto2Codec(Codec):
    """Messages of the `betterproto2` package."""

    name = "proto"

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        return _method(type, "__bytes__", "betterproto2")

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        return _method(type, "parse", "betterproto2")


class ProtobufPyCodec(Codec):
    """Messages of the `protobuf-py` package, whose module is `protobuf`."""

    name = "proto"

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        return _method(type, "to_binary", "protobuf-py")

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        return _method(type, "from_binary", "protobuf-py")


def _method(type: Any, name: str, library: str) -> Callable[..., Any]:
    method: Callable[..., Any] | None = getattr(type, name, None)
    if method is None:
        raise TypeError(f"{type!r} is no message class of {library}: it has no method {name!r}")
    return method
