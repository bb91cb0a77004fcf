"""A codec for msgspec: structs, dataclasses, typed dicts and more, in JSON or MessagePack.

msgspec is imported when a codec is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from clarion.codecs.codec import Codec

__all__ = ["MsgspecCodec"]

Message = TypeVar("Message")


class MsgspecCodec(Codec):
    """Whatever types msgspec knows, validated as they are decoded.

    Args:
        encoding: "json" or "msgpack"; also the codec's name.

    Raises:
        ImportError: msgspec is not installed; says how to.
        ValueError: another encoding.
    """

    def __init__(self, encoding: Literal["json", "msgpack"] = "json") -> None:
        try:
            import msgspec
        except ModuleNotFoundError as error:
            raise ImportError(
                'MsgspecCodec needs msgspec, which is not installed; pip install "clarion-rpc[msgspec]"'
            ) from error
        encodings = {"json": msgspec.json, "msgpack": msgspec.msgpack}
        if encoding not in encodings:
            raise ValueError(f"msgspec's encodings are 'json' and 'msgpack', not {encoding!r}")
        self.name = encoding
        self._module: Any = encodings[encoding]

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        encode: Callable[[Message], bytes] = self._module.Encoder().encode
        return encode

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        decode: Callable[[bytes], Message] = self._module.Decoder(type).decode
        return decode
