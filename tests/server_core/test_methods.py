"""Method handlers made ready for serving."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.method import (
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.server_core.methods import Method


def behavior(request: Any, context: Any) -> Any: ...


@pytest.mark.parametrize(
    ("make", "requests", "responses"),
    [
        (unary_unary_rpc_method_handler, False, False),
        (unary_stream_rpc_method_handler, False, True),
        (stream_unary_rpc_method_handler, True, False),
        (stream_stream_rpc_method_handler, True, True),
    ],
)
def test_patterns(make: Any, requests: bool, responses: bool) -> None:
    method = Method("/a/b", make(behavior))
    assert (method.path, method.behavior) == ("/a/b", behavior)
    assert (method.request_streaming, method.response_streaming) == (requests, responses)
    assert method.style is None


def test_a_serializer_that_says_its_subtype() -> None:
    def serialize(message: str) -> bytes:
        return message.encode()

    assert Method("/a/b", unary_unary_rpc_method_handler(behavior, None, serialize)).heads is None
    serialize.content_subtype = "json"  # type: ignore[attr-defined]
    heads = Method("/a/b", unary_unary_rpc_method_handler(behavior, None, serialize)).heads
    assert heads is not None
    assert heads[1][1] == (b"content-type", b"application/grpc+json")


def test_codecs() -> None:
    method = Method("/a/b", unary_unary_rpc_method_handler(behavior, bytes.decode, str.encode))
    assert method.deserialize(b"x") == "x"
    assert method.serialize("x") == b"x"
    plain = Method("/a/b", unary_unary_rpc_method_handler(behavior))
    assert plain.deserialize(b"x") == b"x"
    assert plain.serialize(b"x") == b"x"


def test_a_handler_without_the_behaviour_it_states() -> None:
    handler: Any = unary_unary_rpc_method_handler(behavior)
    handler = handler._replace(response_streaming=True)
    with pytest.raises(ValueError, match="/a/b"):
        Method("/a/b", handler)
