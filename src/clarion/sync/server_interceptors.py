"""Servers with interceptors: who serves a call is decided on the thread pool.

Interceptors are the application's, and may block; so the I/O thread cannot ask them. It takes each call as one
whose pattern is not known yet, keeps what comes as a stream of requests, and has a thread of the pool decide. If
the method then turns out to take one request, and that has not come yet, the thread goes, and the call comes to
the pool once more when its request is there.

A server without interceptors has nothing of this.
"""

from __future__ import annotations

import contextvars
import functools
import logging
from collections.abc import Sequence
from typing import Any

from clarion.method import HandlerCallDetails, RpcMethodHandler, stream_stream_rpc_method_handler
from clarion.protocol.request_head import RequestHead
from clarion.server_core import ServerCore
from clarion.server_core.core import call_details
from clarion.server_core.methods import Method
from clarion.server_core.observed import ObservedCall
from clarion.server_core.serving import call_being_decided, raised_status
from clarion.status import StatusCode
from clarion.sync.interceptor_interface import ServerInterceptor
from clarion.sync.server_call import SyncServerCall
from clarion.sync.server_context import ServicerContext

__all__ = ["InterceptedCall", "InterceptedCore"]

_LOG = logging.getLogger(__name__)


def _undecided(requests: Any, context: Any) -> Any:
    raise AssertionError("a call was served before its interceptors were asked")


_UNDECIDED = Method("", stream_stream_rpc_method_handler(_undecided))


class InterceptedCore(ServerCore):
    """A server whose interceptors decide who serves a call.

    Attributes:
        interceptors: asked in this order.
    """

    interceptors: Sequence[ServerInterceptor] = ()

    def find(self, head: RequestHead) -> Method | None:
        return _UNDECIDED

    def decide(self, details: HandlerCallDetails, asked: int = 0) -> RpcMethodHandler | None:
        """Who serves a call, as the interceptors from the one with index `asked` on have it."""
        if asked == len(self.interceptors):
            return self.lookup(details)
        go_on = functools.partial(self.decide, asked=asked + 1)
        return self.interceptors[asked].intercept_service(go_on, details)


class InterceptedCall(ObservedCall, SyncServerCall):
    """A call to a server that has interceptors."""

    _variables: contextvars.Context | None = None
    # A thread of the pool is at it.
    _served = False

    def serve(self) -> None:
        self._served = True
        try:
            self._serve()
        finally:
            if self.observer is None:
                self._served = False
            else:
                self._tell_if_settled()

    def _tell_if_settled(self) -> None:
        with self.link.lock:
            self._served = False
            if not self.settled:
                return
            # They know each other.
            observer, self.observer = self.observer, None
        if observer is not None:
            observer.tell()

    def interrupted(self) -> None:
        SyncServerCall.interrupted(self)
        if self.observer is not None and not self._served:
            # Nobody else would tell, and the application's code is not for this thread.
            self.link.io.post(functools.partial(self.server.dispatch, self))

    def note_exception(self, error: BaseException) -> None:
        """Let who watches the call know what its handler or an interceptor raised."""
        if self.observer is not None:
            self.observer.exception = error

    def _finish_failed(
        self, method: Method, context: ServicerContext, error: BaseException
    ) -> None:
        if not context._aborted:
            self.note_exception(error)
        SyncServerCall._finish_failed(self, method, context, error)

    def _serve(self) -> None:
        variables = self._variables
        if variables is None:
            variables = self._variables = contextvars.Context()
        if self.method is _UNDECIDED:
            if self.over:
                return
            method = variables.run(self._decide)
            if method is None or not self._settle(method):
                return
        variables.run(self.handle)

    def _decide(self) -> Method | None:
        """Ask the interceptors; None if that ended the call."""
        head, core = self.head, self.core
        assert head is not None
        assert isinstance(core, InterceptedCore)
        asked_about = call_being_decided.set(self)
        try:
            handler = core.decide(call_details(head))
            if handler is not None:
                return Method(head.path, handler)
        except BaseException as error:
            self.note_exception(error)
            chosen = raised_status(error, self, ())
            if chosen is not None:
                self._finish_with(*chosen)
                return None
            _LOG.exception(
                "an interceptor or generic handler raised for %s, called by %s",
                head.path,
                self.link.peer,
            )
            told = core.options.tell("Error in service handler", f": {error}")
            self._finish_with(StatusCode.UNKNOWN, told)
            if not isinstance(error, Exception):
                raise
        else:
            self._finish_with(StatusCode.UNIMPLEMENTED, f"Method not found! {head.path}")
        finally:
            # The handler runs in the same context; it and the call must not know each other.
            call_being_decided.reset(asked_about)
        return None

    def _settle(self, method: Method) -> bool:
        """Go on as a call of `method`; return whether its handler can start now."""
        with self.link.lock:
            self.serve_as(method)
            if method.request_streaming:
                return True
            self.request_from_inbox()
            if self.connection.outbox:
                # Credit for what was in the inbox.
                self.link.flush_soon()
            if self.over:
                return False
            if self.request is not None:
                return True
            if self.requests_done:
                # Says so, and ends the call.
                self.messages_ended()
            return False
