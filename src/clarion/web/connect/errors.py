"""Errors as JSON, and what they are in gRPC.

Rules kept (Connect, "Error and EndStreamResponse"): a code by its name, a message, details as unpadded base64 of a message
with its type, and the same again as JSON under `debug`, where the type is known here, for people to read. Whatever is
wrong with a received error, there is one: its code then is what the HTTP status says, or UNKNOWN; details that cannot be read
are left out, and `debug` is never looked at.

In gRPC the details are a `google.rpc.Status` in the trailing metadata `grpc-status-details-bin`. Here they go from there into
the error, and from the error to there, so that `clarion.rich_errors` works the same over all protocols.
"""

from __future__ import annotations

import binascii
from typing import Any, Final, NamedTuple

from clarion.metadata import Metadatum
from clarion.protocol.outcome import Outcome
from clarion.rich_errors.protos import message_class
from clarion.status import StatusCode
from clarion.web.connect.codes import code_name, code_of
from clarion.web.fields import Fields
from clarion.web.json_text import load_json, to_json

__all__ = [
    "DETAILS_KEY",
    "ConnectError",
    "Detail",
    "decode_error",
    "encode_error",
    "error_of",
    "error_object",
    "outcome_of_error",
    "read_error",
]

DETAILS_KEY: Final = "grpc-status-details-bin"

_PREFIX: Final = "type.googleapis.com/"
_DETAILS: Final = DETAILS_KEY.encode()


class Detail(NamedTuple):
    """One detail of an error.

    Attributes:
        type: the full name of its message.
        value: the message, serialized.
        debug: the same as plain values for JSON, or None.
    """

    type: str
    value: bytes
    debug: Any = None


class ConnectError(NamedTuple):
    """An error as Connect has it.

    Attributes:
        code: the status; not OK.
        message: for people; "" if there is none.
        details: in their order.
    """

    code: StatusCode
    message: str = ""
    details: tuple[Detail, ...] = ()


# To JSON and back


def error_object(error: ConnectError) -> dict[str, Any]:
    """An error as plain values for JSON."""
    found: dict[str, Any] = {"code": code_name(error.code)}
    if error.message:
        found["message"] = error.message
    if error.details:
        found["details"] = [_detail_object(detail) for detail in error.details]
    return found


def _detail_object(detail: Detail) -> dict[str, Any]:
    value = binascii.b2a_base64(detail.value, newline=False).rstrip(b"=").decode()
    found: dict[str, Any] = {"type": detail.type, "value": value}
    if detail.debug is not None:
        found["debug"] = detail.debug
    return found


def encode_error(error: ConnectError) -> bytes:
    """The body of a unary answer that is an error."""
    return to_json(error_object(error))


def decode_error(body: bytes, fallback: StatusCode, why: str = "") -> ConnectError:
    """Read the body of a unary answer that is an error.

    Args:
        body: as it came, uncompressed.
        fallback: the code that the HTTP status stands for.
        why: the message of what is no error of Connect.
    """
    try:
        value = load_json(body)
    except (ValueError, RecursionError):
        return ConnectError(fallback, why)
    return read_error(value, fallback, why)


def read_error(value: Any, fallback: StatusCode, why: str = "") -> ConnectError:
    """Read an error out of JSON's values; see `decode_error`."""
    if not isinstance(value, dict):
        return ConnectError(fallback, why)
    code = code_of(value.get("code"))
    message = value.get("message")
    details = value.get("details")
    return ConnectError(
        code or fallback,
        # A server of Connect may have none to tell.
        _clean(message) if isinstance(message, str) else "" if code else why,
        tuple(
            detail
            for detail in map(_read_detail, details if isinstance(details, list) else ())
            if detail is not None
        ),
    )


def _read_detail(value: Any) -> Detail | None:
    if not isinstance(value, dict):
        return None
    name, text = value.get("type"), value.get("value")
    if not isinstance(name, str) or not isinstance(text, str) or not name:
        return None
    try:
        data = _from_base64(text.encode("ascii"))
    except ValueError:
        return None
    # Some senders give what google.protobuf.Any has.
    return Detail(_clean(name).rpartition("/")[2], data)


def _from_base64(text: bytes) -> bytes:
    """Padded or not.

    Raises:
        ValueError: it is none.
    """
    text = text.rstrip(b"=")
    if b"=" in text:
        raise ValueError("padding stands at the end alone")
    return binascii.a2b_base64(text + b"=" * (-len(text) & 3), strict_mode=True)


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON's escapes can make and UTF-8 has no form for."""
    return text.encode("utf-8", "replace").decode("utf-8")


# To gRPC and back


def error_of(code: StatusCode, message: str, trailing: Fields) -> tuple[ConnectError, Fields]:
    """What a call that failed is in Connect.

    Args:
        code: the status; not OK.
        message: the status message.
        trailing: the trailing metadata, encoded.

    Returns:
        The error, and the trailing metadata without what went into it.
    """
    packed = [value for name, value in trailing if name == _DETAILS]
    if not packed:
        return ConnectError(code, message), trailing
    rest = tuple(field for field in trailing if field[0] != _DETAILS)
    return ConnectError(code, message, _from_status(packed[0])), rest


def _from_status(value: bytes) -> tuple[Detail, ...]:
    from google.protobuf.message import DecodeError

    try:
        status = message_class("Status").FromString(_from_base64(value))
    except (DecodeError, ValueError):
        return ()
    names = [packed.type_url.rpartition("/")[2] for packed in status.details]
    return tuple(
        Detail(name, packed.value, _debug(name, packed.value))
        for name, packed in zip(names, status.details, strict=True)
    )


def _debug(type: str, data: bytes) -> Any:
    """A detail as plain values, where its type is known here and it can be read; else None."""
    from google.protobuf import descriptor_pool, json_format, message_factory

    try:
        described = descriptor_pool.Default().FindMessageTypeByName(type)
        message = message_factory.GetMessageClass(described).FromString(data)
        return json_format.MessageToDict(message)
    except Exception:
        # It is for people, and the error must not be lost for it. What protobuf raises differs by type and runtime.
        return None


def outcome_of_error(error: ConnectError, metadata: tuple[Metadatum, ...] = ()) -> Outcome:
    """What a call that ended with an error is in gRPC.

    Args:
        error: as the server sent it.
        metadata: the trailing metadata.
    """
    if error.details:
        status = message_class("Status")(code=error.code.value[0], message=error.message)
        for detail in error.details:
            status.details.add(type_url=_PREFIX + detail.type, value=detail.value)
        metadata = (
            *(each for each in metadata if each.key != DETAILS_KEY),
            Metadatum(DETAILS_KEY, status.SerializeToString()),
        )
    return Outcome(error.code, error.message, metadata)
