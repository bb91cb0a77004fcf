"""Metrics of calls (gRFCs A66, A96, A108), with real servers."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

import clarion

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")

from opentelemetry.metrics import NoOpMeterProvider

from clarion.call_tracing import CLIENT_TRACING, install
from clarion.resolver import Resolution, Resolver, register
from clarion.telemetry import (
    DEFAULT_METRICS,
    EXPERIMENTAL_METRICS,
    METRICS,
    OPTIONAL_LABELS,
    OpenTelemetryPlugin,
    batches,
    call_label,
)
from support.telemetry import Metrics
from support.traced_echo import PATTERNS, Rig, call_aio, call_sync, method, run_aio

CLIENT = "grpc.client.attempt."
SERVER = "grpc.server.call."


def settled(rig: Rig, calls: int) -> None:
    """The server's tracers have heard of the ends of so many calls; a plugin's hear before the rig's."""
    rig.server.wait_for("ended", calls)


# Alone, metrics are measured; with others, they are traced. The figures are the same.
@pytest.mark.parametrize("listen", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_sync(pattern: str, listen: bool) -> None:
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig(listen=listen)
        call_sync(rig.channel, pattern)
        rig.close()
    check(metrics, pattern, f"dns:///127.0.0.1:{rig.port}")


@pytest.mark.parametrize("listen", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_aio(pattern: str, listen: bool) -> None:
    async def use(channel: Any) -> None:
        await call_aio(channel, pattern)

    metrics = Metrics()
    with OpenTelemetryPlugin(
        meter_provider=metrics.provider, target_attribute_filter=lambda target: False
    ):
        run_aio(use, listen=listen)
    check(metrics, pattern, "other")


@pytest.mark.parametrize("listen", [False, True])
def test_an_sdk_that_takes_one_value_at_a_time(
    listen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "has_internals", lambda meter: False)
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig(listen=listen)
        call_sync(rig.channel, "unary_unary")
        rig.close()
    check(metrics, "unary_unary", f"dns:///127.0.0.1:{rig.port}")


def check(metrics: Metrics, pattern: str, target: str) -> None:
    collected = metrics.collect()
    assert set(collected) == DEFAULT_METRICS
    responses = {"unary_stream": 4}.get(pattern, 2)
    for name, metric in collected.items():
        (point,) = metric.data.data_points
        labels = {"grpc.method": method(pattern)[1:]}
        if name.startswith("grpc.client"):
            labels["grpc.target"] = target
        if not name.endswith("started"):
            labels["grpc.status"] = "OK"
            assert point.count == 1
            assert tuple(point.explicit_bounds) == METRICS[name].boundaries
        else:
            assert point.value == 1
            assert metric.data.is_monotonic
        assert dict(point.attributes) == labels
        assert metric.unit == METRICS[name].unit
    sums = {name: metric.data.data_points[0] for name, metric in collected.items()}
    assert sums[CLIENT + "sent_total_compressed_message_size"].sum == 2
    assert sums[CLIENT + "rcvd_total_compressed_message_size"].sum == responses
    assert sums[SERVER + "rcvd_total_compressed_message_size"].sum == 2
    assert sums[SERVER + "sent_total_compressed_message_size"].sum == responses
    assert 0 < sums[CLIENT + "duration"].sum <= sums["grpc.client.call.duration"].sum
    assert sums[SERVER + "duration"].sum > 0


def test_what_the_gRFC_says_of_buckets() -> None:
    latency = METRICS["grpc.client.call.duration"].boundaries
    assert (len(latency), latency[0], latency[-1]) == (41, 0, 100)
    size = METRICS[CLIENT + "sent_total_compressed_message_size"].boundaries
    assert size == (
        *(0, 1024, 2048, 4096, 16384, 65536, 262144, 1048576, 4194304),
        *(16777216, 67108864, 268435456, 1073741824, 4294967296),
    )
    assert METRICS["grpc.client.call.transparent_retries"].boundaries == (1, 2, 3, 4, 5, 10)
    assert not DEFAULT_METRICS & EXPERIMENTAL_METRICS


@pytest.mark.parametrize("listen", [False, True])
def test_failures_and_unregistered_methods(listen: bool) -> None:
    metrics = Metrics()
    plugin = OpenTelemetryPlugin(meter_provider=metrics.provider)
    with plugin:
        rig = Rig(listen=listen)
        for path in ("/some/Thing", "/other/Thing"):
            with pytest.raises(clarion.RpcError):
                rig.channel.unary_unary(path)(b"abc")
    rig.close()
    points = metrics.points()
    for name in (CLIENT + "duration", SERVER + "duration"):
        (point,) = points[name]
        assert point.count == 2
        assert point.attributes["grpc.method"] == "other"
        assert point.attributes["grpc.status"] == "UNIMPLEMENTED"


class Passing(clarion.ServerInterceptor):
    """Changes nothing."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        return continuation(details)


@pytest.mark.parametrize("listen", [False, True])
def test_compressed_messages(listen: bool) -> None:
    metrics = Metrics()
    gzip = clarion.Compression.Gzip
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig(listen=listen, compression=gzip, interceptors=[Passing()])
        request = b"x" * 1000
        for _ in range(2):
            assert (
                rig.channel.unary_unary(method("unary_unary"))(request, compression=gzip) == request
            )
        call = rig.channel.stream_stream(method("stream_stream"))
        assert list(call(iter([request]), compression=gzip)) == [request]
        rig.close()
    points = metrics.points()
    for name in (CLIENT, SERVER):
        for way in ("sent", "rcvd"):
            sizes = points[f"{name}{way}_total_compressed_message_size"]
            assert sum(point.count for point in sizes) == 3
            assert 0 < sum(point.sum for point in sizes) < 300


@pytest.mark.parametrize("listen", [False, True])
def test_calls_that_are_cut_off(listen: bool) -> None:
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig(listen=listen)
        done = threading.Event()

        def requests() -> Any:
            yield b"abc"
            done.wait(20)

        call = rig.channel.stream_stream(method("stream_stream"))(requests())
        assert next(call) == b"abc"
        call.cancel()
        done.set()
        rig.close()
    points = metrics.points()
    for name in (CLIENT, SERVER):
        (duration,) = points[name + "duration"]
        assert duration.attributes["grpc.status"] == "CANCELLED"
        assert points[name + "sent_total_compressed_message_size"][0].sum == 3
        assert points[name + "rcvd_total_compressed_message_size"][0].sum == 3
    (duration,) = points["grpc.client.call.duration"]
    assert duration.attributes["grpc.status"] == "CANCELLED"


def test_filters(rigs: Any, caplog: pytest.LogCaptureFixture) -> None:
    def named(method: str) -> bool:
        if "bad" in method:
            raise RuntimeError("no such method")
        return method == "some/Thing"

    metrics = Metrics()
    with OpenTelemetryPlugin(
        meter_provider=metrics.provider, generic_method_attribute_filter=named
    ):
        rig = rigs()
        for path in ("/some/Thing", "/other/Thing", "/bad/Thing"):
            with pytest.raises(clarion.RpcError):
                rig.channel.unary_unary(path)(b"abc")
    settled(rig, 3)
    for name in (CLIENT + "started", SERVER + "started"):
        assert {
            point.attributes["grpc.method"]: point.value for point in metrics.points()[name]
        } == {"some/Thing": 1, "other": 2}
    assert "raised for 'bad/Thing'" in caplog.text


class Nameless(Resolver):
    """Finds nothing."""

    scheme = "nameless"

    def start(self) -> None:
        self.helper.update(Resolution(error="nobody has that name"))

    def close(self) -> None:
        """There is nothing to close."""


NOWHERE = "unix:/nowhere/at/all"
OFTEN = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
AT_ONCE = {"maxAttempts": 3, "hedgingDelay": "0s", "nonFatalStatusCodes": ["UNAVAILABLE"]}


@pytest.mark.parametrize("wanted", [DEFAULT_METRICS, METRICS])
@pytest.mark.parametrize(
    ("target", "policy", "named", "attempts"),
    [
        # gRFC A66: attempts begin when the name is known, and before there is a connection for them.
        (NOWHERE, {}, {}, {"UNAVAILABLE": 2}),
        (NOWHERE, {}, {"timeout": 0.05, "wait_for_ready": True}, {"DEADLINE_EXCEEDED": 2}),
        (NOWHERE, {"retryPolicy": OFTEN}, {}, {"UNAVAILABLE": 6}),
        (NOWHERE, {"hedgingPolicy": AT_ONCE}, {}, {"UNAVAILABLE": 6}),
        # Given up before.
        (NOWHERE, {}, {"timeout": 0}, {}),
        # Without a name there are none.
        ("nameless:///x", {}, {}, {}),
        ("nameless:///x", {}, {"timeout": 0.05, "wait_for_ready": True}, {}),
    ],
)
def test_no_connection(
    target: str, policy: Any, named: Any, attempts: dict[str, int], wanted: Any
) -> None:
    register(Nameless)
    metrics = Metrics()
    plugin = OpenTelemetryPlugin(meter_provider=metrics.provider, metrics=wanted)
    config = json.dumps({"methodConfig": [{"name": [{}], **policy}]})
    options = [*plugin.channel_options(), ("grpc.service_config", config)]
    with clarion.insecure_channel(target, options=options) as channel:
        call = channel.unary_unary("/a/b", _registered_method=True)
        for _ in range(2):
            with pytest.raises(clarion.RpcError):
                call(b"", **named)
    points = metrics.points()
    begun = points.get(CLIENT + "started", [])
    assert sum(point.value for point in begun) == sum(attempts.values())
    ended = points.get(CLIENT + "duration", [])
    assert {point.attributes["grpc.status"]: point.count for point in ended} == attempts
    assert sum(point.count for point in points["grpc.client.call.duration"]) == 2
    if policy and wanted is METRICS:
        name = "retries" if "retryPolicy" in policy else "hedges"
        assert points[f"grpc.client.call.{name}"][0].sum == 4


def test_for_one_channel_or_server() -> None:
    metrics = Metrics()
    plugin = OpenTelemetryPlugin(meter_provider=metrics.provider)
    assert OpenTelemetryPlugin().channel_options() == []
    assert OpenTelemetryPlugin().server_options() == []
    (name, tracing), *_ = plugin.channel_options()
    assert name == CLIENT_TRACING
    with plugin, install(client=tracing):
        plugin.register_global()
        rig = Rig(plugin.channel_options())
        call_sync(rig.channel, "unary_unary")
        rig.close()
    plugin.deregister_global()
    # Each is there once, whichever way it was asked for.
    assert [point.value for point in metrics.points()[CLIENT + "started"]] == [1]
    rig = Rig()
    call_sync(rig.channel, "unary_unary")
    rig.close()
    assert [point.value for point in metrics.points()[CLIENT + "started"]] == [1]


@pytest.mark.parametrize("wanted", [DEFAULT_METRICS, ["grpc.client.call.duration"]])
def test_plugins_that_share_a_provider(wanted: Any) -> None:
    metrics = Metrics()
    plugins = [
        OpenTelemetryPlugin(meter_provider=metrics.provider, metrics=wanted) for _ in range(2)
    ]
    for calls, plugin in enumerate(plugins, 1):
        rig = Rig(plugin.channel_options(), listen=False)
        for _ in range(calls):
            call_sync(rig.channel, "unary_unary")
        rig.close()
    points = metrics.points()
    assert sum(point.count for point in points["grpc.client.call.duration"]) == 3
    if wanted is DEFAULT_METRICS:
        assert sum(point.value for point in points[CLIENT + "started"]) == 3


def test_plugins_that_share_labels() -> None:
    metrics = Metrics()
    meter = metrics.provider.get_meter("test")
    for count in (2, 3):
        counter = batches.Batches(meter, [CLIENT + "started"]).counter(CLIENT + "started")
        assert counter is not None
        increase = counter({"grpc.method": "a/b"})
        for _ in range(count):
            increase()
    assert [point.value for point in metrics.points()[CLIENT + "started"]] == [5]


def test_optional_labels(rigs: Any) -> None:
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider, optional_labels=OPTIONAL_LABELS):
        rig = rigs()
        call_sync(rig.channel, "unary_unary")
        with call_label("batch"):
            call_sync(rig.channel, "unary_unary")
            call_sync(rig.channel, "unary_unary")
    points = metrics.points()
    custom = "grpc.client.call.custom"
    assert [(point.attributes[custom], point.value) for point in points[CLIENT + "started"]] == [
        ("", 1),
        ("batch", 2),
    ]
    assert points[CLIENT + "duration"][0].attributes["grpc.lb.locality"] == ""
    assert points[CLIENT + "duration"][0].attributes["grpc.lb.backend_service"] == ""
    assert "grpc.lb.locality" not in points["grpc.client.call.duration"][0].attributes


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_stream"])
def test_measured_hedges(pattern: str) -> None:
    """Each attempt counts, whichever is the call's."""
    policy = {"maxAttempts": 3, "hedgingDelay": "0s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
    config = json.dumps({"methodConfig": [{"name": [{}], "hedgingPolicy": policy}]})
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig([("grpc.service_config", config)], listen=False)
        call_sync(rig.channel, pattern)
        rig.close()
    points = metrics.points()
    begun = points[CLIENT + "started"][0].value
    assert 1 <= begun <= 3
    assert sum(point.count for point in points[CLIENT + "duration"]) == begun
    received = CLIENT + "rcvd_total_compressed_message_size"
    assert sum(point.sum for point in points[received]) >= 2
    assert [point.count for point in points["grpc.client.call.duration"]] == [1]


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])
def test_measured_retries(pattern: str) -> None:
    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNIMPLEMENTED"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider):
        rig = Rig([("grpc.service_config", config)], listen=False)
        call = getattr(rig.channel, pattern)("/no/such", _registered_method=True)
        with pytest.raises(clarion.RpcError):
            call(iter([b"abc"]) if pattern == "stream_unary" else b"abc")
        rig.close()
    points = metrics.points()
    assert points[CLIENT + "started"][0].value == 3
    (attempts,) = points[CLIENT + "duration"]
    assert attempts.count == 3
    (calls,) = points["grpc.client.call.duration"]
    assert calls.count == 1
    assert attempts.sum <= calls.sum


def test_retries(rigs: Any) -> None:
    left = [2]

    def fail(context: Any) -> None:
        if left[0]:
            left[0] -= 1
            context.abort(clarion.StatusCode.UNAVAILABLE, "not yet")

    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    metrics = Metrics()
    with OpenTelemetryPlugin(meter_provider=metrics.provider, metrics=METRICS):
        rig = rigs([("grpc.service_config", config)], fail)
        call_sync(rig.channel, "unary_unary")
        # One without retries, which is not counted among those that have some.
        call_sync(rig.channel, "unary_unary")
        rig.running.core.stopping = True
        listen = rig.server.call

        def refuse(start: Any) -> Any:
            rig.running.core.stopping = False
            return listen(start)

        rig.server.call = refuse
        # The tracing decides before the server looks; so this one is served, and nothing is retried.
        call_sync(rig.channel, "unary_unary")
    points = metrics.points()
    (retries,) = points["grpc.client.call.retries"]
    assert (retries.count, retries.sum) == (1, 2)
    assert dict(retries.attributes).keys() == {"grpc.method", "grpc.target"}
    (delay,) = points["grpc.client.call.retry_delay"]
    assert delay.sum >= 0.01
    assert "grpc.client.call.hedges" not in points
    assert "grpc.client.call.transparent_retries" not in points
    assert {
        point.attributes["grpc.status"]: point.count for point in points[CLIENT + "duration"]
    } == {"UNAVAILABLE": 2, "OK": 3}


def test_hedges_and_transparent_retries() -> None:
    """Counted from what tracers hear; which attempts there are with real servers is a matter of time."""
    from clarion.call_tracing import AttemptStart
    from clarion.protocol.outcome import OK

    metrics = Metrics()
    plugin = OpenTelemetryPlugin(meter_provider=metrics.provider, metrics=EXPERIMENTAL_METRICS)
    tracing: Any = plugin.channel_options()[0][1]
    call = tracing.method("t", "/a/b", True)(None, ())
    first = AttemptStart(0, False, True, "peer", False, (), None)
    starts = [first, first._replace(transparent=True), first._replace(previous_attempts=1)]
    attempts = [call.attempt(start) for start in starts]
    for attempt in attempts:
        attempt.ended(OK, by_server=True, trailers_only=False, here=False)
    call.ended(OK)
    points = metrics.points()
    assert [point.sum for point in points["grpc.client.call.hedges"]] == [1]
    assert [point.sum for point in points["grpc.client.call.transparent_retries"]] == [1]
    assert "grpc.client.call.retries" not in points
    assert CLIENT + "duration" not in points


def test_a_provider_that_records_nothing(rigs: Any) -> None:
    with OpenTelemetryPlugin(meter_provider=NoOpMeterProvider()):
        rig = rigs()
        assert call_sync(rig.channel, "unary_unary") == b"ab"


def test_what_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"no metrics: grpc\.nothing"):
        OpenTelemetryPlugin(metrics=["grpc.nothing"])
    with pytest.raises(ValueError, match="no optional labels: colour"):
        OpenTelemetryPlugin(optional_labels=["colour"])
