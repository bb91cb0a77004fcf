"""What a server says of its load: ORCA (gRFC A51, xds.data.orca.v3.OrcaLoadReport).

Reports come in trailing metadata, of one call; or from `xds.service.orca.v3.OpenRcaService`, of the server as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from clarion.load_balancing.messages import load_messages

__all__ = [
    "LOAD_REPORT_KEY",
    "STREAM_METHOD",
    "LoadReport",
    "decode_load_report",
    "decode_report_request",
    "encode_load_report",
    "encode_report_request",
    "read_load_report",
]

LOAD_REPORT_KEY: Final = "endpoint-load-metrics-bin"
"""Trailing metadata with a call's load report."""

STREAM_METHOD: Final = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
"""The method that reports a server's load again and again."""

_NONE: Mapping[str, float] = MappingProxyType({})
_LONGEST = 315_576_000_000


def _none() -> Mapping[str, float]:
    # Python 3.11 takes no object without a hash for a default.
    return _NONE


@dataclass(frozen=True)
class LoadReport:
    """One load report; utilizations are fractions of what there is, and may exceed 1.

    Attributes:
        cpu_utilization: of the processors.
        mem_utilization: of the memory.
        application_utilization: as the application counts it; weighs more than the processors' where both are given.
        rps_fractional: requests each second.
        eps: errors each second.
        request_cost: what the call cost, by name.
        utilization: of other resources, by name.
        named_metrics: anything else, by name.
    """

    cpu_utilization: float = 0.0
    mem_utilization: float = 0.0
    application_utilization: float = 0.0
    rps_fractional: float = 0.0
    eps: float = 0.0
    request_cost: Mapping[str, float] = field(default_factory=_none)
    utilization: Mapping[str, float] = field(default_factory=_none)
    named_metrics: Mapping[str, float] = field(default_factory=_none)


def read_load_report(trailing_metadata: Iterable[tuple[str, Any]]) -> LoadReport | None:
    """The load report in trailing metadata; None if there is none that can be read."""
    for key, value in trailing_metadata:
        if key == LOAD_REPORT_KEY:
            return decode_load_report(value)
    return None


def decode_load_report(data: bytes) -> LoadReport | None:
    """Read an `OrcaLoadReport`; None if it is malformed."""
    message = _parse("OrcaLoadReport", data)
    if message is None:
        return None
    return LoadReport(
        cpu_utilization=message.cpu_utilization,
        mem_utilization=message.mem_utilization,
        application_utilization=message.application_utilization,
        rps_fractional=message.rps_fractional,
        eps=message.eps,
        request_cost=dict(message.request_cost),
        utilization=dict(message.utilization),
        named_metrics=dict(message.named_metrics),
    )


def encode_load_report(report: LoadReport) -> bytes:
    """Write an `OrcaLoadReport`."""
    message = load_messages()["OrcaLoadReport"](**vars(report))
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def encode_report_request(interval: float) -> bytes:
    """Write an `OrcaLoadReportRequest` for a report each `interval` seconds."""
    seconds, part = divmod(min(interval, _LONGEST), 1)
    classes = load_messages()
    duration = classes["Duration"](seconds=int(seconds), nanos=int(part * 1e9))
    data: bytes = classes["OrcaLoadReportRequest"](report_interval=duration).SerializeToString()
    return data


def decode_report_request(data: bytes) -> float | None:
    """The seconds of an `OrcaLoadReportRequest`, 0 if it has none; None if it is malformed."""
    message = _parse("OrcaLoadReportRequest", data)
    if message is None:
        return None
    interval = message.report_interval
    return float(interval.seconds + interval.nanos / 1e9)


def _parse(name: str, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return load_messages()[name].FromString(data)
    except DecodeError:
        return None
