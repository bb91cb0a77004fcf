"""Load-balancing policies by name, and their part of a service config (gRFC A24)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.policy import Policy

__all__ = ["PolicyConfig", "find_policy", "parse_policy_list", "policy_names", "register"]

_AnyPolicy = TypeVar("_AnyPolicy", bound=type[Policy])

# What comes with Clarion: imported when a config names it.
_OWN = {
    "least_request_experimental": "least_request",
    "outlier_detection_experimental": "outlier_detection",
    "pick_first": "pick_first",
    "priority_experimental": "priority",
    "random_subsetting_experimental": "random_subsetting",
    "ring_hash_experimental": "ring_hash",
    "round_robin": "round_robin",
    "weighted_round_robin": "weighted_round_robin",
    "weighted_target_experimental": "weighted_target",
}

_registered: dict[str, type[Policy]] = {}


class PolicyConfig(NamedTuple):
    """A policy and its configuration, as `Policy.parse_config` returned it."""

    policy: type[Policy]
    config: Any


def register(policy: _AnyPolicy) -> _AnyPolicy:
    """Offer `policy` to service configs under its `name`; usable as a class decorator.

    A policy of that name that is there already, Clarion's own included, is replaced for channels made from now on.

    Raises:
        TypeError: it has no name.
    """
    name = getattr(policy, "name", None)
    if not isinstance(name, str) or not name:
        raise TypeError(f"{policy!r} needs a class attribute `name`, which service configs use")
    _registered[name] = policy
    return policy


def find_policy(name: str) -> type[Policy] | None:
    """The policy called `name`, or None."""
    policy = _registered.get(name)
    if policy is None and name in _OWN:
        # Each module says which policy it is about.
        policy = import_module(f"clarion.load_balancing.{_OWN[name]}").POLICY
    return policy


def policy_names() -> list[str]:
    """The names of all policies, sorted."""
    return sorted({*_OWN, *_registered})


def parse_policy_list(value: Any, path: str) -> PolicyConfig:
    """Take the first policy of a `loadBalancingConfig` that there is here (gRFC A24).

    Args:
        value: the JSON list; each entry is an object with one member, the policy's name.
        path: where it stands, for errors.

    Raises:
        ConfigError: the list is malformed, no policy of it is known, or the policy refuses its configuration.
    """
    if not isinstance(value, list):
        raise ConfigError(path, f"must be a list, not {value!r}")
    unknown = []
    for index, entry in enumerate(value):
        here = f"{path}[{index}]"
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ConfigError(here, "must be an object with one member, the policy's name")
        [(name, config)] = entry.items()
        policy = find_policy(name)
        if policy is None:
            unknown.append(name)
            continue
        if not isinstance(config, Mapping):
            raise ConfigError(f"{here}.{name}", f"must be an object, not {config!r}")
        try:
            return PolicyConfig(policy, policy.parse_config(config))
        except ConfigError as error:
            raise error.below(f"{here}.{name}") from None
        except Exception as error:
            # A policy of the application's.
            raise ConfigError(
                f"{here}.{name}", f"the policy raised {type(error).__name__}: {error}"
            ) from error
    raise ConfigError(
        path, f"names no policy that is known here: {', '.join(unknown) or 'the list is empty'}"
    )
