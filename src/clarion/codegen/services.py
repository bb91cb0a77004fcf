"""The services of a .proto file, as the writers of modules and of their types need them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from clarion.codegen.comments import Comments
from clarion.codegen.names import MessageName, find_messages

__all__ = ["Method", "Service", "message_files", "services_of"]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        path: `/package.Service/Method`.
        pattern: such as "unary_stream": first what the client sends, then what the server sends.
        comment: what the .proto file says about it, or "".
    """

    name: str
    path: str
    request: MessageName
    response: MessageName
    pattern: str
    comment: str

    @property
    def takes(self) -> str:
        """The argument of the servicer's method."""
        return "request_iterator" if self.pattern.startswith("stream") else "request"


@dataclass(frozen=True)
class Service:
    """One service; `comment` is what the .proto file says about it, or ""."""

    name: str
    full_name: str
    methods: tuple[Method, ...]
    comment: str


def message_files(services: Iterable[Service]) -> set[str]:
    """The files that define the messages of `services`."""
    methods = [method for service in services for method in service.methods]
    return {name.proto_file for method in methods for name in (method.request, method.response)}


def _pattern(method: MethodDescriptorProto) -> str:
    words = {False: "unary", True: "stream"}
    return f"{words[method.client_streaming]}_{words[method.server_streaming]}"


def _service(
    file: FileDescriptorProto,
    index: int,
    service: ServiceDescriptorProto,
    messages: dict[str, MessageName],
    comments: Comments,
) -> Service:
    full_name = f"{file.package}.{service.name}" if file.package else service.name
    methods = tuple(
        Method(
            name=method.name,
            path=f"/{full_name}/{method.name}",
            request=messages[method.input_type],
            response=messages[method.output_type],
            pattern=_pattern(method),
            comment=comments.method(index, number),
        )
        for number, method in enumerate(service.method)
    )
    return Service(service.name, full_name, methods, comments.service(index))


def services_of(descriptor_set: bytes, names: list[str]) -> dict[str, list[Service]]:
    """Return the services of some files of a descriptor set, by the files' names.

    Args:
        descriptor_set: a serialized google.protobuf.FileDescriptorSet that holds the files and everything they
            import; with source info, there are comments.
        names: the files, as the set names them.

    Raises:
        KeyError: the set lacks a file that is named or imported.
    """
    files = {file.name: file for file in FileDescriptorSet.FromString(descriptor_set).file}
    messages = find_messages(files.values())
    found: dict[str, list[Service]] = {}
    for name in names:
        file = files[name]
        comments = Comments(file)
        found[name] = [
            _service(file, index, service, messages, comments)
            for index, service in enumerate(file.service)
        ]
    return found
