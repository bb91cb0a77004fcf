"""Reading JSON objects whose form a protobuf message gives (grpc.service_config), with errors that say where.

A member's name may be in lowerCamelCase, as protobuf's JSON writes it, or as the message has it, in snake_case. `null`
is as good as no member. Members that nobody asks for are left alone: they are for other implementations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.registry import PolicyConfig, parse_policy_list

__all__ = [
    "ConfigReader",
    "count",
    "duration",
    "flag",
    "number",
    "policy",
    "positive",
    "shown",
    "text",
    "texts",
]

_Value = TypeVar("_Value")

# Of google.protobuf.Duration.
_LONGEST = 315_576_000_000


class ConfigReader:
    """One JSON object.

    Args:
        members: the object.
        path: where it stands; "" is the whole.
    """

    def __init__(self, members: Mapping[str, Any], path: str = "") -> None:
        self.members = members
        self.path = path

    @classmethod
    def of(cls, value: Any, path: str) -> ConfigReader:
        """Read `value`, which has to be an object; usable as a `read` of `get`.

        Raises:
            ConfigError: it is none.
        """
        if not isinstance(value, Mapping):
            raise ConfigError(path, f"must be an object, not {shown(value)}")
        return cls(value, path)

    def below(self, name: str) -> str:
        """The path of the member `name`."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str, read: Callable[[Any, str], _Value]) -> _Value | None:
        """Read the member `name` (in lowerCamelCase) by `read(value, path)`; None if there is none."""
        value = self.members.get(name)
        if value is None:
            value = self.members.get(re.sub("[A-Z]", lambda at: "_" + at[0].lower(), name))
        return None if value is None else read(value, self.below(name))

    def require(self, name: str, read: Callable[[Any, str], _Value]) -> _Value:
        """The same for a member that must be there.

        Raises:
            ConfigError: it is not.
        """
        value = self.get(name, read)
        if value is None:
            raise ConfigError(self.below(name), "is missing")
        return value


def shown(value: Any) -> str:
    """A value as errors show it: not at length."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def text(value: Any, path: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ConfigError(path, f"must be a string, not {shown(value)}")
    return value


def texts(value: Any, path: str) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(path, f"must be a list of strings, not {shown(value)}")
    return tuple(text(entry, f"{path}[{index}]") for index, entry in enumerate(value))


def flag(value: Any, path: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ConfigError(path, f"must be true or false, not {shown(value)}")
    return value


def number(value: Any, path: str) -> float:
    """A finite number; protobuf's JSON may have it as a string."""
    found = value
    if isinstance(value, str):
        try:
            found = float(value)
        except ValueError:
            pass
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < 1e300:
        raise ConfigError(path, f"must be a number, not {shown(value)}")
    return float(found)


def positive(value: Any, path: str) -> float:
    """A number greater than 0."""
    found = number(value, path)
    if found <= 0:
        raise ConfigError(path, f"must be greater than 0, not {shown(value)}")
    return found


def count(value: Any, path: str) -> int:
    """A whole number, 0 or more."""
    found = number(value, path)
    if found < 0 or not found.is_integer():
        raise ConfigError(path, f"must be a whole number, 0 or more, not {shown(value)}")
    return int(found)


def duration(value: Any, path: str) -> float:
    """Seconds, written as in `"1.5s"`."""
    match = (
        re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s", value) if isinstance(value, str) else None
    )
    if match is None or float(match[1]) > _LONGEST:
        raise ConfigError(path, f'must be a duration such as "1.5s", not {shown(value)}')
    return float(match[1])


def policy(value: Any, path: str) -> PolicyConfig:
    """A load-balancing policy, as in `loadBalancingConfig`."""
    return parse_policy_list(value, path)
