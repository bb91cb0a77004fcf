"""A server's methods as a web request asks for them: with messages in the encoding that it names.

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

__all__ = ["Codecs", "NotServed", "is_described", "is_safe", "why_not_served"]

_KEPT = 1024
# `google.protobuf.MethodOptions.NO_SIDE_EFFECTS`
_NO_SIDE_EFFECTS = 1
# Of a path that is said to the client.
_SHOWN = 200


class NotServed(Exception):
    """A method cannot be called as the request has it; its handler is not to begin."""


class _Handler:
    """What `server_codec` reads of a handler."""

    def __init__(self, method: Method) -> None:
        self.request_deserializer = method.deserialize
        self.response_serializer = method.serialize


class Codecs:
    """Methods in other encodings than their handlers', kept for those that follow."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, bool | None], tuple[Method, Method]] = {}

    def method_for(
        self, method: Method, name: str, *, as_grpc: bool, streaming: bool | None = None
    ) -> Method:
        """`method` with messages in the encoding `name`; a method without a path is undecided, and stays.

        Args:
            method: what the server found.
            name: of the encoding.
            as_grpc: what cannot be read is an error as gRPC has it, and not as Connect has it.
            streaming: the request is one for methods with a stream on either side, or for those without; None: for all.
        """
        if not method.path or (as_grpc and name == "proto" and method.heads is None):
            return method
        key = method.path, name, streaming
        kept = self._kept.get(key)
        # A rule of the application's may have found another handler.
        if kept is not None and kept[0] is method:
            return kept[1]
        if kept is not None and kept[0].deserialize is method.deserialize:
            found = copy.copy(kept[1])
            found.behavior = method.behavior
            found.style = method.style
            return found
        # It imports protobuf.
        from clarion.web.codec import server_codec

        found = copy.copy(method)
        codec = server_codec(method.path, _Handler(method), name)
        has_stream = method.request_streaming or method.response_streaming
        if streaming is not None and streaming is not has_stream:
            has = "a stream" if has_stream else "no stream"
            why = (
                f"{method.path[:_SHOWN]} has {has} of messages, and the content-type is for others"
            )
            found.deserialize = found.serialize = _Refuse(why)
        elif codec is None:
            why = f"messages of {method.path[:_SHOWN]} cannot be had as {name[:40]!r}"
            found.deserialize = found.serialize = _Refuse(why)
        else:
            found.deserialize, found.serialize = codec.decode, codec.encode
        if len(self._kept) < _KEPT:
            self._kept[key] = method, found
        return found


class _Refuse:
    """Stands where messages cannot be read; see `why_not_served`."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __call__(self, value: Any) -> Any:
        raise WebError(StatusCode.UNIMPLEMENTED, self.why)


def why_not_served(method: Method) -> str:
    """Why `Codecs.method_for` found no way to serve the method as it was asked for; "" if it did."""
    refuse = method.deserialize
    return refuse.why if isinstance(refuse, _Refuse) else ""


def is_described(path: str) -> bool:
    """Whether protobuf knows the method, so its messages are protobuf's."""
    try:
        method_descriptor(path)
    except LookupError:
        return False
    return True


def is_safe(path: bytes) -> bool:
    """Whether a method may be called by GET: it has no streams, and its .proto file says that it has no side effects."""
    try:
        found = method_descriptor(path.decode("utf-8", "replace"))
    except LookupError:
        return False
    if found.client_streaming or found.server_streaming:
        return False
    return bool(found.GetOptions().idempotency_level == _NO_SIDE_EFFECTS)
