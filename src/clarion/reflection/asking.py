"""Asking a server's reflection service, for each front end.

The questions of one generator go over one stream, so that one server answers them all. A server that does not know v1 is
asked in v1alpha from then on.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clarion.reflection.descriptors import Questions, ReflectionError
from clarion.reflection.versions import Version
from clarion.rpc_error import RpcError
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio import Channel as AioChannel
    from clarion.sync.channel_interface import Channel

__all__ = ["Asker", "AsyncAsker"]

_NONE = (
    "the server has no reflection service, neither grpc.reflection.v1 nor v1alpha;"
    " a server of Clarion's gets one by clarion.reflection.add_service(server)"
)
_ENDED = "the server ended the stream of its reflection service without an answer"


class _Asker:
    def __init__(self, channel: Any, timeout: float | None, metadata: Any) -> None:
        self._channel = channel
        self._options = {"timeout": timeout, "metadata": metadata}
        self._version = Version.V1

    def _method(self) -> Any:
        # v1alpha's messages are the same on the wire.
        messages = Version.V1.messages
        return self._channel.stream_stream(
            self._version.path,
            messages.ServerReflectionRequest.SerializeToString,
            messages.ServerReflectionResponse.FromString,
        )

    def _other_version(self, error: Any) -> None:
        """Go on with the older version, if the error says that the newer one is not there."""
        if error.code() is not StatusCode.UNIMPLEMENTED:
            raise error
        if self._version is Version.V1ALPHA:
            raise ReflectionError(_NONE) from error
        self._version = Version.V1ALPHA


class Asker(_Asker):
    """Asks over a sync channel.

    Args:
        channel: to the server.
        timeout: seconds that the questions of one `ask` may take together.
        metadata: sent with them.
    """

    _channel: Channel

    def ask(self, questions: Questions) -> Any:
        """Have `questions` answered; return what they return.

        Raises:
            ReflectionError: what the server says cannot be used.
            RpcError: it cannot be reached, or does not answer in time.
        """
        conversation: _Stream | None = None
        try:
            request = next(questions)
            while True:
                if conversation is None:
                    conversation = _Stream(self._method(), self._options)
                try:
                    response = conversation.answer(request)
                except RpcError as error:
                    if conversation.answers:
                        raise
                    self._other_version(error)
                    conversation.close()
                    conversation = None
                    continue
                request = questions.send(response)
        except StopIteration as done:
            return done.value
        finally:
            # Now, and not when the error that ends them is forgotten.
            questions.close()
            if conversation is not None:
                conversation.close()


class _Stream:
    """One call of the reflection service."""

    def __init__(self, method: Any, options: dict[str, Any]) -> None:
        self.answers = 0
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call: Iterator[Any] = method(iter(self._requests.get, None), **options)

    def answer(self, request: Any) -> Any:
        self._requests.put(request)
        for response in self._call:
            self.answers += 1
            return response
        raise ReflectionError(_ENDED)

    def close(self) -> None:
        call: Any = self._call
        call.cancel()
        self._requests.put(None)


class AsyncAsker(_Asker):
    """Asks over an asyncio channel; see `Asker`."""

    _channel: AioChannel

    async def ask(self, questions: Questions) -> Any:
        """See `Asker.ask`."""
        import asyncio

        from clarion.aio import EOF

        call: Any = None
        answers = 0
        try:
            request = next(questions)
            while True:
                if call is None:
                    call = self._method()(**self._options)
                try:
                    # A call that is over says why to who reads.
                    with contextlib.suppress(asyncio.InvalidStateError):
                        await call.write(request)
                    response = await call.read()
                except RpcError as error:
                    if answers:
                        raise
                    self._other_version(error)
                    call = None
                    continue
                if response is EOF:
                    raise ReflectionError(_ENDED)
                answers += 1
                request = questions.send(response)
        except StopIteration as done:
            return done.value
        finally:
            questions.close()
            if call is not None:
                call.cancel()
