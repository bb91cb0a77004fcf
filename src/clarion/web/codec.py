"""Messages in the encoding that a request names: protobuf's own, its JSON, or whatever the handler brings.

A handler has functions for one encoding, nearly always protobuf's. JSON is made beside these:

- A deserializer that is `FromString` of a message class says which class, and JSON is read straight into it. A serializer
  that is the message's own `SerializeToString` adds nothing to the message, which is then written straight to JSON.
- For any other functions (other libraries' messages, none at all, ones that do more) the types are looked up by the method's
  path in protobuf's default pool, and JSON goes by way of the bytes that these functions know.
- Where neither tells the types, the encoding is not there.

JSON is protobuf's (https://protobuf.dev/programming-guides/json/). What is read is limited in size and depth, and fields
that are not known are passed over, for a client may be newer. protobuf is imported with the first of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from clarion.descriptors import method_descriptor
from clarion.status import StatusCode
from clarion.web.errors import WebError
from clarion.web.json_text import MAX_DEPTH, load_json, to_json

__all__ = [
    "JsonOptions",
    "MethodCodec",
    "client_codec",
    "message_types",
    "read_json",
    "server_codec",
    "write_json",
]


class JsonOptions(NamedTuple):
    """How messages are read from JSON and written to it.

    Attributes:
        ignore_unknown: pass over names that a message has no field for; else they are errors.
        max_depth: how deep objects and arrays may be nested in each other.
        max_size: octets of a message in JSON; -1 for no limit but that of messages.
        proto_names: write fields by their names in the .proto file, and not in lowerCamelCase. Both are read.
        defaults: write fields that have their default value and no presence.
        enum_numbers: write enums as numbers. Both are read.
        sort: write fields by their names in order, so that equal messages are equal octets.
    """

    ignore_unknown: bool = True
    max_depth: int = MAX_DEPTH
    max_size: int = -1
    proto_names: bool = False
    defaults: bool = False
    enum_numbers: bool = False
    sort: bool = False


_DEFAULTS = JsonOptions()


class MethodCodec(NamedTuple):
    """The functions of one method and encoding.

    Attributes:
        name: of the encoding.
        decode: bytes to message. It raises `WebError` for what cannot be read.
        encode: message to bytes.
    """

    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


# JSON and messages


def read_json(
    message_class: Any,
    data: bytes,
    options: JsonOptions = _DEFAULTS,
    code: StatusCode = StatusCode.INVALID_ARGUMENT,
) -> Any:
    """Make a message of JSON.

    Args:
        message_class: of protobuf.
        data: the JSON text.
        options: limits, and what is passed over.
        code: the status of an error.

    Raises:
        WebError: it is no JSON, exceeds a limit (RESOURCE_EXHAUSTED if in size), or does not fit the message.
    """
    from google.protobuf import json_format

    if 0 <= options.max_size < len(data):
        raise WebError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"Received JSON larger than max ({len(data)} vs. {options.max_size})",
        )
    message = message_class()
    name = message.DESCRIPTOR.full_name
    try:
        value = load_json(data, options.max_depth)
    except (ValueError, RecursionError) as error:
        raise WebError(code, f"{name}: the message is no JSON: {error}") from None
    # Else any array or string would do: protobuf passes over what is in it like over unknown fields.
    if not isinstance(value, dict) and not name.startswith("google.protobuf."):
        raise WebError(code, f"{name}: the message is no JSON object")
    try:
        json_format.ParseDict(
            value,
            message,
            ignore_unknown_fields=options.ignore_unknown,
            descriptor_pool=message.DESCRIPTOR.file.pool,
            max_recursion_depth=options.max_depth,
        )
    except Exception as error:
        # Besides ParseError: what a value of the wrong shape meets in there, which differs by release and runtime.
        raise WebError(code, f"{name}: the JSON does not fit: {str(error)[:400]}") from None
    return message


def write_json(message: Any, options: JsonOptions = _DEFAULTS) -> bytes:
    """Make JSON of a message of protobuf.

    Raises:
        Exception: what has no JSON: an Any of an unknown type, a Value that is no number.
    """
    from google.protobuf import json_format

    value = json_format.MessageToDict(
        message,
        preserving_proto_field_name=options.proto_names,
        use_integers_for_enums=options.enum_numbers,
        always_print_fields_with_no_presence=options.defaults,
        descriptor_pool=message.DESCRIPTOR.file.pool,
    )
    return to_json(value, sort=options.sort)


def message_types(path: str) -> tuple[Any, Any] | None:
    """The classes of a method's requests and responses, as protobuf's default pool describes them; None if it does not."""
    from google.protobuf import message_factory

    try:
        method = method_descriptor(path)
    except LookupError:
        return None
    return (
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
    )


# The functions of handlers and stubs


def server_codec(
    path: str, handler: Any, name: str, options: JsonOptions = _DEFAULTS
) -> MethodCodec | None:
    """The functions for a server's requests and responses in an encoding.

    Args:
        path: `/package.Service/Method`.
        handler: with `request_deserializer` and `response_serializer`, which may be None.
        name: of the encoding, such as `proto` or `json`.
        options: of JSON.

    Returns:
        None if the method has no such encoding.
    """
    return _codec(
        path,
        handler.request_deserializer or _unchanged,
        handler.response_serializer or _unchanged,
        name,
        options,
        incoming=0,
    )


def client_codec(
    path: str,
    request_serializer: Callable[[Any], bytes] | None,
    response_deserializer: Callable[[bytes], Any] | None,
    name: str,
    options: JsonOptions = _DEFAULTS,
) -> MethodCodec | None:
    """The functions for a client's requests and responses in an encoding.

    Args:
        path: `/package.Service/Method`.
        request_serializer, response_deserializer: those of the multi-callable.
        name: of the encoding, such as `proto` or `json`.
        options: of JSON; with `sort`, protobuf's own encoding is deterministic, too, as GET needs it for caches.

    Returns:
        None if the method has no such encoding.
    """
    return _codec(
        path,
        response_deserializer or _unchanged,
        request_serializer or _unchanged,
        name,
        options,
        incoming=1,
    )


def _unchanged(value: Any) -> Any:
    return value


def _codec(
    path: str,
    deserialize: Callable[[bytes], Any],
    serialize: Callable[[Any], bytes],
    name: str,
    options: JsonOptions,
    *,
    incoming: int,
) -> MethodCodec | None:
    code = StatusCode.INTERNAL if incoming else StatusCode.INVALID_ARGUMENT
    own = getattr(serialize, "content_subtype", None)
    own = own if isinstance(own, str) and own else "proto"
    if name == own:
        if options.sort:
            serialize = _deterministic(serialize)
        return MethodCodec(name, _guarded(path, deserialize, code), serialize)
    if name != "json" or own != "proto":
        return None
    types = message_types(path)
    read_class = _class_of(deserialize)
    if types is None and (read_class is None or not _is_plain(serialize)):
        return None

    def decode(data: bytes) -> Any:
        if read_class is not None:
            return read_json(read_class, data, options, code)
        assert types is not None
        message = read_json(types[incoming], data, options, code)
        return deserialize(message.SerializeToString())

    def encode(message: Any) -> bytes:
        if getattr(type(message), "SerializeToString", None) is serialize:
            return write_json(message, options)
        data = serialize(message)
        if types is None:
            raise TypeError(
                f"a message of {path} is a {type(message).__name__}, which cannot be made JSON"
            )
        return write_json(types[1 - incoming].FromString(data), options)

    return MethodCodec(name, decode, encode)


def _class_of(deserialize: Any) -> Any:
    """The message class that a deserializer is `FromString` of, or None."""
    owner = getattr(deserialize, "__self__", None)
    if not isinstance(owner, type) or getattr(deserialize, "__name__", "") != "FromString":
        return None
    return owner if hasattr(owner, "DESCRIPTOR") else None


def _is_plain(serialize: Any) -> bool:
    return getattr(serialize, "__name__", "") == "SerializeToString"


def _deterministic(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def encode(message: Any) -> bytes:
        if getattr(type(message), "SerializeToString", None) is serialize:
            data: bytes = message.SerializeToString(deterministic=True)
            return data
        return serialize(message)

    return encode


def _guarded(
    path: str, deserialize: Callable[[bytes], Any], code: StatusCode
) -> Callable[[bytes], Any]:
    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except WebError:
            raise
        except Exception as error:
            # Deserializers are the application's, and raise what they like.
            raise WebError(
                code, f"a message of {path} cannot be read: {str(error)[:400]}"
            ) from None

    return decode
