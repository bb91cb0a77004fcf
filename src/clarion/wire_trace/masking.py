"""What a trace does not show: the values of headers and fields that are secrets.

Names are compared without case with shell patterns (`*` and `?`). What is masked shows its length and nothing else: the
first characters of a token are part of it, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

__all__ = ["SECRET_FIELDS", "SECRET_HEADERS", "Masking"]

SECRET_HEADERS = (
    "*authorization*",
    "*cookie*",
    "*token*",
    "*secret*",
    "*password*",
    "*passwd*",
    "*credential*",
    "*api-key*",
    "*apikey*",
    "*-assertion*",
    "*signature*",
    "*session*",
    "x-goog-iam-*",
    "x-amz-*",
)
"""The names of headers whose values are masked."""

SECRET_FIELDS = (
    "*password*",
    "*passwd*",
    "*secret*",
    "*credential*",
    "*private_key*",
    "*authorization*",
    "api*key*",
    "access*token",
    "auth*token",
    "bearer*token",
    "id_token",
    "idtoken",
    "jwt",
    "refresh*token",
    "session*token",
    "token",
)
"""The names of message fields whose values are masked, beside those with the option `debug_redact`.

So are the values of maps whose keys have such names, or those of secret headers."""


class Masking:
    """Which names are secrets.

    Args:
        headers: patterns for headers.
        fields: patterns for fields of messages.
    """

    def __init__(
        self, headers: Iterable[str] = SECRET_HEADERS, fields: Iterable[str] = SECRET_FIELDS
    ) -> None:
        self._headers = _pattern(headers)
        self._fields = _pattern(fields)

    def is_secret_header(self, name: str) -> bool:
        """Whether the value of the header `name` is masked."""
        return self._headers is not None and self._headers.match(name) is not None

    def is_secret_field(self, name: str) -> bool:
        """Whether the value of the message field `name` is masked."""
        return self._fields is not None and self._fields.match(name) is not None

    def is_secret_key(self, key: str) -> bool:
        """Whether what a map has for `key` is masked."""
        return self.is_secret_field(key) or self.is_secret_header(key)


def _pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    if isinstance(patterns, str):
        raise TypeError(f"pass a list of patterns, not the string {patterns!r}")
    translated = "|".join(map(translate, patterns))
    return re.compile(translated, re.IGNORECASE) if translated else None
