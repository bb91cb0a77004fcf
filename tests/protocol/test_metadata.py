"""Custom metadata, both ways. The names that are dropped or hidden are what grpcio does, observed."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError, RemoteError
from clarion.protocol.metadata import (
    InvalidMetadata,
    InvalidMetadataType,
    MalformedMetadata,
    decode_metadata,
    encode_metadata,
    metadata_size,
)


@pytest.mark.parametrize(
    ("metadata", "fields"),
    [
        (None, ()),
        ((), ()),
        ([("x", "1")], ((b"x", b"1"),)),
        ([["x", "1"]], ((b"x", b"1"),)),
        (iter([("x", "1")]), ((b"x", b"1"),)),
        ([("0a_z-.9", "~ !")], ((b"0a_z-.9", b"~ !"),)),
        ([("x", "1"), ("y", "2"), ("x", "3")], ((b"x", b"1"), (b"y", b"2"), (b"x", b"3"))),
        ([("x", b"1")], ((b"x", b"1"),)),
        ([(b"x", "1")], ((b"x", b"1"),)),
        ([("x", None)], ((b"x", b""),)),
        ([("x", "")], ((b"x", b""),)),
        ([("x", "  a b ")], ((b"x", b"a b"),)),
        ([("x-bin", b"")], ((b"x-bin", b""),)),
        ([("x-bin", b"\1")], ((b"x-bin", b"AQ"),)),
        ([("x-bin", b"\1\2")], ((b"x-bin", b"AQI"),)),
        ([("x-bin", b"\1\2\3")], ((b"x-bin", b"AQID"),)),
        ([("x-bin", b"\xff\xfe\xfb")], ((b"x-bin", b"//77"),)),
        ([("-bin", b"a" * 100)], ((b"-bin", base64.b64encode(b"a" * 100).rstrip(b"=")),)),
        ([("grpc-trace-bin", b"\1")], ((b"grpc-trace-bin", b"AQ"),)),
        ([("grpc-status-details-bin", b"\1")], ((b"grpc-status-details-bin", b"AQ"),)),
        ([("host", "h"), ("grpc-foo", "1")], ((b"host", b"h"), (b"grpc-foo", b"1"))),
    ],
)
def test_encode(metadata: Any, fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert encode_metadata(metadata) == fields


@pytest.mark.parametrize(
    "key",
    """
    connection content-length content-type grpc-accept-encoding grpc-encoding
    grpc-internal-encoding-request grpc-message grpc-previous-rpc-attempts grpc-status grpc-timeout
    keep-alive proxy-connection te transfer-encoding upgrade user-agent
    """.split(),
)
def test_names_of_the_transport_are_not_sent(key: str) -> None:
    assert encode_metadata([("a", "1"), (key, "x"), ("b", "2")]) == ((b"a", b"1"), (b"b", b"2"))


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("", "must not be empty"),
        ("X-Up", "use 'x-up'"),
        ("a b", "may only have"),
        ("a/b", "may only have"),
        ("a\n", "may only have"),
        ("é", "may only have"),
        ("ª", "may only have"),
        (":path", "may only have"),
        (":", "may only have"),
        (b"\xff", "may only have"),
    ],
)
def test_illegal_keys(key: Any, rule: str) -> None:
    with pytest.raises(InvalidMetadata, match=rule) as caught:
        encode_metadata([(key, "secret")])
    text = str(caught.value)
    assert isinstance(caught.value, LocalError)
    assert isinstance(caught.value, ValueError)
    assert repr(key if isinstance(key, str) else key.decode("latin-1")) in text
    assert "secret" not in text


@pytest.mark.parametrize("value", ["sécret", "secret\n", "a\tsecret", "secret\x7f", b"secret\xff"])
def test_illegal_text_values_are_not_repeated_in_the_error(value: str | bytes) -> None:
    with pytest.raises(InvalidMetadata, match=r"'x-key'.*printable ASCII.*-bin") as caught:
        encode_metadata([("x-key", value)])
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("x", 1, "'x' is int; it must be str"),
        ("x", bytearray(b"1"), "'x' is bytearray"),
        ("x-bin", "text", "'x-bin' is str; a key that ends in -bin takes bytes"),
        ("x-bin", bytearray(b"1"), "'x-bin' is bytearray"),
        ("x-bin", None, "'x-bin' is NoneType"),
        (5, "1", "5 is int; keys are str"),
        (None, "1", "None is NoneType; keys are str"),
    ],
)
def test_wrong_types(key: Any, value: Any, rule: str) -> None:
    with pytest.raises(InvalidMetadataType, match=rule) as caught:
        encode_metadata([(key, value)])
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, InvalidMetadata)


@pytest.mark.parametrize(
    "metadata",
    [{"id": "1"}, "ab", b"ab", ("x", "1"), [("x", "1", "2")], [("x",)], [5], [None]],
)
def test_not_pairs(metadata: Any) -> None:
    with pytest.raises(InvalidMetadata, match=r"pairs, such as \[\(\"key\", \"value\"\)\]"):
        encode_metadata(metadata)


def test_errors_of_the_callers_iterable_are_its_own() -> None:
    def broken() -> Iterable[tuple[str, str]]:
        yield "x", "1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        encode_metadata(broken())


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ([], ()),
        ([(b"x", b"1")], (("x", "1"),)),
        ([(b"x", b"1"), (b"y", b"2"), (b"x", b"3")], (("x", "1"), ("y", "2"), ("x", "3"))),
        ([(b"x", b"a,b")], (("x", "a,b"),)),
        ([(b"x", b"")], (("x", ""),)),
        ([(b"x", b" a ")], (("x", " a "),)),
        ([(b"x-bin", b"AQI")], (("x-bin", b"\1\2"),)),
        ([(b"x-bin", b"AQI=")], (("x-bin", b"\1\2"),)),
        ([(b"x-bin", b"AQ==")], (("x-bin", b"\1"),)),
        ([(b"x-bin", b"AQ")], (("x-bin", b"\1"),)),
        ([(b"x-bin", b"AQID")], (("x-bin", b"\1\2\3"),)),
        ([(b"x-bin", b"")], (("x-bin", b""),)),
        ([(b"x-bin", b"//77")], (("x-bin", b"\xff\xfe\xfb"),)),
        (
            [(b"x-bin", b"AQI,Aw==, BA ,,BQY=")],
            tuple(("x-bin", v) for v in (b"\1\2", b"\3", b"\4", b"", b"\5\6")),
        ),
        (
            [(b"x-bin", b"AQ"), (b"y", b"1"), (b"x-bin", b"Ag")],
            (("x-bin", b"\1"), ("y", "1"), ("x-bin", b"\2")),
        ),
    ],
)
def test_decode(fields: list[tuple[bytes, bytes]], metadata: tuple[Any, ...]) -> None:
    assert decode_metadata(fields) == metadata


@pytest.mark.parametrize(
    "key",
    """
    :authority :method :path :scheme :status :protocol : content-type te
    grpc-accept-encoding grpc-encoding grpc-internal-encoding-request grpc-message grpc-status
    grpc-timeout grpc-server-stats-bin grpc-tags-bin grpc-trace-bin
    grpclb_client_stats lb-cost-bin x-envoy-peer-metadata
    """.split(),
)
def test_names_that_are_not_shown(key: str) -> None:
    assert decode_metadata([(key.encode(), b"AQI")]) == ()


@pytest.mark.parametrize(
    "key",
    """
    user-agent host accept-encoding content-encoding content-length authorization cookie date server
    grpc-foo grpc-message-type grpc-previous-rpc-attempts grpc-retry-pushback-ms lb-token
    traceparent
    """.split(),
)
def test_names_that_are_shown(key: str) -> None:
    assert decode_metadata([(key.encode(), b"5")]) == ((key, "5"),)


def test_a_load_report_is_shown() -> None:
    key = "endpoint-load-metrics-bin"
    assert decode_metadata([(key.encode(), b"AQI")]) == ((key, b"\x01\x02"),)


@pytest.mark.parametrize("key", ["grpc-status-details-bin", "grpc-bin", "-bin"])
def test_binary_names_that_are_shown(key: str) -> None:
    assert decode_metadata([(key.encode(), b"AQI")]) == ((key, b"\1\2"),)


@pytest.mark.parametrize("value", ["é".encode(), b"\xff", b"a\tb", b"\x80"])
def test_http_values_that_are_not_ascii_values_are_left_out(value: bytes) -> None:
    assert decode_metadata([(b"a", b"1"), (b"x", value), (b"b", b"2")]) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize("value", [b"\0", b"a\nb", b"a\r", b"\x1f", b"\x7f", b"\xff\0"])
def test_control_characters_are_malformed(value: bytes) -> None:
    with pytest.raises(MalformedMetadata, match=r"control character.*'x'"):
        decode_metadata([(b"x", value)])


@pytest.mark.parametrize(
    "value",
    [
        b"A",
        b"AQIDA",
        b"AQ!I",
        b"-_-_",
        b"AQ\n=",
        b"AQ I",
        b"=",
        b"==",
        b"====",
        b"AQI==",
        b"AQ=I",
        b"AQ==AQ==",
        b"AQI\xff",
        b"AQI,A",
        b"A,AQI",
        b"AQI\0",
    ],
)
def test_undecodable_base64(value: bytes) -> None:
    with pytest.raises(MalformedMetadata, match=r"'x-bin'.*base64") as caught:
        decode_metadata([(b"x-bin", value)])
    assert isinstance(caught.value, RemoteError)


@pytest.mark.parametrize("key", [b"", b"X-Up", b"a b", b"a/b", b"a+b", b"\xff", b"a\n", b"a:"])
def test_illegal_received_keys(key: bytes) -> None:
    with pytest.raises(MalformedMetadata, match="0-9 a-z"):
        decode_metadata([(key, b"1")])


def test_size_counts_as_http2_does() -> None:
    assert metadata_size([]) == 0
    assert metadata_size(encode_metadata([("abc", "de"), ("x-bin", b"\1\2")])) == 37 + 40


keys = st.from_regex(r"\A[0-9a-z_.-]{1,8}\Z").filter(lambda key: not key.endswith("-bin"))
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.strip)
pairs = st.tuples(keys, texts) | st.tuples(keys.map(lambda key: key + "-bin"), st.binary())


@settings(max_examples=200, deadline=None)
@given(st.lists(pairs.filter(lambda pair: pair[0] not in ("te", "upgrade")), max_size=8))
def test_round_trip(metadata: list[tuple[str, str | bytes]]) -> None:
    assert decode_metadata(encode_metadata(metadata)) == tuple(metadata)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x", b"x-bin", b":path", b"te", b"user-agent"])
            | st.binary(max_size=6),
            st.binary(max_size=12) | st.from_regex(rb"\A[A-Za-z0-9+/, ]{0,9}={0,2}\Z"),
        ),
        max_size=4,
    )
)
def test_any_octets_decode_or_raise_remote_error(fields: list[tuple[bytes, bytes]]) -> None:
    try:
        metadata = decode_metadata(fields)
    except RemoteError:
        return
    # What was received may be sent back, but for spaces around it and the transport's names.
    kept = tuple(
        (key, value.strip(" ") if isinstance(value, str) else value)
        for key, value in metadata
        if key != "user-agent"
    )
    assert decode_metadata(encode_metadata(metadata)) == kept
