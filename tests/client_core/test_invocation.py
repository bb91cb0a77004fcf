"""What calls begin with."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.client_core import ChannelOptions
from clarion.client_core.invocation import Method
from clarion.method import Compression
from clarion.protocol.compression import accept_encoding, get_compressor
from clarion.protocol.metadata import InvalidMetadata, metadata_size
from clarion.resolver.target import parse_target

TARGET = parse_target("dns:///host:1")


def method(
    path: str | bytes = "/a.B/C",
    options: tuple[tuple[str, Any], ...] = (),
    compression: Compression | None = None,
) -> Method:
    return Method(path, TARGET, ChannelOptions.read(options), compression, None, None)


def test_the_headers_of_a_plain_call() -> None:
    start = method().start(5.0, None, None, None, None)
    assert start.fields == (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/a.B/C"),
        (b":authority", b"host:1"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", ChannelOptions().user_agent),
        (b"grpc-accept-encoding", accept_encoding()),
    )
    assert (start.deadline, start.wait_for_ready, start.compressor) == (None, None, None)
    assert start.size == metadata_size(start.fields)


def test_a_serializer_that_says_its_subtype() -> None:
    def serialize(message: str) -> bytes:
        return message.encode()

    serialize.content_subtype = "json"  # type: ignore[attr-defined]
    each = Method("/a.B/C", TARGET, ChannelOptions.read(()), None, serialize, None)
    fields = each.start(5.0, None, None, None, None).fields
    assert (b"content-type", b"application/grpc+json") in fields
    assert (b"content-type", b"application/grpc") not in fields


def test_plain_calls_share_what_they_begin_with() -> None:
    each = method()
    assert each.start(5.0, None, None, None, None) is each.start(6.0, None, (), None, None)


def test_paths() -> None:
    assert method(b"/a/b").path == "/a/b"
    start = method("/a/ä").start(0, None, None, None, None)
    assert (b":path", b"/a/\xc3\xa4") in start.fields


def test_an_authority_of_ones_own() -> None:
    start = method(options=(("grpc.default_authority", "me"),)).start(0, None, None, None, None)
    assert (b":authority", b"me") in start.fields


def test_the_deadline_is_on_the_clock() -> None:
    start = method().start(5.0, 2.5, None, None, None)
    assert start.deadline == 7.5
    assert start.size == metadata_size(start.fields)
    assert method().start(5.0, 2.5, None, True, None).deadline == 7.5


def test_metadata_comes_last() -> None:
    start = method().start(0, None, [("x", "1"), ("y-bin", b"\1")], True, None)
    assert start.fields[-2:] == ((b"x", b"1"), (b"y-bin", b"AQ"))
    assert start.wait_for_ready is True
    assert start.size == metadata_size(start.fields)


def test_bad_metadata() -> None:
    with pytest.raises(InvalidMetadata):
        method().start(0, None, [("X", "1")], None, None)


@pytest.mark.parametrize(
    ("channel", "call", "encoding"),
    [
        (None, None, None),
        (Compression.NoCompression, None, None),
        (Compression.Gzip, None, "gzip"),
        (Compression.Gzip, Compression.Deflate, "deflate"),
        (Compression.Gzip, Compression.NoCompression, None),
        (None, Compression.Gzip, "gzip"),
        (2, None, "gzip"),
        (None, 1, "deflate"),
    ],
)
@pytest.mark.parametrize("timeout", [None, 1.0])
def test_compression(channel: Any, call: Any, encoding: str | None, timeout: float | None) -> None:
    start = method(compression=channel).start(0, timeout, None, None, call)
    names = [value.decode() for name, value in start.fields if name == b"grpc-encoding"]
    if encoding is None:
        assert start.compressor is None
        assert names == []
    else:
        assert start.compressor is get_compressor(encoding)
        assert names == [encoding]


def test_codecs() -> None:
    plain = method()
    assert plain.serialize(b"x") == b"x"
    assert plain.deserialize(b"x") == b"x"
    coded = Method("/a/b", TARGET, ChannelOptions(), None, str.encode, bytes.decode)
    assert coded.serialize("x") == b"x"
    assert coded.deserialize(b"x") == "x"


def test_a_scheme_of_ones_own() -> None:
    start = method(options=(("grpc.http2_scheme", "https"),)).start(0, None, None, None, None)
    assert (b":scheme", b"https") in start.fields


def test_compression_by_options() -> None:
    gzip = ("grpc.default_compression_algorithm", 2)
    compressor = get_compressor("gzip")
    assert method(options=(gzip,)).start(0, None, None, None, None).compressor is compressor
    plain = method(options=(gzip,), compression=Compression.NoCompression)
    assert plain.start(0, None, None, None, None).compressor is None
    none = method(options=(gzip, ("grpc.per_message_compression", 0)), compression=Compression.Gzip)
    assert none.start(0, None, None, None, None).compressor is None
    assert none.start(0, None, None, None, Compression.Gzip).compressor is None
