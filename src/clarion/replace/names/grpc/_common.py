"""Tables between numbers and enumerations, and small helpers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc._cython import cygrpc

from clarion import ChannelConnectivity, StatusCode

__all__ = [
    "CYGRPC_CONNECTIVITY_STATE_TO_CHANNEL_CONNECTIVITY",
    "CYGRPC_STATUS_CODE_TO_STATUS_CODE",
    "STATUS_CODE_TO_CYGRPC_STATUS_CODE",
    "decode",
    "deserialize",
    "encode",
    "fully_qualified_method",
    "serialize",
]

CYGRPC_CONNECTIVITY_STATE_TO_CHANNEL_CONNECTIVITY = {
    state.value[0]: state for state in ChannelConnectivity
}
CYGRPC_STATUS_CODE_TO_STATUS_CODE = {cygrpc.StatusCode(code.value[0]): code for code in StatusCode}
STATUS_CODE_TO_CYGRPC_STATUS_CODE = {
    code: number for number, code in CYGRPC_STATUS_CODE_TO_STATUS_CODE.items()
}


def encode(s: str | bytes) -> bytes:
    """Text as UTF-8; bytes as they are."""
    return s if isinstance(s, bytes) else s.encode("utf8")


def decode(b: str | bytes) -> str:
    """UTF-8 as text, with replacement characters for what is none; text as it is."""
    return b if isinstance(b, str) else b.decode("utf-8", "replace")


def serialize(message: Any, serializer: Callable[[Any], bytes] | None) -> Any:
    """`serializer(message)`; the message itself without one."""
    return message if serializer is None else serializer(message)


def deserialize(serialized_message: bytes, deserializer: Callable[[bytes], Any] | None) -> Any:
    """`deserializer(serialized_message)`; the bytes without one."""
    return serialized_message if deserializer is None else deserializer(serialized_message)


def fully_qualified_method(group: str, method: str) -> str:
    """The path of a method: `/package.Service/Method`."""
    return f"/{group}/{method}"
