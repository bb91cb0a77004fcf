"""Service configs: what a service's owner wants of its clients (gRFC A2, grpc.service_config.ServiceConfig as JSON).

Rules:

- What is malformed is refused as a whole, and the error names the path to it (gRFC A21).
- Members that nobody knows are left alone; they are for other implementations, or later ones.
- Durations are strings with an `s` at the end, as in protobuf's JSON; numbers may be written as strings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import (
    ConfigReader,
    count,
    duration,
    flag,
    policy,
    positive,
    shown,
    text,
)
from clarion.load_balancing.registry import PolicyConfig, find_policy, parse_policy_list
from clarion.status import StatusCode

__all__ = [
    "EMPTY",
    "HedgingPolicy",
    "MethodConfig",
    "RetryPolicy",
    "RetryThrottling",
    "ServiceConfig",
    "parse_service_config",
]

# gRFC A6: more attempts than that are taken for that many.
_MOST_ATTEMPTS = 5

_CODES = {code.value[0]: code for code in StatusCode}


class RetryPolicy(NamedTuple):
    """When and how often a call is tried again (gRFC A6).

    Attributes:
        max_attempts: with the first one; 2 to 5.
        initial_backoff, max_backoff: seconds.
        backoff_multiplier: from one wait to the next.
        codes: statuses after which it is tried again.
    """

    max_attempts: int
    initial_backoff: float
    max_backoff: float
    backoff_multiplier: float
    codes: frozenset[StatusCode]


class HedgingPolicy(NamedTuple):
    """How a call is sent to several servers without waiting for the first one's failure (gRFC A6).

    Attributes:
        max_attempts: with the first one; 2 to 5.
        delay: seconds from one to the next; 0 sends all at once.
        codes: statuses that do not end the call while other attempts are in progress.
    """

    max_attempts: int
    delay: float
    codes: frozenset[StatusCode]


class RetryThrottling(NamedTuple):
    """How failures of calls to one server name stop retries and hedges (gRFC A6).

    Attributes:
        max_tokens: what there is to begin with; below half of it nothing is tried again.
        token_ratio: what each success gives back; each failure takes 1.
    """

    max_tokens: float
    token_ratio: float


@dataclass(frozen=True)
class MethodConfig:
    """What holds for calls of some methods.

    Attributes:
        timeout: seconds a call may take at most, or None.
        wait_for_ready: the default of calls that do not say, or None.
        max_request, max_response: bytes of a message at most, or None.
        retry, hedging: at most one of them.
    """

    timeout: float | None = None
    wait_for_ready: bool | None = None
    max_request: int | None = None
    max_response: int | None = None
    retry: RetryPolicy | None = None
    hedging: HedgingPolicy | None = None


@dataclass(frozen=True)
class ServiceConfig:
    """A service config.

    Attributes:
        policy: the load-balancing policy, or None.
        methods: by `service/method`, by `service/`, and by "" (all others).
        throttling: of retries and hedges, or None.
        health_service: what health checks ask for (gRFC A17), or None: no checks.
        max_connections: how many connections each address may have (gRFC A105).
        source: the JSON object.
    """

    policy: PolicyConfig | None = None
    methods: Mapping[str, MethodConfig] = field(default_factory=dict)
    throttling: RetryThrottling | None = None
    health_service: str | None = None
    max_connections: int = 1
    source: Mapping[str, Any] = field(default_factory=dict)

    def method(self, path: str) -> MethodConfig | None:
        """What holds for the method `/package.Service/Method`, or None."""
        methods = self.methods
        name = path.removeprefix("/")
        found = methods.get(name)
        if found is None:
            found = methods.get(name[: name.rfind("/") + 1])
            if found is None:
                found = methods.get("")
        return found


EMPTY = ServiceConfig()


def parse_service_config(config: str | Mapping[str, Any]) -> ServiceConfig:
    """Read a service config.

    Args:
        config: JSON text, or the object that it means.

    Raises:
        ConfigError: something in it is wrong; says at which path.
    """
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError) as error:
            raise ConfigError("", f"not JSON: {error}") from None
    if not isinstance(config, Mapping):
        raise ConfigError("", f"must be a JSON object, not {shown(config)}")
    reader = ConfigReader(config, "")
    methods: dict[str, MethodConfig] = {}
    for entry in reader.get("methodConfig", _objects) or ():
        names, method = _method_config(entry)
        for path, name in names:
            if name in methods:
                raise ConfigError(path, f"{name or 'all methods'!r} has a config already")
            methods[name] = method
    choice = reader.get("loadBalancingConfig", policy)
    if choice is None:
        choice = reader.get("loadBalancingPolicy", _policy_name)
    throttling = reader.get("retryThrottling", _throttling)
    health = reader.get("healthCheckConfig", ConfigReader.of)
    scaling = reader.get("connectionScaling", ConfigReader.of)
    return ServiceConfig(
        policy=choice,
        methods=methods,
        throttling=throttling,
        health_service=None if health is None else health.get("serviceName", text),
        max_connections=(
            1 if scaling is None else scaling.get("maxConnectionsPerSubchannel", count) or 1
        ),
        source=config,
    )


def _objects(value: Any, path: str) -> list[ConfigReader]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(path, f"must be a list, not {shown(value)}")
    return [ConfigReader.of(entry, f"{path}[{index}]") for index, entry in enumerate(value)]


def _policy_name(value: Any, path: str) -> PolicyConfig:
    name = text(value, path)
    if find_policy(name.lower()) is None:
        raise ConfigError(path, f"{name!r} is no policy that is known here")
    try:
        return parse_policy_list([{name.lower(): {}}], "")
    except ConfigError as error:
        raise ConfigError(path, f"{name!r} needs a config: {error}") from None


def _method_config(reader: ConfigReader) -> tuple[list[tuple[str, str]], MethodConfig]:
    names = []
    for entry in reader.get("name", _objects) or ():
        service, method = entry.get("service", text) or "", entry.get("method", text) or ""
        if method and not service:
            raise ConfigError(entry.path, f"names the method {method!r} of no service")
        names.append((entry.path, f"{service}/{method}" if service else ""))
    retry = reader.get("retryPolicy", _retry_policy)
    hedging = reader.get("hedgingPolicy", _hedging_policy)
    if retry is not None and hedging is not None:
        raise ConfigError(reader.path, "has both a retryPolicy and a hedgingPolicy")
    return names, MethodConfig(
        timeout=reader.get("timeout", duration),
        wait_for_ready=reader.get("waitForReady", flag),
        max_request=reader.get("maxRequestMessageBytes", count),
        max_response=reader.get("maxResponseMessageBytes", count),
        retry=retry,
        hedging=hedging,
    )


def _retry_policy(value: Any, path: str) -> RetryPolicy:
    reader = ConfigReader.of(value, path)
    codes = reader.require("retryableStatusCodes", _codes)
    if not codes:
        raise ConfigError(f"{path}.retryableStatusCodes", "must not be empty")
    return RetryPolicy(
        max_attempts=_attempts(reader),
        initial_backoff=reader.require("initialBackoff", _positive_duration),
        max_backoff=reader.require("maxBackoff", _positive_duration),
        backoff_multiplier=reader.require("backoffMultiplier", positive),
        codes=codes,
    )


def _hedging_policy(value: Any, path: str) -> HedgingPolicy:
    reader = ConfigReader.of(value, path)
    return HedgingPolicy(
        max_attempts=_attempts(reader),
        delay=reader.get("hedgingDelay", duration) or 0.0,
        codes=reader.get("nonFatalStatusCodes", _codes) or frozenset(),
    )


def _attempts(reader: ConfigReader) -> int:
    attempts = reader.require("maxAttempts", count)
    if attempts < 2:
        raise ConfigError(reader.below("maxAttempts"), f"must be 2 or more, not {attempts}")
    return min(attempts, _MOST_ATTEMPTS)


def _throttling(value: Any, path: str) -> RetryThrottling:
    reader = ConfigReader.of(value, path)
    tokens = reader.require("maxTokens", positive)
    if tokens > 1000:
        raise ConfigError(f"{path}.maxTokens", f"must be 1000 or less, not {tokens:g}")
    # A6: three decimal places count.
    ratio = math.floor(round(reader.require("tokenRatio", positive) * 1000, 6)) / 1000
    if not ratio:
        raise ConfigError(f"{path}.tokenRatio", "must be 0.001 or more")
    return RetryThrottling(tokens, ratio)


def _positive_duration(value: Any, path: str) -> float:
    seconds = duration(value, path)
    if not seconds:
        raise ConfigError(path, f"must be longer than {value}")
    return seconds


def _codes(value: Any, path: str) -> frozenset[StatusCode]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(path, f"must be a list of status codes, not {shown(value)}")
    codes = set()
    for index, entry in enumerate(value):
        if isinstance(entry, str) and entry.upper() in StatusCode.__members__:
            codes.add(StatusCode[entry.upper()])
        elif isinstance(entry, int) and not isinstance(entry, bool) and entry in _CODES:
            codes.add(_CODES[entry])
        else:
            raise ConfigError(f"{path}[{index}]", f"{shown(entry)} is no status code")
    return frozenset(codes)
