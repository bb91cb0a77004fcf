"""Messages that Clarion reads and writes itself."""

from __future__ import annotations

from clarion.load_balancing.messages import health_messages, load_messages


def test_health_checks_on_the_wire() -> None:
    """grpc.health.v1."""
    messages = health_messages()
    assert messages["HealthCheckRequest"](service="ab").SerializeToString() == b"\x0a\x02ab"
    assert messages["HealthCheckResponse"].FromString(b"\x08\x02").status == 2


def test_classes_are_made_once() -> None:
    assert load_messages() is load_messages()
    assert set(load_messages()) == {"OrcaLoadReport", "OrcaLoadReportRequest", "Duration"}
