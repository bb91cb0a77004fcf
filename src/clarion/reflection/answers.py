"""What a server answers to questions of reflection. Both front ends and both versions serve from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from clarion.reflection.versions import Version
from clarion.service_protos import own_pool
from clarion.status import StatusCode

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["Answers", "Conversation"]

_T = TypeVar("_T")

# As much of a client's words as is said back to it.
_LONGEST_ECHO = 200


class Answers:
    """What is known to a server.

    Args:
        service_names: gives the full names of its services.
        pool: where their files are; None: protobuf's default pool. Those of Clarion's own services are known as well.
    """

    def __init__(
        self, service_names: Callable[[], Iterable[str]], pool: DescriptorPool | None = None
    ) -> None:
        self.service_names = service_names
        if pool is None:
            from google.protobuf import descriptor_pool

            pool = descriptor_pool.Default()
        self._pools = pool, own_pool()

    def file_by_name(self, name: str) -> FileDescriptor:
        """Raises KeyError if there is no such file."""
        return self._first(lambda pool: pool.FindFileByName(name))

    def file_containing_symbol(self, symbol: str) -> FileDescriptor:
        """Raises KeyError if no file defines it."""
        return self._first(lambda pool: _file_of_symbol(pool, symbol))

    def file_containing_extension(self, message: str, number: int) -> FileDescriptor:
        """Raises KeyError if no file defines it."""

        def find(pool: DescriptorPool) -> FileDescriptor:
            extended = pool.FindMessageTypeByName(message)
            extension: Any = pool.FindExtensionByNumber(extended, number)
            file: FileDescriptor = extension.file
            return file

        return self._first(find)

    def extension_numbers(self, message: str) -> list[int]:
        """Raises KeyError if no file defines the message."""

        def find(pool: DescriptorPool) -> list[int]:
            extended = pool.FindMessageTypeByName(message)
            return sorted({each.number for each in pool.FindAllExtensions(extended)})

        return self._first(find)

    def _first(self, find: Callable[[DescriptorPool], _T]) -> _T:
        for pool in self._pools:
            try:
                return find(pool)
            except KeyError:
                pass
        raise KeyError


def _file_of_symbol(pool: DescriptorPool, symbol: str) -> FileDescriptor:
    try:
        return pool.FindFileContainingSymbol(symbol)
    except KeyError:
        # protobuf's runtimes differ in what they look for, and none finds methods.
        parent, _, name = symbol.rpartition(".")
    try:
        if name in pool.FindServiceByName(parent).methods_by_name:
            return pool.FindServiceByName(parent).file
    except KeyError:
        pass
    message = pool.FindMessageTypeByName(parent)
    if name in message.oneofs_by_name:
        return message.file
    raise KeyError


class Conversation:
    """The answers of one stream: what it has sent already it does not send as a dependency again."""

    def __init__(self, answers: Answers, version: Version) -> None:
        self._answers = answers
        self._messages = version.messages
        self._sent: set[str] = set()

    def answer(self, request: Any) -> Any:
        """The response to a request."""
        response = self._messages.ServerReflectionResponse(
            valid_host=request.host, original_request=request
        )
        kind = request.WhichOneof("message_request")
        asked = "" if kind is None else getattr(request, kind)
        try:
            self._fill(response, kind, asked)
        except KeyError:
            text = str(asked).strip() if isinstance(asked, str) else _extension(asked)
            error = response.error_response
            error.error_code = StatusCode.NOT_FOUND.value[0]
            error.error_message = f"not found: {text[:_LONGEST_ECHO]}"
        return response

    def _fill(self, response: Any, kind: str | None, asked: Any) -> None:
        answers = self._answers
        if kind == "file_by_filename":
            self._send(response, answers.file_by_name(asked))
        elif kind == "file_containing_symbol":
            self._send(response, answers.file_containing_symbol(asked))
        elif kind == "file_containing_extension":
            file = answers.file_containing_extension(asked.containing_type, asked.extension_number)
            self._send(response, file)
        elif kind == "all_extension_numbers_of_type":
            numbers = answers.extension_numbers(asked)
            found = response.all_extension_numbers_response
            found.base_type_name = asked
            found.extension_number.extend(numbers)
        elif kind == "list_services":
            services = response.list_services_response
            services.SetInParent()
            for name in sorted(answers.service_names()):
                services.service.add(name=name)
        else:
            error = response.error_response
            error.error_code = StatusCode.INVALID_ARGUMENT.value[0]
            error.error_message = "the request asks for nothing that this server knows of"

    def _send(self, response: Any, file: FileDescriptor) -> None:
        """Answer with a file and, behind it, all that it depends on; each once in the stream."""
        files = response.file_descriptor_response.file_descriptor_proto
        waiting, seen = [file], {file.name}
        while waiting:
            each = waiting.pop()
            if each is file or each.name not in self._sent:
                files.append(each.serialized_pb)
                self._sent.add(each.name)
            for further in each.dependencies:
                if further.name not in seen:
                    seen.add(further.name)
                    waiting.append(further)


def _extension(asked: Any) -> str:
    return f"extension {asked.extension_number} of {asked.containing_type}"
