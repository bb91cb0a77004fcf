"""Messages in JSON and protobuf's own encoding, whatever functions a method has."""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple

import pytest
from google.protobuf.internal import api_implementation
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.status import StatusCode
from clarion.web.codec import (
    JsonOptions,
    client_codec,
    message_types,
    read_json,
    server_codec,
    write_json,
)
from clarion.web.errors import WebError
from support.shelf_messages import GET_PATH, PUT_PATH, messages

# protobuf's runtime in pure Python does not say which class a `FromString` is of.
needs_classes = pytest.mark.skipif(
    api_implementation.Type() == "python", reason="protobuf runs in pure Python"
)


class Handler(NamedTuple):
    request_deserializer: Any
    response_serializer: Any


def get_handler() -> Handler:
    return Handler(messages()["Key"].FromString, messages()["Book"].SerializeToString)


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text(max_size=5), max_size=3))
def test_messages_go_there_and_back(title: str, page_count: int, tags: list[str]) -> None:
    kind = messages()["Book"]
    book = kind(title=title, page_count=page_count, tags=tags)
    for options in (JsonOptions(), JsonOptions(proto_names=True, defaults=True, sort=True)):
        assert read_json(kind, write_json(book, options)) == book


def test_json_as_it_is_written() -> None:
    book = messages()["Book"](title="\u00e9", page_count=7, color=1)
    assert write_json(book) == '{"title":"\u00e9","pageCount":"7","color":"RED"}'.encode()
    options = JsonOptions(proto_names=True, enum_numbers=True, sort=True)
    assert write_json(book, options) == '{"color":1,"page_count":"7","title":"\u00e9"}'.encode()
    assert json.loads(write_json(messages()["Key"](), JsonOptions(defaults=True))) == {"title": ""}


def nested(depth: int) -> bytes:
    return b'{"part":' * depth + b"{}" + b"}" * depth


@pytest.mark.parametrize(
    ("data", "options", "code"),
    [
        (b"", {}, "INVALID_ARGUMENT"),
        (b"null", {}, "INVALID_ARGUMENT"),
        (b"[]", {}, "INVALID_ARGUMENT"),
        (b'"x"', {}, "INVALID_ARGUMENT"),
        (b'{"title":', {}, "INVALID_ARGUMENT"),
        (b'{"title":"\xff"}', {}, "INVALID_ARGUMENT"),
        (b'{"title":"\\ud800"}', {}, "INVALID_ARGUMENT"),
        (b'{"title":1}', {}, "INVALID_ARGUMENT"),
        (b'{"title":"a","title":"b"}', {}, "INVALID_ARGUMENT"),
        (b'{"pageCount":1e30}', {}, "INVALID_ARGUMENT"),
        (b'{"pageCount":"%s"}' % (b"9" * 5000), {}, "INVALID_ARGUMENT"),
        (b'{"color":"BLUE"}', {"ignore_unknown": False}, "INVALID_ARGUMENT"),
        (b'{"nope":1}', {"ignore_unknown": False}, "INVALID_ARGUMENT"),
        (b'{"extra":{"@type":"type.googleapis.com/no.Such"}}', {}, "INVALID_ARGUMENT"),
        (nested(200), {}, "INVALID_ARGUMENT"),
        (nested(50_000), {}, "INVALID_ARGUMENT"),
        (nested(4), {"max_depth": 4}, "INVALID_ARGUMENT"),
        (b'{"title":"123"}', {"max_size": 14}, "RESOURCE_EXHAUSTED"),
    ],
)
def test_json_that_is_no_message(data: bytes, options: dict[str, Any], code: str) -> None:
    with pytest.raises(WebError) as caught:
        read_json(messages()["Book"], data, JsonOptions(**options))
    assert caught.value.code.name == code
    assert len(str(caught.value)) < 600


def test_json_within_the_limits() -> None:
    kind = messages()["Book"]
    assert read_json(kind, b'{"nope":[{}],"title":"a"}').title == "a"
    assert read_json(kind, nested(4), JsonOptions(max_depth=5)).part.part.part.HasField("part")
    assert read_json(kind, b'{"title":"123"}', JsonOptions(max_size=15)).title == "123"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40))
def test_any_octets_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(WebError):
        message = read_json(messages()["Book"], data)
        assert read_json(messages()["Book"], write_json(message)) == message


def test_messages_that_stand_for_a_value_are_that_value() -> None:
    from google.protobuf import duration_pb2, struct_pb2

    assert read_json(duration_pb2.Duration, b'"1.5s"').nanos == 500_000_000
    assert read_json(struct_pb2.ListValue, b"[1]").values[0].number_value == 1
    with pytest.raises(WebError, match="does not fit"):
        read_json(duration_pb2.Duration, b"[]")


def test_a_message_that_has_no_json() -> None:
    book = messages()["Book"]()
    book.extra.type_url = "type.googleapis.com/no.Such"
    with pytest.raises(TypeError):
        write_json(book)


def test_types_by_path() -> None:
    assert message_types(GET_PATH) == (messages()["Key"], messages()["Book"])
    assert message_types("/no.Such/Method") is None


# Handlers


