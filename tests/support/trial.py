"""A service of all four patterns whose files are in a pool of their own, for tests of reflection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    struct_pb2,
    text_format,
    timestamp_pb2,
)

import clarion

__all__ = ["FILES", "POOL", "SERVICE", "Greeting", "Guest", "file", "handlers", "type_of"]

FILES = [
    """
    name: "trial/kinds.proto" package: "trial" syntax: "proto2"
    message_type {
      name: "Extendable"
      field { name: "note" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
      extension_range { start: 100 end: 200 }
    }
    """,
    """
    name: "trial/more.proto" package: "trial" syntax: "proto2" dependency: "trial/kinds.proto"
    extension {
      name: "more" number: 101 label: LABEL_OPTIONAL type: TYPE_STRING extendee: ".trial.Extendable"
    }
    extension {
      name: "most" number: 100 label: LABEL_OPTIONAL type: TYPE_STRING extendee: ".trial.Extendable"
    }
    """,
    """
    name: "trial/greet.proto" package: "trial" syntax: "proto3"
    dependency: "trial/kinds.proto"
    dependency: "google/protobuf/timestamp.proto"
    dependency: "google/protobuf/struct.proto"
    enum_type { name: "Mood" value { name: "CALM" number: 0 } value { name: "MERRY" number: 1 } }
    message_type {
      name: "Guest"
      field { name: "first_name" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING json_name: "firstName" }
      field { name: "mood" number: 2 label: LABEL_OPTIONAL type: TYPE_ENUM type_name: ".trial.Mood" }
      field { name: "friends" number: 3 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".trial.Guest" }
      field { name: "tags" number: 4 label: LABEL_REPEATED type: TYPE_STRING }
      field { name: "scores" number: 5 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".trial.Guest.ScoresEntry" }
      field { name: "kin" number: 6 label: LABEL_REPEATED type: TYPE_MESSAGE type_name: ".trial.Guest.KinEntry" }
      field { name: "picture" number: 7 label: LABEL_OPTIONAL type: TYPE_BYTES }
      field {
        name: "born" number: 8 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Timestamp"
      }
      field { name: "host" number: 9 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".trial.Guest" }
      field {
        name: "extra" number: 10 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".google.protobuf.Struct"
      }
      field { name: "moods" number: 11 label: LABEL_REPEATED type: TYPE_ENUM type_name: ".trial.Mood" }
      field { name: "age" number: 12 label: LABEL_OPTIONAL type: TYPE_INT32 oneof_index: 0 }
      oneof_decl { name: "known" }
      nested_type {
        name: "ScoresEntry" options { map_entry: true }
        field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
        field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_INT32 }
      }
      nested_type {
        name: "KinEntry" options { map_entry: true }
        field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_INT32 }
        field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".trial.Guest" }
      }
    }
    message_type {
      name: "Greeting"
      field { name: "text" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    }
    service {
      name: "Greeter"
      method { name: "Greet" input_type: ".trial.Guest" output_type: ".trial.Greeting" }
      method { name: "GreetOften" input_type: ".trial.Guest" output_type: ".trial.Greeting" server_streaming: true }
      method { name: "GreetAll" input_type: ".trial.Guest" output_type: ".trial.Greeting" client_streaming: true }
      method {
        name: "Chat" input_type: ".trial.Guest" output_type: ".trial.Greeting"
        client_streaming: true server_streaming: true
      }
      method { name: "methods" input_type: ".trial.Guest" output_type: ".trial.Greeting" }
    }
    """,
]

SERVICE = "trial.Greeter"


def file(text: str) -> bytes:
    """A serialized FileDescriptorProto from its text."""
    return text_format.Parse(text, descriptor_pb2.FileDescriptorProto()).SerializeToString()


def make_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in timestamp_pb2, struct_pb2:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for text in FILES:
        pool.AddSerializedFile(file(text))
    return pool


POOL = make_pool()


def type_of(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


Guest, Greeting = type_of("trial.Guest"), type_of("trial.Greeting")


def _metadata(context: Any) -> str:
    return dict(context.invocation_metadata()).get("from", "")


def greet(request: Any, context: Any) -> Any:
    return Greeting(text=f"Hello, {request.first_name}!{_metadata(context)}")


def greet_often(request: Any, context: Any) -> Iterator[Any]:
    for number in range(3):
        yield Greeting(text=f"{request.first_name} {number}")


def greet_all(requests: Any, context: Any) -> Any:
    return Greeting(text=" and ".join(each.first_name for each in requests))


def chat(requests: Any, context: Any) -> Iterator[Any]:
    for each in requests:
        yield Greeting(text=each.first_name)


async def aio_greet(request: Any, context: Any) -> Any:
    return greet(request, context)


async def aio_greet_often(request: Any, context: Any) -> Any:
    for each in greet_often(request, context):
        yield each


async def aio_greet_all(requests: Any, context: Any) -> Any:
    return Greeting(text=" and ".join([each.first_name async for each in requests]))


async def aio_chat(requests: Any, context: Any) -> Any:
    async for each in requests:
        yield Greeting(text=each.first_name)


def handlers(sync: bool) -> Any:
    behaviors = (
        (greet, greet_often, greet_all, chat)
        if sync
        else (aio_greet, aio_greet_often, aio_greet_all, aio_chat)
    )
    patterns = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
    made = [
        getattr(clarion, f"{pattern}_rpc_method_handler")(
            behavior, Guest.FromString, Greeting.SerializeToString
        )
        for pattern, behavior in zip(patterns, behaviors, strict=True)
    ]
    names = ("Greet", "GreetOften", "GreetAll", "Chat", "methods")
    methods = dict(zip(names, [*made, made[0]], strict=True))
    return clarion.method_handlers_generic_handler(SERVICE, methods)
