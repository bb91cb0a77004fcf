"""Load reports of servers (gRFC A51), on both front ends, and a client that goes by them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import aio, orca
from clarion.load_balancing.load_report import (
    LOAD_REPORT_KEY,
    STREAM_METHOD,
    decode_load_report,
    encode_report_request,
    read_load_report,
)
from clarion.orca import LoadReport
from support.libraries import LIMIT

METHOD = "/test.Test/Method"


def unary(behavior: Callable[..., Any]) -> Any:
    handler = clarion.unary_unary_rpc_method_handler(behavior)
    return clarion.method_handlers_generic_handler("test.Test", {"Method": handler})


def streaming(behavior: Callable[..., Any]) -> Any:
    handler = clarion.unary_stream_rpc_method_handler(behavior)
    return clarion.method_handlers_generic_handler("test.Test", {"Method": handler})


@contextlib.contextmanager
def sync_server(
    *handlers: Any, interceptors: Any = (), metrics: orca.Metrics | None = None, workers: int = 1
) -> Iterator[str]:
    with futures.ThreadPoolExecutor(workers) as pool:
        server = clarion.server(pool, handlers, interceptors)
        if metrics is not None:
            orca.add_service(server, metrics, shortest_interval=0.01)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        assert server.stop(None).wait(LIMIT)


@contextlib.asynccontextmanager
async def aio_server(
    *handlers: Any, interceptors: Any = (), metrics: orca.Metrics | None = None
) -> AsyncIterator[str]:
    server = aio.server(handlers=handlers, interceptors=interceptors)
    if metrics is not None:
        orca.add_service(server, metrics, shortest_interval=0.01)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def call(target: str) -> Any:
    """The trailing metadata of a call."""
    with clarion.insecure_channel(target) as channel:
        _, done = channel.unary_unary(METHOD).with_call(b"", timeout=10)
        return done.trailing_metadata()


# What is recorded


def test_metrics() -> None:
    metrics = orca.Metrics()
    assert metrics.report() == LoadReport()
    assert metrics.fields() == ()
    metrics.record(cpu_utilization=1.5, requests_per_second=10, utilization={"disk": 0.5})
    metrics.record(cpu_utilization=0.5, utilization={"net": 1}, named_metrics={"queue": -3})
    metrics.record(
        mem_utilization=1,
        application_utilization=2,
        errors_per_second=0,
        request_cost={"rows": 7},
    )
    assert metrics.report() == LoadReport(
        cpu_utilization=0.5,
        mem_utilization=1,
        application_utilization=2,
        rps_fractional=10,
        utilization={"disk": 0.5, "net": 1},
        request_cost={"rows": 7},
        named_metrics={"queue": -3},
    )
    [(name, _)] = metrics.fields()
    assert name == LOAD_REPORT_KEY.encode()
    metrics.clear()
    assert metrics.report() == LoadReport()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"cpu_utilization": -0.1}, "cpu_utilization must be 0 or more, not -0.1"),
        ({"cpu_utilization": float("nan")}, "cpu_utilization must be"),
        ({"mem_utilization": 1.1}, "mem_utilization must be 0 or more and 1 at most, not 1.1"),
        ({"requests_per_second": float("inf")}, "requests_per_second must be"),
        ({"utilization": {"disk": 2}}, r"utilization\['disk'\] must be"),
    ],
)
def test_what_cannot_be(values: dict[str, Any], text: str) -> None:
    metrics = orca.Metrics()
    with pytest.raises(ValueError, match=text):
        metrics.record(**values)
    assert metrics.report() == LoadReport()


def test_strange_contexts() -> None:
    with pytest.raises(TypeError, match="no context of a call that Clarion serves"):
        orca.call_metrics(object())  # type: ignore[arg-type]


# With each call


def record(context: Any) -> None:
    orca.call_metrics(context).record(cpu_utilization=0.25)
    orca.call_metrics(context).record(request_cost={"rows": 3})


OF_CALL = LoadReport(cpu_utilization=0.25, request_cost={"rows": 3})


def sync_plain(request: bytes, context: Any) -> bytes:
    record(context)
    return b"response"


def sync_with_metadata(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata([("more", "1")])
    record(context)
    context.set_trailing_metadata([("more", "2")])
    return b"response"


def sync_taking_metadata_back(request: bytes, context: Any) -> bytes:
    record(context)
    context.set_trailing_metadata(None)
    return b"response"


async def aio_plain(request: bytes, context: Any) -> bytes:
    record(context)
    return b"response"


async def aio_with_metadata(request: bytes, context: Any) -> bytes:
    sync_with_metadata(request, context)
    return b"response"


async def aio_taking_metadata_back(request: bytes, context: Any) -> bytes:
    return sync_taking_metadata_back(request, context)


@pytest.mark.parametrize(
    ("handler", "more"),
    [(sync_plain, None), (sync_with_metadata, "2"), (sync_taking_metadata_back, None)],
)
def test_a_call_reports(handler: Any, more: str | None) -> None:
    with sync_server(unary(handler)) as target:
        trailing = call(target)
    assert read_load_report(trailing) == OF_CALL
    assert dict(trailing).get("more") == more


async def aio_call(handler: Any, **options: Any) -> Any:
    async with (
        aio_server(unary(handler), **options) as target,
        aio.insecure_channel(target) as channel,
    ):
        done = channel.unary_unary(METHOD)(b"", timeout=10)
        await done
        return await done.trailing_metadata()


@pytest.mark.parametrize(
    ("handler", "more"),
    [
        (aio_plain, None),
        (aio_with_metadata, "2"),
        (aio_taking_metadata_back, None),
        # On a thread.
        (sync_plain, None),
    ],
)
def test_a_call_to_an_asyncio_server_reports(handler: Any, more: str | None) -> None:
    trailing = asyncio.run(aio_call(handler))
    assert read_load_report(trailing) == OF_CALL
    assert dict(trailing).get("more") == more


def test_calls_that_fail_and_streams_report_too() -> None:
    def stream(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"response"
        record(context)
        if request:
            context.abort(clarion.StatusCode.ABORTED, "enough")

    with sync_server(streaming(stream)) as target, clarion.insecure_channel(target) as channel:
        for request in (b"", b"fail"):
            responses = channel.unary_stream(METHOD)(request, timeout=10)
            with contextlib.suppress(clarion.RpcError):
                list(responses)
            assert read_load_report(responses.trailing_metadata()) == OF_CALL


def test_an_asyncio_call_that_is_aborted_reports_too() -> None:
    async def fail(request: bytes, context: Any) -> bytes:
        record(context)
        await context.abort(clarion.StatusCode.ABORTED, "enough")
        raise AssertionError

    async def run() -> Any:
        async with (
            aio_server(unary(fail)) as target,
            aio.insecure_channel(target) as channel,
        ):
            with pytest.raises(aio.AioRpcError) as caught:
                await channel.unary_unary(METHOD)(b"", timeout=10)
            return caught.value.trailing_metadata()

    assert read_load_report(asyncio.run(run())) == OF_CALL


def of_server() -> orca.Metrics:
    metrics = orca.Metrics()
    metrics.record(cpu_utilization=0.75, requests_per_second=100, request_cost={"base": 1})
    return metrics


BOTH = LoadReport(cpu_utilization=0.25, rps_fractional=100, request_cost={"rows": 3, "base": 1})


def silent(request: bytes, context: Any) -> bytes:
    return b"response"


async def aio_silent(request: bytes, context: Any) -> bytes:
    return b"response"


def test_each_call_reports_what_the_server_knows() -> None:
    metrics = of_server()
    each = [orca.interceptor(metrics)]
    with sync_server(unary(sync_plain), interceptors=each) as target:
        assert read_load_report(call(target)) == BOTH
    with sync_server(unary(silent), interceptors=each) as target:
        assert read_load_report(call(target)) == metrics.report()
        metrics.clear()
        assert call(target) == ()
        with clarion.insecure_channel(target) as channel, pytest.raises(clarion.RpcError) as caught:
            channel.unary_unary("/test.Test/Other")(b"", timeout=10)
    error: Any = caught.value
    assert error.code() is clarion.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("handler", "report"), [(aio_plain, BOTH), (aio_silent, None), (sync_plain, BOTH)]
)
def test_each_asyncio_call_reports_what_the_server_knows(handler: Any, report: Any) -> None:
    metrics = of_server()
    trailing = asyncio.run(aio_call(handler, interceptors=[orca.aio_interceptor(metrics)]))
    assert read_load_report(trailing) == (report or metrics.report())


# Out of band


def watch(channel: clarion.Channel, interval: float = 0) -> Any:
    method = channel.unary_stream(STREAM_METHOD, response_deserializer=decode_load_report)
    return method(encode_report_request(interval), timeout=30)


def test_out_of_band_reports_take_no_threads() -> None:
    metrics = of_server()
    with (
        sync_server(unary(silent), metrics=metrics, workers=1) as target,
        clarion.insecure_channel(target) as channel,
    ):
        reports = [watch(channel) for _ in range(3)]
        for each in reports:
            assert [next(each), next(each)] == [metrics.report()] * 2
        assert channel.unary_unary(METHOD)(b"", timeout=10) == b"response"
        metrics.record(cpu_utilization=1)
        assert any(report.cpu_utilization == 1 for report in reports[0])
        for each in reports:
            each.cancel()


class _Through(clarion.ServerInterceptor):
    """Sees each response of a stream."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)

        def stream(request: Any, context: Any) -> Any:
            yield from handler.unary_stream(request, context)

        return clarion.unary_stream_rpc_method_handler(
            stream, handler.request_deserializer, handler.response_serializer
        )


