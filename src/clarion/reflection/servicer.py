"""The reflection service for sync servers and, with the same names, for asyncio.

A stream of a sync server has a thread of its pool for as long as the client keeps it open, as with any stream of
requests.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clarion.reflection.answers import Answers, Conversation
from clarion.reflection.versions import Version

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["AsyncReflectionServicer", "BaseReflectionServicer", "ReflectionServicer"]


class BaseReflectionServicer:
    """What the servicers of both front ends have in common.

    Args:
        service_names: the full names of the server's services, or a function that gives them.
        pool: where their files are; None: protobuf's default pool. Those of Clarion's own services are known as well.
        version: whose messages it takes and gives.
    """

    def __init__(
        self,
        service_names: Iterable[str] | Callable[[], Iterable[str]],
        pool: DescriptorPool | None = None,
        *,
        version: Version = Version.V1ALPHA,
    ) -> None:
        if not callable(service_names):
            names = tuple(service_names)
            service_names = lambda: names  # noqa: E731
        self._answers = Answers(service_names, pool)
        self._version = version


class ReflectionServicer(BaseReflectionServicer):
    """The reflection service on a sync server, with the name and arguments of grpcio-reflection."""

    def ServerReflectionInfo(self, request_iterator: Iterable[Any], context: Any) -> Iterator[Any]:
        """One response for each request."""
        conversation = Conversation(self._answers, self._version)
        for request in request_iterator:
            yield conversation.answer(request)


class AsyncReflectionServicer(BaseReflectionServicer):
    """The reflection service for asyncio; `reflection.aio.ReflectionServicer` of grpcio-reflection."""

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterable[Any], context: Any
    ) -> AsyncIterator[Any]:
        """One response for each request."""
        conversation = Conversation(self._answers, self._version)
        async for request in request_iterator:
            yield conversation.answer(request)
