"""JSON from others, read strictly: one meaning or none.

Names that come twice, numbers that are none, and nesting without end are errors: two readers could take them for
different things, and one of the two checks what the other one uses.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NoReturn

__all__ = ["MalformedJson", "decode_base64url", "read_object"]

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class MalformedJson(ValueError):
    """Not the JSON that was asked for; the message says why, and quotes nothing."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJson("a name comes twice in an object")
    return found


def _constant(_: str) -> NoReturn:
    raise MalformedJson("a number is not finite")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedJson("a number is not finite")
    return value


def read_object(data: bytes | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MalformedJson: it is none.
    """
    try:
        if isinstance(data, bytes):
            # Never the encodings that `json` guesses.
            data = data.decode("utf-8")
        value = json.loads(
            data, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float
        )
    except MalformedJson:
        raise
    except (ValueError, RecursionError):
        raise MalformedJson("it is no JSON") from None
    if not isinstance(value, dict):
        raise MalformedJson("it is no JSON object")
    return value


def decode_base64url(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515 §2).

    Raises:
        ValueError: it is something else.
    """
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
