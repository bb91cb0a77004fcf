"""Plain (non-async) handlers on an asyncio server: they run on a thread pool, as in grpc.aio.

The handler sees a context whose methods may be called from its thread, an ordinary iterator of requests, and the
context variables that server interceptors have set. Everything that touches the connection happens on the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.aio.errors import EOF
from clarion.aio.server_context import ServicerContext
from clarion.method import Compression
from clarion.server_core.methods import Method
from clarion.status import Status, StatusCode

if TYPE_CHECKING:
    from clarion.aio.server_call import AioServerCall

__all__ = ["ThreadServicerContext", "run_plain"]

_END = object()
# How often a thread that waits for the loop looks whether there still is one, in seconds.
_LOOK = 5.0


class ThreadServicerContext:
    """The context of a call for a handler on a thread; the methods are those of the sync server's context."""

    def __init__(self, call: AioServerCall, context: ServicerContext) -> None:
        self._call = call
        self._context = context

    # The call

    def invocation_metadata(self) -> Any:
        """The client's metadata, as `(key, value)` pairs that have these names, too."""
        return self._context.invocation_metadata()

    def peer(self) -> str:
        """The client's address, such as `ipv4:127.0.0.1:50051`."""
        return self._context.peer()

    def peer_identities(self) -> Any:
        """What the client proved to be; None if it proved nothing."""
        return self._context.peer_identities()

    def peer_identity_key(self) -> str | None:
        """Which entry of `auth_context` identifies the client; None if none does."""
        return self._context.peer_identity_key()

    def auth_context(self) -> dict[str, list[bytes]]:
        """What the transport knows of the client, by property."""
        return self._context.auth_context()

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        return self._context.time_remaining()

    def is_active(self) -> bool:
        """Whether the call goes on."""
        return not self._call.over

    def cancel(self) -> None:
        """Cancel the call."""
        self._call.link.loop.call_soon_threadsafe(
            self._call.fail, StatusCode.CANCELLED, "the server cancelled the call"
        )

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Call `callback()` on the event loop when the call is over.

        Returns:
            Whether it will be called; False where the call was over already.
        """
        if self._call.over:
            return False
        self._context.add_done_callback(lambda _: callback())
        return True

    def record_metrics(self, make: Callable[[], Any]) -> Any:
        """See `ServicerContext`."""
        return self._context.record_metrics(make)

    # Messages

    def read(self) -> Any:
        """The next request, or `EOF`."""
        return self._wait(self._call.next_request())

    def write(self, message: Any) -> None:
        """Send a response."""
        self._wait(self._call.write(message))

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send the metadata before the first response. It may be sent once.

        Args:
            initial_metadata: `(key, value)` pairs.

        Raises:
            UsageError: it was sent already, by this method or with the first response, or the call is over.
            ValueError: it is no metadata.
        """
        self._wait(self._context.send_initial_metadata(initial_metadata))

    def set_compression(self, compression: Compression | None) -> None:
        """Compress this call's responses, if the client can read it; before initial metadata is sent."""
        self._context.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        """Send the next message as it is."""
        self._context.disable_next_message_compression()

    # The end

    def abort(self, code: StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK, which ends the call with UNKNOWN.
            details: the status message.
            trailing_metadata: `(key, value)` pairs.

        Raises:
            AbortError: always; do not catch it.
        """
        self._wait(self._context.abort(code, details, trailing_metadata))
        raise AssertionError("abort returned")

    def abort_with_status(self, status: Status) -> NoReturn:
        """End the call with a status, and leave the handler; see `abort`."""
        self.abort(status.code, status.details, status.trailing_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata that goes with the status: `(key, value)` pairs."""
        self._context.set_trailing_metadata(trailing_metadata)

    def set_code(self, code: StatusCode) -> None:
        """Set the status with which the call ends when the handler returns."""
        self._context.set_code(code)

    def set_details(self, details: str) -> None:
        """Set the status message with which the call ends when the handler returns."""
        self._context.set_details(details)

    def trailing_metadata(self) -> Any:
        """The trailing metadata as it was set; empty if it was not."""
        return self._context.trailing_metadata()

    def code(self) -> Any:
        """The status as it was set; None if it was not."""
        return self._context.code()

    def details(self) -> str:
        """The status message as it was set; empty if it was not."""
        return self._context.details()

    def _wait(self, coroutine: Any) -> Any:
        loop = self._call.link.loop
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        while not future.done():
            try:
                return future.result(_LOOK)
            except TimeoutError:
                # A loop that is closed answers no more, and the interpreter waits for this thread when it exits.
                if loop.is_closed():
                    raise RuntimeError(
                        "the server's event loop was closed while this handler waited for it; stop the server first"
                    ) from None
        return future.result()


def _requests(context: ThreadServicerContext) -> Iterator[Any]:
    while True:
        request = context.read()
        if request is EOF:
            return
        yield request


async def run_plain(
    call: AioServerCall, method: Method, argument: Any, context: ServicerContext
) -> Any:
    """Run a plain handler on the server's thread pool; return its response, or send its responses."""
    loop = call.link.loop
    thread_context = ThreadServicerContext(call, context)
    if method.request_streaming:
        argument = _requests(thread_context)
    executor = call.executor()
    run: Callable[..., Any] = contextvars.copy_context().run
    result = await loop.run_in_executor(executor, run, method.behavior, argument, thread_context)
    if not method.response_streaming:
        return result
    if result is None:
        return None
    responses = iter(result)
    while True:
        response = await loop.run_in_executor(executor, run, next, responses, _END)
        if response is _END:
            return None
        await call.write(response)
