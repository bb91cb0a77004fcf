"""What an application may say at the head of an answer, without I/O."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.web.apps.answers import AnswerHead, BadAnswer, check_trailers


def head(*fields: tuple[bytes, bytes], status: Any = 200, method: bytes = b"GET") -> AnswerHead:
    return AnswerHead(status, fields, method)


def test_fields_as_they_are_sent() -> None:
    made = head(
        (b"X-Name", b" a value\t"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"keep-alive"),
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"x-empty", b""),
        (b"x-high", b"\xff\ttab"),
    )
    assert made.fields == (
        (b"x-name", b"a value"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-empty", b""),
        (b"x-high", b"\xff\ttab"),
    )
    assert (made.has(b"x-name"), made.has(b"connection")) == (True, False)
    assert not made.close
    assert head((b"connection", b"Close")).close


def test_lengths() -> None:
    made = head((b"Content-Length", b"05"), (b"content-length", b"5"))
    assert made.length == 5
    assert made.fields == ((b"content-length", b"5"),)
    assert head().length is None
    # RFC 9110 §8.6
    assert head((b"content-length", b"5"), status=204).fields == ()
    assert head((b"content-length", b"5"), status=304).fields == ((b"content-length", b"5"),)


@pytest.mark.parametrize(
    ("status", "method", "bodiless", "complete"),
    [
        (200, b"GET", False, False),
        (200, b"HEAD", True, False),
        (204, b"POST", True, True),
        (304, b"HEAD", True, True),
        (599, b"GET", False, False),
    ],
)
def test_bodies(status: int, method: bytes, bodiless: bool, complete: bool) -> None:
    made = head(status=status, method=method)
    assert (made.bodiless, made.complete) == (bodiless, complete)


@pytest.mark.parametrize("status", [100, 101, 199, 600, 0, "200", True, None, 200.0])
def test_statuses_that_are_none(status: Any) -> None:
    with pytest.raises(BadAnswer, match="the status is"):
        head(status=status)


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ((b"x", b"a\r\nb: c"), "the value of header b'x'"),
        ((b"x", b"a\nb"), "the value"),
        ((b"x", b"a\0"), "the value"),
        ((b"x", b"a\x7f"), "the value"),
        ((b"x\r\n", b"a"), "header name"),
        ((b"", b"a"), "header name"),
        ((b"x y", b"a"), "header name"),
        ((b":status", b"a"), "header name"),
        ((b"content-length", b"a"), "not a number"),
        ((b"content-length", b""), "not a number"),
        ((b"content-length", b"9" * 19), "not a number"),
        ((b"a", b"b", b"c"), "no header field"),
        (("a", "b"), "no header field"),
        (None, "no header field"),
    ],
)
def test_fields_that_cannot_be_sent(field: Any, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        head(field)


def test_two_lengths() -> None:
    with pytest.raises(BadAnswer, match="twice"):
        head((b"content-length", b"5"), (b"content-length", b"6"))


def test_trailers() -> None:
    fields = [(b"X-Sum", b"1"), (b"Content-Length", b"5"), (b"transfer-encoding", b"chunked")]
    assert check_trailers(fields) == ((b"x-sum", b"1"),)
    with pytest.raises(BadAnswer):
        check_trailers([(b"x", b"a\r")])
