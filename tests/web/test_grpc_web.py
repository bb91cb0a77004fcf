"""gRPC-Web without a connection: what is read and written, in both roles and modes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.compression import get_compressor
from clarion.protocol.messages import CompressedMessage
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from clarion.web import grpc_web
from clarion.web.base64_stream import encode
from clarion.web.envelopes import COMPRESSED, GRPC_WEB_END, envelope
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.grpc_web import GrpcWebType

BINARY = GrpcWebType(False, "proto")
TEXT = GrpcWebType(True, "proto")
TYPE = (b"content-type", b"application/grpc-web+proto")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"application/grpc-web", GrpcWebType(False, "")),
        (b"application/grpc-web+proto", BINARY),
        (b" Application/GRPC-Web+JSON ; charset=utf-8", GrpcWebType(False, "json")),
        (b"application/grpc-web-text", GrpcWebType(True, "")),
        (b"application/grpc-web-text+proto;x=y", TEXT),
        (b"application/grpc-web-text-base64", GrpcWebType(True, "")),
        (b"application/grpc", None),
        (b"application/grpc+proto", None),
        (b"application/grpc-webx", None),
        (b"application/grpc-web+", None),
        (b"application/grpc-web+a b", None),
        (b"text/html", None),
        (b"", None),
    ],
)
def test_content_types(value: bytes, found: GrpcWebType | None) -> None:
    assert grpc_web.parse_content_type(value) == found


def test_content_types_that_are_sent() -> None:
    assert GrpcWebType(False).content_type == b"application/grpc-web+proto"
    assert GrpcWebType(True, "json").content_type == b"application/grpc-web-text+json"


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        (None, False),
        (b"*/*", False),
        (b"application/grpc-web-text", True),
        (b"text/html, application/grpc-web-text+proto;q=0.9, application/grpc-web", True),
        (b"application/grpc-web", False),
    ],
)
def test_the_request_says_the_mode_of_the_response(accept: bytes | None, text: bool) -> None:
    assert grpc_web.answer_type(BINARY, accept) == GrpcWebType(text, "proto")
    if accept in (None, b"*/*"):
        assert grpc_web.answer_type(TEXT, accept) == TEXT


# Requests


def test_a_request_is_read() -> None:
    request = grpc_web.read_request(
        [
            (b":path", b"/a.B/C"),
            TYPE,
            (b"x-grpc-web", b"1"),
            (b"grpc-timeout", b"250m"),
            (b"grpc-encoding", b"gzip"),
            (b"grpc-accept-encoding", b"gzip,identity"),
            (b"accept", b"application/grpc-web-text"),
            (b"content-length", b"5"),
            (b"x-one", b"1"),
            (b"x-bin", b"QQ"),
        ],
        1000,
    )
    assert request == (
        BINARY,
        TEXT,
        0.25,
        get_compressor("gzip"),
        ("gzip", "identity"),
        (
            ("x-grpc-web", "1"),
            ("accept", "application/grpc-web-text"),
            ("x-one", "1"),
            ("x-bin", b"A"),
        ),
    )


def test_what_a_client_writes_a_server_reads() -> None:
    fields = grpc_web.request_fields(
        TEXT, timeout=1.5, encoding="gzip", metadata=((b"x-one", b"1"), (b"connection", b"x"))
    )
    request = grpc_web.read_request(fields, 1000)
    assert (request.type, request.answer_type, request.timeout) == (TEXT, TEXT, 1.5)
    assert request.compressor is get_compressor("gzip")
    assert ("x-one", "1") in request.metadata
    assert not any(key == "connection" for key, _ in request.metadata)
    agents = ((b"user-agent", b"a/1"), (b"x-user-agent", b"b/2"))
    assert grpc_web.request_fields(BINARY, metadata=agents)[-2:] == agents
    one = grpc_web.request_fields(BINARY, metadata=agents[:1])
    assert one[-2:] == ((b"x-user-agent", b"a/1"), agents[0])
    plain = grpc_web.read_request(grpc_web.request_fields(BINARY), 1000)
    assert (plain.timeout, plain.compressor) == (None, None)


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ([], StatusCode.UNKNOWN, 415),
        ([(b"content-type", b"application/grpc")], StatusCode.UNKNOWN, 415),
        ([TYPE, (b"content-encoding", b"gzip")], StatusCode.UNKNOWN, 415),
        ([TYPE, TYPE], StatusCode.INTERNAL, 500),
        ([TYPE, (b"grpc-timeout", b"soon")], StatusCode.INTERNAL, 500),
        ([TYPE, (b"grpc-timeout", b"1S"), (b"grpc-timeout", b"2S")], StatusCode.INTERNAL, 500),
        ([TYPE, (b"grpc-encoding", b"nope")], StatusCode.UNIMPLEMENTED, 501),
        ([TYPE, (b"x-bin", b"?")], StatusCode.INTERNAL, 500),
        ([TYPE, (b"x", b"y" * 1000)], StatusCode.RESOURCE_EXHAUSTED, 429),
    ],
)
def test_requests_that_are_refused(fields: Any, code: StatusCode, status: int) -> None:
    with pytest.raises(WebError) as caught:
        grpc_web.read_request(fields, 1000)
    assert (caught.value.code, caught.value.http_status) == (code, status)
    assert isinstance(caught.value, HttpRefusal) is (status == 415)


def test_a_body_that_says_it_is_not_encoded_is_read() -> None:
    assert grpc_web.read_request([TYPE, (b"content-encoding", b"identity")], 1000).type == BINARY


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=20), st.booleans()), max_size=4),
    st.integers(1, 30),
    st.booleans(),
)
def test_bodies_of_requests(items: list[tuple[bytes, bool]], step: int, text: bool) -> None:
    request = grpc_web.read_request(grpc_web.request_fields(TEXT if text else BINARY), 1000)
    reader = request.reader(20)
    body = b"".join(grpc_web.frame(payload, packed, text) for payload, packed in items)
    found: list[bytes] = []
    for at in range(0, len(body), step):
        found += reader.feed(body[at : at + step])
    assert reader.finish() == []
    assert reader.at_boundary
    assert [(each, type(each) is CompressedMessage) for each in found] == items


@pytest.mark.parametrize("step", [1, 3, 1000])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (encode(envelope(b"ab")) + b"????", StatusCode.INTERNAL),
        (encode(envelope(b"ab")) + b"QQ", StatusCode.INTERNAL),
        (encode(envelope(b"ab") + envelope(b"c")[:5]), StatusCode.INTERNAL),
        (encode(envelope(b"ab") + envelope(b"status", GRPC_WEB_END)), StatusCode.INTERNAL),
        (encode(envelope(b"ab") + envelope(b"c" * 21)), StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_broken_bodies(body: bytes, code: StatusCode, step: int) -> None:
    reader = grpc_web.read_request([(b"content-type", b"application/grpc-web-text")], 999).reader(
        20
    )
    found: list[bytes] = []
    with pytest.raises(WebError) as caught:
        for at in range(0, len(body), step):
            found += reader.feed(body[at : at + step])
        reader.finish()
    assert caught.value.code is code
    assert found + list(caught.value.messages) == [b"ab"]


def test_half_a_message_is_seen() -> None:
    reader = grpc_web.read_request([(b"content-type", b"application/grpc-web-text")], 999).reader(
        20
    )
    reader.feed(encode(envelope(b"abc"))[:-2])
    assert not reader.at_boundary
    assert reader.buffered == 6
    assert reader.end is None


# Trailers


def test_trailers_as_they_are_written() -> None:
    fields = grpc_web.trailer_fields(
        StatusCode.NOT_FOUND, "no \u00e9", ((b"x", b"1"), (b"transfer-encoding", b"chunked"))
    )
    assert fields == ((b"grpc-status", b"5"), (b"grpc-message", b"no %C3%A9"), (b"x", b"1"))
    block = b"grpc-status:5\r\ngrpc-message:no %C3%A9\r\nx:1\r\n"
    assert grpc_web.trailer_frame(fields) == envelope(block, GRPC_WEB_END)
    assert grpc_web.trailer_frame(fields, True) == encode(envelope(block, GRPC_WEB_END))
    assert grpc_web.read_trailers(block, 1000) == fields


TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1).map(str.encode)
VALUE = st.text([chr(each) for each in range(33, 127)]).map(str.encode)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TOKEN, VALUE), max_size=5))
def test_trailers_go_there_and_back(fields: list[tuple[bytes, bytes]]) -> None:
    block = grpc_web.trailer_frame(fields)[5:]
    assert grpc_web.read_trailers(block, 100_000) == tuple(fields)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_trailers_are_read_or_refused(block: bytes) -> None:
    with contextlib.suppress(WebError):
        fields = grpc_web.read_trailers(block, 1000)
        assert all(name and name == name.lower() and b"\n" not in value for name, value in fields)


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        (b"", ()),
        (b"\r\n", ()),
        (b"Grpc-Status: 0\r\n", ((b"grpc-status", b"0"),)),
        (b"grpc-status:0\n", ((b"grpc-status", b"0"),)),
        (b"grpc-status:0", ((b"grpc-status", b"0"),)),
        (b"a: b \r\na:\tc\r\n\r\n", ((b"a", b"b"), (b"a", b"c"))),
        (b"a:\r\n", ((b"a", b""),)),
    ],
)
def test_trailers_as_others_write_them(block: bytes, fields: Any) -> None:
    assert grpc_web.read_trailers(block, 1000) == fields


@pytest.mark.parametrize(
    "block",
    [
        b"a\r\n",
        b": b\r\n",
        b"a : b\r\n",
        b"a: b\r\n c\r\n",
        b"a: b\r\n\r\nc: d\r\n",
        b"a: b\x00\r\n",
        b"a: b\rc: d\r\n",
        b"\xff: b\r\n",
        b"\r\n\r\n\r\n",
    ],
)
def test_trailers_that_are_none(block: bytes) -> None:
    with pytest.raises(WebError, match="no field"):
        grpc_web.read_trailers(block, 1000)


def test_trailers_have_a_limit() -> None:
    with pytest.raises(WebError, match="more than 66") as caught:
        grpc_web.read_trailers(b"a:b\r\n" * 2, 66)
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED
    assert len(grpc_web.read_trailers(b"a:b\r\n" * 2, 68)) == 2


# Responses


def answer(
    body: bytes,
    *extra: tuple[bytes, bytes],
    status: int = 200,
    content_type: bytes = TYPE[1],
    step: int = 1000,
) -> tuple[Any, list[bytes], Outcome]:
    response = grpc_web.Response(
        status, [(b"content-type", content_type), *extra], BINARY, 100, 1000
    )
    messages: list[bytes] = []
    for at in range(0, len(body), step):
        messages += response.feed(body[at : at + step])
    outcome = response.finish()
    assert response.finish() is outcome
    return response, messages, outcome


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_a_server_writes_a_client_reads(text: bool, step: int) -> None:
    kind = TEXT if text else BINARY
    fields = grpc_web.response_fields(kind, ((b"x-first", b"1"), (b"upgrade", b"x")), "gzip")
    body = grpc_web.frame(b"one", False, text) + grpc_web.frame(b"two", True, text)
    trailers = grpc_web.trailer_fields(StatusCode.ABORTED, "try again", ((b"x-last", b"2"),))
    body += grpc_web.trailer_frame(trailers, text)
    response, messages, outcome = answer(body, *fields[1:], content_type=fields[0][1], step=step)
    assert response.metadata == (("x-first", "1"),)
    assert response.compressor is get_compressor("gzip")
    assert [(each, type(each) is CompressedMessage) for each in messages] == [
        (b"one", False),
        (b"two", True),
    ]
    assert outcome[:3] == (StatusCode.ABORTED, "try again", (("x-last", "2"),))


def test_success() -> None:
    assert answer(grpc_web.trailer_frame(grpc_web.trailer_fields(StatusCode.OK)))[2] is OK
    body = envelope(b"grpc-status:0\r\ngrpc-message:fine\r\nx:1\r\n", GRPC_WEB_END)
    assert answer(body)[2][:3] == (StatusCode.OK, "", (("x", "1"),))


def test_response_fields_without_compression() -> None:
    assert grpc_web.response_fields(BINARY) == (TYPE,)


def test_trailers_may_be_compressed() -> None:
    gzip = get_compressor("gzip")
    assert gzip is not None
    body = envelope(gzip.compress(b"grpc-status:9\r\n"), GRPC_WEB_END | COMPRESSED)
    assert answer(body, (b"grpc-encoding", b"gzip"))[2].code is StatusCode.FAILED_PRECONDITION
    assert answer(body)[2].code is StatusCode.INTERNAL
    bomb = envelope(gzip.compress(b"x" * 5000), GRPC_WEB_END | COMPRESSED)
    assert answer(bomb, (b"grpc-encoding", b"gzip"))[2].code is StatusCode.RESOURCE_EXHAUSTED


def test_a_response_without_a_body_has_its_status_among_its_headers() -> None:
    said = (b"grpc-status", b"8"), (b"grpc-message", b"full"), (b"x", b"1")
    response, _, outcome = answer(b"", *said)
    assert outcome[:3] == (StatusCode.RESOURCE_EXHAUSTED, "full", (("x", "1"),))
    assert response.metadata == ()


def test_with_a_body_the_status_among_the_headers_means_nothing() -> None:
    body = envelope(b"grpc-status:9\r\n", GRPC_WEB_END)
    response, _, outcome = answer(body, (b"grpc-status", b"8"), (b"x", b"1"))
    assert outcome.code is StatusCode.FAILED_PRECONDITION
    assert response.metadata == (("x", "1"),)


@pytest.mark.parametrize(
    ("body", "options", "code"),
    [
        (b"", {"status": 404}, StatusCode.UNIMPLEMENTED),
        (b"<html>", {"status": 503, "content_type": b"text/html"}, StatusCode.UNAVAILABLE),
        (b"<html>", {"content_type": b"text/html"}, StatusCode.UNKNOWN),
        (b"", {"content_type": b"application/grpc-web+json"}, StatusCode.INTERNAL),
        (b"", {}, StatusCode.INTERNAL),
        (envelope(b"abc"), {}, StatusCode.INTERNAL),
        (envelope(b"abc")[:-1], {}, StatusCode.INTERNAL),
        (envelope(b"x", 4), {}, StatusCode.INTERNAL),
        (envelope(b"x" * 101), {}, StatusCode.RESOURCE_EXHAUSTED),
        (envelope(b"", GRPC_WEB_END), {}, StatusCode.UNKNOWN),
        (envelope(b"grpc-message:hm\r\n", GRPC_WEB_END), {}, StatusCode.UNKNOWN),
        (envelope(b"grpc-status:99\r\n", GRPC_WEB_END), {}, StatusCode.UNKNOWN),
        (envelope(b"grpc-status:0\r\nx-bin:?\r\n", GRPC_WEB_END), {}, StatusCode.INTERNAL),
        (envelope(b"nonsense", GRPC_WEB_END), {}, StatusCode.INTERNAL),
    ],
)
def test_bad_responses(body: bytes, options: Any, code: StatusCode) -> None:
    for step in (1, 1000):
        response, messages, outcome = answer(body, **options, step=step)
        assert outcome.code is code
        assert messages in ([], [b"abc"])
        assert response.feed(b"more") == []


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ((b"grpc-encoding", b"nope"), StatusCode.INTERNAL),
        ((b"content-encoding", b"gzip"), StatusCode.INTERNAL),
        ((b"x", b"y" * 2000), StatusCode.RESOURCE_EXHAUSTED),
        ((b"x-bin", b"?"), StatusCode.INTERNAL),
    ],
)
def test_bad_response_headers(field: tuple[bytes, bytes], code: StatusCode) -> None:
    body = envelope(b"grpc-status:0\r\n", GRPC_WEB_END)
    assert answer(body, field)[2].code is code


def test_content_coding_identity_is_none() -> None:
    body = envelope(b"grpc-status:0\r\n", GRPC_WEB_END)
    assert answer(body, (b"content-encoding", b"identity"))[2] is OK


def test_a_status_stands_whatever_the_http_status() -> None:
    outcome = answer(b"", (b"grpc-status", b"7"), status=500)[2]
    assert (outcome.code, outcome.debug) == (
        StatusCode.PERMISSION_DENIED,
        "from headers with HTTP status 500",
    )


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 20), st.booleans())
def test_any_body_has_an_outcome(body: bytes, step: int, text: bool) -> None:
    kind = TEXT if text else BINARY
    whole = answer(body, content_type=kind.content_type)
    pieces = answer(body, content_type=kind.content_type, step=step)
    assert whole[1:] == pieces[1:]
    assert whole[2].code is not StatusCode.OK or b"grpc-status" in body or text
