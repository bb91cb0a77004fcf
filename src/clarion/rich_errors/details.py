"""The standard details of errors (google/rpc/error_details.proto) as data classes.

Names and order of the fields are those of the messages. What a message leaves out is empty here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from clarion.rich_errors.protos import message_class

__all__ = [
    "BadRequest",
    "DebugInfo",
    "Detail",
    "ErrorInfo",
    "FieldViolation",
    "Help",
    "Link",
    "LocalizedMessage",
    "PreconditionFailure",
    "PreconditionViolation",
    "QuotaFailure",
    "QuotaViolation",
    "RequestInfo",
    "ResourceInfo",
    "RetryInfo",
    "pack",
    "unpack",
]


class _Value:
    """A value that equals what is made of it on the other side."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Sequence) and not isinstance(value, str | tuple):
                object.__setattr__(self, field.name, tuple(value))


@dataclasses.dataclass(frozen=True, slots=True)
class ErrorInfo(_Value):
    """Why a call failed, for programs.

    Attributes:
        reason: a constant, such as `QUOTA_EXCEEDED`, unique within `domain`.
        domain: who defines the reason, such as `books.example.com`.
        metadata: further facts.
    """

    reason: str = ""
    domain: str = ""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class RetryInfo(_Value):
    """When the client may try again.

    Attributes:
        retry_delay: seconds from the moment when the response came.
    """

    retry_delay: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class DebugInfo(_Value):
    """What helps developers. Not for clients outside of one's own house.

    Attributes:
        stack_entries: where the error came from, innermost first.
        detail: anything else.
    """

    stack_entries: Sequence[str] = ()
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class QuotaViolation(_Value):
    """A quota that was exceeded.

    Attributes:
        subject: whose it is, such as `project:books`.
        description: how it was exceeded.
        api_service: the service that it is of.
        quota_metric: what it counts.
        quota_id: its name.
        quota_dimensions: what it is counted by.
        quota_value: how much it is.
        future_quota_value: how much it is about to be, or None.
    """

    subject: str = ""
    description: str = ""
    api_service: str = ""
    quota_metric: str = ""
    quota_id: str = ""
    quota_dimensions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    quota_value: int = 0
    future_quota_value: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class QuotaFailure(_Value):
    """Which quotas were exceeded."""

    violations: Sequence[QuotaViolation] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class PreconditionViolation(_Value):
    """Something that has to be true first.

    Attributes:
        type: of what kind it is, such as `TOS`.
        subject: what it is about.
        description: what to do for it.
    """

    type: str = ""
    subject: str = ""
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PreconditionFailure(_Value):
    """What has to be true first."""

    violations: Sequence[PreconditionViolation] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class LocalizedMessage(_Value):
    """A text for people.

    Attributes:
        locale: its language, as in BCP 47: `en-US`.
        message: the text.
    """

    locale: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldViolation(_Value):
    """What is wrong with a field of the request.

    Attributes:
        field: the path to it, such as `book.authors[2].name`.
        description: what is wrong.
        reason: the same as a constant, for programs.
        localized_message: the same for people.
    """

    field: str = ""
    description: str = ""
    reason: str = ""
    localized_message: LocalizedMessage | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class BadRequest(_Value):
    """What is wrong with the request."""

    field_violations: Sequence[FieldViolation] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RequestInfo(_Value):
    """By what the service's owner finds the request in their logs.

    Attributes:
        request_id: whatever only they understand.
        serving_data: and what else they need.
    """

    request_id: str = ""
    serving_data: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceInfo(_Value):
    """The resource that the error is about.

    Attributes:
        resource_type: of what kind it is, such as `book`.
        resource_name: which one.
        owner: whose it is.
        description: what is wrong with it.
    """

    resource_type: str = ""
    resource_name: str = ""
    owner: str = ""
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Link(_Value):
    """Where to read more.

    Attributes:
        description: what is there.
        url: where.
    """

    description: str = ""
    url: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Help(_Value):
    """Where to read more."""

    links: Sequence[Link] = ()


