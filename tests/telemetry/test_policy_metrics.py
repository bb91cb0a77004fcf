"""Metrics that load-balancing policies tell of themselves (gRFCs A78, A79), with real servers."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import pytest

import clarion
import clarion.aio

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")

from clarion.load_balancing import PolicyMetric
from clarion.load_balancing.metrics import POLICY_METRICS, WRR_WEIGHTS
from clarion.telemetry import DEFAULT_METRICS, METRICS, OpenTelemetryPlugin
from clarion.telemetry.labels import Labelling
from clarion.telemetry.policy_metrics import PolicyRecorder
from support.telemetry import Metrics
from support.traced_echo import Rig, aio_handlers, call_aio, call_sync

PICK_FIRST = "grpc.lb.pick_first."
WRR = "grpc.lb.wrr."


def of_policies(metrics: Metrics) -> dict[str, Any]:
    """The values of policies' metrics by name; each has one point."""
    found = {}
    for name, points in metrics.points().items():
        if name.startswith("grpc.lb."):
            (point,) = points
            found[name] = getattr(point, "value", None) or point.count
    return found


def test_sync() -> None:
    metrics = Metrics()
    rig = Rig(listen=False)
    # Bound, but nobody listens: connections are refused.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"ipv4:127.0.0.1:{closed.getsockname()[1]},127.0.0.1:{rig.port}"
        plugin = OpenTelemetryPlugin(meter_provider=metrics.provider, metrics=METRICS)
        with clarion.insecure_channel(target, options=plugin.channel_options()) as channel:
            call_sync(channel, "unary_unary")
            expected = {
                PICK_FIRST + "connection_attempts_failed": 1,
                PICK_FIRST + "connection_attempts_succeeded": 1,
            }
            assert of_policies(metrics) == expected
            lost = threading.Event()
            channel.subscribe(
                lambda state: lost.set() if state is clarion.ChannelConnectivity.IDLE else None
            )
            rig.close()
            assert lost.wait(30)
            assert of_policies(metrics) == {**expected, PICK_FIRST + "disconnections": 1}
    (point,) = metrics.points()[PICK_FIRST + "disconnections"]
    assert dict(point.attributes) == {"grpc.target": target}
    collected = metrics.collect()
    for name in expected:
        assert collected[name].unit == "{attempt}"
        assert collected[name].data.is_monotonic


def test_aio() -> None:
    config = json.dumps({"loadBalancingConfig": [{"weighted_round_robin": {}}]})
    metrics = Metrics()
    plugin = OpenTelemetryPlugin(
        meter_provider=metrics.provider,
        metrics={"grpc.lb.wrr.rr_fallback", "grpc.lb.wrr.endpoint_weights"},
        optional_labels=["grpc.lb.locality"],
        target_attribute_filter=lambda target: False,
    )

    async def run() -> None:
        server = clarion.aio.server(handlers=[aio_handlers()])
        ports = [server.add_insecure_port("127.0.0.1:0") for _ in range(2)]
        await server.start()
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        options = [*plugin.channel_options(), ("grpc.service_config", config)]
        async with clarion.aio.insecure_channel(target, options=options) as channel:
            while WRR + "rr_fallback" not in metrics.points():
                # It is one until both servers are connected.
                await call_aio(channel, "unary_unary")
        await server.stop(5)

    asyncio.run(asyncio.wait_for(run(), 50))
    points = metrics.points()
    assert set(points) == {WRR + "rr_fallback", WRR + "endpoint_weights"}
    for [point] in points.values():
        assert dict(point.attributes) == {"grpc.target": "other", "grpc.lb.locality": ""}
    assert points[WRR + "endpoint_weights"][0].sum == 0
    assert metrics.collect()[WRR + "endpoint_weights"].unit == "{weight}"


def test_off_by_default() -> None:
    assert all(METRICS[metric.name].experimental for metric in POLICY_METRICS)
    metrics = Metrics()
    plugin = OpenTelemetryPlugin(meter_provider=metrics.provider)
    rig = Rig(plugin.channel_options(), listen=False)
    call_sync(rig.channel, "unary_unary")
    rig.close()
    assert set(metrics.points()) <= DEFAULT_METRICS


def test_metrics_of_ones_own() -> None:
    metrics = Metrics()
    meter = metrics.provider.get_meter("test")
    labelling = Labelling(["grpc.lb.locality"], None, None)
    record = PolicyRecorder(meter, [WRR_WEIGHTS.name], labelling).of("dns:///there")
    waits = PolicyMetric(
        "my.lb.waits", "s", "Waits", ("kind",), ("grpc.lb.locality",), True, (1, 10)
    )
    for value in (0.5, 5):
        record(waits, value, {"kind": "long", "secret": "x", "grpc.lb.locality": "here"})
    record(waits, 20, {})
    record(PolicyMetric("my.lb.never", "{thing}", "Things", experimental=True), 1, {})
    record(WRR_WEIGHTS, 3, {})
    points = metrics.points()
    assert set(points) == {"my.lb.waits", WRR_WEIGHTS.name}
    without, with_labels = points["my.lb.waits"]
    target = {"grpc.target": "dns:///there"}
    assert dict(without.attributes) == {**target, "kind": "", "grpc.lb.locality": ""}
    assert dict(with_labels.attributes) == {**target, "kind": "long", "grpc.lb.locality": "here"}
    assert tuple(with_labels.explicit_bounds) == (1, 10)
    assert list(with_labels.bucket_counts) == [1, 1, 0]
