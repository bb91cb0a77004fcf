"""What a server's reflection service says, checked and put into a pool of descriptors. No I/O.

What has to be asked is yielded, as requests of grpc.reflection.v1, and the response is sent back in; so both front ends
drive the same generators. Rules:

- The server is not trusted: its answers give what was asked for, in bounded size, or a `ReflectionError` that says what
  is wrong with them.
- The pool is the server's own. Nothing of it gets into protobuf's default pool, and what this program has generated may
  differ from what the server says.
- A file goes into the pool after all that it imports. What a server does not have of google/protobuf is taken from here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from clarion.reflection.versions import Version
from clarion.status import StatusCode

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = [
    "MAX_BYTES",
    "MAX_FILES",
    "Descriptors",
    "NotKnown",
    "Questions",
    "ReflectionError",
    "expect",
]

MAX_FILES = 10_000
"""Files that are taken from one server."""

MAX_BYTES = 64 * 1024 * 1024
"""Their size together."""

_LONGEST_MESSAGE = 1000

_CODES = {code.value[0]: code.name for code in StatusCode}

Questions = Generator[Any, Any, Any]


class ReflectionError(Exception):
    """A server's reflection service is not there, or what it says cannot be used; the message says which and why."""

    def __init__(self, message: str) -> None:
        # Servers say names and reasons of any length.
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}..."
        super().__init__(message)


class NotKnown(ReflectionError):
    """The server says that it does not know what was asked for."""


