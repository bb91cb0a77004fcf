"""Bodies of gRPC-Web and Connect, requests and responses: the same messages and the same end however they are cut; nothing
raises in a client, and in a server nothing but `WebError`; what is held stays within what came, and within one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clarion.rich_errors.protos import message_class
from clarion.web import grpc_web
from clarion.web.connect.clients import StreamResponse, UnaryResponse
from clarion.web.connect.content_types import ConnectType
from clarion.web.connect.requests import read_post
from clarion.web.errors import WebError
from clarion.web.grpc_web import GrpcWebType
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_LIMIT = 1000
_METADATA = 500
_TYPES = (GrpcWebType(False, "proto"), GrpcWebType(True, "proto"))
_STREAM = ConnectType(True, "proto")
_UNARY = ConnectType(False, "proto")

# Made once in a process, and no work of the input that happens to be first.
message_class("Status")

Seen = tuple[list[bytes], str]
_GZIP = (b"gzip", b"identity")


def _response(make: Callable[[], Any], pieces: list[bytes]) -> Seen:
    response = make()
    messages = [message for piece in pieces for message in response.feed(piece) or ()]
    return messages, repr(response.finish())


def _request(make: Callable[[], Any], pieces: list[bytes]) -> Seen:
    reader = make()
    messages: list[bytes] = []
    try:
        for piece in pieces:
            messages += reader.feed(piece)
            assert reader.buffered <= sum(map(len, pieces))
            assert reader.buffered <= _LIMIT + 5
        messages += reader.finish()
    except WebError as error:
        messages += error.messages
        return messages, str(error.code)
    return messages, ""


def _cases(encoding: bytes) -> list[tuple[Callable[[Callable[[], Any], list[bytes]], Seen], Any]]:
    cases: list[Any] = []
    for kind in _TYPES:
        fields = ((b"content-type", kind.content_type), (b"grpc-encoding", encoding))
        cases.append(
            (_response, lambda f=fields, k=kind: grpc_web.Response(200, f, k, _LIMIT, _METADATA))
        )
        cases.append((_request, lambda f=fields: grpc_web.read_request(f, 9999).reader(_LIMIT)))
    stream = ((b"content-type", _STREAM.content_type), (b"connect-content-encoding", encoding))
    unary = ((b"content-type", _UNARY.content_type), (b"content-encoding", encoding))
    error = ((b"content-type", b"application/json"), (b"content-encoding", encoding))
    cases += [
        (_response, lambda: StreamResponse(200, stream, _STREAM, _LIMIT, _METADATA)),
        (_response, lambda: UnaryResponse(200, unary, _UNARY, _LIMIT, _METADATA)),
        (_response, lambda: UnaryResponse(500, error, _UNARY, _LIMIT, _METADATA)),
        (_request, lambda: read_post(stream, 9999).reader(_LIMIT)),
        (_request, lambda: read_post(unary, 9999).reader(_LIMIT)),
    ]
    return cases


_CASES = {encoding: _cases(encoding) for encoding in _GZIP}


def fuzz_one(data: bytes) -> None:
    """The first bytes choose the protocol and role, the encoding and the cut; the rest is the body."""
    reader = Reader(data)
    run, make = reader.choose(_CASES[reader.choose(_GZIP)])
    cut = reader.byte() or 1
    body = reader.rest()
    whole = run(make, [body] if body else [])
    assert run(make, [body[at : at + cut] for at in range(0, len(body), cut)]) == whole
