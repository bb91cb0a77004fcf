"""py-grpc-prometheus: both interceptors count calls and messages."""

from __future__ import annotations

import grpc
from common import LIMIT, handlers, serving
from prometheus_client import CollectorRegistry
from py_grpc_prometheus.prometheus_client_interceptor import PromClientInterceptor
from py_grpc_prometheus.prometheus_server_interceptor import PromServerInterceptor

server_side, client_side = CollectorRegistry(), CollectorRegistry()


def echo(request, context):
    if request == b"bad":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
    return request


def each(requests, context):
    yield from requests


services = handlers(
    "test.Counted",
    Echo=("unary_unary", echo, None, None),
    Each=("stream_stream", each, None, None),
)
interceptor = PromServerInterceptor(enable_handling_time_histogram=True, registry=server_side)
with (
    serving(services, interceptors=[interceptor]) as target,
    grpc.insecure_channel(target) as plain,
):
    channel = grpc.intercept_channel(
        plain,
        PromClientInterceptor(enable_client_handling_time_histogram=True, registry=client_side),
    )
    assert channel.unary_unary("/test.Counted/Echo")(b"x", timeout=LIMIT) == b"x"
    try:
        channel.unary_unary("/test.Counted/Echo")(b"bad", timeout=LIMIT)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    else:
        raise AssertionError("no error")
    got = channel.stream_stream("/test.Counted/Each")(iter([b"1", b"2", b"3"]), timeout=LIMIT)
    assert list(got) == [b"1", b"2", b"3"]


def value(registry, name, kind, method, **more):
    labels = {"grpc_type": kind, "grpc_service": "test.Counted", "grpc_method": method, **more}
    return registry.get_sample_value(name, labels)


for side, registry in ("server", server_side), ("client", client_side):
    assert value(registry, f"grpc_{side}_started_total", "UNARY", "Echo") == 2, side
    assert value(registry, f"grpc_{side}_handled_total", "UNARY", "Echo", grpc_code="OK") == 1
    assert value(registry, f"grpc_{side}_msg_received_total", "BIDI_STREAMING", "Each") == 3, side
    assert value(registry, f"grpc_{side}_msg_sent_total", "BIDI_STREAMING", "Each") == 3, side
