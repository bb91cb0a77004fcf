"""Protobuf messages as text, from their bytes: with names and types where a descriptor is there, else by field numbers.

It reads bytes and makes no message, so it also shows the beginning of a message that is not there as a whole, and bytes that
are no message. Rules it keeps:

- The text is never longer than was asked for, by more than a few characters, and takes time in proportion to it and the bytes.
- A field that is a secret is not shown, nor anything of it that is broken.
- Nothing raises but for errors of this module.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from clarion.wire_trace.escaping import quote
from clarion.wire_trace.masking import Masking

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

__all__ = ["describe_message"]

_DEEPEST = 50
_LAST_FIELD = (1 << 29) - 1
# How far a field of unknown type is looked at, to see whether it is a message.
_GUESSED_BYTES = 4096

_VARINT, _FIXED64, _LENGTH, _START, _END, _FIXED32 = range(6)

# FieldDescriptor.TYPE_*, which are descriptor.proto's numbers.
_DOUBLE, _FLOAT, _INT64, _UINT64, _INT32, _FIXED_64, _FIXED_32, _BOOL, _STRING, _GROUP = range(
    1, 11
)
_MESSAGE, _BYTES, _UINT32, _ENUM, _SFIXED32, _SFIXED64, _SINT32, _SINT64 = range(11, 19)
_WIRE_TYPES: Final = {
    **dict.fromkeys((_DOUBLE, _FIXED_64, _SFIXED64), _FIXED64),
    **dict.fromkeys((_FLOAT, _FIXED_32, _SFIXED32), _FIXED32),
    **dict.fromkeys((_STRING, _BYTES, _MESSAGE), _LENGTH),
    _GROUP: _START,
}
_FIXED: Final = {
    _DOUBLE: "<d",
    _FIXED_64: "<Q",
    _SFIXED64: "<q",
    _FLOAT: "<f",
    _FIXED_32: "<I",
    _SFIXED32: "<i",
}


class _Broken(Exception):
    """The bytes are no message, or end in the middle."""


class _Full(Exception):
    """The text is as long as it may be."""


def describe_message(
    data: bytes, descriptor: Descriptor | None, masking: Masking, limit: int, missing: int = 0
) -> str:
    """A message on one line.

    Args:
        data: serialized.
        descriptor: what it is; None if that is not known.
        masking: which fields are secrets.
        limit: about how many characters to show.
        missing: how many bytes of the message `data` lacks at its end.
    """
    writer = _Writer(masking, limit)
    try:
        if descriptor is None and (
            (data and _is_text(data)) or not (missing or _is_message(data, 1 << 20))
        ):
            # Some bytes are text and a message; whoever sends such a message hardly ever means that.
            writer.add(quote(data, limit))
        else:
            writer.message(data, 0, len(data), descriptor, 0)
    except _Full:
        return writer.text() + " ..."
    except _Broken as broken:
        if missing:
            return f"{writer.text()} ... ({missing} more bytes)".lstrip()
        return f"{writer.text()} <not a valid message: {broken}>".lstrip()
    return writer.text() + (f" ... ({missing} more bytes)" if missing else "")


class _Writer:
    def __init__(self, masking: Masking, limit: int) -> None:
        self._masking = masking
        self._left = limit
        self._parts: list[str] = []

    def text(self) -> str:
        return " ".join(self._parts)

    def add(self, text: str) -> None:
        if len(text) > self._left:
            self._parts.append(text[: self._left])
            raise _Full
        self._left -= len(text) + 1
        self._parts.append(text)

    def message(
        self,
        data: bytes,
        at: int,
        end: int,
        descriptor: Descriptor | None,
        depth: int,
        *,
        group: bool = False,
    ) -> int:
        """Show the fields from `at` to `end`, or to the end of the `group`; return where that is."""
        if depth > _DEEPEST:
            raise _Broken("too deep")
        if descriptor is not None and at < end:
            if descriptor.full_name == "google.protobuf.Any":
                self._any(data[at:end], descriptor, depth)
                return end
            if self._secret_entry(data, at, end, descriptor):
                return end
        while at < end:
            tag, at = _varint(data, at, end)
            number, kind = tag >> 3, tag & 7
            if kind == _END and group:
                return at
            if not 0 < number <= _LAST_FIELD:
                raise _Broken(f"there is no field {number}")
            field = _find(descriptor, number)
            if field is not None and field.type not in _types_of(kind):
                # Not what the descriptor says it is: a parser takes it for an unknown field.
                field = None
            at = self._field(data, at, end, number, kind, field, descriptor is not None, depth)
        if group:
            raise _Broken("a group ends before its end")
        return at

    def _field(
        self,
        data: bytes,
        at: int,
        end: int,
        number: int,
        kind: int,
        field: FieldDescriptor | None,
        named: bool,
        depth: int,
    ) -> int:
        name = str(number)
        if field is not None:
            name = f"[{field.full_name}]" if field.is_extension else field.name
            if self._is_secret(field):
                self.add(f"{name}: <masked>")
                return _skip(data, at, end, kind, depth)
        if kind == _VARINT:
            value, at = _varint(data, at, end)
            self.add(f"{name}: {_integer(value, field)}")
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            if end - at < size:
                raise _Broken("it ends in a number")
            self.add(f"{name}: {_fixed(data[at : at + size], field)}")
            at += size
        elif kind == _LENGTH:
            size, at = _varint(data, at, end)
            whole = at + size <= end
            stop = min(at + size, end)
            self._sized(data, at, stop, name, field, named, depth)
            if not whole:
                raise _Broken(f"{name} ends before its end")
            at = stop
        elif kind == _START:
            inner = None if field is None else field.message_type
            self.add(f"{name} {{")
            at = self.message(data, at, end, inner, depth + 1, group=True)
            self.add("}")
        else:
            raise _Broken(f"wire type {kind}")
        return at

    def _sized(
        self,
        data: bytes,
        at: int,
        end: int,
        name: str,
        field: FieldDescriptor | None,
        named: bool,
        depth: int,
    ) -> None:
        content = data[at:end]
        if field is None:
            # In a message that is known, what is unknown may be a secret of a newer version.
            if named:
                self.add(f"{name}: <{len(content)} bytes>")
            elif _is_message(content, _GUESSED_BYTES) and not _is_text(content):
                self.add(f"{name} {{")
                self.message(content, 0, len(content), None, depth + 1)
                self.add("}")
            else:
                self.add(f"{name}: {quote(content, self._left)}")
        elif field.type == _MESSAGE:
            self.add(f"{name} {{")
            self.message(content, 0, len(content), field.message_type, depth + 1)
            self.add("}")
        elif field.type in (_STRING, _BYTES):
            self.add(f"{name}: {quote(content, self._left)}")
        else:
            self.add(f"{name}: [")
            self._packed(content, field)
            self.add("]")

    def _packed(self, data: bytes, field: FieldDescriptor) -> None:
        layout = _FIXED.get(field.type)
        at, end = 0, len(data)
        while at < end:
            if layout is None:
                value, at = _varint(data, at, end)
                self.add(_integer(value, field))
            else:
                size = struct.calcsize(layout)
                if end - at < size:
                    raise _Broken("it ends in a number")
                self.add(_fixed(data[at : at + size], field))
                at += size

    def _any(self, data: bytes, descriptor: Descriptor, depth: int) -> None:
        """Show an Any by what is in it."""
        url, value = "", b""
        at, end = 0, len(data)
        while at < end:
            tag, at = _varint(data, at, end)
            start = at
            at = _skip(data, at, end, tag & 7, depth)
            if tag in (0x0A, 0x12):
                _, start = _varint(data, start, end)
                if tag == 0x0A:
                    url = data[start:at].decode("utf-8", "replace")
                else:
                    value = data[start:at]
        try:
            inner: Any = descriptor.file.pool.FindMessageTypeByName(url.rpartition("/")[2])
        except (KeyError, ValueError, TypeError):
            # As fields that are not known: it may be a secret.
            self.add(f"type_url: {quote(url.encode(), self._left)} value: <{len(value)} bytes>")
            return
        self.add(f"[{quote(url.encode(), 200)[1:-1]}] {{")
        self.message(value, 0, len(value), inner, depth + 1)
        self.add("}")

    def _secret_entry(self, data: bytes, at: int, end: int, descriptor: Descriptor) -> bool:
        """Show a map's entry whose key says that it is a secret; return whether it is one."""
        if not (descriptor.has_options and descriptor.GetOptions().map_entry):
            return False
        # Keys that are numbers are none of this: there is no field 1 with a length.
        key = _first_string(data, at, end)
        if not self._masking.is_secret_key(key.decode("utf-8", "replace")):
            return False
        self.add(f"key: {quote(key, self._left)} value: <masked>")
        return True

    def _is_secret(self, field: FieldDescriptor) -> bool:
        if self._masking.is_secret_field(field.name):
            return True
        return field.has_options and bool(getattr(field.GetOptions(), "debug_redact", False))


