"""Connect requests, as a server reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.compression import get_compressor
from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode
from clarion.web.connect import clients
from clarion.web.connect.content_types import ConnectType, accept_post, parse_content_type
from clarion.web.connect.requests import ConnectRequest, read_get, read_post
from clarion.web.connect.timeouts import decode_timeout, encode_timeout
from clarion.web.envelopes import envelope
from clarion.web.errors import HttpRefusal, WebError

UNARY = ConnectType(False, "proto")
STREAM = ConnectType(True, "json")
BAD = StatusCode.INVALID_ARGUMENT
TYPE = (b"content-type", b"application/proto")


def get(query: bytes, *fields: tuple[bytes, bytes], **options: Any) -> ConnectRequest:
    return read_get(query, fields, 1000, 100, **options)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"application/proto", UNARY),
        (b" Application/JSON; charset=UTF-8", ConnectType(False, "json")),
        (b'application/json;charset="utf-8"', ConnectType(False, "json")),
        (b"application/json;profile=x", ConnectType(False, "json")),
        (b"application/connect+json", STREAM),
        (b"application/json;charset=latin-1", None),
        (b"application/connect+xml", None),
        (b"application/xml", None),
        (b"application/connect", None),
        (b"application/grpc-web+proto", None),
        (b"text/json", None),
        (b"", None),
    ],
)
def test_content_types(value: bytes, found: ConnectType | None) -> None:
    assert parse_content_type(value) == found
    if found is not None:
        assert parse_content_type(found.content_type) == found


def test_what_a_server_takes() -> None:
    assert accept_post(("proto",)) == b"application/proto, application/connect+proto"
    assert parse_content_type(b"application/xml", ("xml",)) == ConnectType(False, "xml")


def test_a_post_is_read() -> None:
    request = read_post(
        [
            (b":method", b"POST"),
            TYPE,
            (b"connect-protocol-version", b"1"),
            (b"connect-timeout-ms", b"1500"),
            (b"content-encoding", b"gzip"),
            (b"accept-encoding", b"br, gzip"),
            (b"host", b"x"),
            (b"x-bin", b"QQ=="),
        ],
        1000,
    )
    assert request == (
        UNARY,
        1.5,
        get_compressor("gzip"),
        ("br", "gzip"),
        (("x-bin", b"A"),),
        None,
    )
    assert not request.get


def test_a_stream_has_its_own_names() -> None:
    request = read_post(
        [
            (b"content-type", b"application/connect+json"),
            (b"connect-content-encoding", b"gzip"),
            (b"accept-encoding", b"br"),
            (b"content-encoding", b"identity"),
        ],
        1000,
    )
    assert (request.type, request.compressor) == (STREAM, get_compressor("gzip"))
    # What it writes, for it does not say what it reads.
    assert request.accepts == ("gzip",)


@pytest.mark.parametrize("kind", [UNARY, STREAM])
def test_what_a_client_writes_a_server_reads(kind: ConnectType) -> None:
    fields = clients.post_fields(
        kind, timeout=0.25, encoding="gzip", metadata=((b"x", b"1"), (b"connect-x", b"1"))
    )
    request = read_post(fields, 1000, require_version=True)
    assert request[:3] == (kind, 0.25, get_compressor("gzip"))
    assert "gzip" in request.accepts
    assert request.metadata == (("x", "1"),)
    plain = read_post(clients.post_fields(kind), 1000)
    assert (plain.timeout, plain.compressor, plain.metadata) == (None, None, ())


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ([], StatusCode.UNKNOWN, 415),
        ([(b"content-type", b"application/xml")], StatusCode.UNKNOWN, 415),
        ([TYPE, TYPE], BAD, 400),
        ([TYPE, (b"connect-protocol-version", b"2")], BAD, 400),
        ([TYPE, (b"connect-timeout-ms", b"-1")], BAD, 400),
        ([TYPE, (b"connect-timeout-ms", b"1"), (b"connect-timeout-ms", b"2")], BAD, 400),
        ([TYPE, (b"content-encoding", b"nope")], StatusCode.UNIMPLEMENTED, 501),
        ([TYPE, (b"x-bin", b"?")], BAD, 400),
        ([TYPE, (b"x", b"y" * 1000)], StatusCode.RESOURCE_EXHAUSTED, 429),
        (
            [(b"content-type", b"application/connect+proto"), (b"content-encoding", b"gzip")],
            StatusCode.UNIMPLEMENTED,
            501,
        ),
    ],
)
def test_posts_that_are_refused(fields: Any, code: StatusCode, status: int) -> None:
    with pytest.raises(WebError) as caught:
        read_post(fields, 1000)
    assert (caught.value.code, caught.value.http_status) == (code, status)
    assert isinstance(caught.value, HttpRefusal) is (status == 415)


def test_a_server_may_ask_for_the_version() -> None:
    with pytest.raises(WebError, match="connect-protocol-version must be '1'; it is missing"):
        read_post([TYPE], 1000, require_version=True)
    with pytest.raises(WebError, match="connect must be 'v1'; it is missing"):
        get(b"message=&encoding=proto", require_version=True)


# GET


def test_a_get_is_read() -> None:
    request = get(
        b"connect=v1&encoding=json&message=%7B%22name%22%3A+%22Buf%22%7D&x=%%%&y",
        (b"connect-timeout-ms", b"0"),
        (b"accept-encoding", b"gzip"),
    )
    assert request == (
        ConnectType(False, "json"),
        0.0,
        None,
        ("gzip",),
        (),
        b'{"name": "Buf"}',
    )
    assert request.get


@pytest.mark.parametrize("text", [b"-_-_QQ", b"-_-_QQ%3D%3D", b"-_-_QQ=="])
def test_base64_in_a_query(text: bytes) -> None:
    request = get(b"message=%b&base64=1&encoding=proto" % text)
    assert request.message == b"\xfb\xff\xbfA"
    assert get(b"message=%b&base64=2&encoding=proto" % b"-_").message == b"-_"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=75), st.sampled_from(["proto", "json"]), st.sampled_from(["", "gzip"]))
def test_queries_go_there_and_back(message: bytes, codec: str, encoding: str) -> None:
    query = clients.get_query(message, codec, encoding)
    request = get(query, *clients.get_fields(timeout=2), require_version=True)
    assert request.message == message
    assert (request.type, request.timeout) == (ConnectType(False, codec), 2)
    assert (type(request.message) is CompressedMessage) is bool(message and encoding)


def test_queries_as_they_are_written() -> None:
    assert clients.get_query(b"{}", "json") == b"connect=v1&encoding=json&message=%7B%7D"
    assert clients.get_query(b"\xfb\xff", "proto", "gzip") == (
        b"connect=v1&base64=1&compression=gzip&encoding=proto&message=-_8"
    )
    far = clients.get_fields(timeout=1e9, metadata=((b"x", b"1"), (b"host", b"x")))
    assert [name for name, _ in far] == [b"accept-encoding", b"x"]


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        (b"", BAD, 400),
        (b"encoding=proto", BAD, 400),
        (b"message=", BAD, 400),
        (b"message=&encoding=xml", StatusCode.UNKNOWN, 415),
        (b"message=&encoding=json&connect=v2", BAD, 400),
        (b"message=a&encoding=json&message=b", BAD, 400),
        (b"message=%zz&encoding=json", BAD, 400),
        (b"message=%4&encoding=json", BAD, 400),
        (b"message=AB%2FC&encoding=proto&base64=1", BAD, 400),
        (b"message=A&encoding=proto&base64=1", BAD, 400),
        (b"message=QUJD====QUJD&encoding=proto&base64=1", BAD, 400),
        (b"message=%FF&encoding=proto&base64=1", BAD, 400),
        (b"message=&encoding=json&compression=nope", StatusCode.UNIMPLEMENTED, 501),
        (b"encoding=json&message=" + b"x" * 101, StatusCode.RESOURCE_EXHAUSTED, 429),
        (b"x&" * 64 + b"message=&encoding=json", BAD, 400),
    ],
)
def test_queries_that_are_refused(query: bytes, code: StatusCode, status: int) -> None:
    with pytest.raises(WebError) as caught:
        get(query)
    assert (caught.value.code, caught.value.http_status) == (code, status)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    with pytest.raises(WebError):
        get(query)
    request = get(b"encoding=json&message=&q=" + query.replace(b"&", b""))
    assert request.message == b""


# Timeouts


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0.0, b"1"),
        (-5.0, b"1"),
        (float("nan"), b"1"),
        (0.0001, b"1"),
        (1.5, b"1500"),
        (9_999_999.999, b"9999999999"),
        (1e7, None),
        (float("inf"), None),
    ],
)
def test_timeouts_that_are_sent(seconds: float, value: bytes | None) -> None:
    assert encode_timeout(seconds) == value


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9_999_999_999))
def test_timeouts_go_there_and_back(milliseconds: int) -> None:
    assert decode_timeout(b"%d" % milliseconds) == milliseconds / 1e3


@pytest.mark.parametrize("value", [b"", b"1s", b"+1", b"-1", b" 1", b"1" * 11, b"1.5", b"\xb2"])
def test_timeouts_that_are_none(value: bytes) -> None:
    with pytest.raises(WebError, match="one to ten digits") as caught:
        decode_timeout(value)
    assert caught.value.code is BAD


# Bodies


@pytest.mark.parametrize("step", [1, 4, 100])
def test_a_unary_body_is_a_message(step: int) -> None:
    for packed, kind in ((False, bytes), (True, CompressedMessage)):
        extra = [(b"content-encoding", b"gzip")] if packed else []
        reader = read_post([TYPE, *extra], 1000).reader(9)
        body = b"123456789"
        for at in range(0, len(body), step):
            assert reader.feed(body[at : at + step]) == []
        assert reader.buffered == 9
        assert reader.at_boundary
        assert [(each, type(each)) for each in reader.finish()] == [(body, kind)]


def test_nothing_is_not_decompressed() -> None:
    reader = read_post([TYPE, (b"content-encoding", b"gzip")], 1000).reader(-1)
    assert [type(each) for each in reader.finish()] == [bytes]


def test_a_unary_body_has_a_limit() -> None:
    reader = read_post([TYPE], 1000).reader(3)
    reader.feed(b"abc")
    for chunk in (b"d", b""):
        with pytest.raises(WebError) as caught:
            reader.feed(chunk)
        assert caught.value.http_status == 429


def test_a_stream_is_envelopes() -> None:
    reader = read_post([(b"content-type", b"application/connect+proto")], 1000).reader(3)
    assert reader.feed(envelope(b"a") + envelope(b"bc")) == [b"a", b"bc"]
    assert reader.finish() == []
    with pytest.raises(WebError) as caught:
        reader.feed(envelope(b"{}", 2))
    assert caught.value.code is BAD
