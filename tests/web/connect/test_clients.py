"""Connect responses, as a client reads them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.compression import get_compressor
from clarion.protocol.messages import CompressedMessage
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from clarion.web.connect import responses
from clarion.web.connect.clients import StreamResponse, UnaryResponse
from clarion.web.connect.content_types import ConnectType
from clarion.web.connect.requests import ConnectRequest
from clarion.web.envelopes import COMPRESSED, CONNECT_END, envelope

UNARY = ConnectType(False, "proto")
STREAM = ConnectType(True, "proto")
GZIP: Any = get_compressor("gzip")
PROTO = (b"content-type", b"application/proto")
JSON = (b"content-type", b"application/json")
CONNECT = (b"content-type", b"application/connect+proto")
PACKED = (b"content-encoding", b"gzip")


def unary(
    body: bytes, *fields: tuple[bytes, bytes], status: int = 200, limit: int = 100, step: int = 1000
) -> tuple[UnaryResponse, bytes | None, Outcome]:
    response = UnaryResponse(status, fields, UNARY, limit, 1000)
    for at in range(0, len(body), step):
        response.feed(body[at : at + step])
    message, outcome = response.finish()
    assert response.finish()[1] is outcome
    return response, message, outcome


def test_what_a_server_writes_a_client_reads() -> None:
    request = ConnectRequest(UNARY, None, None, (), ())
    fields = responses.unary_fields(request, ((b"a", b"1"),), ((b"b-bin", b"QQ"),), "gzip")
    response, message, outcome = unary(GZIP.compress(b"hello"), *fields, step=3)
    assert response.metadata == (("a", "1"),)
    assert (message, outcome[:3]) == (b"hello", (StatusCode.OK, "", (("b-bin", b"A"),)))


def test_an_empty_message_is_one() -> None:
    assert unary(b"", PROTO)[1:] == (b"", OK)
    # Nothing is not decompressed.
    assert unary(b"", PROTO, PACKED)[1:] == (b"", OK)


def test_errors_are_in_the_body() -> None:
    status, fields, body = responses.unary_error(
        StatusCode.OUT_OF_RANGE, "far", ((b"b", b"2"),), ((b"a", b"1"),)
    )
    response, message, outcome = unary(body, *fields, status=status)
    assert (message, outcome[:3]) == (None, (StatusCode.OUT_OF_RANGE, "far", (("b", "2"),)))
    assert response.metadata == (("a", "1"),)
    packed = unary(GZIP.compress(body), *fields, PACKED, status=422)
    assert packed[2].code is StatusCode.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("body", "fields", "status", "code", "message"),
    [
        (b"", [JSON], 401, "UNAUTHENTICATED", "the response has HTTP status 401"),
        (b"null", [JSON], 401, "UNAUTHENTICATED", "the response has HTTP status 401"),
        # A server of Connect that has nothing to tell.
        (b'{"code":"aborted"}', [JSON], 409, "ABORTED", ""),
        (b'{"code":"none"}', [JSON], 409, "UNKNOWN", "the response has HTTP status 409"),
        (b'{"message":"oops"}', [JSON], 401, "UNAUTHENTICATED", "oops"),
        (b"\x0a\x01", [PROTO], 403, "PERMISSION_DENIED", "the response has HTTP status 403"),
        (
            b"<html>",
            [(b"content-type", b"text/html")],
            502,
            "UNAVAILABLE",
            "the response has HTTP status 502",
        ),
        (b"x", [], 404, "UNIMPLEMENTED", "the response has HTTP status 404"),
        (
            b"{}",
            [(b"content-type", b"application/connect+json")],
            500,
            "UNKNOWN",
            "the response has HTTP status 500",
        ),
        (
            b"{}",
            [JSON],
            200,
            "INTERNAL",
            "the response has content-type 'application/json', which was not asked for",
        ),
        (
            b"{}",
            [CONNECT],
            200,
            "INTERNAL",
            "the response has content-type 'application/connect+proto', which was not asked for",
        ),
        (
            b"x",
            [(b"content-type", b"image/jpeg")],
            200,
            "UNKNOWN",
            "the response has content-type 'image/jpeg'; this is no Connect server",
        ),
        (b"", [PROTO, PROTO], 200, "INTERNAL", "content-type was sent more than once"),
        (
            b"x" * 101,
            [PROTO],
            200,
            "RESOURCE_EXHAUSTED",
            "CLIENT: Received message larger than max (at least 101 vs. 100)",
        ),
        (b"x" * 1001, [JSON], 503, "UNAVAILABLE", "the response has HTTP status 503"),
        (
            GZIP.compress(b"x" * 200),
            [PROTO, PACKED],
            200,
            "RESOURCE_EXHAUSTED",
            "CLIENT: Received message larger than max after gzip decompression (more than 100)",
        ),
        (
            GZIP.compress(b"x" * 2000),
            [JSON, PACKED],
            503,
            "UNAVAILABLE",
            "the response has HTTP status 503",
        ),
        (b"", [PROTO, (b"x", b"y" * 1000)], 200, "RESOURCE_EXHAUSTED", None),
        (b"", [PROTO, (b"x-bin", b"?")], 200, "INTERNAL", None),
        (b"", [PROTO, (b"trailer-x-bin", b"?")], 200, "INTERNAL", None),
        (b"", [PROTO, (b"content-encoding", b"nope")], 200, "INTERNAL", None),
    ],
)
def test_bad_unary_responses(
    body: bytes, fields: Any, status: int, code: str, message: str | None
) -> None:
    for step in (100, 5000):
        response, found, outcome = unary(body, *fields, status=status, step=step)
        assert (found, outcome.code.name) == (None, code)
        assert message in (None, outcome.details)
        response.feed(b"more")
        assert response.finish() == (None, outcome)


def test_a_size_without_limit_holds_for_errors_too() -> None:
    body = b'{"code":"aborted","message":"%s"}' % (b"x" * 5000)
    assert unary(body, JSON, status=409, limit=-1)[2].code is StatusCode.ABORTED
    assert unary(b"x" * 5000, PROTO, limit=-1)[1] == b"x" * 5000


# Streams


def stream(
    body: bytes, *fields: tuple[bytes, bytes], status: int = 200, step: int = 1000
) -> tuple[StreamResponse, list[bytes], Outcome]:
    response = StreamResponse(status, fields or (CONNECT,), STREAM, 100, 1000)
    messages: list[bytes] = []
    for at in range(0, len(body), step):
        messages += response.feed(body[at : at + step])
    outcome = response.finish()
    assert response.finish() is outcome
    return response, messages, outcome


@pytest.mark.parametrize("step", [1, 8, 1000])
def test_a_stream_goes_there_and_back(step: int) -> None:
    request = ConnectRequest(STREAM, None, None, (), ())
    fields = responses.stream_fields(request, ((b"a", b"1"),), "gzip")
    body = responses.frame(b"one") + responses.frame(b"two", True)
    body += responses.end_frame(StatusCode.ABORTED, "again", ((b"b", b"2"),))
    response, messages, outcome = stream(body, *fields, step=step)
    assert response.metadata == (("a", "1"),)
    assert response.compressor is not None
    assert response.compressor.name == "gzip"
    assert [(each, type(each) is CompressedMessage) for each in messages] == [
        (b"one", False),
        (b"two", True),
    ]
    assert outcome[:3] == (StatusCode.ABORTED, "again", (("b", "2"),))


def test_the_end_may_be_compressed() -> None:
    end = envelope(GZIP.compress(b'{"error":{"code":"aborted"}}'), CONNECT_END | COMPRESSED)
    encoding = (b"connect-content-encoding", b"gzip")
    assert stream(end, CONNECT, encoding)[2].code is StatusCode.ABORTED
    assert stream(end, CONNECT)[2].code is StatusCode.INTERNAL


END = responses.end_frame()


@pytest.mark.parametrize(
    ("body", "fields", "status", "code"),
    [
        (b"", [CONNECT], 503, "UNAVAILABLE"),
        (b"", [PROTO], 200, "INTERNAL"),
        (b"", [(b"content-type", b"text/html")], 200, "UNKNOWN"),
        (END, [CONNECT, (b"connect-content-encoding", b"nope")], 200, "INTERNAL"),
        (END, [CONNECT, PACKED], 200, "INTERNAL"),
        (END, [CONNECT, (b"x-bin", b"?")], 200, "INTERNAL"),
        (END, [CONNECT, (b"x", b"y" * 1000)], 200, "RESOURCE_EXHAUSTED"),
        (b"", [CONNECT], 200, "INTERNAL"),
        (envelope(b"a"), [CONNECT], 200, "INTERNAL"),
        (envelope(b"a") + END[:-1], [CONNECT], 200, "INTERNAL"),
        (envelope(b"a") + END + END, [CONNECT], 200, "INTERNAL"),
        (envelope(b"a", 0x80), [CONNECT], 200, "INTERNAL"),
        (envelope(b"a" * 101), [CONNECT], 200, "RESOURCE_EXHAUSTED"),
        (envelope(b"no json", CONNECT_END), [CONNECT], 200, "INTERNAL"),
        (END, [CONNECT, (b"content-encoding", b"identity")], 200, "OK"),
    ],
)
def test_streams_and_their_outcomes(body: bytes, fields: Any, status: int, code: str) -> None:
    for step in (1, 1000):
        response, messages, outcome = stream(body, *fields, status=status, step=step)
        assert outcome.code.name == code
        assert messages in ([], [b"a"])
        assert response.feed(b"more") == []


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 20))
def test_any_body_has_an_outcome(body: bytes, step: int) -> None:
    assert stream(body)[1:] == stream(body, step=step)[1:]
    assert unary(body, PROTO)[1:] == unary(body, PROTO, step=step)[1:] == (body, OK)
    assert unary(body, JSON, status=500)[2].code is not StatusCode.OK
