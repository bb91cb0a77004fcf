"""Sessions on the sync front end."""

from __future__ import annotations

import queue
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from interop.program.library import Library, Received
from interop.program.messages import Method
from interop.program.session import Call, Outcome, Session, pairs

__all__ = ["SyncSession", "run_to_end"]


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that nothing suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a case waited for an event loop, and the sync front end has none")


def _outcome(call: Any) -> Outcome:
    initial, trailing = call.initial_metadata(), call.trailing_metadata()
    return Outcome(call.code().name, call.details() or "", pairs(initial), pairs(trailing))


class SyncSession(Session):
    async def unary(
        self, method: Method, request: Any, **options: Any
    ) -> tuple[Received | None, Outcome]:
        call = self.callable(method)
        try:
            response, call = call.with_call(request, **self.options(**options))
        except self.library.root.RpcError as error:
            return None, _outcome(error)
        return response, _outcome(call)

    async def open(self, method: Method, request: Any = None, **options: Any) -> Call:
        return _SyncCall(
            self.library, self.callable(method), method, request, self.options(**options)
        )

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to hold up

    async def gather(self, work: Sequence[Callable[[], Awaitable[Any]]], workers: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda each: run_to_end(each()), work):  # type: ignore[arg-type]
                pass

    async def reconnect(self) -> None:
        self.channel.close()
        self.channel = self._connect()

    async def close(self) -> None:
        self.channel.close()


class _SyncCall(Call):
    def __init__(
        self,
        library: Library,
        multi_callable: Any,
        method: Method,
        request: Any,
        options: dict[str, Any],
    ) -> None:
        self._library = library
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._single = method.pattern == "stream_unary"
        if method.pattern == "unary_stream":
            self._call = multi_callable(request, **options)
        else:
            start = multi_callable.future if self._single else multi_callable
            self._call = start(self._sent(), **options)

    def _sent(self) -> Iterator[Any]:
        while (message := self._requests.get()) is not None:
            yield message

    async def send(self, message: Any) -> None:
        self._requests.put(message)

    async def done_sending(self) -> None:
        self._requests.put(None)

    async def receive(self) -> Received | None:
        root = self._library.root
        try:
            return self._call.result() if self._single else next(self._call)
        except (StopIteration, root.RpcError, root.FutureCancelledError):
            return None

    async def cancel(self) -> None:
        self._call.cancel()

    async def finish(self) -> Outcome:
        outcome = _outcome(self._call)
        self._requests.put(None)  # lets the thread go that reads the requests
        return outcome
