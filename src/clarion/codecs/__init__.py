"""Messages of other libraries than protobuf: codecs, and services that are stated in Python.

See docs/codecs.md. A codec makes bytes of messages, and messages of bytes; a `Service` has the types of its methods'
messages, makes callables of them on channels of either front end, and handlers for servers of either.
"""

from __future__ import annotations

from clarion.codecs.codec import Codec
from clarion.codecs.json import JSONCodec
from clarion.codecs.msgspec import MsgspecCodec
from clarion.codecs.protobuf import Betterproto2Codec, ProtobufCodec, ProtobufPyCodec
from clarion.codecs.service import (
    Served,
    Service,
    ServiceMethod,
    StreamStream,
    StreamUnary,
    UnaryStream,
    UnaryUnary,
)

__all__ = [
    "Betterproto2Codec",
    "Codec",
    "JSONCodec",
    "MsgspecCodec",
    "ProtobufCodec",
    "ProtobufPyCodec",
    "Served",
    "Service",
    "ServiceMethod",
    "StreamStream",
    "StreamUnary",
    "UnaryStream",
    "UnaryUnary",
]
