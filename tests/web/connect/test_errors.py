"""Connect's codes, errors and ends, and a server's answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.metadata import Metadatum
from clarion.protocol.metadata import encode_metadata
from clarion.protocol.outcome import OK
from clarion.rich_errors.details import ErrorInfo
from clarion.rich_errors.sending import DETAILS_KEY, make_status
from clarion.status import StatusCode
from clarion.web.connect import responses
from clarion.web.connect.codes import code_from_http, code_name, code_of, http_status_of
from clarion.web.connect.content_types import ConnectType
from clarion.web.connect.errors import (
    ConnectError,
    Detail,
    decode_error,
    encode_error,
    error_of,
    outcome_of_error,
)
from clarion.web.connect.requests import ConnectRequest
from clarion.web.connect.trailers import end_frame, prefixed, read_end, split_prefixed
from clarion.web.errors import WebError

CODES = [
    (1, "canceled", 499),
    (2, "unknown", 500),
    (3, "invalid_argument", 400),
    (4, "deadline_exceeded", 504),
    (5, "not_found", 404),
    (6, "already_exists", 409),
    (7, "permission_denied", 403),
    (8, "resource_exhausted", 429),
    (9, "failed_precondition", 400),
    (10, "aborted", 409),
    (11, "out_of_range", 400),
    (12, "unimplemented", 501),
    (13, "internal", 500),
    (14, "unavailable", 503),
    (15, "data_loss", 500),
    (16, "unauthenticated", 401),
]
NOT_FOUND = StatusCode.NOT_FOUND


@pytest.mark.parametrize(("number", "name", "status"), CODES)
def test_codes(number: int, name: str, status: int) -> None:
    code = next(each for each in StatusCode if each.value[0] == number)
    assert (code_name(code), code_of(name), http_status_of(code)) == (name, code, status)


def test_there_are_no_other_codes() -> None:
    assert [code_of(each) for each in ("ok", "cancelled", "CANCELED", "", None, 5, [])] == [
        None
    ] * 7
    assert http_status_of(StatusCode.OK) == 200


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "internal"),
        (401, "unauthenticated"),
        (403, "permission_denied"),
        (404, "unimplemented"),
        (429, "unavailable"),
        (502, "unavailable"),
        (503, "unavailable"),
        (504, "unavailable"),
        (200, "unknown"),
        (302, "unknown"),
        (415, "unknown"),
        (500, "unknown"),
    ],
)
def test_codes_of_answers_that_say_none(status: int, name: str) -> None:
    assert code_name(code_from_http(status)) == name


# Errors


def test_an_error_in_json() -> None:
    error = ConnectError(
        NOT_FOUND, "no \u00e9", (Detail("a.B", b"\xff\xfe", {"c": 1}), Detail("a.C", b""))
    )
    assert json.loads(encode_error(error)) == {
        "code": "not_found",
        "message": "no \u00e9",
        "details": [
            {"type": "a.B", "value": "//4", "debug": {"c": 1}},
            {"type": "a.C", "value": ""},
        ],
    }
    assert encode_error(ConnectError(StatusCode.CANCELLED)) == b'{"code":"canceled"}'
    assert "\u00e9".encode() in encode_error(error)


DETAILS = st.lists(
    st.builds(
        Detail,
        st.sampled_from(["a", "a.B", "google.rpc.Help"]),
        st.binary(max_size=9),
        st.none(),
    ),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([code for code in StatusCode if code is not StatusCode.OK]),
    st.text(max_size=20),
    DETAILS,
)
def test_errors_go_there_and_back(code: StatusCode, message: str, details: list[Detail]) -> None:
    error = ConnectError(code, message, tuple(details))
    assert decode_error(encode_error(error), StatusCode.DATA_LOSS) == error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", (NOT_FOUND, "", ())),
        (b"null", (NOT_FOUND, "", ())),
        (b"[]", (NOT_FOUND, "", ())),
        (b"\xff\xff", (NOT_FOUND, "", ())),
        (b"[" * 5000, (NOT_FOUND, "", ())),
        (b"<html>", (NOT_FOUND, "", ())),
        (b'{"message":"oops"}', (NOT_FOUND, "oops", ())),
        (b'{"code":null,"message":"oops"}', (NOT_FOUND, "oops", ())),
        (b'{"code":"foobar","message":"oops"}', (NOT_FOUND, "oops", ())),
        (b'{"code":["x"],"message":7,"details":7}', (NOT_FOUND, "", ())),
        (b'{"code":"aborted","more":1}', (StatusCode.ABORTED, "", ())),
        (b'{"code":"aborted","message":"\\ud800"}', (StatusCode.ABORTED, "?", ())),
    ],
)
def test_errors_that_are_malformed(body: bytes, error: Any) -> None:
    assert decode_error(body, NOT_FOUND) == error


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ({"type": "a.B", "value": "QQ", "debug": "garbage", "frob": 1}, Detail("a.B", b"A")),
        ({"type": "a.B", "value": "QQ=="}, Detail("a.B", b"A")),
        ({"type": "type.googleapis.com/a.B", "value": ""}, Detail("a.B", b"")),
        ({"type": "a.B", "value": "Q"}, None),
        ({"type": "a.B", "value": "QQ==QQ"}, None),
        ({"type": "a.B", "value": "\u00e9"}, None),
        ({"type": "a.B", "value": 1}, None),
        ({"type": "", "value": ""}, None),
        ({"value": ""}, None),
        ("detail", None),
    ],
)
def test_details_that_cannot_be_read_are_left_out(detail: Any, found: Detail | None) -> None:
    body = json.dumps({"code": "aborted", "details": [detail, {"type": "x", "value": "QUI"}]})
    error = decode_error(body.encode(), NOT_FOUND)
    assert error.details == tuple(each for each in (found, Detail("x", b"AB")) if each)


def test_details_are_those_of_grpc() -> None:
    status = make_status(NOT_FOUND, "none", ErrorInfo("WHY", "here", {"a": "b"}))
    unknown = status.details.add(type_url="type.googleapis.com/no.Such", value=b"abc")
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")
    fields = encode_metadata([("x", "1"), (DETAILS_KEY, status.SerializeToString())])
    error, rest = error_of(NOT_FOUND, "none", fields)
    assert rest == ((b"x", b"1"),)
    assert [detail.type for detail in error.details] == [
        "google.rpc.ErrorInfo",
        "no.Such",
        "google.rpc.ErrorInfo",
    ]
    assert error.details[0].debug == {"reason": "WHY", "domain": "here", "metadata": {"a": "b"}}
    assert error.details[1:] == (
        Detail("no.Such", unknown.value),
        Detail("google.rpc.ErrorInfo", b"\xff"),
    )
    # And back, in place of whatever else has the name.
    mine = (Metadatum("x", "1"), Metadatum(DETAILS_KEY, b"other"))
    outcome = outcome_of_error(decode_error(encode_error(error), NOT_FOUND), mine)
    assert outcome[:2] == (NOT_FOUND, "none")
    assert dict(outcome.trailing_metadata) == {"x": "1", DETAILS_KEY: status.SerializeToString()}


@pytest.mark.parametrize("value", [b"?", b"/w", b"QQ"])
def test_details_that_are_none_of_grpc(value: bytes) -> None:
    fields = ((b"grpc-status-details-bin", value),)
    assert error_of(NOT_FOUND, "", fields) == (ConnectError(NOT_FOUND), ())


def test_an_error_without_details_has_the_metadata_it_has() -> None:
    fields = ((b"x", b"1"),)
    assert error_of(NOT_FOUND, "", fields) == (ConnectError(NOT_FOUND), fields)
    assert outcome_of_error(ConnectError(NOT_FOUND), (Metadatum("x", "1"),))[:3] == (
        NOT_FOUND,
        "",
        (("x", "1"),),
    )


# Trailers


def test_trailers_among_headers() -> None:
    fields = prefixed(((b"x", b"1"), (b"connect-y", b"1"), (b"content-encoding", b"x")))
    assert fields == ((b"trailer-x", b"1"),)
    assert split_prefixed(((b"a", b"b"), *fields)) == (((b"a", b"b"),), ((b"x", b"1"),))


def test_ends_of_streams() -> None:
    assert end_frame() == b"\x02\x00\x00\x00\x02{}"
    fields = ((b"x", b"1"), (b"x", b"2"), (b"b-bin", b"QQ"), (b"connect-z", b"1"))
    assert json.loads(end_frame(NOT_FOUND, "none", fields)[5:]) == {
        "error": {"code": "not_found", "message": "none"},
        "metadata": {"x": ["1", "2"], "b-bin": ["QQ"]},
    }
    assert read_end(end_frame(NOT_FOUND, "none", fields)[5:], 1000)[:3] == (
        NOT_FOUND,
        "none",
        (("x", "1"), ("x", "2"), ("b-bin", b"A")),
    )


@pytest.mark.parametrize(
    ("text", "code", "message", "metadata"),
    [
        ("{}", StatusCode.OK, "", ()),
        ('{"error":null,"metadata":null,"more":1}', StatusCode.OK, "", ()),
        ('{"error":{"code":null,"message":"oops"}}', StatusCode.UNKNOWN, "oops", ()),
        ('{"error":{}}', StatusCode.UNKNOWN, "", ()),
        ('{"error":7}', StatusCode.UNKNOWN, "", ()),
        ('{"error":{"code":"foobar","message":"oops"}}', StatusCode.UNKNOWN, "oops", ()),
        (
            '{"metadata":{"X-One":[" 1 ","2"],"connect-y":["z"],"b-bin":["QQ==,QUI"]}}',
            StatusCode.OK,
            "",
            (("x-one", "1"), ("x-one", "2"), ("b-bin", b"A"), ("b-bin", b"AB")),
        ),
    ],
)
def test_ends_as_others_write_them(
    text: str, code: StatusCode, message: str, metadata: Any
) -> None:
    assert read_end(text.encode(), 1000)[:3] == (code, message, metadata)
    if text == "{}":
        assert read_end(b"{}", 1000) is OK


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", StatusCode.INTERNAL),
        (b"null", StatusCode.INTERNAL),
        (b"\xff", StatusCode.INTERNAL),
        (b'{"metadata":[]}', StatusCode.INTERNAL),
        (b'{"metadata":{"x":"1"}}', StatusCode.INTERNAL),
        (b'{"metadata":{"x":[1]}}', StatusCode.INTERNAL),
        (b'{"metadata":{"\\u00e9":["1"]}}', StatusCode.INTERNAL),
        (b'{"metadata":{"x y":["1"]}}', StatusCode.INTERNAL),
        (b'{"metadata":{"x":["a\\nb"]}}', StatusCode.INTERNAL),
        (b'{"metadata":{"x-bin":["?"]}}', StatusCode.INTERNAL),
        (b'{"metadata":{"x":["%s"]}}' % (b"y" * 1000), StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_ends_that_are_none(text: bytes, code: StatusCode) -> None:
    with pytest.raises(WebError) as caught:
        read_end(text, 1000)
    assert caught.value.code is code


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_any_end_is_read_or_refused(text: bytes) -> None:
    try:
        outcome = read_end(text, 1000)
    except WebError:
        return
    assert outcome.code in StatusCode


# Answers


def request(streaming: bool, message: bytes | None = None) -> ConnectRequest:
    return ConnectRequest(ConnectType(streaming, "proto"), None, None, (), (), message)


def test_unary_answers() -> None:
    fields = responses.unary_fields(
        request(False), ((b"a", b"1"), (b"host", b"x")), ((b"b", b"2"),), "gzip"
    )
    assert fields[:2] == ((b"content-type", b"application/proto"), (b"content-encoding", b"gzip"))
    assert fields[2][0] == b"accept-encoding"
    assert fields[3:] == ((b"a", b"1"), (b"trailer-b", b"2"))
    # An answer to GET is for caches.
    assert (b"vary", b"accept-encoding") in responses.unary_fields(request(False, b""))
    assert b"content-encoding" not in dict(responses.unary_fields(request(False)))


def test_unary_errors() -> None:
    status, fields, body = responses.unary_error(
        NOT_FOUND, "none", ((b"b", b"2"),), ((b"a", b"1"),)
    )
    assert (status, body) == (404, b'{"code":"not_found","message":"none"}')
    assert fields == (
        (b"content-type", b"application/json"),
        (b"a", b"1"),
        (b"trailer-b", b"2"),
    )


def test_streams() -> None:
    fields = responses.stream_fields(request(True), ((b"a", b"1"),), "gzip")
    assert fields[:2] == (
        (b"content-type", b"application/connect+proto"),
        (b"connect-content-encoding", b"gzip"),
    )
    assert fields[2][0] == b"connect-accept-encoding"
    assert fields[3:] == ((b"a", b"1"),)
    assert b"connect-content-encoding" not in dict(responses.stream_fields(request(True)))
    assert responses.frame(b"ab") == b"\x00\x00\x00\x00\x02ab"
    assert responses.frame(b"ab", True) == b"\x01\x00\x00\x00\x02ab"
