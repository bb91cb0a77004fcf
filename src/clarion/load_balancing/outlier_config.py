"""What a service config says of outlier_detection_experimental (gRFC A50)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, count, duration, policy, shown
from clarion.load_balancing.registry import PolicyConfig

__all__ = ["EjectionRule", "OutlierConfig", "read_outlier_config"]


class EjectionRule(NamedTuple):
    """When servers are ejected.

    Attributes:
        threshold: by success rate, how many standard deviations below the mean (`stdevFactor` / 1000); by failures,
            the percentage of calls that may fail.
        enforcement: `enforcementPercentage`: of 100 servers that are to be ejected, how many are.
        hosts: `minimumHosts`: how many servers with enough calls there must be.
        volume: `requestVolume`: how many calls in an interval are enough.
    """

    threshold: float
    enforcement: int
    hosts: int
    volume: int


@dataclass(frozen=True)
class OutlierConfig:
    """The config. Times are seconds.

    Attributes:
        child: the policy that calls go by.
        interval: from one look to the next.
        base_time, most_time: how long a server is ejected the first time, and at most.
        most_ejected: the percentage of servers that may be ejected; one may always be.
        success_rate, failure_percentage: the rules that are in force.
    """

    child: PolicyConfig | None
    interval: float = 10.0
    base_time: float = 30.0
    most_time: float = 300.0
    most_ejected: int = 10
    success_rate: EjectionRule | None = None
    failure_percentage: EjectionRule | None = None

    @property
    def counts(self) -> bool:
        """Whether there is a rule that goes by how calls end."""
        return self.success_rate is not None or self.failure_percentage is not None

    def ejection_time(self, times: int) -> float:
        """How long a server is ejected that is ejected for the `times`th time."""
        return min(self.base_time * times, max(self.base_time, self.most_time))


def read_outlier_config(config: Mapping[str, Any]) -> OutlierConfig:
    """Read the JSON object.

    Raises:
        ConfigError: something in it is wrong.
    """
    reader = ConfigReader(config)
    return OutlierConfig(
        child=reader.require("childPolicy", policy),
        interval=_value(reader, "interval", duration, 10.0),
        base_time=_value(reader, "baseEjectionTime", duration, 30.0),
        most_time=_value(reader, "maxEjectionTime", duration, 300.0),
        most_ejected=_value(reader, "maxEjectionPercent", _percentage, 10),
        success_rate=reader.get("successRateEjection", _success_rate),
        failure_percentage=reader.get("failurePercentageEjection", _failure_percentage),
    )


def _success_rate(value: Any, path: str) -> EjectionRule:
    reader = ConfigReader.of(value, path)
    threshold = _value(reader, "stdevFactor", count, 1900) / 1000
    return EjectionRule(threshold, *_common(reader, 100))


def _failure_percentage(value: Any, path: str) -> EjectionRule:
    reader = ConfigReader.of(value, path)
    threshold = _value(reader, "threshold", _percentage, 85)
    return EjectionRule(threshold, *_common(reader, 50))


def _common(reader: ConfigReader, volume: int) -> tuple[int, int, int]:
    return (
        _value(reader, "enforcementPercentage", _percentage, 100),
        _value(reader, "minimumHosts", count, 5),
        _value(reader, "requestVolume", count, volume),
    )


def _value(reader: ConfigReader, name: str, read: Callable[[Any, str], Any], default: Any) -> Any:
    found = reader.get(name, read)
    return default if found is None else found


def _percentage(value: Any, path: str) -> int:
    percentage = count(value, path)
    if percentage > 100:
        raise ConfigError(path, f"must be 100 or less, not {shown(value)}")
    return percentage
