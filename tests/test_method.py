"""How a server describes its methods."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.method import (
    CallDetails,
    Compression,
    GenericRpcHandler,
    MethodsHandler,
    ServiceRpcHandler,
    method_handlers_generic_handler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)

PATTERNS = {
    "unary_unary": (unary_unary_rpc_method_handler, False, False),
    "unary_stream": (unary_stream_rpc_method_handler, False, True),
    "stream_unary": (stream_unary_rpc_method_handler, True, False),
    "stream_stream": (stream_stream_rpc_method_handler, True, True),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_handler_has_its_pattern(pattern: str) -> None:
    make, requests, responses = PATTERNS[pattern]

    def behavior(request: Any, context: Any) -> Any: ...

    handler = make(behavior, bytes.decode, str.encode)
    assert handler.request_streaming is requests
    assert handler.response_streaming is responses
    assert handler.request_deserializer is bytes.decode
    assert handler.response_serializer is str.encode
    for name in PATTERNS:
        assert getattr(handler, name) is (behavior if name == pattern else None)
    assert make(behavior).request_deserializer is None
    assert make(behavior).response_serializer is None


def test_encodings() -> None:
    assert [each.encoding for each in Compression] == ["identity", "deflate", "gzip"]
    assert [int(each) for each in Compression] == [0, 1, 2]


def test_a_service() -> None:
    handler = unary_unary_rpc_method_handler(print)
    service = method_handlers_generic_handler("a.B", {"C": handler})
    assert isinstance(service, MethodsHandler)
    assert isinstance(service, ServiceRpcHandler)
    assert service.service_name() == "a.B"
    assert service.service(CallDetails("/a.B/C", ())) is handler
    assert service.service(CallDetails("/a.B/D", ())) is None
    assert service.methods == {"/a.B/C": handler}


def test_a_generic_handler_must_look_up() -> None:
    with pytest.raises(TypeError):
        GenericRpcHandler()  # type: ignore[abstract]
