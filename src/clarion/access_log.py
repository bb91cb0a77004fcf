"""A line of log for each call to a server: who called what, how it ended, how long it took, and how much went over.

It is an interceptor (`interceptor`, `aio_interceptor`), and writes by `logging`. The line is JSON or logfmt; each record
also has all of it as a dictionary, `record.call`, for formatters and handlers of the program.

Rules:

- Metadata, messages, tokens and claims are never written; of an identity, how it was proven and whose it is. The status
  message, which may say anything, only if asked for.
- What clients can choose is quoted and shortened, so that no line can be forged.
- A line that nobody wants costs next to nothing: it is made when a handler writes it.
"""

from __future__ import annotations

import datetime
import json
import logging
import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from clarion.auth.patterns import Pattern
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.interceptors import CallInterceptor, ServedCall
    from clarion.interceptors.aio import CallInterceptor as AioCallInterceptor

__all__ = ["LOGGER", "AccessLog", "aio_interceptor", "interceptor"]

LOGGER = "clarion.access"
"""The name of the logger that is written to."""

_LONGEST = 256
_BARE = re.compile(r"[!#-<>-~]+")


class AccessLog:
    """Writes the lines. `interceptor` and `aio_interceptor` make interceptors of one, for as many servers as one likes.

    Args:
        format: `json` or `logfmt`.
        logger: where to; the logger `clarion.access` if None.
        level: the level of the records.
        sample: which part of the calls that ended with OK is written, from 0 to 1. The others are written always.
        skip: methods that are left out, with the patterns of policies: `/grpc.health.v1.Health/*`.
        only: says of a call that is over whether it is written, if the rest agrees.
        extra: gives further fields for a call that is over.
        status_message: write the status message, too.

    Raises:
        ValueError: an argument cannot be used.
    """

    def __init__(
        self,
        *,
        format: Literal["json", "logfmt"] = "json",
        logger: logging.Logger | None = None,
        level: int = logging.INFO,
        sample: float = 1.0,
        skip: Iterable[str] = (),
        only: Callable[[ServedCall], bool] | None = None,
        extra: Callable[[ServedCall], Mapping[str, Any]] | None = None,
        status_message: bool = False,
    ) -> None:
        if format not in _LINES:
            raise ValueError(f"the format of an access log is 'json' or 'logfmt', not {format!r}")
        if not 0 <= sample <= 1:
            raise ValueError(f"sample is a part of the calls, from 0 to 1, not {sample!r}")
        self._line = _LINES[format]
        self._logger = logging.getLogger(LOGGER) if logger is None else logger
        self._level = level
        self._sample = sample
        if isinstance(skip, str):
            raise ValueError(f"skip is a list of patterns, not one: {skip!r}")
        self._skip = tuple(Pattern(text) for text in skip)
        self._only = only
        self._extra = extra
        self._status_message = status_message

    def write(self, call: ServedCall) -> None:
        """Write a line about a call that is over, if it is to be written."""
        if not self._logger.isEnabledFor(self._level):
            return
        if any(pattern.matches(call.method) for pattern in self._skip):
            return
        sampled = self._sample >= 1 or random.random() < self._sample  # nosec B311  # no secret
        if call.code is StatusCode.OK and not sampled:
            return
        if self._only is not None and not self._only(call):
            return
        fields = self._fields(call)
        self._logger.log(
            self._level, "%s", _Line(fields, self._line), extra={"call": fields}, stacklevel=2
        )

    def _fields(self, call: ServedCall) -> dict[str, Any]:
        code = call.code
        fields: dict[str, Any] = {
            "started": call.started_at,
            "method": call.method[:_LONGEST],
            "peer": call.peer,
            "status": None if code is None else code.name,
            "duration_ms": _milliseconds(call.duration),
            "first_response_ms": _milliseconds(call.first_response_after),
            "requests": call.requests,
            "responses": call.responses,
            "request_bytes": call.request_bytes,
            "response_bytes": call.response_bytes,
            "deadline_left_ms": _milliseconds(call.time_remaining()),
            "user_agent": call.user_agent[:_LONGEST],
        }
        identity = call.identity
        if identity is not None:
            fields["identity"] = identity.subject[:_LONGEST]
            fields["identity_method"] = identity.method
            if identity.issuer:
                fields["identity_issuer"] = identity.issuer[:_LONGEST]
        if call.exception is not None:
            fields["exception"] = type(call.exception).__name__
        if self._status_message:
            fields["message"] = call.details
        if self._extra is not None:
            fields.update(self._extra(call))
        return fields


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


class _Line:
    """The text of a record, made when it is written."""

    __slots__ = ("_fields", "_line")

    def __init__(self, fields: Mapping[str, Any], line: Callable[[Mapping[str, Any]], str]) -> None:
        self._fields = fields
        self._line = line

    def __str__(self) -> str:
        started = datetime.datetime.fromtimestamp(self._fields["started"], datetime.UTC)
        text = started.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._line({**self._fields, "started": text})


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, default=str, separators=(",", ":"))


def _logfmt(fields: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    # JSON's strings have no line breaks and no control characters.
    return text if _BARE.fullmatch(text) else json.dumps(text)


_LINES: dict[str, Callable[[Mapping[str, Any]], str]] = {"json": _json, "logfmt": _logfmt}


def interceptor(log: AccessLog | None = None) -> CallInterceptor:
    """An interceptor for `clarion.server` that writes an access log. It should be the first, to count what others refuse.

    Args:
        log: how; `AccessLog()` if None.
    """
    from clarion.interceptors import CallInterceptor

    write = (log or AccessLog()).write

    class Interceptor(CallInterceptor):
        def ended(self, call: ServedCall) -> None:
            write(call)

    return Interceptor()


def aio_interceptor(log: AccessLog | None = None) -> AioCallInterceptor:
    """The same for `clarion.aio.server`."""
    from clarion.interceptors.aio import CallInterceptor

    write = (log or AccessLog()).write

    class Interceptor(CallInterceptor):
        def ended(self, call: ServedCall) -> None:
            write(call)

    return Interceptor()
