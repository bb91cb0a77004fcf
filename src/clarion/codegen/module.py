"""The text of one `NAME_pb2_grpc.py`.

For a service `Greeter`: `GreeterStub` for clients, `GreeterServicer` to derive from on servers, and
`add_GreeterServicer_to_server`. The stub takes a sync or an asyncio channel alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from clarion.codegen.comments import Comments, docstring
from clarion.codegen.names import (
    MessageName,
    attribute,
    find_messages,
    import_lines,
    needs_getattr,
    output_path,
)

__all__ = ["generate"]


@dataclass(frozen=True)
class _Method:
    name: str
    path: str
    request: MessageName
    response: MessageName
    # Such as "unary_stream": first what the client sends, then what the server sends.
    pattern: str
    comment: str

    @property
    def takes(self) -> str:
        """The argument of the servicer's method."""
        return "request_iterator" if self.pattern.startswith("stream") else "request"


@dataclass(frozen=True)
class _Service:
    name: str
    full_name: str
    methods: tuple[_Method, ...]
    comment: str


def _pattern(method: MethodDescriptorProto) -> str:
    words = {False: "unary", True: "stream"}
    return f"{words[method.client_streaming]}_{words[method.server_streaming]}"


def _service(
    file: FileDescriptorProto,
    index: int,
    service: ServiceDescriptorProto,
    messages: dict[str, MessageName],
    comments: Comments,
) -> _Service:
    full_name = f"{file.package}.{service.name}" if file.package else service.name
    methods = tuple(
        _Method(
            name=method.name,
            path=f"/{full_name}/{method.name}",
            request=messages[method.input_type],
            response=messages[method.output_type],
            pattern=_pattern(method),
            comment=comments.method(index, number),
        )
        for number, method in enumerate(service.method)
    )
    return _Service(service.name, full_name, methods, comments.service(index))


def _stub(service: _Service) -> Iterator[str]:
    yield f"class {service.name}Stub:"
    yield from docstring(service.comment or f"Calls the service {service.full_name}.", "    ")
    yield ""
    yield "    def __init__(self, channel):"
    yield '        """Make the calls of this service available on a channel.'
    yield ""
    yield "        Args:"
    yield "            channel: A clarion.Channel or a clarion.aio.Channel."
    yield '        """'
    for method in service.methods:
        call = f"channel.{method.pattern}("
        if needs_getattr(method.name):
            yield f'        setattr(self, "{method.name}", {call}'
        else:
            yield f"        self.{method.name} = {call}"
        yield f'            "{method.path}",'
        yield f"            request_serializer={method.request.expression}.SerializeToString,"
        yield f"            response_deserializer={method.response.expression}.FromString,"
        yield "            _registered_method=True,"
        yield "        ))" if needs_getattr(method.name) else "        )"


def _servicer(service: _Service) -> Iterator[str]:
    yield f"class {service.name}Servicer:"
    yield from docstring(service.comment or f"Serves {service.full_name}.", "    ")
    for method in service.methods:
        reserved = needs_getattr(method.name)
        yield ""
        python_name = f"_method_{method.name}" if reserved else method.name
        yield f"    def {python_name}(self, {method.takes}, context):"
        text = method.comment or f"Override this to serve {method.path}."
        yield from docstring(text, "        ")
        yield "        context.set_code(clarion.StatusCode.UNIMPLEMENTED)"
        yield '        context.set_details("Method not implemented!")'
        yield '        raise NotImplementedError("Method not implemented!")'
        if reserved:
            # The class body cannot say the name, but its namespace can hold it.
            yield ""
            yield f'    locals()["{method.name}"] = {python_name}'
            yield f"    del {python_name}"


def _registration(service: _Service) -> Iterator[str]:
    yield f"def add_{service.name}Servicer_to_server(servicer, server):"
    yield f'    """Serve {service.full_name} with `servicer` on a sync or an asyncio `server`."""'
    yield "    rpc_method_handlers = {"
    for method in service.methods:
        yield f'        "{method.name}": clarion.{method.pattern}_rpc_method_handler('
        yield f"            {attribute('servicer', method.name)},"
        yield f"            request_deserializer={method.request.expression}.FromString,"
        yield f"            response_serializer={method.response.expression}.SerializeToString,"
        yield "        ),"
    yield "    }"
    yield "    generic_handler = clarion.method_handlers_generic_handler("
    yield f'        "{service.full_name}", rpc_method_handlers'
    yield "    )"
    yield "    server.add_generic_rpc_handlers((generic_handler,))"
    yield "    server.add_registered_method_handlers("
    yield f'        "{service.full_name}", rpc_method_handlers'
    yield "    )"


def _module(proto_file: str, services: list[_Service]) -> Iterator[str]:
    yield f"# Generated by Clarion from {proto_file}. DO NOT EDIT."
    yield '"""Client and server classes of the services in the .proto file named above."""'
    methods = [method for service in services for method in service.methods]
    imports = import_lines(
        message.proto_file for method in methods for message in (method.request, method.response)
    )
    if services:
        yield ""
        if any("importlib." in line for line in imports):
            yield "import importlib"
            yield ""
        yield "import clarion"
        if imports:
            yield ""
            yield from imports
    for service in services:
        for part in (_stub, _servicer, _registration):
            yield from ("", "")
            yield from part(service)


def generate(descriptor_set: bytes, names: Iterable[str]) -> dict[str, str]:
    """Generate the stubs of some files of a descriptor set.

    Args:
        descriptor_set: a serialized google.protobuf.FileDescriptorSet that holds the files and
            everything they import; with source info, comments become docstrings.
        names: the files to generate for, as the set names them.

    Returns:
        The text of each generated module by its path with `/`, relative to the output directory.
        A file without services gives a module without classes, as with grpcio-tools.

    Raises:
        KeyError: the set lacks a file that is named or imported.
    """
    files = {file.name: file for file in FileDescriptorSet.FromString(descriptor_set).file}
    messages = find_messages(files.values())
    generated: dict[str, str] = {}
    for name in names:
        file = files[name]
        comments = Comments(file)
        services = [
            _service(file, index, service, messages, comments)
            for index, service in enumerate(file.service)
        ]
        generated[output_path(name)] = "\n".join(_module(name, services)) + "\n"
    return generated
