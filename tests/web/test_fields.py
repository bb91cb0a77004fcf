"""Header fields, encodings, JSON texts, and what errors are in HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import RemoteError
from clarion.protocol.compression import get_compressor
from clarion.status import StatusCode
from clarion.web.encodings import agreed, compressor_of, parse_accept, preference
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.fields import check_size, joined, metadata_of, single, without_http
from clarion.web.json_text import load_json, to_json


def test_an_error_has_the_http_status_of_its_code() -> None:
    error = WebError(StatusCode.RESOURCE_EXHAUSTED, "much")
    assert (error.http_status, str(error), error.messages) == (429, "much", ())
    assert isinstance(error, RemoteError)
    refusal = HttpRefusal(405, "POST alone", ((b"allow", b"POST"),))
    assert (refusal.http_status, refusal.code) == (405, StatusCode.UNKNOWN)
    assert refusal.fields == ((b"allow", b"POST"),)


def test_what_is_https_own_is_no_metadata() -> None:
    fields = (
        (b"host", b"x"),
        (b"content-encoding", b"gzip"),
        (b"connect-anything", b"1"),
        (b"access-control-allow-origin", b"*"),
        (b"user-agent", b"curl"),
        (b"x-bin", b"QQ"),
        (b"trailer-x", b"1"),
    )
    assert without_http(fields) == fields[4:]
    assert metadata_of(fields) == (("user-agent", "curl"), ("x-bin", b"A"), ("trailer-x", "1"))


@pytest.mark.parametrize("field", [(b"x-bin", b"!"), (b"x y", b"1"), (b"x", b"a\x00")])
def test_bad_metadata(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(WebError) as caught:
        metadata_of([field], StatusCode.INVALID_ARGUMENT)
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


def test_the_size_of_fields_has_a_limit() -> None:
    check_size([(b"abc", b"de")], 37)
    with pytest.raises(WebError, match=r"37 vs\. 36") as caught:
        check_size([(b"abc", b"de")], 36)
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


def test_single_fields_come_once() -> None:
    fields = [(b"a", b" 1\t"), (b"b", b"2"), (b"c", b"3"), (b"c", b"3")]
    assert single(fields, b"a", StatusCode.INTERNAL) == b"1"
    assert single(fields, b"z", StatusCode.INTERNAL) is None
    with pytest.raises(WebError, match="c was sent more than once"):
        single(fields, b"c", StatusCode.INTERNAL)


def test_lists_come_in_lines() -> None:
    fields = [(b"a", b"1,2"), (b"b", b"x"), (b"a", b"3")]
    assert joined(fields, b"a") == b"1,2,3"
    assert joined(fields, b"z") is None


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (b"gzip, br", ("gzip", "br")),
        (b" GZIP ;q=1.0, deflate;q=0.5 ,zstd; q=0, br;q=0.000,gzip", ("gzip", "deflate")),
        (b"", ()),
        (b", ,;q=1", ()),
        (b"\xff", ("\xff",)),
    ],
)
def test_what_a_client_reads(value: bytes, names: tuple[str, ...]) -> None:
    assert parse_accept(value) == names


def test_a_client_that_reads_everything_is_not_listened_to_for_long() -> None:
    assert len(parse_accept(b",".join(b"x%d" % number for number in range(1000)))) == 32


def test_a_response_is_compressed_if_both_want_it() -> None:
    gzip = get_compressor("gzip")
    assert agreed(("br", "gzip"), "gzip") is gzip
    assert agreed(("br",), "gzip") is None
    assert agreed(("identity",), "identity") is None
    assert agreed(("gzip",), "") is None


def test_what_is_liked_best_comes_first() -> None:
    names = preference().split(b",")
    assert (names[0], names[-1]) == (b"gzip", b"identity")
    assert b"deflate" in names


def test_encodings_that_are_received() -> None:
    assert compressor_of(b"") is compressor_of(b" Identity") is None
    assert compressor_of(b"GZIP") is get_compressor("gzip")
    with pytest.raises(WebError, match="'nope' is not supported; supported are identity") as caught:
        compressor_of(b"nope")
    assert caught.value.code is StatusCode.UNIMPLEMENTED
    with pytest.raises(WebError) as caught:
        compressor_of(b"nope", code=StatusCode.INTERNAL)
    assert caught.value.code is StatusCode.INTERNAL


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_json_goes_there_and_back(value: Any) -> None:
    text = json.dumps(value).encode()
    assert load_json(text) == value
    assert load_json(to_json(load_json(text))) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[Infinity]",
        b'{"a":1,"a":1}',
        b"1" * 5000,
        b"[" * 101 + b"]" * 101,
        b'{"a":' * 101,
        b"[" * 1_000_000,
        b'["' + b"[" * 300,
    ],
)
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError):
        load_json(text)


def test_depth_is_what_is_open_at_a_time() -> None:
    flat = b"[" + b",".join([b"[]"] * 500) + b"]"
    assert len(load_json(flat)) == 500
    assert len(load_json(b'["' + b"[" * 300 + b'\\"{", {}]')) == 2
    assert load_json(b"[" * 100 + b"]" * 100) is not None
    with pytest.raises(ValueError, match="more than 2 levels"):
        load_json(b"[[[]]]", 2)


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"[]," * 101 + b'"' + b'\\"' * 500_000,
        b"[" + b"[]," * 101 + b'"\\' * 500_000,
        b"{" + b",".join(b'"%d":0' % number for number in range(50_000)) + b',"49999":0}',
    ],
)
def test_a_text_costs_what_it_is_long(text: bytes) -> None:
    with pytest.raises(ValueError):
        load_json(text)


def test_json_for_people() -> None:
    assert to_json({"b": "\u00e9", "a": "\ud800"}) == '{"b":"\u00e9","a":"?"}'.encode()
    assert to_json({"b": 1, "a": 2}, sort=True) == b'{"a":2,"b":1}'
    with pytest.raises(ValueError):
        to_json(float("inf"))
