"""What a server reads from a request's header list."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import HeaderList
from clarion.http2.semantics import MalformedHeaders
from clarion.protocol.compression import get_compressor
from clarion.protocol.request_head import is_grpc_content_type, read_request
from clarion.status import StatusCode
from support.http2 import REQUEST, Fields
from support.wire import request_fields


def header_list(fields: Fields) -> HeaderList:
    return HeaderList(fields, sum(len(name) + len(value) + 32 for name, value in fields))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc+json", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpcx", False),
        (b"application/json", False),
        (b"text/html", False),
        (b"", False),
    ],
)
def test_content_types(value: bytes, expected: bool) -> None:
    assert is_grpc_content_type(value) is expected


def test_the_subtype_of_the_content_type() -> None:
    fields = (*request_fields(drop=b"content-type"), (b"content-type", b"application/grpc+json"))
    assert read_request(header_list(fields), 16_384).subtype == "json"
    assert read_request(header_list(REQUEST), 16_384).subtype == ""


def test_a_plain_request() -> None:
    headers = header_list(REQUEST)
    head = read_request(headers, 16_384)
    assert (head.path, head.authority) == ("/a.B/C", "x")
    assert head.timeout is None
    assert head.compressor is None
    assert head.accepts == frozenset()
    assert head.metadata == ()
    assert head.content_length is None
    assert not head.http_error
    assert head.error is None
    assert read_request(headers, 16_384) is head


def test_everything_a_request_may_say() -> None:
    fields = request_fields(
        (b"grpc-timeout", b"250m"),
        (b"grpc-encoding", b"gzip"),
        (b"grpc-accept-encoding", b"identity,gzip , deflate"),
        (b"user-agent", b"me"),
        (b"x", b"1"),
        (b"y-bin", b"AQI"),
        (b"content-length", b"5"),
    )
    head = read_request(header_list(fields), 16_384)
    assert head.error is None
    assert head.timeout == 0.25
    assert head.compressor is get_compressor("gzip")
    assert head.accepts == {"identity", "gzip", "deflate"}
    assert head.content_length == 5
    assert {("x", "1"), ("y-bin", b"\1\2")} <= set(head.metadata)


@pytest.mark.parametrize(
    ("wire", "text"),
    [(b"/a/\xc3\xa4", "/a/ä"), (b"/a/\xe4", "/a/ä"), (b"/a/b%20c", "/a/b%20c")],
)
def test_paths_are_utf8_or_else_latin1(wire: bytes, text: str) -> None:
    fields = (*request_fields(drop=b":path")[:2], (b":path", wire), *REQUEST[3:])
    assert read_request(header_list(fields), 16_384).path == text


def test_identity_is_no_compression() -> None:
    head = read_request(header_list(request_fields((b"grpc-encoding", b"identity"))), 16_384)
    assert head.compressor is None
    assert head.error is None


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"post", b"OPTIONS"])
def test_other_methods_are_405(method: bytes) -> None:
    fields = ((b":method", method), *REQUEST[1:])
    head = read_request(header_list(fields), 16_384)
    assert head.http_error == 405


@pytest.mark.parametrize(
    "value", [b"text/html", b"application/json", b"application/grpc-web", None]
)
def test_other_content_types_are_415(value: bytes | None) -> None:
    fields = request_fields(drop=b"content-type")
    if value is not None:
        fields += ((b"content-type", value),)
    assert read_request(header_list(fields), 16_384).http_error == 415


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        (request_fields(drop=b"te"), StatusCode.INTERNAL, "te: trailers"),
        (request_fields((b"grpc-timeout", b"1x")), StatusCode.INTERNAL, "grpc-timeout"),
        (request_fields((b"grpc-timeout", b"123456789S")), StatusCode.INTERNAL, "grpc-timeout"),
        (request_fields((b"a-bin", b"!")), StatusCode.INTERNAL, "base64"),
        (request_fields((b"a!", b"1")), StatusCode.INTERNAL, "metadata key"),
        (request_fields((b"grpc-encoding", b"br")), StatusCode.UNIMPLEMENTED, "'br'"),
        (request_fields((b"grpc-encoding", b"b" * 99)), StatusCode.UNIMPLEMENTED, "identity"),
    ],
)
def test_requests_that_cannot_be_served(fields: Fields, code: StatusCode, text: str) -> None:
    head = read_request(header_list(fields), 16_384)
    assert head.error is not None
    assert head.error[0] is code
    assert text in head.error[1]
    assert len(head.error[1]) < 300


def test_the_size_limit_is_exact() -> None:
    headers = header_list(REQUEST)
    assert read_request(headers, headers.size).error is None
    headers = header_list(REQUEST)
    head = read_request(headers, headers.size - 1)
    assert head.error is not None
    assert head.error[0] is StatusCode.RESOURCE_EXHAUSTED
    assert f"{headers.size} vs. {headers.size - 1}" in head.error[1]
    assert read_request(headers, headers.size - 1) is head


@pytest.mark.parametrize(
    "fields",
    [
        (),
        REQUEST[1:],
        request_fields(drop=b":path"),
        request_fields(drop=b":scheme"),
        request_fields((b":path", b"/x")),
        request_fields((b"Upper", b"x")),
        request_fields((b"connection", b"close")),
        request_fields((b"te", b"gzip")),
        request_fields((b"a", b"b\r\nc")),
        request_fields((b"content-length", b"x")),
        request_fields((b"content-length", b"1"), (b"content-length", b"2")),
    ],
)
def test_malformed_lists(fields: Fields) -> None:
    with pytest.raises(MalformedHeaders):
        read_request(header_list(fields), 16_384)


names = st.sampled_from(
    [
        b":path",
        b"te",
        b"content-type",
        b"grpc-timeout",
        b"grpc-encoding",
        b"x-bin",
        b"x",
        b"content-length",
    ]
) | st.binary(max_size=5)


@given(st.lists(st.tuples(names, st.binary(max_size=12)), max_size=4).map(tuple))
@settings(max_examples=200, deadline=None)
def test_any_list_is_read_or_malformed(extra: Fields) -> None:
    try:
        head = read_request(header_list(REQUEST + extra), 16_384)
    except MalformedHeaders:
        return
    assert head.http_error in (0, 200, 405, 415, 431)