def test_out_of_band_reports_through_an_interceptor() -> None:
    metrics = of_server()
    with (
        sync_server(interceptors=[_Through()], metrics=metrics) as target,
        clarion.insecure_channel(target) as channel,
    ):
        reports = watch(channel)
        assert [next(reports), next(reports)] == [metrics.report()] * 2
        reports.cancel()


def test_out_of_band_reports_of_an_asyncio_server() -> None:
    metrics = of_server()

    async def run() -> None:
        async with (
            aio_server(metrics=metrics) as target,
            aio.insecure_channel(target) as channel,
        ):
            method = channel.unary_stream(STREAM_METHOD, response_deserializer=decode_load_report)
            reports = method(encode_report_request(0), timeout=30)
            assert [await reports.read(), await reports.read()] == [metrics.report()] * 2
            reports.cancel()

    asyncio.run(run())


def test_requests_that_are_none_and_intervals_that_cannot_be() -> None:
    with (
        sync_server(metrics=of_server()) as target,
        clarion.insecure_channel(target) as channel,
        pytest.raises(clarion.RpcError, match="no OrcaLoadReportRequest"),
    ):
        list(channel.unary_stream(STREAM_METHOD)(b"\xff", timeout=10))
    with futures.ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="greater than 0"):
        orca.add_service(clarion.server(pool), orca.Metrics(), shortest_interval=0)


