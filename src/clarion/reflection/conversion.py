"""From plain values to messages of a server's types, and back.

A mapping says fields by their names in the .proto file, or by their JSON names. What is not a field is refused with the
names that are near to it, and what does not fit a field with the way to it.
"""

from __future__ import annotations

import contextlib
import datetime
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["near", "new_message", "to_dict"]

# Messages that stand for a value which JSON has, too.
_JSON_VALUES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Any Duration FieldMask ListValue Struct Timestamp Value BoolValue BytesValue DoubleValue FloatValue"
        " Int32Value Int64Value StringValue UInt32Value UInt64Value"
    ).split()
)


def near(name: str, names: Iterable[str]) -> str:
    """What to say of a name that there is not: which one may be meant, or which there are."""
    known = list(dict.fromkeys(names))
    meant = difflib.get_close_matches(name, known, 3)
    if not meant:
        lower = {each.lower(): each for each in known}
        meant = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, 3)]
    if meant:
        return f"did you mean {' or '.join(meant)}?"
    shown = ", ".join(sorted(known)[:20]) + (", ..." if len(known) > 20 else "")
    return f"there are {shown}" if known else "there are none"


def to_dict(message: Any, *, pool: Any = None) -> dict[str, Any]:
    """A message as a dictionary, as its JSON form has it, but with the names of fields as in the .proto file.

    64-bit integers are texts there, bytes are base64, enums are names, and fields that are not set are missing.

    Args:
        message: any message.
        pool: where to look for the types in `google.protobuf.Any`; None: where the message's own type is from.
    """
    from google.protobuf import json_format

    if pool is None:
        pool = message.DESCRIPTOR.file.pool
    result: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, descriptor_pool=pool
    )
    return result


def new_message(message_class: Any, value: Any, fields: Mapping[str, Any] | None = None) -> Any:
    """A message made of what a caller gave.

    Args:
        message_class: whose.
        value: a message of that type, even if generated elsewhere; a mapping; or None for an empty one.
        fields: further fields, by name.

    Raises:
        TypeError, ValueError: it does not fit; says where.
    """
    if type(value) is message_class and not fields:
        return value
    message = message_class()
    if value is not None:
        _assign(message, value, message.DESCRIPTOR.full_name)
    if fields:
        _fill(message, fields, message.DESCRIPTOR.full_name)
    return message


def _assign(message: Any, value: Any, where: str) -> None:
    described = message.DESCRIPTOR
    theirs = getattr(value, "DESCRIPTOR", None)
    if theirs is not None:
        if theirs.full_name != described.full_name:
            raise TypeError(f"{where} must be a {described.full_name}, not a {theirs.full_name}")
        message.MergeFromString(value.SerializeToString())
    elif described.full_name in _JSON_VALUES:
        _assign_json(message, value, where)
    elif isinstance(value, Mapping):
        _fill(message, value, where)
    else:
        raise TypeError(
            f"{where} must be a mapping or a {described.full_name}, not {type(value).__name__}"
        )


def _assign_json(message: Any, value: Any, where: str) -> None:
    from google.protobuf import json_format

    fields = message.DESCRIPTOR.fields_by_name
    try:
        if isinstance(value, datetime.datetime) and hasattr(message, "FromDatetime"):
            message.FromDatetime(value)
        elif isinstance(value, datetime.timedelta) and hasattr(message, "FromTimedelta"):
            message.FromTimedelta(value)
        elif isinstance(value, bytes) and "value" in fields:
            message.value = value
        elif isinstance(value, Mapping) and "fields" not in fields and set(value) <= set(fields):
            _fill(message, value, where)
        else:
            json_format.ParseDict(value, message, descriptor_pool=message.DESCRIPTOR.file.pool)
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise ValueError(f"{where} is no {message.DESCRIPTOR.full_name}: {error}") from None


def _fill(message: Any, values: Mapping[str, Any], where: str) -> None:
    described = message.DESCRIPTOR
    for name, value in values.items():
        field = described.fields_by_name.get(name) or described.fields_by_camelcase_name.get(name)
        if field is None:
            known = near(str(name), described.fields_by_name)
            raise ValueError(f"{where} has no field {name!r}: {known}")
        if value is not None:
            _set(message, field, value, f"{where}.{field.name}")


def _set(message: Any, field: Any, value: Any, where: str) -> None:
    if _is_map(field):
        _set_map(getattr(message, field.name), field, value, where)
    elif _is_repeated(field):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise TypeError(f"{where} is repeated: give a list, not {type(value).__name__}")
        target = getattr(message, field.name)
        for index, each in enumerate(value):
            place = f"{where}[{index}]"
            if field.message_type is None:
                with _fits(field, each, place):
                    target.append(_scalar(field, each, place))
            else:
                _assign(target.add(), each, place)
    elif field.message_type is None:
        with _fits(field, value, where):
            setattr(message, field.name, _scalar(field, value, where))
    else:
        target = getattr(message, field.name)
        target.SetInParent()
        _assign(target, value, where)


def _set_map(target: Any, field: Any, value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{where} is a map: give a mapping, not {type(value).__name__}")
    from google.protobuf import message_factory

    entry: Any = message_factory.GetMessageClass(field.message_type)()
    keys, values = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    for key, each in value.items():
        place = f"{where}[{key!r}]"
        with _fits(keys, key, f"the key of {place}"):
            # Maps do not say which of the two they do not like.
            entry.key = key
        if values.message_type is None:
            with _fits(values, each, place):
                target[key] = _scalar(values, each, place)
        else:
            _assign(target[key], each, place)


class _NoSuchValue(ValueError):
    """It says all there is to say."""


@contextlib.contextmanager
def _fits(field: Any, value: Any, where: str) -> Iterator[None]:
    """Say of a value that protobuf refuses what it should be."""
    try:
        yield
    except _NoSuchValue:
        raise
    except (TypeError, ValueError) as error:
        from google.protobuf.descriptor_pb2 import FieldDescriptorProto

        kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        given = repr(value)
        given = given if len(given) <= 60 else f"{given[:60]}..."
        failure = TypeError if isinstance(error, TypeError) else ValueError
        raise failure(f"{where} must be a {kind}, which {given} is not") from None


def _scalar(field: Any, value: Any, where: str) -> Any:
    if field.enum_type is not None and isinstance(value, str):
        number = field.enum_type.values_by_name.get(value)
        if number is None:
            known = near(value, field.enum_type.values_by_name)
            raise _NoSuchValue(
                f"{where}: {field.enum_type.full_name} has no value {value!r}: {known}"
            )
        return number.number
    return value


def _is_repeated(field: Any) -> bool:
    # `label` is on its way out of protobuf, `is_repeated` is not in all releases yet.
    repeated = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if repeated is None else bool(repeated)


def _is_map(field: Any) -> bool:
    kind = field.message_type
    return kind is not None and _is_repeated(field) and bool(kind.GetOptions().map_entry)