class Descriptors:
    """The descriptors that one server has told of.

    Attributes:
        pool: what is known so far.
    """

    def __init__(self) -> None:
        from google.protobuf import descriptor_pool

        self.pool: DescriptorPool = descriptor_pool.DescriptorPool()
        self._in_pool: set[str] = set()
        # Files by name that are not in the pool yet: as they came, and what they import.
        self._waiting: dict[str, tuple[bytes, list[str]]] = {}
        # Of the files in the pool, and of those that are not yet.
        self._bytes = 0
        self._waiting_bytes = 0

    # What to ask

    def list_services(self) -> Questions:
        """Returns the full names of the server's services, in the server's order.

        Raises:
            ReflectionError: there is no usable answer.
        """
        response = yield Version.V1.messages.ServerReflectionRequest(list_services="")
        found = expect(response, "list_services_response", "the list of services")
        return list(dict.fromkeys(each.name for each in found.service))

    def need_symbol(self, symbol: str) -> Questions:
        """Get the file that defines `symbol` into the pool, with all that it imports.

        Raises:
            NotKnown: the server does not know it.
            ReflectionError: there is no usable answer.
        """
        if self._has(symbol):
            return
        response = yield Version.V1.messages.ServerReflectionRequest(file_containing_symbol=symbol)
        yield from self._take_files(response, f"the file that defines {symbol}")
        if not self._has(symbol):
            raise ReflectionError(
                f"the server was asked for the file that defines {symbol}, and sent one that does not"
            )

    def need_symbols(self, symbols: Iterable[str]) -> Questions:
        """Get the files of several symbols into the pool; returns the errors of those that cannot be had, by symbol."""
        errors: dict[str, ReflectionError] = {}
        for symbol in symbols:
            try:
                yield from self.need_symbol(symbol)
            except ReflectionError as error:
                errors[symbol] = error
        return errors

    def need_extensions(self, message: str) -> Questions:
        """Get the files of all extensions of a message that the server knows of into the pool.

        Raises:
            NotKnown: the server does not know the message.
            ReflectionError: there is no usable answer.
        """
        yield from self.need_symbol(message)
        requests = Version.V1.messages.ServerReflectionRequest
        response = yield requests(all_extension_numbers_of_type=message)
        what = f"the extensions of {message}"
        found = expect(response, "all_extension_numbers_response", what)
        for number in found.extension_number[:MAX_FILES]:
            if self._has_extension(message, number):
                continue
            request = requests()
            request.file_containing_extension.containing_type = message
            request.file_containing_extension.extension_number = number
            response = yield request
            what = f"the file that defines extension {number} of {message}"
            yield from self._take_files(response, what)
            if not self._has_extension(message, number):
                raise ReflectionError(
                    f"the server was asked for {what}, and sent one that does not"
                )

    # What came

    def _has(self, symbol: str) -> bool:
        try:
            self.pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return False
        return True

    def _has_extension(self, message: str, number: int) -> bool:
        try:
            self.pool.FindExtensionByNumber(self.pool.FindMessageTypeByName(message), number)
        except KeyError:
            return False
        return True

    def _take_files(self, response: Any, what: str) -> Questions:
        try:
            self._keep(expect(response, "file_descriptor_response", what).file_descriptor_proto)
            yield from self._get_imports()
            self._fill_pool()
        finally:
            # What could not be used is asked for again, should somebody want it.
            self._waiting.clear()
            self._waiting_bytes = 0

    def _keep(self, files: Iterable[bytes]) -> list[str]:
        """Returns the names of those that are new."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto
        from google.protobuf.message import DecodeError

        names = []
        for content in files:
            try:
                file = FileDescriptorProto.FromString(content)
            except DecodeError:
                raise ReflectionError(
                    "the server sent a file that is no google.protobuf.FileDescriptorProto"
                ) from None
            if file.name in self._in_pool or file.name in self._waiting:
                # The first one counts. Servers behind one name may have other versions.
                continue
            self._waiting_bytes += len(content)
            if self._bytes + self._waiting_bytes > MAX_BYTES:
                raise ReflectionError(f"the server's files are larger than {MAX_BYTES} bytes")
            if len(self._in_pool) + len(self._waiting) >= MAX_FILES:
                raise ReflectionError(f"the server has more than {MAX_FILES} files")
            self._waiting[file.name] = content, list(file.dependency)
            names.append(file.name)
        return names

    def _get_imports(self) -> Questions:
        """Ask for what files import, until nothing is missing."""
        unread = list(self._waiting)
        while unread:
            importer = unread.pop()
            for name in self._waiting[importer][1]:
                if name in self._in_pool or name in self._waiting:
                    continue
                what = f"the file {name}, which {importer} imports"
                request = Version.V1.messages.ServerReflectionRequest(file_by_filename=name)
                response = yield request
                try:
                    found = expect(response, "file_descriptor_response", what)
                except NotKnown:
                    own = _own_file(name)
                    if own is None:
                        raise
                    unread += self._keep([own])
                else:
                    unread += self._keep(found.file_descriptor_proto)
                if name not in self._waiting:
                    raise ReflectionError(f"the server was asked for {what}, and sent another")

    def _fill_pool(self) -> None:
        """Put what came into the pool, each file behind those it imports."""
        # What was looked at is not looked at again: a file may import all others.
        unseen = {name: iter(imports) for name, (_, imports) in self._waiting.items()}
        begun: set[str] = set()
        for first in unseen:
            path = [] if first in self._in_pool else [first]
            while path:
                name = path[-1]
                begun.add(name)
                missing = next((each for each in unseen[name] if each not in self._in_pool), None)
                if missing is None:
                    self._add(name)
                    path.pop()
                elif missing in begun:
                    circle = [*path[path.index(missing) :], missing]
                    raise ReflectionError(
                        f"the server's files import each other in a circle: {_shown(circle)}"
                    )
                else:
                    path.append(missing)

    def _add(self, name: str) -> None:
        try:
            self.pool.AddSerializedFile(self._waiting[name][0])
        except Exception as error:
            # protobuf's runtimes differ in what they raise.
            raise ReflectionError(f"the server's file {name} is not valid: {error}") from error
        self._in_pool.add(name)
        self._bytes += len(self._waiting[name][0])


def _shown(names: list[str]) -> str:
    if len(names) > 8:
        names = [*names[:4], "...", *names[-3:]]
    return " -> ".join(names)


def expect(response: Any, kind: str, what: str) -> Any:
    """The answer in a response, if it is of the kind that was asked for."""
    got = response.WhichOneof("message_response")
    if got == "error_response":
        error = response.error_response
        message = error.error_message or "no reason given"
        if error.error_code == StatusCode.NOT_FOUND.value[0]:
            raise NotKnown(f"the server does not know {what}: {message}")
        code = _CODES.get(error.error_code, error.error_code)
        raise ReflectionError(f"the server does not tell {what}: {code}, {message}")
    if got != kind:
        raise ReflectionError(
            f"the server was asked for {what}, and sent {got or 'an empty response'}"
        )
    return getattr(response, kind)


def _own_file(name: str) -> bytes | None:
    """A file that comes with protobuf, which servers may leave out."""
    from importlib import import_module

    from google.protobuf import descriptor_pool

    if not name.startswith("google/protobuf/"):
        return None
    try:
        module = name.removesuffix(".proto").rpartition("/")[2]
        if module.isidentifier():
            import_module(f"google.protobuf.{module}_pb2")
        content: bytes = descriptor_pool.Default().FindFileByName(name).serialized_pb
    except (ImportError, KeyError):
        return None
    return content
