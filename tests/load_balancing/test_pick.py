"""Pickers and their answers."""

from __future__ import annotations

import pytest

from clarion.load_balancing import (
    QUEUE,
    Drop,
    Fail,
    FixedPicker,
    Picked,
    PickInfo,
    QueuePicker,
)
from clarion.load_balancing.load_report import LoadReport
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.load_balancing import CALL, FakeHelper, address

FAILURE = Outcome(StatusCode.UNAVAILABLE, "no")


@pytest.mark.parametrize("answer", [QUEUE, Fail(FAILURE), Drop(FAILURE)])
def test_everybody_gets_the_same_answer(answer: object) -> None:
    picker = FixedPicker(answer)  # type: ignore[arg-type]
    assert picker.pick(CALL) is answer
    assert picker.only is None


def test_one_subchannel_for_all(helper: FakeHelper) -> None:
    subchannel = helper.create_subchannel(address("a"), {})
    picked = Picked(subchannel)
    assert FixedPicker(picked).only is subchannel
    assert FixedPicker(picked).pick(CALL) is picked


def test_who_wants_to_hear_of_calls_is_asked_for_each(helper: FakeHelper) -> None:
    subchannel = helper.create_subchannel(address("a"), {})
    assert FixedPicker(Picked(subchannel, lambda done: None)).only is None
    assert FixedPicker(Picked(subchannel, metadata=((b"a", b"b"),))).only is None


def test_a_queue_says_once_that_somebody_waits() -> None:
    wanted: list[int] = []
    picker = QueuePicker(lambda: wanted.append(1))
    assert [picker.pick(CALL), picker.pick(CALL)] == [QUEUE, QUEUE]
    assert wanted == [1]
    assert QueuePicker().pick(CALL) is QUEUE


def test_headers_of_a_call() -> None:
    info = PickInfo("/s/m", ((b"a", b"1"), (b"b", b"2"), (b"a", b"3")), False)
    assert info.header(b"a") == b"1,3"
    assert info.header(b"b") == b"2"
    assert info.header(b"c") is None


def test_a_report_of_nothing() -> None:
    report = LoadReport()
    assert report.cpu_utilization == 0.0
    assert dict(report.named_metrics) == {}
