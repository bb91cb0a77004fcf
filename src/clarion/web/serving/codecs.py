"""A server's methods with messages in the encoding that a web request names.

A call serves a `Method`: the one that the server found, with other functions for messages where the request's encoding is not
the handler's own. So messages are read and made where they always are, on the handler's thread or in its task.
"""

from __future__ import annotations

import copy
from typing import Any

from clarion.descriptors import method_descriptor
from clarion.server_core.methods import Method
from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = ["Codecs", "NoCodec", "is_described", "is_safe", "lacks_codec"]

_KEPT = 1024
# `google.protobuf.MethodOptions.NO_SIDE_EFFECTS`
_NO_SIDE_EFFECTS = 1


class NoCodec(Exception):
    """A call has no codec for its messages; its handler is not to begin."""


class _Handler:
    """What `server_codec` reads of a handler."""

    def __init__(self, method: Method) -> None:
        self.request_deserializer = method.deserialize
        self.response_serializer = method.serialize


class Codecs:
    """Methods in other encodings than their handlers', kept for those that follow."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Method, Method]] = {}

    def method_for(self, method: Method, name: str, *, as_grpc: bool) -> Method:
        """`method` with messages in the encoding `name`; a method without a path is undecided, and stays.

        Args:
            method: what the server found.
            name: of the encoding.
            as_grpc: what cannot be read is an error as gRPC has it, and not as Connect has it.
        """
        if not method.path or (as_grpc and name == "proto" and method.heads is None):
            return method
        key = method.path, name
        kept = self._kept.get(key)
        # A rule of the application's may have found another handler.
        if kept is not None and kept[0].deserialize is method.deserialize:
            found = copy.copy(kept[1])
            found.behavior = method.behavior
            found.style = method.style
            return found
        # It imports protobuf.
        from clarion.web.codec import server_codec

        found = copy.copy(method)
        codec = server_codec(method.path, _Handler(method), name)
        if codec is None:
            found.deserialize = found.serialize = _Unknown(method.path, name)
        else:
            found.deserialize, found.serialize = codec.decode, codec.encode
        if len(self._kept) < _KEPT:
            self._kept[key] = method, found
        return found


class _Unknown:
    """Stands where messages cannot be read; see `lacks_codec`."""

    def __init__(self, path: str, name: str) -> None:
        self._why = f"messages of {path} cannot be had as {name!r}"

    def __call__(self, value: Any) -> Any:
        raise WebError(StatusCode.UNIMPLEMENTED, self._why)


def lacks_codec(method: Method) -> bool:
    """Whether `Codecs.method_for` found no way to have the method's messages in the encoding that was asked for."""
    return type(method.deserialize) is _Unknown


def is_described(path: str) -> bool:
    """Whether protobuf knows the method, so its messages are protobuf's."""
    try:
        method_descriptor(path)
    except LookupError:
        return False
    return True


def is_safe(path: bytes) -> bool:
    """Whether a method's .proto file says that it has no side effects, so that GET may call it."""
    try:
        found = method_descriptor(path.decode("utf-8", "replace"))
    except LookupError:
        return False
    return bool(found.GetOptions().idempotency_level == _NO_SIDE_EFFECTS)
