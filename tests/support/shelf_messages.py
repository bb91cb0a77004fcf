"""A small service in protobuf's default pool, for tests of what is done with messages: no generator is needed."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["GET_PATH", "PUT_PATH", "messages"]

GET_PATH = "/shelf.test.Shelf/Get"
PUT_PATH = "/shelf.test.Shelf/Put"


@functools.cache
def messages() -> dict[str, Any]:
    """The classes by name: `Book` (title, page_count, tags, part, color, extra) and `Key` (title)."""
    from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="shelf_test.proto", package="shelf.test", syntax="proto3"
    )
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    color = file.enum_type.add(name="Color")
    color.value.add(name="NONE", number=0)
    color.value.add(name="RED", number=1)
    book = file.message_type.add(name="Book")
    optional, repeated = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    book.field.add(name="title", number=1, type=kinds.TYPE_STRING, label=optional)
    book.field.add(name="page_count", number=2, type=kinds.TYPE_INT64, label=optional)
    book.field.add(name="tags", number=3, type=kinds.TYPE_STRING, label=repeated)
    for number, name, kind in (
        (4, "part", ".shelf.test.Book"),
        (6, "extra", ".google.protobuf.Any"),
    ):
        book.field.add(
            name=name, number=number, type=kinds.TYPE_MESSAGE, label=optional, type_name=kind
        )
    book.field.add(
        name="color",
        number=5,
        type=kinds.TYPE_ENUM,
        label=optional,
        type_name=".shelf.test.Color",
    )
    file.message_type.add(name="Key").field.add(
        name="title", number=1, type=kinds.TYPE_STRING, label=optional
    )
    service = file.service.add(name="Shelf")
    get = service.method.add(
        name="Get", input_type=".shelf.test.Key", output_type=".shelf.test.Book"
    )
    get.options.idempotency_level = get.options.NO_SIDE_EFFECTS
    service.method.add(name="Put", input_type=".shelf.test.Book", output_type=".shelf.test.Key")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shelf.test.{name}"))
        for name in ("Book", "Key")
    }
