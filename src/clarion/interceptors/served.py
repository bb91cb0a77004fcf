"""A call as interceptors see it, on both front ends.

There is one `ServedCall` for each call, however many interceptors see it. The first of them makes it, and counts messages
where they are made from bytes and into bytes.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.method import (
    HandlerCallDetails,
    RpcMethodHandler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.server_core.serving import auth_properties, call_being_decided
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.auth import Identity

__all__ = ["ServedCall", "behavior_of", "handler_like", "only_request"]

_LOG = logging.getLogger("clarion.interceptors")

_FACTORIES: dict[tuple[bool, bool], tuple[str, Callable[..., RpcMethodHandler]]] = {
    (False, False): ("unary_unary", unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", stream_stream_rpc_method_handler),
}


class ServedCall:
    """A call to a server.

    Attributes:
        method: `/package.Service/Method`.
        metadata: the client's, as `(key, value)` pairs.
        peer: the client's address, such as `ipv4:127.0.0.1:50051`.
        context: the handler's `ServicerContext`; None before `intercept` and where nothing serves the method.
        request_streaming, response_streaming: the pattern; None where nothing serves the method.
        requests, responses: how many there were until now.
        request_bytes, response_bytes: and how long they were together, serialized and not compressed.
        first_response_after: seconds from then until the first response was ready to be sent; None if there is none.
        started_at: when the call came to its interceptors, in seconds since 1970.
        code, details: how it ended. `code` is None until then.
        exception: what its handler or an interceptor raised, if that ended the call; None where the handler ended it
            with a status.
    """

    context: Any = None
    request_streaming: bool | None = None
    response_streaming: bool | None = None
    code: StatusCode | None = None
    details: str = ""
    exception: BaseException | None = None
    first_response_after: float | None = None

    def __init__(self, call: Any, details: HandlerCallDetails) -> None:
        self.method: str = details.method
        self.metadata: Any = details.invocation_metadata or ()
        peer = call.link.peer
        self.peer: str = peer if isinstance(peer, str) else peer()
        self.requests = self.responses = 0
        self.request_bytes = self.response_bytes = 0
        self.started_at = time.time()
        self._began = time.monotonic()
        self._duration: float | None = None
        self._time_left: float | None = None
        self._call = call
        self._watchers: list[Callable[[ServedCall], Any]] = []

    def __repr__(self) -> str:
        end = "in progress" if self.code is None else self.code.name
        return f"<clarion.interceptors.ServedCall of {self.method}, from {self.peer}: {end}>"

    @property
    def duration(self) -> float:
        """Seconds since the call came to its interceptors; of a call that has ended, until then."""
        if self._duration is not None:
            return self._duration
        return time.monotonic() - self._began

    @property
    def identity(self) -> Identity | None:
        """Who makes the call, if an authentication interceptor found out (`clarion.auth`)."""
        identity: Identity | None = self._call.identity
        return identity

    @property
    def user_agent(self) -> str:
        """What the client says of itself; empty if it says nothing."""
        for key, value in self.metadata:
            if key == "user-agent":
                return str(value)
        return ""

    def auth_context(self) -> dict[str, list[bytes]]:
        """What is known of the client; as `ServicerContext.auth_context`."""
        return auth_properties(self._call)

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none. Of a call that has ended, what was left."""
        if self._duration is not None:
            return self._time_left
        deadline = self._call.deadline
        return None if deadline is None else max(deadline - self._call.connection.now(), 0.0)

    # For the interceptors of this package and the front ends

    @property
    def executor(self) -> Any:
        """The pool of an asyncio server for handlers that are plain functions."""
        return self._call.executor()

    @property
    def served_by(self) -> Any:
        """The front end's call."""
        return self._call

    @staticmethod
    def of(details: HandlerCallDetails) -> tuple[ServedCall, bool]:
        """The call that an interceptor is being asked about, and whether it is the first to ask.

        Raises:
            RuntimeError: no server of Clarion's is asking.
        """
        call = call_being_decided.get()
        if call is None:
            raise RuntimeError(
                "a clarion CallInterceptor works in the interceptors of a Clarion server only"
            )
        served: ServedCall | None = call.observer
        if served is not None:
            return served, False
        served = call.observer = ServedCall(call, details)
        return served, True

    def watch(self, ended: Callable[[ServedCall], Any]) -> None:
        """Call `ended(self)` when the call has ended. The last one that asked for it comes first."""
        self._watchers.append(ended)

    def counted(self, handler: RpcMethodHandler) -> RpcMethodHandler:
        """The handler, with messages counted."""
        self.request_streaming = bool(handler.request_streaming)
        self.response_streaming = bool(handler.response_streaming)
        return handler_like(
            handler,
            behavior_of(handler),
            self._counting_deserializer(handler.request_deserializer),
            self._counting_serializer(handler.response_serializer),
        )

    def _counting_deserializer(self, inner: Callable[[bytes], Any] | None) -> Any:
        def deserialize(data: bytes) -> Any:
            self.requests += 1
            self.request_bytes += len(data)
            return data if inner is None else inner(data)

        return deserialize

    def _counting_serializer(self, inner: Callable[[Any], bytes] | None) -> Any:
        def serialize(message: Any) -> bytes:
            data: bytes = message if inner is None else inner(message)
            self.response_bytes += len(data)
            self.responses += 1
            if self.responses == 1:
                self.first_response_after = time.monotonic() - self._began
            return data

        subtype = getattr(inner, "content_subtype", None)
        if subtype is not None:
            serialize.content_subtype = subtype  # type: ignore[attr-defined]
        return serialize

    def _end(self) -> list[Callable[[ServedCall], Any]]:
        """Note how the call ended; returns whom to tell."""
        self._time_left = self.time_remaining()
        self._duration = time.monotonic() - self._began
        self.code, self.details = self._call.final_status
        return self._watchers[::-1]

    def tell(self) -> None:
        """The call has ended: tell who watches, on this thread."""
        for ended in self._end():
            try:
                ended(self)
            except Exception:
                self._complain()

    async def tell_async(self) -> None:
        """The same in the task of a call of an asyncio server; those who watch may be `async`."""
        cancelled: asyncio.CancelledError | None = None
        for ended in self._end():
            try:
                told = ended(self)
                if inspect.isawaitable(told):
                    await told
            except asyncio.CancelledError as error:
                # The others are told, too.
                cancelled = error
            except Exception:
                self._complain()
        if cancelled is not None:
            raise cancelled

    def _complain(self) -> None:
        _LOG.exception("an interceptor raised after %s had ended", self.method)


def behavior_of(handler: RpcMethodHandler) -> Callable[..., Any]:
    """The function that serves calls.

    Raises:
        ValueError: the handler has none for the pattern it states.
    """
    name, _ = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    behavior: Callable[..., Any] | None = getattr(handler, name)
    if behavior is None:
        raise ValueError(f"the handler has no behaviour for the pattern it states, {name}")
    return behavior


def handler_like(
    handler: RpcMethodHandler,
    behavior: Callable[..., Any],
    deserializer: Any,
    serializer: Any,
) -> RpcMethodHandler:
    """A handler of the same pattern."""
    _, factory = _FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
    return factory(behavior, deserializer, serializer)


def only_request(method: str, requests: list[Any]) -> Any:
    """The one request that interceptors have left of a method that takes one.

    Raises:
        ValueError: it is not one.
    """
    if len(requests) != 1:
        raise ValueError(
            f"interceptors have made {len(requests)} requests of one for {method}, which takes one"
        )
    return requests[0]
