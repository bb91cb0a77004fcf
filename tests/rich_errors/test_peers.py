"""Errors with details between Clarion and grpcio with grpcio-status."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion.rich_errors import RetryInfo, StatusError, error_details, make_status
from clarion.status import StatusCode

grpc: Any = pytest.importorskip("grpc", reason="no grpcio")
rpc_status: Any = pytest.importorskip("grpc_status.rpc_status", reason="no grpcio-status")

STATUS = make_status(StatusCode.ABORTED, "größer", RetryInfo(1.5))


def refuse(request: bytes, context: Any) -> bytes:
    if isinstance(context, clarion.ServicerContext):
        raise StatusError(StatusCode.ABORTED, "größer", RetryInfo(1.5))
    context.abort_with_status(rpc_status.to_status(STATUS))
    return b""


@pytest.fixture(params=["clarion", "grpcio"])
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    library: Any = clarion if request.param == "clarion" else grpc
    with futures.ThreadPoolExecutor(1) as pool:
        server = library.server(pool)
        handler = library.unary_unary_rpc_method_handler(refuse)
        server.add_generic_rpc_handlers(
            (library.method_handlers_generic_handler("a.B", {"C": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        assert server.stop(None).wait(20)


def test_grpcio_reads_them(target: str) -> None:
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/a.B/C")(b"", timeout=60)
    assert rpc_status.from_call(error.value) == STATUS


def test_clarion_reads_them(target: str) -> None:
    with clarion.insecure_channel(target) as channel, pytest.raises(clarion.RpcError) as error:
        channel.unary_unary("/a.B/C")(b"", timeout=60)
    assert error_details(error.value) == (RetryInfo(1.5),)
