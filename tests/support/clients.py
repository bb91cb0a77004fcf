"""A channel with the same blocking interface for both front ends of a library.

`call` runs an RPC to its end and returns an `Outcome`, whatever the status; `open` starts one that
the test then writes to, reads from and cancels step by step.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from support.libraries import Library, Metadata, pairs
from support.loops import LoopThread

__all__ = ["AioClient", "Client", "OpenCall", "Outcome", "SyncClient"]

Codec = Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome:
    """How an RPC ended. `code` is the status code's name, equal in all libraries."""

    code: str
    details: str = ""
    responses: list[Any] = field(default_factory=list)
    initial: Metadata = field(default_factory=list)
    trailing: Metadata = field(default_factory=list)


class OpenCall(Protocol):
    """An RPC under way. `write` and `done_writing` are for streams of requests only."""

    def write(self, message: Any) -> None: ...
    def done_writing(self) -> None: ...
    def read(self) -> Any:
        """The next response, or None after the last one."""

    def cancel(self) -> None: ...
    def finish(self) -> Outcome:
        """Waits for the end; `responses` has those that no `read` returned."""


class Client(Protocol):
    """A channel to one target."""

    def open(
        self,
        path: str,
        pattern: str,
        requests: Iterable[Any] | None = None,
        *,
        metadata: Metadata | None = None,
        timeout: float | None = None,
        wait_for_ready: bool | None = None,
        compression: str | None = None,
        serializer: Codec | None = None,
        deserializer: Codec | None = None,
    ) -> OpenCall:
        """Starts an RPC. With `requests` None, a stream of requests is written by the test."""

    def call(
        self,
        path: str,
        pattern: str,
        requests: Iterable[Any],
        *,
        metadata: Metadata | None = None,
        timeout: float | None = None,
        wait_for_ready: bool | None = None,
        compression: str | None = None,
        serializer: Codec | None = None,
        deserializer: Codec | None = None,
    ) -> Outcome: ...

    def close(self) -> None: ...


def _first(requests: Iterable[Any] | None) -> Any:
    assert requests is not None, "a method with one request needs it"
    (request,) = requests
    return request


def open_channel(module: Any, target: str, credentials: Any, options: Any, compression: Any) -> Any:
    """A channel of a front end's module, a secure one with credentials."""
    if credentials is None:
        return module.insecure_channel(target, options=options, compression=compression)
    return module.secure_channel(target, credentials, options=options, compression=compression)


