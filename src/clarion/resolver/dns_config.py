"""Service configs in TXT records: which of several choices is this client's (gRFC A2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["choose_config"]

_ATTRIBUTE = "grpc_config="
_LANGUAGE = "python"
_MEMBERS = {"clientLanguage", "clientHostname", "percentage", "serviceConfig"}


class _Bad(Exception):
    """The choices are none; says where and why."""


def choose_config(
    texts: Iterable[str], percentage: float, hostname: str
) -> tuple[Mapping[str, Any] | None, str]:
    """The service config that a client takes.

    Args:
        texts: the TXT records of the name, of which the first one that is about service configs counts.
        percentage: a number from 0 up to 100: the client's own.
        hostname: the client's machine.

    Returns:
        The config, or None where no choice is for this client; and what is wrong with the record, or "".
    """
    for text in texts:
        if text.startswith(_ATTRIBUTE):
            try:
                return _choose(text.removeprefix(_ATTRIBUTE), percentage, hostname), ""
            except _Bad as error:
                return None, f"TXT record of the service config: {error}"
    return None, ""


def _choose(text: str, percentage: float, hostname: str) -> Mapping[str, Any] | None:
    try:
        choices = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Bad(f"not JSON: {error}") from None
    if not isinstance(choices, list):
        raise _Bad("must be a list of choices")
    # All of them: a mistake in one that others take is a mistake all the same.
    fitting = [
        choice["serviceConfig"]
        for index, choice in enumerate(choices)
        if _fits(choice, f"[{index}]", percentage, hostname)
    ]
    config: Mapping[str, Any] | None = fitting[0] if fitting else None
    return config


def _fits(choice: Any, path: str, percentage: float, hostname: str) -> bool:
    if not isinstance(choice, dict):
        raise _Bad(f"{path}: must be an object")
    unknown = sorted(choice.keys() - _MEMBERS)
    if unknown:
        raise _Bad(f"{path}.{unknown[0]}: not a member of a choice")
    if not isinstance(choice.get("serviceConfig"), dict):
        raise _Bad(f"{path}.serviceConfig: must be an object")
    languages = _strings(choice, "clientLanguage", path)
    hostnames = _strings(choice, "clientHostname", path)
    share = choice.get("percentage")
    if share is not None and not (type(share) is int and 0 <= share <= 100):
        raise _Bad(f"{path}.percentage: must be a whole number from 0 to 100")
    return (
        (not languages or _LANGUAGE in map(str.lower, languages))
        and (not hostnames or hostname in hostnames)
        and (share is None or percentage < share)
    )


def _strings(choice: Mapping[str, Any], member: str, path: str) -> list[str]:
    value = choice.get(member)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Bad(f"{path}.{member}: must be a list of strings")
    return value
