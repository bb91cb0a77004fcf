"""Recorded sessions as text: one JSON object a line, in the order in which the calls began.

    {"session": 1}
    {"call": 1, "method": "/shop.Prices/Get", "metadata": [["x-user", "ada"], ["authorization", "***"]],
     "messages": [{"request": {"base64": "CgVhcHBsZQ==", "json": {"item": "apple"}}}, {"end_of_requests": true},
                  {"response": {"base64": "CAU=", "json": {"price": 5}}}],
     "initial_metadata": [], "code": "OK", "details": "", "trailing_metadata": []}

Messages are in the order in which they passed. `json` is there where the type of the message is known to the process that
records; it is for people, unless `base64` is taken out: then it is what is replayed. Binary metadata is Base64.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import os
from collections.abc import Iterable
from typing import Any

from clarion.descriptors import method_descriptor
from clarion.status import StatusCode

__all__ = [
    "END_OF_REQUESTS",
    "MASK",
    "RecordedCall",
    "SessionError",
    "describe",
    "dump",
    "load",
    "same_message",
]

_VERSION = 1
MASK = "***"
"""What stands in place of a secret."""

END_OF_REQUESTS = "end_of_requests"
_KINDS = ("request", "response", END_OF_REQUESTS)
_MOST_SHOWN = 300

Pairs = list[tuple[str, str | bytes]]


class SessionError(AssertionError):
    """A session is not as it was recorded, or its file cannot be read."""


@dataclasses.dataclass
class RecordedCall:
    """One call.

    Attributes:
        number: which one it is, from 1.
        method: `/package.Service/Method`.
        metadata, initial_metadata, trailing_metadata: pairs.
        messages: `("request", bytes)`, `("response", bytes)` and `("end_of_requests", b"")` as they passed.
        code, details: the status.
        line: where it is in the file it was read from.
    """

    number: int
    method: str
    metadata: Pairs = dataclasses.field(default_factory=list)
    messages: list[tuple[str, bytes]] = dataclasses.field(default_factory=list)
    initial_metadata: Pairs = dataclasses.field(default_factory=list)
    code: StatusCode = StatusCode.UNKNOWN
    details: str = ""
    trailing_metadata: Pairs = dataclasses.field(default_factory=list)
    line: int = 0


# Writing


def dump(calls: Iterable[RecordedCall]) -> str:
    """The text of a session. Secrets were masked before."""
    lines: list[dict[str, Any]] = [{"session": _VERSION}]
    lines += [_call_out(call) for call in sorted(calls, key=lambda each: each.number)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _call_out(call: RecordedCall) -> dict[str, Any]:
    return {
        "call": call.number,
        "method": call.method,
        "metadata": _pairs_out(call.metadata),
        "messages": [_message_out(call.method, *each) for each in call.messages],
        "initial_metadata": _pairs_out(call.initial_metadata),
        "code": call.code.name,
        "details": call.details,
        "trailing_metadata": _pairs_out(call.trailing_metadata),
    }


def _pairs_out(pairs: Pairs) -> list[list[str]]:
    return [
        [key, base64.b64encode(value).decode() if isinstance(value, bytes) else value]
        for key, value in pairs
    ]


def _message_out(method: str, kind: str, data: bytes) -> dict[str, Any]:
    if kind == END_OF_REQUESTS:
        return {kind: True}
    written: dict[str, Any] = {"base64": base64.b64encode(data).decode()}
    message = _parsed(method, kind, data)
    if message is not None:
        from google.protobuf import json_format

        try:
            written["json"] = json_format.MessageToDict(message, preserving_proto_field_name=True)
        except Exception:
            # An Any of a type that this process does not know; the bytes are there.
            written.pop("json", None)
    return {kind: written}


# Reading


def load(path: str | os.PathLike[str]) -> list[RecordedCall]:
    """The calls of a session.

    Raises:
        OSError: the file cannot be read.
        SessionError: it is no recorded session; says in which line, and what is wrong.
    """
    calls = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise ValueError("no JSON object")
                if "session" in fields:
                    if fields["session"] != _VERSION:
                        raise ValueError(f"a session of version {fields['session']!r}")
                    continue
                calls.append(_call_in(fields, number))
            except (ValueError, KeyError, TypeError, binascii.Error) as error:
                what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
                raise SessionError(f"{os.fspath(path)}, line {number}: {what}") from error
    return sorted(calls, key=lambda each: each.number)


def _call_in(fields: dict[str, Any], line: int) -> RecordedCall:
    method = fields["method"]
    code = fields["code"]
    if code not in StatusCode.__members__:
        raise ValueError(f"{code!r} is no status code")
    return RecordedCall(
        number=int(fields["call"]),
        method=method,
        metadata=_pairs_in(fields.get("metadata", [])),
        messages=[_message_in(method, each) for each in fields["messages"]],
        initial_metadata=_pairs_in(fields.get("initial_metadata", [])),
        code=StatusCode[code],
        details=fields.get("details", ""),
        trailing_metadata=_pairs_in(fields.get("trailing_metadata", [])),
        line=line,
    )


def _pairs_in(pairs: list[list[str]]) -> Pairs:
    return [(key, _value_in(value) if key.endswith("-bin") else value) for key, value in pairs]


def _value_in(text: str) -> bytes:
    return MASK.encode() if text == MASK else base64.b64decode(text, validate=True)


def _message_in(method: str, entry: dict[str, Any]) -> tuple[str, bytes]:
    (kind,) = entry
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(_KINDS)}")
    if kind == END_OF_REQUESTS:
        return kind, b""
    written = entry[kind]
    if "base64" in written:
        return kind, base64.b64decode(written["base64"], validate=True)
    message = _parsed(method, kind, b"")
    if message is None:
        raise ValueError(
            f"a {kind} has no base64, and the type of its json is not known; import the generated module of "
            f"the messages of {method} first"
        )
    from google.protobuf import json_format

    try:
        json_format.ParseDict(written["json"], message)
    except (json_format.ParseError, TypeError) as error:
        raise ValueError(f"the json of a {kind}: {error}") from error
    return kind, message.SerializeToString()


# Messages whose type is known


def _parsed(method: str, kind: str, data: bytes) -> Any:
    """The message, or None if its type is not known or it is none of that type."""
    try:
        described = method_descriptor(method)
    except (LookupError, ImportError):
        return None
    from google.protobuf import message, message_factory

    of = described.input_type if kind == "request" else described.output_type
    try:
        return message_factory.GetMessageClass(of).FromString(data)
    except message.DecodeError:
        return None


def same_message(method: str, kind: str, one: bytes, other: bytes) -> bool:
    """Whether two messages mean the same: the order of a map's entries may differ."""
    if one == other:
        return True
    first = _parsed(method, kind, one)
    return first is not None and bool(first == _parsed(method, kind, other))


def describe(method: str, kind: str, data: bytes) -> str:
    """A message in a few words."""
    parsed = _parsed(method, kind, data)
    if parsed is None:
        text = f"{len(data)} bytes {data!r}"
    else:
        text = "{" + " ".join(str(parsed).split()) + "}"
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
