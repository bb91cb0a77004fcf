"""The text of one `NAME_pb2_grpc.py`.

For a service `Greeter`: `GreeterStub` for clients, `GreeterServicer` to derive from on servers, and
`add_GreeterServicer_to_server`. The stub takes a sync or an asyncio channel alike; on the latter it is a
`GreeterAsyncStub`. `GreeterSyncServicer` and `GreeterAsyncServicer` are `GreeterServicer`s with the types of one
front end; the static class `Greeter` is grpcio's experiment, calls without a channel of one's own.

Rules:

- Loading the module costs no more than loading grpcio-tools'. Classes are the better part of that; so those that
  few programs use are made when one is used first (PEP 562), from the others, by `clarion.generated`.
- Names in a class body are those of methods. What code in it needs is looked up where no method can hide it.
- What Python cannot write as an attribute (`class`) is set when the class is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clarion.codegen.class_names import FURTHER
from clarion.codegen.comments import docstring
from clarion.codegen.layout import PROTOC_LAYOUT, Layout
from clarion.codegen.names import (
    MessageName,
    attribute,
    literal,
    module_alias,
    needs_getattr,
    output_path,
)
from clarion.codegen.services import File, Method, Service, services_of

__all__ = ["generate"]

_SUMMARY = "Client and server classes of the services in the .proto file named above."


def _global(name: str) -> str:
    """A name of the module, as the body of a class says it."""
    return f'globals()["{name}"]' if needs_getattr(name) else name


def _message(name: MessageName) -> str:
    """A message class, as the body of a class says it."""
    alias = module_alias(name.proto_file)
    return name.expression.replace(alias, _global(alias), 1)


def _descriptor(service: Service) -> Iterator[str]:
    if service.has_descriptor:
        file = module_alias(service.proto_file)
        if needs_getattr(file):
            file = f'globals()["{file}"]'
        yield ""
        yield f'    DESCRIPTOR = {file}.DESCRIPTOR.services_by_name["{service.name}"]'


def _callable(method: Method) -> Iterator[str]:
    """The expression for the callable of one method; its lines are indented by a level less than they need."""
    yield f"channel.{method.pattern}("
    yield f'        "{method.path}",'
    yield f"        request_serializer={_message(method.request)}.SerializeToString,"
    yield f"        response_deserializer={_message(method.response)}.FromString,"
    yield "        _registered_method=True,"
    yield "    )"


def _stub(service: Service) -> Iterator[str]:
    name = f"{service.name}Stub"
    yield f"class {name}:"
    yield from docstring(service.comment or f"Calls the service {service.full_name}.", "    ")
    yield from _descriptor(service)
    yield ""
    yield "    def __init__(self, channel):"
    yield '        """Make the calls of this service available on a channel.'
    yield ""
    yield "        Args:"
    yield "            channel: A clarion.Channel or a clarion.aio.Channel."
    yield '        """'
    if service.deprecated:
        warning = literal(service.deprecated)
        yield f"        clarion.generated.warn_deprecated({warning}, channel)"
    yield f"        if self.__class__ is {_global(name)} and clarion.generated.is_async(channel):"
    yield f'            self.__class__ = __getattr__("{service.classes.async_stub}")'
    for method in service.methods:
        lines = [f"    {line}" if index else line for index, line in enumerate(_callable(method))]
        if method.deprecated:
            lines = [
                "clarion.generated.deprecated_callable(",
                f"            {lines[0]}",
                *[f"    {line}" for line in lines[1:-1]],
                "            ),",
                f"            {literal(method.deprecated)},",
                "        )",
            ]
        if needs_getattr(method.name):
            lines[0] = f'setattr(self, "{method.name}", {lines[0]}'
            lines[-1] += ")"
        else:
            lines[0] = f"self.{method.name} = {lines[0]}"
        yield f"        {lines[0]}"
        yield from lines[1:]


def _servicer(service: Service) -> Iterator[str]:
    name = f"{service.name}Servicer"
    yield f"class {name}:"
    yield from docstring(service.comment or f"Serves {service.full_name}.", "    ")
    yield from _descriptor(service)
    unsayable: list[Method] = []
    for method in service.methods:
        if needs_getattr(method.name):
            unsayable.append(method)
        else:
            yield ""
            yield from (f"    {line}" if line else "" for line in _method(method.name, method))
    for method in unsayable:
        function = f"_method_{method.name}"
        yield from ("", "")
        yield from _method(function, method)
        yield from ("", "")
        yield f'setattr({name}, "{method.name}", {function})'
        yield f"del {function}"


def _method(name: str, method: Method) -> Iterator[str]:
    yield f"def {name}(self, {method.takes}, context):"
    yield from docstring(method.comment or f"Override this to serve {method.path}.", "    ")
    yield "    context.set_code(clarion.StatusCode.UNIMPLEMENTED)"
    yield '    context.set_details("Method not implemented!")'
    yield '    raise NotImplementedError("Method not implemented!")'


def _registration(service: Service) -> Iterator[str]:
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


def _further(services: Iterable[Service]) -> Iterator[str]:
    yield "# Classes that are made when they are first used: of what kind, and from which class."
    yield f"{FURTHER} = {{"
    for service in services:
        classes = service.classes
        stub, servicer = f"{service.name}Stub", f"{service.name}Servicer"
        rows = {
            classes.async_stub: ("async_stub", stub),
            classes.sync_servicer: ("sync_servicer", servicer),
            classes.async_servicer: ("async_servicer", servicer),
            classes.static: ("static", stub),
        }
        for name, (kind, base) in rows.items():
            if name:
                yield f'    "{name}": ("{kind}", "{base}"),'
    yield "}"
    yield from ("", "")
    yield "def __getattr__(name):"
    yield f"    if name in {FURTHER}:"
    yield f"        return clarion.generated.further_class(globals(), name, *{FURTHER}[name])"
    yield '    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")'
    yield from ("", "")
    yield "def __dir__():"
    yield f"    return sorted({{*globals(), *{FURTHER}}})"


def _module(file: File, layout: Layout) -> Iterator[str]:
    yield f"# Generated by Clarion from {file.name}. DO NOT EDIT."
    # Types are in the stub beside it; pyright reads this file all the same.
    yield "# type: ignore"
    yield from docstring(file.comment or _SUMMARY, "")
    if file.services:
        imports = layout.import_lines(file.name, file.imports)
        needs_importlib = any("importlib." in line for line in imports)
        for block in (["import importlib"] * needs_importlib, ["import clarion"], imports):
            if block:
                yield ""
                yield from block
    for service in file.services:
        for part in (_stub, _servicer, _registration):
            yield from ("", "")
            yield from part(service)
    if file.services:
        yield from ("", "")
        yield from _further(file.services)


def generate(
    descriptor_set: bytes, names: Iterable[str], layout: Layout = PROTOC_LAYOUT
) -> dict[str, str]:
    """Generate the stubs of some files of a descriptor set.

    Args:
        descriptor_set: a serialized google.protobuf.FileDescriptorSet that holds the files and
            everything they import; with source info, comments become docstrings.
        names: the files to generate for, as the set names them.
        layout: how the module imports those of messages.

    Returns:
        The text of each generated module by its path with `/`, relative to the output directory.
        A file without services gives a module without classes, as with grpcio-tools.

    Raises:
        KeyError: the set lacks a file that is named or imported.
    """
    return {
        output_path(name): "\n".join(_module(file, layout)) + "\n"
        for name, file in services_of(descriptor_set, names).items()
    }
