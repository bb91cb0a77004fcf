"""JSON from a peer: UTF-8, of limited depth, with nothing that JSON does not have; and JSON for one.

Depth is looked at before the parser, which recurses: how deep it may go differs between versions of Python, and what has
been parsed costs many times its octets. Duplicate names are refused, since two readers need not take the same one.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

__all__ = ["MAX_DEPTH", "load_json", "to_json"]

MAX_DEPTH: Final = 100
"""How deep objects and arrays may be nested in each other; the same as protobuf's limit for messages."""

# Possessive, and with strings that do not end taken whole: whatever the text, each octet is looked at once.
_TOKEN: Final = re.compile(rb'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def load_json(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Parse a JSON text.

    Raises:
        ValueError: it is none, is not UTF-8, is nested too deeply, has a name twice in an object, or a number that
            Python does not take (beyond 4,300 digits).
    """
    if data.count(b"[") + data.count(b"{") > max_depth:
        _check_depth(data, max_depth)
    return _DECODER.decode(data.decode("utf-8"))


def _check_depth(data: bytes, max_depth: int) -> None:
    depth = 0
    for token in _TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise ValueError(f"it is nested more than {max_depth} levels deep")
        elif first in b"]}":
            depth -= 1


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        last = {name: place for place, (name, _) in enumerate(pairs)}
        name = next(name for place, (name, _) in enumerate(pairs) if last[name] != place)
        raise ValueError(f"an object has the name {name[:40]!r} twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Made once: `json` makes another for every call that is not its usual one.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
_ENCODERS: Final = {
    sort: json.JSONEncoder(
        separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=sort
    )
    for sort in (False, True)
}


def to_json(value: Any, *, sort: bool = False) -> bytes:
    """JSON for machines and people; lone surrogates, which UTF-8 has no form for, become question marks.

    Args:
        value: plain values.
        sort: put names in order, so that equal values are equal octets.

    Raises:
        ValueError: a number that is none or is infinite.
    """
    return _ENCODERS[sort].encode(value).encode("utf-8", "replace")
