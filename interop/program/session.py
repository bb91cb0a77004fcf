"""Calls as the cases make them: written once, run by both front ends.

A case is a coroutine. On the sync front end nothing that it awaits suspends it, so it is run to its
end by one `send`; on asyncio it runs in a loop, and is suspended by what the library awaits.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from interop.program.library import Library, Received
from interop.program.messages import Method

__all__ = ["Call", "Failure", "Metadata", "Outcome", "Session", "pairs"]

Metadata = list[tuple[str, Any]]


class Failure(Exception):
    """What a case asserts is not so."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: str
    details: str = ""
    initial: Metadata = field(default_factory=list)
    trailing: Metadata = field(default_factory=list)


def pairs(metadata: Iterable[Any] | None) -> Metadata:
    """Metadata of any library's type as plain pairs."""
    return [(key, value) for key, value in metadata or ()]


class Call(abc.ABC):
    """A call with a stream on at least one side."""

    @abc.abstractmethod
    async def send(self, message: Any) -> None:
        """Send a request; a call that has ended ignores it."""

    @abc.abstractmethod
    async def done_sending(self) -> None: ...

    @abc.abstractmethod
    async def receive(self) -> Received | None:
        """The next response, or None when the call has ended, however it did."""

    @abc.abstractmethod
    async def cancel(self) -> None: ...

    @abc.abstractmethod
    async def finish(self) -> Outcome:
        """How the call ended, once it has."""


class Session(abc.ABC):
    """A channel of one front end."""

    def __init__(self, library: Library, connect: Callable[[], Any], metadata: Metadata) -> None:
        self.library = library
        self.metadata = metadata
        self._connect = connect
        self.channel = connect()

    def callable(self, method: Method) -> Any:
        """The library's multi-callable."""
        return getattr(self.channel, method.pattern)(
            method.path,
            request_serializer=self.library.serializer(),
            response_deserializer=self.library.deserializer(method.response, serving=False),
        )

    def options(
        self,
        metadata: Sequence[tuple[str, Any]] = (),
        timeout: float | None = None,
        credentials: Any = None,
        compression: str | None = None,
    ) -> dict[str, Any]:
        """The arguments of a call, as both libraries take them."""
        return {
            "metadata": (*self.metadata, *metadata),
            "timeout": timeout,
            "credentials": credentials,
            "compression": compression and getattr(self.library.root.Compression, compression),
        }

    @abc.abstractmethod
    async def unary(
        self, method: Method, request: Any, **options: Any
    ) -> tuple[Received | None, Outcome]:
        """Make a unary call; the response is None unless the call succeeded."""

    @abc.abstractmethod
    async def open(self, method: Method, request: Any = None, **options: Any) -> Call:
        """Begin another kind of call; with its one request, if its pattern has one."""

    @abc.abstractmethod
    async def sleep(self, seconds: float) -> None: ...

    @abc.abstractmethod
    async def gather(self, work: Sequence[Callable[[], Awaitable[Any]]], workers: int) -> None:
        """Run coroutine functions, so many at a time; the first failure is raised."""

    @abc.abstractmethod
    async def reconnect(self) -> None:
        """Replace the channel by a new one."""

    @abc.abstractmethod
    async def close(self) -> None: ...

    async def ok(self, method: Method, request: Any, **options: Any) -> tuple[Received, Outcome]:
        """A unary call that has to succeed."""
        response, outcome = await self.unary(method, request, **options)
        if response is None:
            raise Failure(f"{method.name} ended with {outcome.code}: {outcome.details}")
        return response, outcome
