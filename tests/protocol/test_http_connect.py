"""CONNECT, and what proxies answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.http_connect import ConnectAnswer, ConnectRefused, connect_request

OK = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"


def test_the_request() -> None:
    assert connect_request("a:1") == b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
    assert connect_request("[::1]:1", "Basic eA==") == (
        b"CONNECT [::1]:1 HTTP/1.1\r\nHost: [::1]:1\r\nProxy-Authorization: Basic eA==\r\n\r\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        OK,
        b"HTTP/1.0 200\r\n\r\n",
        b"HTTP/1.1 204 \n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\n\r\n" + OK,
        b"HTTP/1.1 200 " + b"x" * 16_000 + b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_it_connected(head: bytes, step: int) -> None:
    data = head + b"\x00\x00\x00\r\n\r\nrest"
    answer = ConnectAnswer()
    consumed = 0
    for start in range(0, len(data), step):
        consumed += answer.feed(data[start : start + step])
        if answer.done:
            break
    assert answer.done
    assert consumed == len(head)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\nno", "answered 403 Forbidden"),
        (b"HTTP/1.0 407\r\n\r\n", "answered 407"),
        (b"HTTP/1.1 502 \x1b[31m\r\n\r\n", r"answered 502 '\\x1b\[31m'"),
        (b"HTTP/1.1 301 x\r\nLocation: y\r\n\r\n", "answered 301 x"),
        (b"HTTP/2 200\r\n\r\n", "answered with what is no HTTP/1: b'HTTP/2"),
        (b"\x00\x00\x12\x04", r"answered with what is no HTTP/1: b'\\x00"),
        (b"HTTP/1.1 2000 x\r\n\r\n", "answered with what is no HTTP/1"),
        (b"HTTP/1.1 999 x\r\n\r\n", "answered with what is no HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000, "answered with a head of more than 16384"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000 + b"\r\n", "with a head of more than 16384"),
        (b"HTTP/1.1 100 C\r\n\r\n" * 2000, "answered with a head of more than 16384 bytes"),
    ],
)
def test_it_did_not(data: bytes, why: str) -> None:
    with pytest.raises(ConnectRefused, match=why):
        ConnectAnswer().feed(data)


def test_the_end_of_the_connection() -> None:
    assert str(ConnectAnswer().ended()) == "closed the connection before it answered"


@given(st.lists(st.sampled_from([b"HTTP/1.1 ", b"200", b" ", b"\r", b"\n", b"x", b"100"])))
@settings(max_examples=200, deadline=None)
def test_anything_is_an_answer_or_refused(parts: list[bytes]) -> None:
    answer = ConnectAnswer()
    for part in parts:
        try:
            assert 0 <= answer.feed(part) <= len(part)
        except ConnectRefused:
            return
        if answer.done:
            return