def _find(descriptor: Descriptor | None, number: int) -> FieldDescriptor | None:
    if descriptor is None:
        return None
    field: FieldDescriptor | None = descriptor.fields_by_number.get(number)
    if field is None and descriptor.is_extendable:
        try:
            field = descriptor.file.pool.FindExtensionByNumber(descriptor, number)
        except KeyError:
            return None
    return field


def _types_of(kind: int) -> frozenset[int]:
    return _TYPES.get(kind, frozenset())


# Numbers may come packed, as bytes with a length.
_TYPES: Final = {
    kind: frozenset(
        each
        for each in range(1, 19)
        if _WIRE_TYPES.get(each, _VARINT) == kind or (kind == _LENGTH and each != _GROUP)
    )
    for kind in (_VARINT, _FIXED64, _LENGTH, _START, _FIXED32)
}


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise _Broken("a number of more than ten bytes")
    raise _Broken("it ends in a number")


def _skip(data: bytes, at: int, end: int, kind: int, depth: int) -> int:
    """The position behind a field's value."""
    if kind == _VARINT:
        return _varint(data, at, end)[1]
    if kind == _LENGTH:
        size, at = _varint(data, at, end)
        at += size
    elif kind in (_FIXED64, _FIXED32):
        at += 8 if kind == _FIXED64 else 4
    elif kind == _START:
        if depth > _DEEPEST:
            raise _Broken("too deep")
        while True:
            tag, at = _varint(data, at, end)
            if tag & 7 == _END:
                break
            at = _skip(data, at, end, tag & 7, depth + 1)
    else:
        raise _Broken(f"wire type {kind}")
    if at > end:
        raise _Broken("it ends in a field")
    return at