# A client that goes by it


def balanced(targets: list[str], *, out_of_band: bool) -> clarion.Channel:
    config = (
        '{"loadBalancingConfig": [{"weighted_round_robin": {"blackoutPeriod": "0s",'
        ' "weightUpdatePeriod": "0.1s", "oobReportingPeriod": "0.02s",'
        f' "enableOobLoadReport": {str(out_of_band).lower()}}}}}]}}'
    )
    return clarion.insecure_channel(
        "ipv4:" + ",".join(targets), options=[("grpc.service_config", config)]
    )


@pytest.mark.parametrize("out_of_band", [False, True])
def test_calls_go_where_there_is_room(out_of_band: bool) -> None:
    counts = [0, 0]
    loads = [orca.Metrics(), orca.Metrics()]
    for metrics, requests in zip(loads, (100, 300), strict=True):
        metrics.record(cpu_utilization=0.5, requests_per_second=requests)

    def handler(number: int) -> Any:
        def serve(request: bytes, context: Any) -> bytes:
            counts[number] += 1
            if not out_of_band:
                orca.call_metrics(context).stand_before(loads[number])
            return b"response"

        return unary(serve)

    with (
        sync_server(handler(0), metrics=loads[0]) as one,
        sync_server(handler(1), metrics=loads[1]) as other,
        balanced([one, other], out_of_band=out_of_band) as channel,
    ):
        method = channel.unary_unary(METHOD)
        deadline = time.monotonic() + 20
        share = 0.0
        while not 0.7 < share < 0.8 and time.monotonic() < deadline:
            counts[:] = [0, 0]
            for _ in range(100):
                method(b"", timeout=10, wait_for_ready=True)
            share = counts[1] / 100
    assert 0.7 < share < 0.8
