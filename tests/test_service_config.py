"""Service configs: what they mean, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.pick_first import PickFirst
from clarion.load_balancing.round_robin import POLICY as ROUND_ROBIN
from clarion.service_config import (
    EMPTY,
    HedgingPolicy,
    MethodConfig,
    RetryPolicy,
    RetryThrottling,
    parse_service_config,
)
from clarion.status import StatusCode

RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
HEDGING = {"maxAttempts": 4, "hedgingDelay": "0.5s", "nonFatalStatusCodes": ["unavailable", 4]}


def method(**members: Any) -> dict[str, Any]:
    return {"methodConfig": [{"name": [{}], **members}]}


def test_everything() -> None:
    config = parse_service_config(
        json.dumps(
            {
                "loadBalancingConfig": [{"never_heard_of": {}}, {"round_robin": {}}],
                "methodConfig": [
                    {
                        "name": [{"service": "a.B", "method": "C"}, {"service": "a.D"}],
                        "timeout": "1.5s",
                        "waitForReady": True,
                        "maxRequestMessageBytes": "1000",
                        "maxResponseMessageBytes": 2000,
                        "retryPolicy": RETRY,
                    },
                    {"name": [{}], "hedgingPolicy": HEDGING},
                ],
                "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.12345},
                "healthCheckConfig": {"serviceName": "a.B"},
                "connectionScaling": {"maxConnectionsPerSubchannel": 3},
                "ofNoMeaning": 5,
            }
        )
    )
    assert config.policy is not None
    assert config.policy.policy is ROUND_ROBIN
    first = MethodConfig(
        timeout=1.5,
        wait_for_ready=True,
        max_request=1000,
        max_response=2000,
        retry=RetryPolicy(3, 0.1, 1.0, 2.0, frozenset([StatusCode.UNAVAILABLE])),
    )
    codes = frozenset([StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED])
    rest = MethodConfig(hedging=HedgingPolicy(4, 0.5, codes))
    assert config.method("/a.B/C") == first
    assert config.method("/a.B/Other") == rest
    assert config.method("/a.D/Any") == first
    assert config.method("/x.Y/Z") == rest
    assert config.throttling == RetryThrottling(10.0, 0.123)
    assert config.health_service == "a.B"
    assert config.max_connections == 3
    assert config.source["ofNoMeaning"] == 5


def test_nothing() -> None:
    config = parse_service_config("{}")
    assert config == EMPTY
    assert config.method("/a.B/C") is None


def test_the_policy_by_its_old_name() -> None:
    config = parse_service_config({"loadBalancingPolicy": "PICK_FIRST"})
    assert config.policy is not None
    assert config.policy.policy is PickFirst


def test_a_policy_that_needs_a_config_by_its_old_name() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_service_config({"loadBalancingPolicy": "WEIGHTED_TARGET_EXPERIMENTAL"})
    assert refused.value.path == "loadBalancingPolicy"
    assert "targets: is missing" in refused.value.problem


@pytest.mark.parametrize(
    ("written", "meant"), [(0.57, 0.57), (0.29, 0.29), (0.5799, 0.579), ("0.001", 0.001)]
)
def test_three_decimal_places_of_the_token_ratio(written: object, meant: float) -> None:
    throttling = {"maxTokens": 10, "tokenRatio": written}
    config = parse_service_config({"retryThrottling": throttling})
    assert config.throttling is not None
    assert config.throttling.token_ratio == meant


def test_the_new_name_counts() -> None:
    config = parse_service_config(
        {"loadBalancingPolicy": "pick_first", "loadBalancingConfig": [{"round_robin": {}}]}
    )
    assert config.policy is not None
    assert config.policy.policy is ROUND_ROBIN


def test_hedging_without_delay_sends_all_at_once() -> None:
    found = parse_service_config(method(hedgingPolicy={"maxAttempts": 2})).method("/a/b")
    assert found is not None
    assert found.hedging == HedgingPolicy(2, 0.0, frozenset())


def test_attempts_are_five_at_most() -> None:
    found = parse_service_config(method(retryPolicy={**RETRY, "maxAttempts": 9})).method("/a/b")
    assert found is not None
    assert found.retry is not None
    assert found.retry.max_attempts == 5


def without(policy: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in policy.items() if key != name}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("{", ""),
        ("[]", ""),
        ("[" * 100_000, ""),
        ({"methodConfig": {}}, "methodConfig"),
        ({"methodConfig": "x"}, "methodConfig"),
        ({"methodConfig": [1]}, "methodConfig[0]"),
        ({"methodConfig": [{"name": [{"service": 5}]}]}, "methodConfig[0].name[0].service"),
        ({"methodConfig": [{"name": [{"method": "M"}]}]}, "methodConfig[0].name[0]"),
        ({"methodConfig": [{"name": [{}]}, {"name": [{}]}]}, "methodConfig[1].name[0]"),
        (method(timeout=1), "methodConfig[0].timeout"),
        (method(timeout="1"), "methodConfig[0].timeout"),
        (method(timeout="-1s"), "methodConfig[0].timeout"),
        (method(waitForReady="yes"), "methodConfig[0].waitForReady"),
        (method(maxRequestMessageBytes=-1), "methodConfig[0].maxRequestMessageBytes"),
        (method(maxResponseMessageBytes=1.5), "methodConfig[0].maxResponseMessageBytes"),
        (method(retryPolicy=[]), "methodConfig[0].retryPolicy"),
        (method(retryPolicy=RETRY, hedgingPolicy=HEDGING), "methodConfig[0]"),
        *[
            (method(retryPolicy=without(RETRY, name)), f"methodConfig[0].retryPolicy.{name}")
            for name in RETRY
        ],
        (
            method(retryPolicy={**RETRY, "maxAttempts": 1}),
            "methodConfig[0].retryPolicy.maxAttempts",
        ),
        (
            method(retryPolicy={**RETRY, "initialBackoff": "0s"}),
            "methodConfig[0].retryPolicy.initialBackoff",
        ),
        (
            method(retryPolicy={**RETRY, "backoffMultiplier": 0}),
            "methodConfig[0].retryPolicy.backoffMultiplier",
        ),
        (
            method(retryPolicy={**RETRY, "retryableStatusCodes": []}),
            "methodConfig[0].retryPolicy.retryableStatusCodes",
        ),
        (
            method(retryPolicy={**RETRY, "retryableStatusCodes": "UNAVAILABLE"}),
            "methodConfig[0].retryPolicy.retryableStatusCodes",
        ),
        (
            method(retryPolicy={**RETRY, "retryableStatusCodes": ["UNAVAILABLE", 99]}),
            "methodConfig[0].retryPolicy.retryableStatusCodes[1]",
        ),
        (
            method(retryPolicy={**RETRY, "retryableStatusCodes": [True]}),
            "methodConfig[0].retryPolicy.retryableStatusCodes[0]",
        ),
        (
            method(hedgingPolicy={**HEDGING, "maxAttempts": 1}),
            "methodConfig[0].hedgingPolicy.maxAttempts",
        ),
        ({"retryThrottling": {"tokenRatio": 1}}, "retryThrottling.maxTokens"),
        ({"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}}, "retryThrottling.maxTokens"),
        (
            {"retryThrottling": {"maxTokens": 5, "tokenRatio": 0.0001}},
            "retryThrottling.tokenRatio",
        ),
        ({"healthCheckConfig": {"serviceName": 1}}, "healthCheckConfig.serviceName"),
        (
            {"connectionScaling": {"maxConnectionsPerSubchannel": "many"}},
            "connectionScaling.maxConnectionsPerSubchannel",
        ),
        ({"loadBalancingPolicy": "nonsense"}, "loadBalancingPolicy"),
        ({"loadBalancingPolicy": 5}, "loadBalancingPolicy"),
        ({"loadBalancingConfig": [{"nonsense": {}}]}, "loadBalancingConfig"),
        (
            {"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": 1}}]},
            "loadBalancingConfig[0].pick_first.shuffleAddressList",
        ),
    ],
)
def test_what_is_refused(config: Any, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_service_config(config)
    assert caught.value.path == path