@needs_classes
def test_the_types_of_generated_code_are_known() -> None:
    for path in (GET_PATH, "/not.in.the/pool"):
        codec = server_codec(path, get_handler(), "json")
        assert codec is not None
        assert codec.decode(b'{"title":"a"}') == messages()["Key"](title="a")
        assert codec.encode(messages()["Book"](title="b")) == b'{"title":"b"}'


def test_functions_that_are_not_protobufs_are_called() -> None:
    kinds = messages()
    handler = Handler(
        lambda data: kinds["Key"].FromString(data).title,
        lambda title: kinds["Book"](title=title).SerializeToString(),
    )
    codec = server_codec(GET_PATH, handler, "json")
    assert codec is not None
    assert codec.decode(b'{"title":"a"}') == "a"
    assert codec.encode("b") == b'{"title":"b"}'
    assert server_codec("/not.in.the/pool", handler, "json") is None


def test_handlers_of_bytes_see_bytes() -> None:
    key = messages()["Key"](title="a").SerializeToString()
    codec = server_codec(PUT_PATH, Handler(None, None), "json")
    assert codec is not None
    assert codec.decode(b'{"pageCount":"7"}') == b"\x10\x07"
    assert codec.encode(key) == b'{"title":"a"}'
    plain = server_codec(PUT_PATH, Handler(None, None), "proto")
    assert plain is not None
    assert (plain.decode(b"\xff"), plain.encode(b"x")) == (b"\xff", b"x")


@needs_classes
def test_a_response_of_another_type_needs_the_pool() -> None:
    handler = Handler(messages()["Key"].FromString, SerializeToString)
    codec = server_codec("/not.in.the/pool", handler, "json")
    assert codec is not None
    with pytest.raises(TypeError, match="cannot be made JSON"):
        codec.encode("text")
    known = server_codec(GET_PATH, handler, "json")
    assert known is not None
    assert known.encode("text") == b'{"title":"text"}'


def SerializeToString(title: str) -> bytes:
    """Has the name of protobuf's, and is not."""
    data: bytes = messages()["Book"](title=title).SerializeToString()
    return data


class FromString:
    """Has a method of that name, and is no message."""

    @classmethod
    def FromString(cls, data: bytes) -> bytes:
        return data


def test_a_class_without_a_descriptor_is_no_message() -> None:
    codec = server_codec(PUT_PATH, Handler(FromString.FromString, None), "json")
    assert codec is not None
    assert codec.decode(b'{"pageCount":"7"}') == b"\x10\x07"


def test_protobufs_own_encoding() -> None:
    codec = server_codec(GET_PATH, get_handler(), "proto")
    assert codec is not None
    key = messages()["Key"](title="a")
    assert codec.decode(key.SerializeToString()) == key
    assert codec.encode(messages()["Book"](page_count=1)) == b"\x10\x01"
    with pytest.raises(WebError, match=f"a message of {GET_PATH} cannot be read") as caught:
        codec.decode(b"\xff")
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_an_error_of_the_web_stays_one() -> None:
    def refuse(data: bytes) -> None:
        raise WebError(StatusCode.ABORTED, "no")

    codec = server_codec(GET_PATH, Handler(refuse, None), "proto")
    assert codec is not None
    with pytest.raises(WebError) as caught:
        codec.decode(b"")
    assert caught.value.code is StatusCode.ABORTED


def test_a_handlers_own_encoding() -> None:
    def serialize(message: Any) -> bytes:
        return json.dumps(message).encode()

    serialize.content_subtype = "json"  # type: ignore[attr-defined]
    handler = Handler(json.loads, serialize)
    codec = server_codec(GET_PATH, handler, "json")
    assert codec is not None
    assert (codec.decode(b'{"a":1}'), codec.encode([1])) == ({"a": 1}, b"[1]")
    assert server_codec(GET_PATH, handler, "proto") is None
    assert server_codec(GET_PATH, get_handler(), "xml") is None


def test_clients() -> None:
    kinds = messages()
    codec = client_codec(GET_PATH, kinds["Key"].SerializeToString, kinds["Book"].FromString, "json")
    assert codec is not None
    assert codec.encode(kinds["Key"](title="a")) == b'{"title":"a"}'
    assert codec.decode(b'{"title":"b"}') == kinds["Book"](title="b")
    with pytest.raises(WebError) as caught:
        codec.decode(b"{")
    assert caught.value.code is StatusCode.INTERNAL
    raw = client_codec(GET_PATH, None, None, "json")
    assert raw is not None
    assert raw.encode(kinds["Key"](title="a").SerializeToString()) == b'{"title":"a"}'
    assert raw.decode(b'{"pageCount":"7"}') == b"\x10\x07"


def test_requests_for_caches_are_always_the_same() -> None:
    kinds = messages()
    options = JsonOptions(sort=True)
    codec = client_codec(
        PUT_PATH, kinds["Book"].SerializeToString, kinds["Key"].FromString, "proto", options
    )
    assert codec is not None
    book = kinds["Book"](title="a", page_count=2)
    assert codec.encode(book) == book.SerializeToString(deterministic=True)
    other = client_codec(PUT_PATH, lambda value: value * 2, None, "proto", options)
    assert other is not None
    assert other.encode(b"x") == b"xx"
