"""What a server says of its load: ORCA (gRFC A51, xds.data.orca.v3.OrcaLoadReport)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["LoadReport"]

_NONE: Mapping[str, float] = MappingProxyType({})


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