class SyncClient:
    """The library's sync channel."""

    def __init__(
        self,
        library: Library,
        target: str,
        *,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: str | None = None,
        credentials: Any = None,
    ) -> None:
        self.library = library
        self.raw: Any = open_channel(
            library.root, target, credentials, options, library.compression(compression)
        )

    def _bind(self, path: str, pattern: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The multi-callable, and the keyword arguments that belong to the call."""
        keywords = dict(options)
        callable_ = getattr(self.raw, pattern)(
            path,
            request_serializer=keywords.pop("serializer", None),
            response_deserializer=keywords.pop("deserializer", None),
        )
        keywords["compression"] = self.library.compression(keywords.get("compression"))
        return callable_, keywords

    def open(
        self, path: str, pattern: str, requests: Iterable[Any] | None = None, **options: Any
    ) -> OpenCall:
        callable_, keywords = self._bind(path, pattern, options)
        return _SyncOpenCall(self.library, callable_, pattern, requests, keywords)

    def call(self, path: str, pattern: str, requests: Iterable[Any], **options: Any) -> Outcome:
        if pattern.endswith("stream"):
            try:
                return self.open(path, pattern, requests, **options).finish()
            except self.library.root.RpcError as error:
                # A call that never began, for instance for want of a serialized request.
                return _sync_outcome(error, [])
        callable_, keywords = self._bind(path, pattern, options)
        argument = iter(requests) if pattern.startswith("stream") else _first(requests)
        try:
            response, call = callable_.with_call(argument, **keywords)
        except self.library.root.RpcError as error:
            return _sync_outcome(error, [])
        return _sync_outcome(call, [response])

    def close(self) -> None:
        self.raw.close()


def _sync_outcome(call: Any, responses: list[Any]) -> Outcome:
    return Outcome(
        call.code().name,
        call.details() or "",
        responses,
        pairs(call.initial_metadata()),
        pairs(call.trailing_metadata()),
    )


class _SyncOpenCall:
    def __init__(
        self,
        library: Library,
        callable_: Any,
        pattern: str,
        requests: Iterable[Any] | None,
        keywords: dict[str, Any],
    ) -> None:
        self._library = library
        self._queue: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._streams = pattern.endswith("stream")
        argument: Any
        if not pattern.startswith("stream"):
            argument = _first(requests)
        else:
            argument = self._written() if requests is None else iter(requests)
        self.raw: Any = (callable_ if self._streams else callable_.future)(argument, **keywords)

    def _written(self) -> Iterator[Any]:
        while item := self._queue.get():
            yield item[0]

    def write(self, message: Any) -> None:
        self._queue.put((message,))

    def done_writing(self) -> None:
        self._queue.put(())

    def read(self) -> Any:
        return next(self.raw, None)

    def cancel(self) -> None:
        self.raw.cancel()

    def finish(self) -> Outcome:
        responses: list[Any] = []
        try:
            if self._streams:
                responses.extend(self.raw)
            else:
                responses.append(self.raw.result())
        except (self._library.root.RpcError, self._library.root.FutureCancelledError):
            pass
        finally:
            # Lets go of the library's thread that waits for the test's next request.
            self.done_writing()
        return _sync_outcome(self.raw, responses)


class AioClient:
    """The library's asyncio channel, on a loop that runs in another thread."""

    def __init__(
        self,
        library: Library,
        target: str,
        loop: LoopThread,
        *,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: str | None = None,
        credentials: Any = None,
    ) -> None:
        self.library = library
        self.loop = loop

        def connect() -> Any:
            return open_channel(
                library.aio, target, credentials, options, library.compression(compression)
            )

        self.raw: Any = loop.call(connect)

    def open(
        self, path: str, pattern: str, requests: Iterable[Any] | None = None, **options: Any
    ) -> OpenCall:
        keywords = dict(options)
        keywords["compression"] = self.library.compression(keywords.get("compression"))

        def start() -> Any:
            callable_ = getattr(self.raw, pattern)(
                path,
                request_serializer=keywords.pop("serializer", None),
                response_deserializer=keywords.pop("deserializer", None),
            )
            if not pattern.startswith("stream"):
                return callable_(_first(requests), **keywords)
            return callable_(None if requests is None else _asynchronous(requests), **keywords)

        return _AioOpenCall(self.library, self.loop, self.loop.call(start), pattern)

    def call(self, path: str, pattern: str, requests: Iterable[Any], **options: Any) -> Outcome:
        return self.open(path, pattern, requests, **options).finish()

    def close(self) -> None:
        self.loop.run(self.raw.close)


async def _asynchronous(requests: Iterable[Any]) -> AsyncIterator[Any]:
    for request in requests:
        yield request


class _AioOpenCall:
    def __init__(self, library: Library, loop: LoopThread, raw: Any, pattern: str) -> None:
        self._library = library
        self._loop = loop
        self._streams = pattern.endswith("stream")
        self.raw = raw

    def write(self, message: Any) -> None:
        self._loop.run(self.raw.write, message)

    def done_writing(self) -> None:
        self._loop.run(self.raw.done_writing)

    def read(self) -> Any:
        message = self._loop.run(self.raw.read)
        return None if message is self._library.aio.EOF else message

    def cancel(self) -> None:
        self._loop.call(self.raw.cancel)

    def finish(self) -> Outcome:
        return self._loop.run(self._finish)

    async def _finish(self) -> Outcome:
        call = self.raw
        responses: list[Any] = []
        try:
            if self._streams:
                while (message := await call.read()) is not self._library.aio.EOF:
                    responses.append(message)
            else:
                responses.append(await call)
        except (self._library.aio.AioRpcError, asyncio.CancelledError):
            # The call is cancelled, not this task: nothing here cancels tasks.
            pass
        return Outcome(
            (await call.code()).name,
            await call.details() or "",
            responses,
            pairs(await call.initial_metadata()),
            pairs(await call.trailing_metadata()),
        )
