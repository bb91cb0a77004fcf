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

from clarion.codegen.class_names import ClassNames, class_names
from clarion.codegen.comments import Comments
from clarion.codegen.names import MessageName, find_messages

__all__ = ["File", "Method", "Service", "services_of"]


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        path: `/package.Service/Method`.
        pattern: such as "unary_stream": first what the client sends, then what the server sends.
        comment: what the .proto file says about it, or "".
        deprecated: the text of the warning that goes with its use, or "".
    """

    name: str
    path: str
    request: MessageName
    response: MessageName
    pattern: str
    comment: str
    deprecated: str

    @property
    def takes(self) -> str:
        """The argument of the servicer's method."""
        return "request_iterator" if self.pattern.startswith("stream") else "request"


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        proto_file: the file that defines it.
        classes: the names of the classes that are added to grpcio-tools'.
        comment: what the .proto file says about it, or "".
        deprecated: the text of the warning that goes with its use, or "".
    """

    name: str
    full_name: str
    proto_file: str
    methods: tuple[Method, ...]
    classes: ClassNames
    comment: str
    deprecated: str

    @property
    def has_descriptor(self) -> bool:
        """Whether classes can have the descriptor as `DESCRIPTOR`, because no method has that name."""
        return all(method.name != "DESCRIPTOR" for method in self.methods)


@dataclass(frozen=True)
class File:
    """The services of one file; `comment` is what it says about itself, or ""."""

    name: str
    services: tuple[Service, ...]
    comment: str

    @property
    def imports(self) -> set[str]:
        """The files whose messages, or descriptor, the services need."""
        methods = [method for service in self.services for method in service.methods]
        messages = [name for method in methods for name in (method.request, method.response)]
        return {name.proto_file for name in messages} | ({self.name} if self.services else set())

    @property
    def method_names(self) -> set[str]:
        """The names of all methods."""
        return {method.name for service in self.services for method in service.methods}

    @property
    def has_deprecated(self) -> bool:
        """Whether there is a warning for something."""
        return any(
            service.deprecated or any(method.deprecated for method in service.methods)
            for service in self.services
        )


def _pattern(method: MethodDescriptorProto) -> str:
    words = {False: "unary", True: "stream"}
    return f"{words[method.client_streaming]}_{words[method.server_streaming]}"


def _service_warning(file: FileDescriptorProto, service: str, deprecated: bool) -> str:
    if deprecated:
        return f"the service {service} is deprecated"
    if file.options.deprecated:
        return f"the service {service} is deprecated, as all of {file.name} is"
    return ""


def _service(
    file: FileDescriptorProto,
    index: int,
    classes: ClassNames,
    messages: dict[str, MessageName],
    comments: Comments,
) -> Service:
    service: ServiceDescriptorProto = file.service[index]
    full_name = f"{file.package}.{service.name}" if file.package else service.name
    methods: list[Method] = []
    for number, method in enumerate(service.method):
        path = f"/{full_name}/{method.name}"
        methods.append(
            Method(
                name=method.name,
                path=path,
                request=messages[method.input_type],
                response=messages[method.output_type],
                pattern=_pattern(method),
                comment=comments.method(index, number),
                deprecated=f"the method {path} is deprecated" if method.options.deprecated else "",
            )
        )
    return Service(
        name=service.name,
        full_name=full_name,
        proto_file=file.name,
        methods=tuple(methods),
        classes=classes,
        comment=comments.service(index),
        deprecated=_service_warning(file, full_name, service.options.deprecated),
    )


def services_of(descriptor_set: bytes, names: Iterable[str]) -> dict[str, File]:
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
    found: dict[str, File] = {}
    for name in names:
        file = files[name]
        comments = Comments(file)
        classes = class_names([service.name for service in file.service])
        services = tuple(
            _service(file, index, each, messages, comments) for index, each in enumerate(classes)
        )
        found[name] = File(name, services, comments.file())
    return found
