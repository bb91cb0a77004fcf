"""Calls that go through server interceptors.

A server without interceptors finds the method when the request's headers come, and makes its calls of a class that
knows nothing of this. Here the method is what the interceptors return, in the task that then runs its handler, so that
context variables that they set reach it.

Until they have returned, nobody knows how many requests the method takes. The server's own tables give a hint: where
they have a method with one request, the interceptors start when that is there, as handlers do; else they start with
the headers, and the requests wait in the inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from clarion.aio.interceptors import ServerInterceptor
from clarion.aio.server_call import AioServerCall
from clarion.aio.server_context import ServicerContext
from clarion.aio.waiters import Waiters
from clarion.method import HandlerCallDetails, RpcMethodHandler, stream_stream_rpc_method_handler
from clarion.propagation import current_parent
from clarion.protocol.metadata import encode_metadata
from clarion.protocol.request_head import RequestHead
from clarion.server_core import ServerCore
from clarion.server_core.core import call_details
from clarion.server_core.methods import Method
from clarion.server_core.observed import ObservedCall
from clarion.server_core.serving import call_being_decided, raised_status
from clarion.status import StatusCode

__all__ = ["InterceptedCall", "InterceptedCore"]

_LOG = logging.getLogger(__name__)

_UNKNOWN_YET = Method("", stream_stream_rpc_method_handler(lambda _, __: None))


class InterceptedCore(ServerCore):
    """What all connections of a server with interceptors share.

    Attributes:
        interceptors: the first is the outermost.
    """

    interceptors: tuple[ServerInterceptor, ...] = ()

    def find(self, head: RequestHead) -> Method | None:
        path = head.path
        if path in self._registered or path in self._methods:
            return ServerCore.find(self, head)
        return _UNKNOWN_YET

    async def handler(self, head: RequestHead) -> RpcMethodHandler | None:
        """What the interceptors choose for a request. Runs user code, which may raise."""
        details = call_details(head)
        return await self._continuation(0)(details)

    def _continuation(
        self, index: int
    ) -> Callable[[HandlerCallDetails], Awaitable[RpcMethodHandler | None]]:
        async def continuation(
            handler_call_details: HandlerCallDetails,
        ) -> RpcMethodHandler | None:
            if index == len(self.interceptors):
                return self.lookup(handler_call_details)
            return await self.interceptors[index].intercept_service(
                self._continuation(index + 1), handler_call_details
            )

        return continuation

    def method(self, head: RequestHead, handler: RpcMethodHandler) -> Method:
        """The handler, ready for serving; where it is the one of the tables, it is made ready once."""
        path = head.path
        if handler is (self._registered.get(path) or self._methods.get(path)):
            method = ServerCore.find(self, head)
            assert method is not None
            return method
        return Method(path, handler)


class InterceptedCall(ObservedCall, AioServerCall):
    """One call of a server that has interceptors."""

    async def _serve(self, method: Method) -> None:
        try:
            await self._choose_and_serve(method)
        finally:
            # They know each other.
            observer, self.observer = self.observer, None
            if observer is not None:
                await observer.tell_async()

    def _note_exception(self, error: Exception) -> None:
        """Let who watches the call know what its handler or an interceptor raised."""
        if self.observer is not None:
            self.observer.exception = error

    def _finish_failed(self, method: Method, context: ServicerContext, error: Exception) -> None:
        if not context._aborted:
            self._note_exception(error)
        AioServerCall._finish_failed(self, method, context, error)

    async def _choose_and_serve(self, method: Method) -> None:
        if self.core.options.propagate:
            current_parent.set(self)
        try:
            chosen = await self._choose(method)
        except asyncio.CancelledError:
            if not self.over:
                self.finish(StatusCode.CANCELLED, "the server cancelled the call")
            raise
        except Exception as error:
            chosen = None
            self._finish_undecided(error)
        finally:
            if self.over:
                self.finished = True
                if self._timer is not None:
                    self._timer.cancel()
                self.link.flush_soon()
                # As in the class above: the task knows the call.
                self.task = None
        if chosen is not None and not self.over:
            self.serve_as(chosen)
            # Which may be another than `chosen`, for other encodings of messages.
            assert self.method is not None
            await AioServerCall._serve(self, self.method)

    def _finish_undecided(self, error: Exception) -> None:
        """An interceptor raised."""
        self._note_exception(error)
        status = raised_status(error, self, ())
        if status is not None:
            code, details, trailing = status
            self.finish(code, details, encode_metadata(trailing))
            return
        _LOG.error(
            "an interceptor of %s raised, called by %s",
            self._path,
            self.link.peer(),
            exc_info=error,
        )
        told = self.core.options.tell(
            "Exception calling application", f"Unexpected {type(error)}: {error}", whole=True
        )
        self.finish(StatusCode.UNKNOWN, told)

    @property
    def _path(self) -> str:
        assert self.head is not None
        return self.head.path

    async def _choose(self, expected: Method) -> Method | None:
        """The method, with its request or requests where handlers look for them; None if the call is over."""
        core = self.core
        assert isinstance(core, InterceptedCore)
        assert self.head is not None
        asked_about = call_being_decided.set(self)
        try:
            handler = await core.handler(self.head)
        finally:
            call_being_decided.reset(asked_about)
        if self.over:
            return None
        if handler is None:
            self.finish(StatusCode.UNIMPLEMENTED, f"Method not found! {self._path}")
            return None
        chosen = core.method(self.head, handler)
        if expected.request_streaming and not chosen.request_streaming:
            await self._take_single_request()
        elif chosen.request_streaming and not expected.request_streaming:
            assert self.request is not None
            self.put(self.request)
            self.request = None
        return chosen

    async def _take_single_request(self) -> None:
        while not self.requests_done and not self.over and not self.inbox:
            if self._readers is None:
                self._readers = Waiters(self.link.loop)
            await self._readers.wait()
        if self.over:
            return
        if not self.inbox:
            self.finish(
                StatusCode.UNIMPLEMENTED, "the client sent no request; the method takes one"
            )
            return
        self.request_from_inbox()
