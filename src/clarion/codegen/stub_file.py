"""The text of one `NAME_pb2_grpc.pyi`: what type checkers know of `NAME_pb2_grpc.py`.

Rules:

- The same classes and functions as in the module. A stub's constructor says which of two classes it gives.
- The methods of a servicer are not abstract, because in the module they are not: a servicer may leave
  methods out, and clients then get UNIMPLEMENTED. Their parameters are positional only, so that overrides
  may name them freely.
- A method of `NAMEServicer` may serve a sync or an asyncio server. So its context is declared as both kinds at
  once and its request iterator too: an override accepts whichever it names. Its result is of either kind. The
  methods of `NAMESyncServicer` and `NAMEAsyncServicer` have the types of one front end. On asyncio, responses are
  streamed by an async generator, or by a coroutine that calls `context.write`.
- What is deprecated is marked as PEP 702 has it, where it is used: a stub's constructor, and its methods.
- Names are imported under an underscore, and under names that no method or class of the file has: a method
  `clarion`, or `_abc`, cannot hide a package.
- What Python cannot write in a class body (a method `class`), or means something else by (`__class__`), is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clarion.codegen.class_names import free_name
from clarion.codegen.comments import docstring
from clarion.codegen.layout import PROTOC_LAYOUT, Layout
from clarion.codegen.names import MessageName, literal, output_path
from clarion.codegen.services import File, Method, Service, services_of
from clarion.codegen.stub_words import is_sayable

__all__ = ["generate_types"]

_SUMMARY = "Types of the client and server classes of the services in the .proto file named above."

_CALLABLES = {
    "unary_unary": "UnaryUnary",
    "unary_stream": "UnaryStream",
    "stream_unary": "StreamUnary",
    "stream_stream": "StreamStream",
}


@dataclass(frozen=True)
class _Names:
    """What the modules that the types need are called here."""

    abc: str
    aio: str
    builtins: str
    clarion: str
    descriptor: str
    generated: str
    typing: str
    typing_extensions: str

    @classmethod
    def of(cls, file: File) -> _Names:
        taken = file.method_names
        for service in file.services:
            classes = service.classes
            taken |= {classes.static, classes.async_stub, f"{service.name}Stub"}
        fields = cls.__dataclass_fields__
        return cls(**{name: free_name(f"_{name}", taken) for name in fields})

    def imports(self, file: File) -> Iterator[str]:
        deprecated = file.has_deprecated
        # For properties, which stand for deprecated methods alone.
        if any(method.deprecated for service in file.services for method in _sayable(service)):
            yield f"import builtins as {self.builtins}"
        yield f"import typing as {self.typing}"
        yield f"from collections import abc as {self.abc}"
        yield ""
        yield f"import clarion as {self.clarion}"
        yield f"import clarion.aio as {self.aio}"
        yield f"import clarion.generated as {self.generated}"
        if deprecated:
            yield f"import typing_extensions as {self.typing_extensions}"
        yield f"from google.protobuf import descriptor as {self.descriptor}"

    def message(self, name: MessageName) -> str:
        annotation = name.annotation
        return f"{self.typing}.Any" if annotation == "_typing.Any" else annotation

    def messages(self, method: Method) -> str:
        return f"{self.message(method.request)}, {self.message(method.response)}"

    def deprecated(self, message: str) -> str:
        return f"@{self.typing_extensions}.deprecated({literal(message)})"


def _sayable(service: Service) -> list[Method]:
    return [method for method in service.methods if is_sayable(method.name)]


def _descriptor(service: Service, names: _Names) -> Iterator[str]:
    if service.has_descriptor:
        yield f"    DESCRIPTOR: {names.typing}.ClassVar[{names.descriptor}.ServiceDescriptor]"


def _callables(service: Service, names: _Names, module: str, overrides: bool) -> Iterator[str]:
    for method in _sayable(service):
        kind = f"{module}.{_CALLABLES[method.pattern]}MultiCallable[{names.messages(method)}]"
        if method.deprecated:
            yield f"    @{names.builtins}.property"
            yield f"    {names.deprecated(method.deprecated)}"
            body = "" if method.comment else " ..."
            ignored = "  # type: ignore[override]" if overrides else ""
            yield f"    def {method.name}(self) -> {kind}:{body}{ignored}"
            if method.comment:
                yield from docstring(method.comment, "        ")
        else:
            ignored = "  # type: ignore[assignment]" if overrides else ""
            yield f"    {method.name}: {kind}{ignored}"
            if method.comment:
                yield from docstring(method.comment, "    ")


def _constructor(service: Service, names: _Names, signature: str) -> Iterator[str]:
    if service.deprecated:
        yield f"    {names.deprecated(service.deprecated)}"
    yield f"    def {signature}: ..."


def _stub(service: Service, names: _Names) -> Iterator[str]:
    about = service.comment or f"Calls the service {service.full_name}."
    asynchronous = service.classes.async_stub
    yield f"class {service.name}Stub({names.generated}.Stub):"
    yield from docstring(about, "    ")
    yield from _descriptor(service, names)
    channels = {
        f"{names.clarion}.Channel": f"{names.typing}.Self",
        f"{names.aio}.Channel": asynchronous,
    }
    for channel, result in channels.items():
        yield f"    @{names.typing}.overload"
        yield from _constructor(service, names, f"__new__(cls, channel: {channel}) -> {result}")
    yield from _callables(service, names, names.clarion, overrides=False)
    yield ""
    yield f"class {asynchronous}({service.name}Stub):"
    yield from docstring(about, "    ")
    # mypy looks at the one, pyright at both.
    channel, result = f"{names.aio}.Channel", f"{names.typing}.Self"
    yield from _constructor(service, names, f"__new__(cls, channel: {channel}) -> {result}")
    yield from _constructor(service, names, f"__init__(self, channel: {channel}) -> None")
    yield from _callables(service, names, names.aio, overrides=True)


def _lenient(method: Method, names: _Names) -> tuple[str, str, str, str]:
    """The keyword, the types of the request and of the context, and the result, for either front end."""
    request, response = names.message(method.request), names.message(method.response)
    if method.pattern.startswith("stream"):
        request = f"{names.generated}.Requests[{request}]"
    result = f"{response} | {names.abc}.Awaitable[{response}]"
    if method.pattern.endswith("stream"):
        iterators = f"{names.abc}.Iterator[{response}] | {names.abc}.AsyncIterator[{response}]"
        result = f"{iterators} | {names.abc}.Awaitable[None]"
    return "def", request, f"{names.generated}.Context", result


def _sync(method: Method, names: _Names) -> tuple[str, str, str, str]:
    request, response = names.message(method.request), names.message(method.response)
    if method.pattern.startswith("stream"):
        request = f"{names.abc}.Iterator[{request}]"
    if method.pattern.endswith("stream"):
        response = f"{names.abc}.Iterator[{response}]"
    return "def", request, f"{names.clarion}.ServicerContext", response


def _asyncio(method: Method, names: _Names) -> tuple[str, str, str, str]:
    request, response = names.message(method.request), names.message(method.response)
    context = f"{names.aio}.ServicerContext[{names.messages(method)}]"
    if method.pattern.startswith("stream"):
        request = f"{names.abc}.AsyncIterator[{request}]"
    if method.pattern.endswith("unary"):
        return "async def", request, context, response
    result = f"{names.abc}.AsyncIterator[{response}] | {names.abc}.Awaitable[None]"
    return "def", request, context, result


def _method(
    method: Method, names: _Names, types: Callable[[Method, _Names], tuple[str, str, str, str]]
) -> Iterator[str]:
    keyword, request, context, result = types(method, names)
    yield f"    {keyword} {method.name}("
    yield f"        self, {method.takes}: {request}, context: {context}, /"
    yield f"    ) -> {result}:"


def _servicers(service: Service, names: _Names) -> Iterator[str]:
    base, classes = f"{service.name}Servicer", service.classes
    yield f"class {base}:"
    yield from docstring(service.comment or f"Serves {service.full_name}.", "    ")
    yield from _descriptor(service, names)
    for method in _sayable(service):
        yield from _method(method, names, _lenient)
        text = method.comment or f"Override this to serve {method.path}."
        yield from docstring(text, "        ")
    yield ""
    yield f"class {classes.sync_servicer}({base}):"
    yield f'    """`{base}` with the types of a sync server: its methods are plain functions."""'
    for method in _sayable(service):
        *lines, last = _method(method, names, _sync)
        yield from (*lines, f"{last} ...")
    yield ""
    yield f"class {classes.async_servicer}({base}):"
    yield f'    """`{base}` with the types of an asyncio server: its methods are async."""'
    for method in _sayable(service):
        *lines, last = _method(method, names, _asyncio)
        yield from (*lines, f"{last} ...")


def _registration(service: Service, names: _Names) -> Iterator[str]:
    servers = f"{names.clarion}.Server | {names.aio}.Server"
    yield f"def add_{service.name}Servicer_to_server("
    yield f"    servicer: {service.name}Servicer, server: {servers}"
    yield ") -> None:"
    yield f'    """Serve {service.full_name} with `servicer` on a sync or an asyncio `server`."""'


def _static(service: Service, names: _Names) -> Iterator[str]:
    yield f"class {service.classes.static}:"
    about = f"Calls the service {service.full_name}"
    yield f'    """{about} without a channel of one\'s own; see clarion.experimental."""'
    for method in _sayable(service):
        kind = f"{names.generated}.{_CALLABLES[method.pattern]}[{names.messages(method)}]"
        yield f"    {method.name}: {names.typing}.ClassVar[{kind}]"


def _module(file: File, layout: Layout) -> Iterator[str]:
    yield f"# Generated by Clarion from {file.name}. DO NOT EDIT."
    yield from docstring(file.comment or _SUMMARY, "")
    if not file.services:
        return
    names = _Names.of(file)
    yield ""
    yield from names.imports(file)
    messages = layout.import_lines(file.name, file.imports)
    imports = [line for line in messages if "importlib." not in line]
    if imports:
        yield ""
        yield from imports
    for service in file.services:
        parts = [_stub, _servicers, _registration]
        if service.classes.static:
            parts.append(_static)
        for part in parts:
            yield ""
            yield from part(service, names)


def generate_types(
    descriptor_set: bytes, names: Iterable[str], layout: Layout = PROTOC_LAYOUT
) -> dict[str, str]:
    """Generate the types of what `generate` generates for the same arguments.

    Returns:
        The text of each stub file by its path with `/`, relative to the output directory.

    Raises:
        KeyError: the set lacks a file that is named or imported.
    """
    return {
        output_path(name) + "i": "\n".join(_module(file, layout)) + "\n"
        for name, file in services_of(descriptor_set, names).items()
    }
