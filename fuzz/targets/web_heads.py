"""Header fields and queries of gRPC-Web and Connect: a request that makes sense, or `WebError`; and what JSON stands for,
as an error, as the end of a stream, as a message."""

from __future__ import annotations

import json
import math

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from clarion.status import StatusCode
from clarion.web import grpc_web
from clarion.web.codec import read_json, write_json
from clarion.web.connect.errors import decode_error, encode_error
from clarion.web.connect.requests import read_get, read_post
from clarion.web.connect.trailers import read_end
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.json_text import load_json
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_NAMES = (
    b"content-type",
    b"content-encoding",
    b"accept-encoding",
    b"connect-content-encoding",
    b"connect-accept-encoding",
    b"connect-protocol-version",
    b"connect-timeout-ms",
    b"grpc-timeout",
    b"grpc-encoding",
    b"accept",
    b"x-bin",
)
_VALUES = (
    b"application/proto",
    b"application/connect+json",
    b"application/grpc-web-text+proto",
    b"application/grpc-web",
    b"gzip",
    b"1",
    b"gzip;q=0, br",
    b"1S",
)


def _fields(reader: Reader) -> list[tuple[bytes, bytes]]:
    fields = []
    while reader.left:
        form = reader.byte()
        name = reader.choose(_NAMES) if form & 1 else reader.piece()
        fields.append((name, reader.choose(_VALUES) if form & 2 else reader.piece()))
    return fields


def _check_head(reader: Reader) -> None:
    query = reader.piece()
    fields = _fields(reader)
    size = sum(len(name) + len(value) + 32 for name, value in fields)
    for read in (
        lambda: grpc_web.read_request(fields, 1000),
        lambda: read_post(fields, 1000),
        lambda: read_get(query, fields, 1000, 100),
    ):
        try:
            request = read()
        except WebError as error:
            assert 400 <= error.http_status < 600
            assert isinstance(error, HttpRefusal) is (error.http_status == 415)
        else:
            assert size <= 1000
            assert request.timeout is None or (
                request.timeout >= 0 and math.isfinite(request.timeout)
            )
            assert len(getattr(request, "message", None) or b"") <= 100


def _check_json(text: bytes) -> None:
    try:
        value = load_json(text)
    except ValueError:
        pass
    else:
        assert value == json.loads(text)
    error = decode_error(text, StatusCode.DATA_LOSS)
    assert error.code is not StatusCode.OK
    assert decode_error(encode_error(error), StatusCode.DATA_LOSS) == error
    try:
        read_end(text, 1000)
    except WebError:
        pass
    try:
        message = read_json(FieldDescriptorProto, text)
    except WebError:
        pass
    else:
        assert read_json(FieldDescriptorProto, write_json(message)) == message


def fuzz_one(data: bytes) -> None:
    """The first byte chooses: a head, a block of trailers, or JSON."""
    reader = Reader(data)
    kind = reader.byte() % 3
    if kind == 0:
        _check_head(reader)
    elif kind == 1:
        try:
            fields = grpc_web.read_trailers(reader.rest(), 1000)
        except WebError:
            return
        assert sum(len(name) + len(value) + 32 for name, value in fields) <= 1000
        assert grpc_web.read_trailers(grpc_web.trailer_frame(fields)[5:], 1000) == fields
    else:
        _check_json(reader.rest())
