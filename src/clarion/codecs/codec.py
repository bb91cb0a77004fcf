"""What a codec is: how messages of some library become bytes, and messages again."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Codec", "labelled"]

Message = TypeVar("Message")


class Codec(abc.ABC):
    """How messages of some library become bytes, and messages again.

    Attributes:
        name: the encoding's name in `application/grpc+NAME`, the content-type of calls (PROTOCOL-HTTP2). It is in lower
            case. Calls with "proto" have the content-type without a name, which means the same.
    """

    name: str

    @abc.abstractmethod
    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        """Return the function that makes bytes of messages of a type.

        It is asked for once for each method. What it raises ends the call with INTERNAL.

        Raises:
            TypeError: the codec cannot encode messages of this type.
        """

    @abc.abstractmethod
    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        """Return the function that makes messages of a type from bytes.

        It is asked for once for each method. What it raises, such as `ValueError` for malformed bytes, ends the call
        with INTERNAL.

        Raises:
            TypeError: the codec cannot decode messages of this type.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def labelled(codec: Codec, serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """A serializer that says its codec's name, in the way that channels and servers look for it."""
    if codec.name == "proto":
        return serialize

    def labelled_serialize(message: Any) -> bytes:
        return serialize(message)

    labelled_serialize.content_subtype = codec.name  # type: ignore[attr-defined]
    return labelled_serialize
