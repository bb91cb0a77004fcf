"""Calls whose exceptions are logged."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

__all__ = ["Outcome", "call_logging_exceptions", "with_exceptions_logged"]

_LOG = logging.getLogger("clarion")


@dataclass(frozen=True)
class Outcome:
    """How a call ended: its kind, and the return value or the exception."""

    @unique
    class Kind(Enum):
        """Whether the call returned or raised."""

        RETURNED = "returned"
        RAISED = "raised"

    kind: Kind
    return_value: Any
    exception: BaseException | None


def call_logging_exceptions(
    behavior: Callable[..., Any], message: str, *args: Any, **kwargs: Any
) -> Outcome:
    """Call `behavior(*args, **kwargs)`; log what it raises under `message`."""
    try:
        return Outcome(Outcome.Kind.RETURNED, behavior(*args, **kwargs), None)
    except Exception as error:
        _LOG.exception(message)
        return Outcome(Outcome.Kind.RAISED, None, error)


def with_exceptions_logged(behavior: Callable[..., Any], message: str) -> Callable[..., Outcome]:
    """Wrap `behavior` in `call_logging_exceptions`."""
    return functools.partial(call_logging_exceptions, behavior, message)