def _first_string(data: bytes, at: int, end: int) -> bytes:
    """Field 1, as far as it is there."""
    while at < end:
        tag, at = _varint(data, at, end)
        if tag == 0x0A:
            size, at = _varint(data, at, end)
            return data[at : min(at + size, end)]
        at = _skip(data, at, end, tag & 7, 0)
    return b""


def _is_message(data: bytes, most: int) -> bool:
    """Whether bytes could be a message; an empty one could."""
    if len(data) > most:
        return False
    at, end = 0, len(data)
    try:
        while at < end:
            tag, at = _varint(data, at, end)
            if not 0 < tag >> 3 <= _LAST_FIELD:
                return False
            at = _skip(data, at, end, tag & 7, 0)
    except _Broken:
        return False
    return True


def _is_text(data: bytes) -> bool:
    try:
        return data.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _integer(value: int, field: FieldDescriptor | None) -> str:
    kind = None if field is None else field.type
    if kind == _BOOL:
        return "true" if value else "false"
    if kind in (_SINT32, _SINT64):
        return str((value >> 1) ^ -(value & 1))
    if kind in (_INT32, _INT64, _ENUM):
        if value >> 63:
            value -= 1 << 64
        if kind == _ENUM and field is not None and field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return str(value) if known is None else known.name
    return str(value)


def _fixed(data: bytes, field: FieldDescriptor | None) -> str:
    layout = None if field is None else _FIXED.get(field.type)
    if layout is None:
        return f"0x{int.from_bytes(data, 'little'):0{2 * len(data)}x}"
    [value] = struct.unpack(layout, data)
    if layout == "<f":
        # The shortest text that says which float it is.
        short = f"{value:.6g}"
        return short if struct.pack("<f", float(short)) == data else f"{value:.9g}"
    return str(value)
