"""Messages as text, with descriptors and without."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.wire_trace.masking import Masking
from clarion.wire_trace.wire_format import describe_message

pytest.importorskip("google.protobuf")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SHOW = Masking()


@functools.cache
def classes() -> dict[str, Any]:
    file: Any = descriptor_pb2.FileDescriptorProto(
        name="trace_test.proto", package="t", syntax="proto2"
    )
    file.dependency.append("google/protobuf/any.proto")
    kinds = descriptor_pb2.FieldDescriptorProto
    color = file.enum_type.add(name="Color")
    color.value.add(name="RED", number=0)
    color.value.add(name="NEGATIVE", number=-1)
    every = file.message_type.add(name="Every")
    names = (
        "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sfixed32 "
        "sfixed64 sint32 sint64"
    ).split()
    for number, name in enumerate(names, 1):
        kind = getattr(kinds, f"TYPE_{name.upper()}")
        every.field.add(name=f"a_{name}", number=number, type=kind, label=1)
        if name not in ("string", "bytes"):
            packed = every.field.add(name=f"p_{name}", number=number + 100, type=kind, label=3)
            packed.options.packed = True
    every.field.add(name="color", number=50, type=14, type_name=".t.Color", label=1)
    every.field.add(name="inner", number=51, type=11, type_name=".t.Every", label=3)
    every.field.add(name="group", number=52, type=10, type_name=".t.Every.Group", label=1)
    every.field.add(name="any", number=53, type=11, type_name=".google.protobuf.Any", label=1)
    every.nested_type.add(name="Group").field.add(name="x", number=1, type=5, label=1)
    hidden = every.field.add(name="hidden", number=60, type=9, label=1)
    hidden.options.debug_redact = True
    secret = every.field.add(name="secrets", number=61, type=11, type_name=".t.Every", label=1)
    secret.options.debug_redact = True
    every.field.add(name="password", number=62, type=9, label=1)
    every.extension_range.add(start=1000, end=2000)
    file.extension.add(name="more", number=1000, type=5, label=1, extendee=".t.Every")
    from google.protobuf import any_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return {"Every": message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Every"))}


def every(**fields: Any) -> Any:
    return classes()["Every"](**fields)


def show(message: Any, limit: int = 1000, masking: Masking = SHOW) -> str:
    return describe_message(message.SerializeToString(), message.DESCRIPTOR, masking, limit)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"a_double": 1.5, "a_float": 0.1}, "a_double: 1.5 a_float: 0.1"),
        ({"a_int64": -1, "a_uint64": 2**64 - 1}, "a_int64: -1 a_uint64: 18446744073709551615"),
        ({"a_int32": -5, "a_uint32": 5}, "a_int32: -5 a_uint32: 5"),
        ({"a_sint32": -5, "a_sint64": 7}, "a_sint32: -5 a_sint64: 7"),
        ({"a_fixed32": 1, "a_sfixed64": -2}, "a_fixed32: 1 a_sfixed64: -2"),
        ({"a_bool": True}, "a_bool: true"),
        ({"a_string": 'Grüße "x"'}, 'a_string: "Gr\\xc3\\xbc\\xc3\\x9fe \\"x\\""'),
        ({"a_string": "Grüße"}, 'a_string: "Grüße"'),
        ({"a_bytes": b"\0\xff"}, 'a_bytes: "\\x00\\xff"'),
        ({"color": -1}, "color: NEGATIVE"),
        ({"p_int32": [1, -2], "p_float": [0.5]}, "p_float: [ 0.5 ] p_int32: [ 1 -2 ]"),
        ({"p_bool": [True, False]}, "p_bool: [ true false ]"),
    ],
)
def test_fields_have_names_and_types(fields: dict[str, Any], text: str) -> None:
    assert show(every(**fields)) == text


def test_nested_messages_groups_and_extensions() -> None:
    message = every(inner=[every(a_int32=1), every()])
    message.group.x = 7
    assert show(message) == "inner { a_int32: 1 } inner { } group { x: 7 }"
    assert describe_message(b"\xc0\x3e\x05", message.DESCRIPTOR, SHOW, 100) == "[t.more]: 5"


def test_an_any_is_shown_by_what_is_in_it() -> None:
    message = every()
    message.any.Pack(every(a_int32=3, hidden="x"))
    assert show(message) == "any { [type.googleapis.com/t.Every] { a_int32: 3 hidden: <masked> } }"
    message.any.type_url = "x/no.such.Type"
    size = len(message.any.value)
    assert show(message) == f'any {{ type_url: "x/no.such.Type" value: <{size} bytes> }}'
    message.any.Clear()
    message.any.SetInParent()
    assert show(message) == "any { }"


def test_what_is_marked_is_masked() -> None:
    message = every(hidden="h", secrets=every(a_string="s"), password="p", a_int32=1)
    assert show(message) == "a_int32: 1 hidden: <masked> secrets: <masked> password: <masked>"
    assert "password: " in show(message, masking=Masking((), ()))
    assert '"p"' in show(message, masking=Masking((), ()))
    assert '"h"' not in show(message, masking=Masking((), ()))


def test_entries_of_maps_whose_keys_are_secrets_are_masked() -> None:
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    message["authorization"] = "planted"
    assert show(message) == 'fields { key: "authorization" value: <masked> }'
    data = message.SerializeToString()
    assert "planted" not in describe_message(data[:-2], message.DESCRIPTOR, SHOW, 100)
    assert '"planted"' in show(message, masking=Masking((), ()))
    message.Clear()
    message["name"] = "shown"
    assert show(message) == 'fields { key: "name" value { string_value: "shown" } }'
    # The value first, and no key, which stands for an empty one.
    entry = b"\x12\x03\x1a\x01v"
    with_key = bytes([len(entry) + 7]) + entry + b"\x0a\x05token"
    assert describe_message(b"\x0a" + with_key, message.DESCRIPTOR, SHOW, 100) == (
        'fields { key: "token" value: <masked> }'
    )
    assert describe_message(b"\x0a\x05" + entry, message.DESCRIPTOR, SHOW, 100) == (
        'fields { value { string_value: "v" } }'
    )


def test_what_a_descriptor_does_not_know_is_not_shown() -> None:
    # It may be a secret of a newer version.
    assert describe_message(b"\xa2\x38\x03abc", every().DESCRIPTOR, SHOW, 100) == "900: <3 bytes>"


def test_without_a_descriptor_there_are_numbers() -> None:
    message = every(a_int32=5, a_string="abc", a_fixed64=1, a_fixed32=2)
    message.inner.add(a_int32=1, a_bytes=b"\0")
    data = message.SerializeToString()
    assert describe_message(data, None, SHOW, 1000) == (
        '5: 5 6: 0x0000000000000001 7: 0x00000002 9: "abc" 51 { 5: 1 10: "\\x00" }'
    )
    assert describe_message(b"hello", None, SHOW, 1000) == '"hello"'
    assert describe_message(b"xxxx", None, SHOW, 1000) == '"xxxx"'
    assert describe_message(b"xxxx", None, SHOW, 1000, missing=4) == '"xxxx" ... (4 more bytes)'
    assert describe_message(b"", None, SHOW, 1000) == ""


def test_groups_and_guesses_without_a_descriptor() -> None:
    assert describe_message(b"\x0b\x08\x01\x0c", None, SHOW, 100) == "1 { 1: 1 }"
    # Field 0, a group in a group without end, and wire type 6 are in no message.
    for data in (b"\x00\x01", b"\x0b\x13\x14", b"\x0e", b"\x0b" * 60, b"\x0a\x05a"):
        assert describe_message(data, None, SHOW, 1000).startswith('"')
    assert describe_message(b"\x0a\x02\x80\x80", None, SHOW, 100) == '1: "\\x80\\x80"'
    assert describe_message(b"\x0a\x03\x08\x96\x01", None, SHOW, 100) == "1 { 1: 150 }"
    assert describe_message(bytes(5000), None, SHOW, 10).startswith('"')
    large = b"\x0a\x88\x27" + b"\x08\x01" * 2500
    assert describe_message(large, None, SHOW, 20).startswith('1: "\\x08\\x01')


def test_an_any_with_more_in_it_than_there_should_be() -> None:
    content = b"\x18\x01" + b"\x0a\x09x/t.Every" + b"\x12\x02\x28\x05"
    data = b"\xaa\x03" + bytes([len(content)]) + content
    assert describe_message(data, every().DESCRIPTOR, SHOW, 100) == (
        "any { [x/t.Every] { a_int32: 5 } }"
    )


def test_the_text_has_a_limit() -> None:
    message = every(a_string="x" * 5000)
    text = show(message, limit=50)
    assert text.startswith('a_string: "xxx')
    assert len(text) < 120
    deep = b""
    for _ in range(60):
        deep = b"\x9a\x03" + bytes([len(deep) & 0x7F | 0x80, len(deep) >> 7]) + deep
    assert "too deep" in describe_message(deep, every().DESCRIPTOR, SHOW, 10_000)
    assert len(describe_message(bytes(100_000), None, SHOW, 50)) < 150


def test_the_beginning_of_a_message_is_shown() -> None:
    data = every(a_int32=1, a_string="abcdef").SerializeToString()
    cut = data[:-3]
    text = describe_message(cut, every().DESCRIPTOR, SHOW, 100, missing=3)
    assert text == 'a_int32: 1 a_string: "abc" ... (3 more bytes)'
    secret = every(hidden="abcdef").SerializeToString()[:-2]
    assert describe_message(secret, every().DESCRIPTOR, SHOW, 100, missing=2) == (
        "hidden: <masked> ... (2 more bytes)"
    )
    inner = every(inner=[every(hidden="abcdef")]).SerializeToString()[:-2]
    assert "abc" not in describe_message(inner, every().DESCRIPTOR, SHOW, 100, missing=2)


def test_bytes_that_are_no_message() -> None:
    described = every().DESCRIPTOR
    for data in (b"\x28", b"\x32abc", b"\x4a\x7fab", b"\x07", b"\xff" * 11, b"\x4b"):
        assert "<not a valid message" in describe_message(data, described, SHOW, 100)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.booleans(), st.integers(0, 80), st.integers(0, 9))
def test_nothing_raises(data: bytes, known: bool, limit: int, missing: int) -> None:
    text = describe_message(data, every().DESCRIPTOR if known else None, SHOW, limit, missing)
    assert len(text) < 2 * limit + 200
    assert "\n" not in text
