"""What policies tell of themselves for metrics (gRFCs A78, A91)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from clarion.load_balancing import Done, Picked, PolicyMetric
from clarion.load_balancing.child import ForwardingHelper
from clarion.load_balancing.load_report import LoadReport
from clarion.load_balancing.metrics import LOCALITY, POLICY_METRICS
from clarion.load_balancing.outlier_detection import OutlierDetection
from clarion.load_balancing.pick_first import PickFirst
from clarion.load_balancing.weighted_round_robin import WeightedRoundRobin
from clarion.load_balancing.weighted_target import WeightedTarget, WeightedTargetConfig, _Target
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from support.load_balancing import CALL, IDLE, FakeHelper, Scripted, scripted

BAD = Outcome(StatusCode.INTERNAL, "no")
METHOD = "grpc.lb.outlier_detection.detection_method"
REASON = "grpc.lb.outlier_detection.unenforced_reason"


def recorded(helper: FakeHelper) -> list[Any]:
    """What was recorded since the last look."""
    found, helper.recorded = helper.recorded, []
    return found


def test_definitions() -> None:
    names = {metric.name for metric in POLICY_METRICS}
    assert names == {
        "grpc.lb.outlier_detection.ejections_enforced",
        "grpc.lb.outlier_detection.ejections_unenforced",
        "grpc.lb.pick_first.connection_attempts_failed",
        "grpc.lb.pick_first.connection_attempts_succeeded",
        "grpc.lb.pick_first.disconnections",
        "grpc.lb.wrr.endpoint_weight_not_yet_usable",
        "grpc.lb.wrr.endpoint_weight_stale",
        "grpc.lb.wrr.endpoint_weights",
        "grpc.lb.wrr.rr_fallback",
    }
    assert all(metric.experimental for metric in POLICY_METRICS)
    assert [metric.name for metric in POLICY_METRICS if metric.histogram] == [
        "grpc.lb.wrr.endpoint_weights"
    ]


def test_a_forwarding_helper_hands_it_on(helper: FakeHelper) -> None:
    metric = PolicyMetric("mine", "{thing}", "Things")
    forwarding = ForwardingHelper(ForwardingHelper(helper))
    forwarding.record(metric)
    forwarding.record(metric, 2.5, {"kind": "great"})
    assert recorded(helper) == [("mine", 1), ("mine", 2.5, {"kind": "great"})]


def test_pick_first(helper: FakeHelper) -> None:
    helper.start(PickFirst, "a b")
    helper["a"].refuse()
    assert recorded(helper) == [("pick_first.connection_attempts_failed", 1)]
    helper["b"].accept()
    assert recorded(helper) == [("pick_first.connection_attempts_succeeded", 1)]
    helper["b"].say(IDLE)
    assert recorded(helper) == [("pick_first.disconnections", 1)]
    helper.close()
    assert recorded(helper) == []


def weighted(helper: FakeHelper, count: int, **loads: float) -> Counter[Any]:
    """Let servers report their weights, and `count` seconds pass; what the last second's update recorded."""
    for _ in range(20):
        answer = helper.picker.pick(CALL)
        assert isinstance(answer, Picked)
        assert answer.done is not None
        load = loads.get(str(answer.subchannel.address)[0])
        if load is not None:
            answer.done(Done(OK, True, LoadReport(cpu_utilization=0.5, rps_fractional=load / 2)))
    for _ in range(count):
        recorded(helper)
        helper.advance(1)
    return Counter(recorded(helper))


def test_weighted_round_robin(helper: FakeHelper) -> None:
    config = {"blackoutPeriod": "5s", "weightExpirationPeriod": "20s"}
    helper.start(WeightedRoundRobin, "a b c", config)
    for name in "abc":
        helper[name].accept()
    none = ("wrr.endpoint_weights", 0.0)
    fallback = ("wrr.rr_fallback", 1)
    # Without a report; in the blackout period; with weights; with one that is stale; with no other one.
    assert weighted(helper, 1) == Counter(
        [fallback, ("wrr.endpoint_weight_not_yet_usable", 3), none, none, none]
    )
    assert weighted(helper, 4, a=2.0, b=6.0) == Counter(
        [fallback, ("wrr.endpoint_weight_not_yet_usable", 3), none, none, none]
    )
    usable = [("wrr.endpoint_weights", 2.0), ("wrr.endpoint_weights", 6.0)]
    assert weighted(helper, 1) == Counter(
        [("wrr.endpoint_weight_not_yet_usable", 1), none, *usable]
    )
    assert weighted(helper, 15, b=6.0, c=4.0) == Counter(
        [("wrr.endpoint_weight_stale", 1), none, usable[1], ("wrr.endpoint_weights", 4.0)]
    )
    assert weighted(helper, 5) == Counter(
        [fallback, ("wrr.endpoint_weight_stale", 3), none, none, none]
    )


def outliers(helper: FakeHelper, failing: str, **rule: int) -> list[Any]:
    """The servers a, b and c, of which some fail all calls; what is recorded of the first interval."""
    names = {"threshold": 50, "minimumHosts": 1, "requestVolume": 4, **rule}
    config = {
        "childPolicy": [{"round_robin": {}}],
        "failurePercentageEjection": names,
        "maxEjectionPercent": 20,
    }
    helper.start(OutlierDetection, "a b c", config)
    for name in "abc":
        helper[name].accept()
    for _ in range(12):
        answer = helper.picker.pick(CALL)
        assert isinstance(answer, Picked)
        assert answer.done is not None
        bad = str(answer.subchannel.address)[0] in failing
        answer.done(Done(BAD if bad else OK, True, None))
    recorded(helper)
    helper.advance(10)
    return recorded(helper)


def test_ejections(helper: FakeHelper) -> None:
    by = {METHOD: "failure_percentage"}
    assert outliers(helper, "ab") == [
        ("outlier_detection.ejections_enforced", 1, by),
        ("outlier_detection.ejections_unenforced", 1, {**by, REASON: "max_ejection_overflow"}),
    ]


def test_ejections_that_chance_is_against(helper: FakeHelper) -> None:
    reason = {METHOD: "failure_percentage", REASON: "enforcement_percentage"}
    assert outliers(helper, "a", enforcementPercentage=0) == [
        ("outlier_detection.ejections_unenforced", 1, reason)
    ]


def test_weighted_target_says_which_locality(helper: FakeHelper) -> None:
    targets = {"europe": _Target(1, scripted("here")), "asia": _Target(2, scripted("there"))}
    helper.start(WeightedTarget, "s", WeightedTargetConfig(targets))
    metric = PolicyMetric("mine", "{thing}", "Things")
    Scripted.made["here"][-1].helper.record(metric, 1, {"kind": "great"})
    Scripted.made["there"][-1].helper.record(metric)
    assert recorded(helper) == [
        ("mine", 1, {LOCALITY: "europe", "kind": "great"}),
        ("mine", 1, {LOCALITY: "asia"}),
    ]
