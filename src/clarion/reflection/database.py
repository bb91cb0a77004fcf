"""A database of descriptors that asks a server, for pools that look there (grpcio-reflection's API)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_database import DescriptorDatabase
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from clarion.reflection.asking import Asker
from clarion.reflection.descriptors import NotKnown, Questions, ReflectionError, expect
from clarion.reflection.versions import Version

if TYPE_CHECKING:
    from clarion.sync.channel_interface import Channel

__all__ = ["ProtoReflectionDescriptorDatabase"]


def _extensions(scope: Any) -> Iterator[Any]:
    """The extensions that a file or message defines."""
    yield from scope.extension
    inner = scope.message_type if isinstance(scope, FileDescriptorProto) else scope.nested_type
    for message in inner:
        yield from _extensions(message)


class ProtoReflectionDescriptorDatabase(DescriptorDatabase):
    """What a server's reflection service says of files and symbols, asked when somebody looks for them.

        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service = pool.FindServiceByName("hello.Greeter")

    `clarion.reflect` checks more of what the server says.

    Args:
        channel: to the server.
        timeout: seconds for each question; None: no limit.
    """

    def __init__(self, channel: Channel, timeout: float | None = 30.0) -> None:
        super().__init__()
        self._asker = Asker(channel, timeout, None)
        self._files: dict[str, FileDescriptorProto] = {}
        self._numbers: dict[str, list[int]] = {}

    def get_services(self) -> Iterable[str]:
        """The full names of the server's services."""
        found = self._ask("list_services", "", "list_services_response")
        return [each.name for each in found.service]

    def FindFileByName(self, name: str) -> FileDescriptorProto:
        """The file of that name. Raises KeyError if the server does not know it."""
        return self._find(super().FindFileByName, (name,), "file_by_filename", name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptorProto:
        """The file that defines a symbol, by its full name. Raises KeyError if the server knows none."""
        return self._find(
            super().FindFileContainingSymbol, (symbol,), "file_containing_symbol", symbol
        )

    def FindFileContainingExtension(
        self, extendee_name: str, extension_number: int
    ) -> FileDescriptorProto:
        """The file that defines an extension of a message. Raises KeyError if the server knows none."""
        asked = Version.V1.messages.ExtensionRequest(
            containing_type=extendee_name, extension_number=extension_number
        )
        return self._find(
            self._defines,
            (extendee_name, extension_number),
            "file_containing_extension",
            asked,
        )

    def FindAllExtensionNumbers(self, extendee_name: str) -> list[int]:
        """The numbers of all extensions of a message. Raises KeyError if the server does not know the message."""
        if extendee_name not in self._numbers:
            found = self._ask(
                "all_extension_numbers_of_type", extendee_name, "all_extension_numbers_response"
            )
            self._numbers[extendee_name] = list(found.extension_number)
        return self._numbers[extendee_name]

    def _find(
        self, look: Callable[..., Any], arguments: tuple[Any, ...], question: str, asked: Any
    ) -> FileDescriptorProto:
        try:
            found: FileDescriptorProto | None = look(*arguments)
        except KeyError:
            found = None
        if found is None:
            answer = self._ask(question, asked, "file_descriptor_response")
            self._add(answer.file_descriptor_proto)
            found = look(*arguments)
            if found is None:
                raise KeyError(arguments[0])
        return found

    def _add(self, files: Iterable[bytes]) -> None:
        for content in files:
            try:
                file = FileDescriptorProto.FromString(content)
            except DecodeError:
                raise ReflectionError(
                    "the server sent a file that is no google.protobuf.FileDescriptorProto"
                ) from None
            if file.name not in self._files:
                self._files[file.name] = file
                self.Add(file)

    def _defines(self, extendee: str, number: int) -> FileDescriptorProto | None:
        for file in self._files.values():
            for each in _extensions(file):
                if each.extendee.removeprefix(".") == extendee and each.number == number:
                    return file
        return None

    def _ask(self, question: str, asked: Any, kind: str) -> Any:
        def questions() -> Questions:
            request = Version.V1.messages.ServerReflectionRequest(**{question: asked})
            response = yield request
            return expect(response, kind, f"{question} {asked}".strip())

        try:
            return self._asker.ask(questions())
        except NotKnown:
            raise KeyError(asked if isinstance(asked, str) else str(asked)) from None
