"""The labels of metrics: which methods and targets are named, and what optional ones say."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

from clarion.telemetry.definitions import OPTIONAL_LABELS

__all__ = ["CUSTOM", "Labelling", "call_label", "current_call_label"]

_LOG = logging.getLogger(__name__)

CUSTOM = "grpc.client.call.custom"
_PER_ATTEMPT = ("grpc.lb.backend_service", "grpc.lb.locality")
_OTHER = "other"

Filter = Callable[[str], bool]

current_call_label: ContextVar[str] = ContextVar("clarion_call_label", default="")


@contextlib.contextmanager
def call_label(value: str) -> Iterator[None]:
    """Within the block, calls have `value` as their label `grpc.client.call.custom` (gRFC A108).

    It is there only in metrics of plugins that were made with it among `optional_labels`. Use few different values: each
    makes time series of its own.
    """
    token = current_call_label.set(value)
    try:
        yield
    finally:
        current_call_label.reset(token)


class Labelling:
    """What a plugin's labels are.

    Args:
        optional: the optional labels that are wanted.
        target_filter: says whether a channel's target is named; else it is "other". None: it is.
        method_filter: says whether a method is named that is not registered; else it is "other". None: it is not.

    Attributes:
        custom: whether calls have the label that applications set.

    Raises:
        ValueError: one of `optional` is no optional label.
    """

    def __init__(
        self, optional: Iterable[str], target_filter: Filter | None, method_filter: Filter | None
    ) -> None:
        wanted = frozenset(optional)
        unknown = wanted - OPTIONAL_LABELS
        if unknown:
            raise ValueError(
                f"no optional labels: {', '.join(sorted(unknown))}; there are "
                f"{', '.join(sorted(OPTIONAL_LABELS))}"
            )
        self._wanted = wanted
        self.custom = CUSTOM in wanted
        # They are about xDS, and empty without it.
        self._per_attempt = {name: "" for name in _PER_ATTEMPT if name in wanted}
        self._target_filter = target_filter
        self._method_filter = method_filter

    def target(self, target: str) -> str:
        """The value of `grpc.target`."""
        return target if _asked(self._target_filter, target, True) else _OTHER

    def method(self, path: str, registered: bool) -> str:
        """The value of `grpc.method`."""
        name = path.removeprefix("/")
        return name if registered or _asked(self._method_filter, name, False) else _OTHER

    def wanted(self, optional: Iterable[str]) -> list[str]:
        """Those of some optional labels that are wanted."""
        return [name for name in optional if name in self._wanted]

    def attempt(self, labels: dict[str, str]) -> dict[str, str]:
        """Labels of an attempt that is over; those of its call, with what is optional."""
        return {**labels, **self._per_attempt}


def _asked(filter: Filter | None, value: str, default: bool) -> bool:
    if filter is None:
        return default
    try:
        return bool(filter(value))
    except Exception:
        _LOG.exception(
            "the filter of a telemetry plugin raised for %r, which is taken for no", value
        )
        return False
