"""What policies tell of themselves for metrics of a channel (gRFC A79): the definitions, and those of the policies here.

A policy records by `Helper.record`. To have metrics of your own, make a `PolicyMetric`, once, and record it:

    SWITCHES = PolicyMetric("example.lb.switches", "{switch}", "How often the policy changed its mind")

    self.helper.record(SWITCHES)

Names, units and labels of those here are of the gRFCs A78, A89 and A91, all of which are off unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = [
    "BACKEND_SERVICE",
    "DETECTION_METHOD",
    "EJECTIONS_ENFORCED",
    "EJECTIONS_UNENFORCED",
    "LOCALITY",
    "NO_LABELS",
    "PICK_FIRST_DISCONNECTIONS",
    "PICK_FIRST_FAILED",
    "PICK_FIRST_SUCCEEDED",
    "POLICY_METRICS",
    "UNENFORCED_REASON",
    "WRR_FALLBACK",
    "WRR_NOT_YET_USABLE",
    "WRR_STALE",
    "WRR_WEIGHTS",
    "PolicyMetric",
]

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})

LOCALITY: Final = "grpc.lb.locality"
BACKEND_SERVICE: Final = "grpc.lb.backend_service"
DETECTION_METHOD: Final = "grpc.lb.outlier_detection.detection_method"
UNENFORCED_REASON: Final = "grpc.lb.outlier_detection.unenforced_reason"


class PolicyMetric(NamedTuple):
    """One metric of a policy.

    Attributes:
        name: in OpenTelemetry.
        unit: in the notation of UCUM, such as `{attempt}`.
        description: one sentence.
        labels: what is recorded with it, besides `grpc.target`; one that is left out is "".
        optional_labels: labels that are there only where they are asked for.
        histogram: values are put into buckets; else it is a counter, to which they are added.
        boundaries: a histogram's bucket boundaries, if it advises some.
        experimental: off unless it is asked for by its name.
    """

    name: str
    unit: str
    description: str
    labels: tuple[str, ...] = ()
    optional_labels: tuple[str, ...] = ()
    histogram: bool = False
    boundaries: tuple[float, ...] = ()
    experimental: bool = False


def _wrr(name: str, unit: str, description: str, *, histogram: bool = False) -> PolicyMetric:
    labels = (LOCALITY, BACKEND_SERVICE)
    name = f"grpc.lb.wrr.{name}"
    return PolicyMetric(name, unit, description, (), labels, histogram, experimental=True)


def _pick_first(name: str, unit: str, description: str) -> PolicyMetric:
    return PolicyMetric(f"grpc.lb.pick_first.{name}", unit, description, experimental=True)


def _ejections(name: str, description: str, *labels: str) -> PolicyMetric:
    name = f"grpc.lb.outlier_detection.{name}"
    optional = (BACKEND_SERVICE,)
    return PolicyMetric(name, "{ejection}", description, labels, optional, experimental=True)


WRR_FALLBACK: Final = _wrr(
    "rr_fallback", "{update}", "Updates of weights that too few endpoints had one for"
)
WRR_NOT_YET_USABLE: Final = _wrr(
    "endpoint_weight_not_yet_usable",
    "{endpoint}",
    "Endpoints, in each update, that have no weight yet, or are in their blackout period",
)
WRR_STALE: Final = _wrr(
    "endpoint_weight_stale", "{endpoint}", "Endpoints, in each update, whose weight has expired"
)
WRR_WEIGHTS: Final = _wrr(
    "endpoint_weights",
    "{weight}",
    "The weight of each endpoint in each update; 0 if it has none that can be used",
    histogram=True,
)
PICK_FIRST_DISCONNECTIONS: Final = _pick_first(
    "disconnections", "{disconnection}", "How often the connection in use was lost"
)
PICK_FIRST_SUCCEEDED: Final = _pick_first(
    "connection_attempts_succeeded", "{attempt}", "Attempts to connect that succeeded"
)
PICK_FIRST_FAILED: Final = _pick_first(
    "connection_attempts_failed", "{attempt}", "Attempts to connect that failed"
)
EJECTIONS_ENFORCED: Final = _ejections(
    "ejections_enforced", "Outliers that were ejected", DETECTION_METHOD
)
EJECTIONS_UNENFORCED: Final = _ejections(
    "ejections_unenforced",
    "Outliers that were not ejected, by chance or because too many are",
    DETECTION_METHOD,
    UNENFORCED_REASON,
)

POLICY_METRICS: Final = (
    WRR_FALLBACK,
    WRR_NOT_YET_USABLE,
    WRR_STALE,
    WRR_WEIGHTS,
    PICK_FIRST_DISCONNECTIONS,
    PICK_FIRST_SUCCEEDED,
    PICK_FIRST_FAILED,
    EJECTIONS_ENFORCED,
    EJECTIONS_UNENFORCED,
)
"""Those of the policies here."""
