"""Audit logs of authorization decisions (gRFC A59): what is logged, by whom, and a registry of loggers."""

from __future__ import annotations

import abc
import dataclasses
import datetime
import enum
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = [
    "AuditCondition",
    "AuditEvent",
    "AuditLogger",
    "Auditing",
    "build_logger",
    "register_audit_logger",
]

_LOG = logging.getLogger("clarion.auth")


@dataclasses.dataclass(frozen=True, slots=True)
class AuditEvent:
    """One decision.

    Attributes:
        rpc_method: `/package.Service/Method`.
        principal: who makes the call; empty if nobody is known.
        policy_name: the policy's name.
        matched_rule: the rule that decided; empty if none matched.
        authorized: whether the call may go on.
    """

    rpc_method: str
    principal: str
    policy_name: str
    matched_rule: str
    authorized: bool


class AuditLogger(abc.ABC):
    """Takes audit events. An asyncio server calls it on its event loop, so it must not block."""

    @abc.abstractmethod
    def log(self, event: AuditEvent) -> None:
        """Log a decision. What it raises is logged, and changes nothing."""


class AuditCondition(enum.Enum):
    """Which decisions are logged."""

    NONE = "NONE"
    ON_DENY = "ON_DENY"
    ON_ALLOW = "ON_ALLOW"
    ON_DENY_AND_ALLOW = "ON_DENY_AND_ALLOW"

    def applies(self, authorized: bool) -> bool:
        """Whether a decision is logged."""
        if self is AuditCondition.ON_DENY_AND_ALLOW:
            return True
        return self is (AuditCondition.ON_ALLOW if authorized else AuditCondition.ON_DENY)


@dataclasses.dataclass(frozen=True, slots=True)
class Auditing:
    """What a policy says of audit logs."""

    condition: AuditCondition = AuditCondition.NONE
    loggers: Sequence[AuditLogger] = ()

    def log(self, event: AuditEvent) -> None:
        """Log a decision for which the condition applies."""
        for logger in self.loggers:
            try:
                logger.log(event)
            except Exception:
                _LOG.exception("an audit logger raised")


Builder = Callable[[Mapping[str, Any]], AuditLogger]


class _StdoutLogger(AuditLogger):
    """JSON on standard output, a line for each event, in the form that gRPC's other implementations write."""

    _lock = threading.Lock()

    def log(self, event: AuditEvent) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
        entry = {"grpc_audit_log": {"timestamp": now, **dataclasses.asdict(event)}}
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        with self._lock:
            sys.stdout.write(line)
            sys.stdout.flush()


_builders: dict[str, Builder] = {"stdout_logger": lambda config: _StdoutLogger()}


def register_audit_logger(name: str, build: Builder) -> None:
    """Give policies a further kind of audit logger, before they are read.

    Args:
        name: as policies call it.
        build: called with the policy's `config` for it; returns the logger, or raises ValueError.
    """
    _builders[name] = build


def build_logger(name: str, config: Mapping[str, Any]) -> AuditLogger | None:
    """A logger; None if there is none of that name.

    Raises:
        ValueError: `config` does not suit it.
    """
    build = _builders.get(name)
    return None if build is None else build(config)
