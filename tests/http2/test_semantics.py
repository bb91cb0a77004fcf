"""Every rule of RFC 9113 §8.2 and §8.3 about header lists."""

from __future__ import annotations

import pytest

from clarion.http2.semantics import (
    MalformedHeaders,
    check_request,
    check_response,
    check_trailers,
)

Fields = tuple[tuple[bytes, bytes], ...]

GOOD: Fields = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b":authority", b"x"),
)


def without(name: bytes) -> Fields:
    return tuple(field for field in GOOD if field[0] != name)


def test_a_good_request() -> None:
    pseudo, length = check_request(
        (*GOOD, (b"te", b"trailers"), (b"x-1!", b"a b"), (b"empty", b""), (b"y", b" c\t"))
    )
    assert pseudo[b":path"] == b"/a.B/C"
    assert length is None


def test_authority_may_be_missing() -> None:
    assert b":authority" not in check_request(without(b":authority"))[0]


@pytest.mark.parametrize(
    ("values", "length"),
    [((b"0",), 0), ((b"12",), 12), ((b"12", b"12"), 12), ((b"9" * 18,), int("9" * 18))],
)
def test_content_length(values: tuple[bytes, ...], length: int) -> None:
    fields = (*GOOD, *((b"content-length", value) for value in values))
    assert check_request(fields)[1] == length


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((*GOOD, (b"Name", b"x")), "characters that HTTP/2 forbids"),
        ((*GOOD, (b"", b"x")), "characters that HTTP/2 forbids"),
        ((*GOOD, (b"a b", b"x")), "characters that HTTP/2 forbids"),
        ((*GOOD, (b"a:b", b"x")), "characters that HTTP/2 forbids"),
        ((*GOOD, (b"na\xc3\xa4me", b"x")), "characters that HTTP/2 forbids"),
        ((*GOOD, (b"a", b"x\0y")), "value of header b'a'"),
        ((*GOOD, (b"a", b"x\r\ny: z")), "value of header"),
        ((*GOOD, (b"a", b"x\n")), "value of header"),
        ((*GOOD, (b"connection", b"close")), "HTTP/1.1"),
        ((*GOOD, (b"proxy-connection", b"x")), "HTTP/1.1"),
        ((*GOOD, (b"keep-alive", b"x")), "HTTP/1.1"),
        ((*GOOD, (b"transfer-encoding", b"chunked")), "HTTP/1.1"),
        ((*GOOD, (b"upgrade", b"h2c")), "HTTP/1.1"),
        ((*GOOD, (b"te", b"trailers, deflate")), "only 'trailers'"),
        (((b"a", b"b"), *GOOD), "after a regular header"),
        ((*GOOD, (b":status", b"200")), "does not belong here"),
        ((*GOOD, (b":test", b"ok")), "does not belong here"),
        ((*GOOD, (b":path", b"/")), "occurs twice"),
        ((*without(b":path"), (b":path", b"/a\0")), "value of b':path'"),
        ((*without(b":path"), (b":path", b"")), "no :path"),
        (without(b":path"), "no :path"),
        (without(b":method"), "no :method"),
        (without(b":scheme"), "no :scheme"),
        ((*without(b":method"), (b":method", b"CONNECT")), "CONNECT"),
        ((*GOOD, (b"content-length", b"-1")), "not a number"),
        ((*GOOD, (b"content-length", b"1x")), "not a number"),
        ((*GOOD, (b"content-length", b"9" * 19)), "not a number"),
        ((*GOOD, (b"content-length", b"1"), (b"content-length", b"2")), "twice"),
    ],
)
def test_a_malformed_request(fields: Fields, message: str) -> None:
    with pytest.raises(MalformedHeaders, match=message):
        check_request(fields)


def test_te_ignores_case_of_its_value() -> None:
    assert check_request((*GOOD, (b"te", b"Trailers")))[1] is None


@pytest.mark.parametrize("status", [100, 200, 404, 599])
def test_response_status(status: int) -> None:
    assert check_response(((b":status", b"%d" % status), (b"a", b"b"))) == status


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ((b":status", b"20"),),
        ((b":status", b"2000"),),
        ((b":status", b"20x"),),
        ((b":status", b"200"), (b":status", b"200")),
        ((b":status", b"200"), (b":path", b"/")),
        ((b":status", b"200"), (b"Upper", b"x")),
    ],
)
def test_a_malformed_response(fields: Fields) -> None:
    with pytest.raises(MalformedHeaders):
        check_response(fields)


def test_trailers() -> None:
    check_trailers(((b"grpc-status", b"0"),))
    with pytest.raises(MalformedHeaders, match="does not belong here"):
        check_trailers(((b":status", b"200"),))
    with pytest.raises(MalformedHeaders, match=r"HTTP/1\.1"):
        check_trailers(((b"connection", b"x"),))
