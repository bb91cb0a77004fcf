"""Codecs of message libraries; the examples run calls with each of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf import wrappers_pb2

from clarion.codecs import Betterproto2Codec, MsgspecCodec, ProtobufCodec, ProtobufPyCodec


def test_protobuf() -> None:
    codec = ProtobufCodec()
    data = codec.serializer(wrappers_pb2.Int32Value)(wrappers_pb2.Int32Value(value=5))
    assert codec.deserializer(wrappers_pb2.Int32Value)(data).value == 5
    with pytest.raises(Exception, match="Error parsing message"):
        codec.deserializer(wrappers_pb2.Int32Value)(b"\xff")


def test_betterproto2() -> None:
    betterproto2: Any = pytest.importorskip("betterproto2", reason="betterproto2 is not installed")

    @dataclass(eq=False, repr=False)
    class Value(betterproto2.Message):  # type: ignore[misc]
        value: int = betterproto2.field(1, betterproto2.TYPE_INT32)

    codec = Betterproto2Codec()
    data = codec.serializer(Value)(Value(value=5))
    assert data == wrappers_pb2.Int32Value(value=5).SerializeToString()
    assert codec.deserializer(Value)(data) == Value(value=5)


def test_protobuf_py() -> None:
    pytest.importorskip("protobuf", reason="protobuf-py is not installed")
    from protobuf.wkt import Timestamp  # type: ignore[import-not-found, unused-ignore]

    codec = ProtobufPyCodec()
    data = codec.serializer(Timestamp)(Timestamp(seconds=5))
    assert data == b"\x08\x05"
    assert codec.deserializer(Timestamp)(data).seconds == 5


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_msgspec(encoding: Any) -> None:
    msgspec: Any = pytest.importorskip("msgspec", reason="msgspec is not installed")

    class Value(msgspec.Struct):  # type: ignore[misc]
        value: int

    codec = MsgspecCodec(encoding)
    assert codec.name == encoding
    data = codec.serializer(Value)(Value(5))
    assert codec.deserializer(Value)(data) == Value(5)
    wrong = codec.serializer(dict)({"value": "5"})
    with pytest.raises(msgspec.ValidationError, match="Expected `int`, got `str`"):
        codec.deserializer(Value)(wrong)
    with pytest.raises(ValueError, match="not 'yaml'"):
        MsgspecCodec("yaml")  # type: ignore[arg-type]


def test_msgspec_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ImportError, match=r'pip install "clarion-rpc\[msgspec\]"'):
        MsgspecCodec()


@pytest.mark.parametrize("codec", [ProtobufCodec(), Betterproto2Codec(), ProtobufPyCodec()])
def test_types_of_another_library(codec: Any) -> None:
    with pytest.raises(TypeError, match="is no message class of"):
        codec.serializer(type("Other", (), {}))
    with pytest.raises(TypeError, match="is no message class of"):
        codec.deserializer(dict)
