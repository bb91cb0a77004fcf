"""What an application may say at the head of an answer, and what becomes of it (RFC 9110, RFC 9113 §8.2, RFC 9112 §6).

Rules it keeps: nothing that an application says can end a header field early or frame the message differently from how it is
sent. What belongs to a connection is the connection's to say, and is dropped; what cannot be sent at all is refused, and the
client gets 500.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from clarion.errors import LocalError
from clarion.web.http1.hop import CONNECTION

__all__ = ["AnswerHead", "BadAnswer", "Fields", "check_trailers", "checked_fields"]

Fields = tuple[tuple[bytes, bytes], ...]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_BAD_VALUE = re.compile(rb"[\0-\x08\x0a-\x1f\x7f]").search
# RFC 9110 §6.5.1: what routing, framing and caches rest on cannot come behind the body.
_NO_TRAILERS = CONNECTION | {
    b"cache-control",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"host",
    b"set-cookie",
}
_NO_CONTENT = 204
_NOT_MODIFIED = 304
_LEAST, _MOST = 200, 599


class BadAnswer(LocalError):
    """An application said something that cannot be sent."""


class AnswerHead:
    """The head of an answer.

    Args:
        status: the HTTP status.
        fields: its header fields, in any case.
        method: the request's.

    Attributes:
        fields: what is sent.
        length: what `content-length` promises, or None.
        bodiless: the answer has no body, whatever its fields say.
        complete: it is over with its head.
        close: the connection, if it is of HTTP/1.1, is to be closed afterwards.

    Raises:
        BadAnswer: it cannot be sent; says why.
    """

    __slots__ = ("bodiless", "close", "complete", "fields", "length", "status")

    def __init__(self, status: Any, fields: Iterable[tuple[bytes, bytes]], method: bytes) -> None:
        if type(status) is not int or not _LEAST <= status <= _MOST:
            raise BadAnswer(f"the status is {status!r}; it must be from {_LEAST} to {_MOST}")
        self.status = int(status)
        self.complete = self.status in (_NO_CONTENT, _NOT_MODIFIED)
        self.bodiless = self.complete or method == b"HEAD"
        self.close = False
        promised = []
        sent = []
        for name, value in checked_fields(fields):
            if name == b"content-length":
                promised.append(value)
            elif name == b"connection":
                self.close = self.close or b"close" in value.lower()
            elif name not in CONNECTION:
                sent.append((name, value))
        self.length = _length(promised)
        if self.length is not None and status != _NO_CONTENT:
            sent.append((b"content-length", b"%d" % self.length))
        self.fields: Fields = tuple(sent)

    def has(self, name: bytes) -> bool:
        """Whether it has the field."""
        return any(each == name for each, _value in self.fields)


def _length(values: list[bytes]) -> int | None:
    for value in values:
        if not value.isdigit() or len(value) > 18:
            raise BadAnswer(f"content-length is {value[:60]!r}, not a number")
        if int(value) != int(values[0]):
            raise BadAnswer("content-length occurs twice with different values")
    return int(values[0]) if values else None


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields that can be sent behind a body; the rest is dropped.

    Raises:
        BadAnswer: they cannot be sent.
    """
    return tuple(field for field in checked_fields(fields) if field[0] not in _NO_TRAILERS)


def checked_fields(fields: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """The fields as they are sent, names in lower case.

    Raises:
        BadAnswer: one cannot be sent; while they are iterated over.
    """
    for field in fields:
        try:
            name, value = field
            name, value = bytes(name).lower(), bytes(value).strip(b" \t")
        except (TypeError, ValueError):
            raise BadAnswer(f"{field!r} is no header field: a name and a value, in bytes") from None
        if not _NAME(name):
            raise BadAnswer(f"header name {name[:60]!r} has characters that HTTP forbids")
        if _BAD_VALUE(value):
            raise BadAnswer(f"the value of header {name[:60]!r} has characters that HTTP forbids")
        yield name, value
