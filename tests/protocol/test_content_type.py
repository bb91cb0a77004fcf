"""The content-type of calls, and how serializers choose it."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from clarion.hpack import Decoder
from clarion.protocol.content_type import (
    CONTENT_TYPE,
    InvalidSubtype,
    content_type_of,
    response_heads,
    subtype_of,
)


def serializer(subtype: Any) -> Any:
    def serialize(message: Any) -> bytes:
        return bytes(message)

    serialize.content_subtype = subtype  # type: ignore[attr-defined]
    return serialize


@pytest.mark.parametrize(
    ("value", "subtype"),
    [
        (b"application/grpc", ""),
        (b"application/grpc;charset=utf-8", ""),
        (b"application/grpc+proto", "proto"),
        (b"application/grpc+JSON; charset=utf-8", "json"),
        (b"application/grpc+x.y-z", "x.y-z"),
        (b"application/grpc+", ""),
        (b"application/grpc+\xff", "\xff"),
    ],
)
def test_subtypes(value: bytes, subtype: str) -> None:
    assert subtype_of(value) == subtype


def test_the_usual_serializers_have_the_usual_type() -> None:
    for usual in (str.encode, None, serializer(""), serializer(None), mock.Mock()):
        assert content_type_of(usual) is CONTENT_TYPE


def test_a_serializer_with_a_subtype() -> None:
    assert content_type_of(serializer("json")) == b"application/grpc+json"


@pytest.mark.parametrize("subtype", ["JSON", "a b", "a\r\nb", "ä", "a+b", "a;b", " json"])
def test_subtypes_that_cannot_be_sent(subtype: str) -> None:
    with pytest.raises(InvalidSubtype, match="a lower-case name, such as 'json'"):
        content_type_of(serializer(subtype))


def test_response_heads() -> None:
    block, fields = response_heads(b"application/grpc+json")
    assert fields == ((b":status", b"200"), (b"content-type", b"application/grpc+json"))
    decoder = Decoder()
    assert decoder.decode(block).fields == fields
    # Nothing entered the dynamic table: the same block means the same on any connection.
    assert Decoder().decode(block).fields == fields