Detail: TypeAlias = (
    BadRequest
    | DebugInfo
    | ErrorInfo
    | Help
    | LocalizedMessage
    | PreconditionFailure
    | QuotaFailure
    | RequestInfo
    | ResourceInfo
    | RetryInfo
)

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        BadRequest,
        DebugInfo,
        ErrorInfo,
        Help,
        LocalizedMessage,
        PreconditionFailure,
        QuotaFailure,
        RequestInfo,
        ResourceInfo,
        RetryInfo,
    )
}

# The classes within others, by the name of their field.
_PARTS: dict[tuple[str, str], Any] = {
    ("BadRequest", "field_violations"): FieldViolation,
    ("FieldViolation", "localized_message"): LocalizedMessage,
    ("Help", "links"): Link,
    ("PreconditionFailure", "violations"): PreconditionViolation,
    ("QuotaFailure", "violations"): QuotaViolation,
}

_PREFIX = "type.googleapis.com/"
_PACKAGE = "google.rpc."


def pack(detail: Any) -> Any:
    """A detail as `google.protobuf.Any`.

    Args:
        detail: a `Detail`, an `Any`, or another protobuf message.

    Raises:
        TypeError: it is none of these, or a field has a value of the wrong type.
        ValueError: a number is out of range.
    """
    from google.protobuf import any_pb2

    name = type(detail).__name__
    if _KINDS.get(name) is type(detail):
        message = message_class(name)()
        _fill(message, detail)
    else:
        message = detail
        if not hasattr(message, "SerializeToString") or not hasattr(message, "DESCRIPTOR"):
            raise TypeError(
                f"a detail is one of clarion.rich_errors or a protobuf message, not {name}"
            )
        if message.DESCRIPTOR.full_name == "google.protobuf.Any":
            return message
    return any_pb2.Any(
        type_url=_PREFIX + message.DESCRIPTOR.full_name, value=message.SerializeToString()
    )


def unpack(packed: Any) -> Any:
    """A detail from `google.protobuf.Any`; that itself, if it is of another type or malformed."""
    from google.protobuf.message import DecodeError

    kind = _KINDS.get(packed.type_url.rpartition("/")[2].removeprefix(_PACKAGE))
    if kind is None or _PACKAGE not in packed.type_url:
        return packed
    try:
        return _read(message_class(kind.__name__).FromString(packed.value), kind)
    except (DecodeError, OverflowError, ValueError):
        return packed


def _fill(message: Any, value: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name
    for field in dataclasses.fields(value):
        given = getattr(value, field.name)
        # An older googleapis-common-protos has not all of them.
        if given is None or field.name not in known:
            continue
        if field.name == "retry_delay":
            message.retry_delay.FromNanoseconds(round(given * 1e9))
        elif isinstance(given, Mapping):
            getattr(message, field.name).update(given)
        elif isinstance(given, str | int):
            setattr(message, field.name, given)
        elif dataclasses.is_dataclass(given):
            part = getattr(message, field.name)
            part.SetInParent()
            _fill(part, given)
        else:
            repeated = getattr(message, field.name)
            for each in given:
                if isinstance(each, str):
                    repeated.append(each)
                else:
                    _fill(repeated.add(), each)


def _read(message: Any, kind: Any) -> Any:
    known = message.DESCRIPTOR.fields_by_name
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        name = field.name
        if name not in known:
            continue
        part = _PARTS.get((kind.__name__, name))
        value = getattr(message, name)
        if name == "retry_delay":
            values[name] = value.seconds + value.nanos / 1e9
        elif isinstance(value, str | int):
            if name != "future_quota_value" or message.HasField(name):
                values[name] = value
        elif part is LocalizedMessage:
            values[name] = _read(value, part) if message.HasField(name) else None
        elif part is not None:
            values[name] = tuple(_read(each, part) for each in value)
        elif isinstance(value, Mapping):
            values[name] = dict(value)
        else:
            values[name] = tuple(value)
    return kind(**values)
