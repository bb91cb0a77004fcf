"""The interceptors of `grpc.aio`: what applications implement to see and change calls on either side.

A client interceptor is given to `insecure_channel`, a server interceptor to `server`; the first of several is the
outermost. How they are run is in `intercepted_calls` and `server_interceptors`.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from clarion.aio.interfaces import (
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.client_core import call_details
from clarion.credentials import CallCredentials
from clarion.generics import Generic, Request, Response
from clarion.metadata import Metadata
from clarion.method import HandlerCallDetails, RpcMethodHandler

__all__ = [
    "CLIENT_KINDS",
    "ClientCallDetails",
    "ClientInterceptor",
    "ServerInterceptor",
    "StreamStreamClientInterceptor",
    "StreamUnaryClientInterceptor",
    "UnaryStreamClientInterceptor",
    "UnaryUnaryClientInterceptor",
    "check_server_interceptors",
    "client_interceptors_by_kind",
    "metadata_for_interceptors",
]


class _Details(NamedTuple):
    # grpcio says str and gives bytes; programs do with it what fits either.
    method: Any
    timeout: float | None
    metadata: Metadata | None
    credentials: CallCredentials | None
    wait_for_ready: bool | None


class ClientCallDetails(_Details):
    """A call that is about to be made. Change it with `_replace`, and give that to the continuation.

    Attributes:
        method: `/package.Service/Method`, as bytes; the continuation takes text, too.
        timeout: seconds that the call may take, or None.
        metadata: a `Metadata`; the continuation takes pairs and None, too.
        credentials: call credentials, or None.
        wait_for_ready: wait through failures to connect, or None.
    """

    __slots__ = ()


# `grpc.ClientCallDetails` is what programs ask for that serve both front ends.
call_details.ClientCallDetails.register(ClientCallDetails)


class ClientInterceptor(abc.ABC):  # noqa: B024 - a name for what the four kinds are
    """Any of the four kinds of client interceptors."""


class UnaryUnaryClientInterceptor(ClientInterceptor, Generic[Request, Response]):
    """Sees calls with one request and one response."""

    @abc.abstractmethod
    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [ClientCallDetails, Request], Awaitable[UnaryUnaryCall[Request, Response]]
        ],
        client_call_details: ClientCallDetails,
        request: Request,
    ) -> UnaryUnaryCall[Request, Response] | Response:
        """Make the call, or answer it.

        Args:
            continuation: `await continuation(client_call_details, request)` starts the call and gives it; the
                response comes from awaiting that. It may be used any number of times.
            client_call_details: the call that the application makes.
            request: the request message.

        Returns:
            The call, or a response message.

        Raises:
            AioRpcError: the call ends with that.
            asyncio.CancelledError: the call was cancelled.
        """


class UnaryStreamClientInterceptor(ClientInterceptor, Generic[Request, Response]):
    """Sees calls with one request and a stream of responses."""

    @abc.abstractmethod
    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [ClientCallDetails, Request], Awaitable[UnaryStreamCall[Request, Response]]
        ],
        client_call_details: ClientCallDetails,
        request: Request,
    ) -> UnaryStreamCall[Request, Response] | AsyncIterator[Response]:
        """Make the call, or answer it.

        Args:
            continuation: `await continuation(client_call_details, request)` starts the call and gives it.
            client_call_details: the call that the application makes.
            request: the request message.

        Returns:
            The call, or an async iterator of what the application shall read. Status and metadata are then
            those of the last call that the continuation gave.

        Raises:
            AioRpcError: the call ends with that.
            asyncio.CancelledError: the call was cancelled.
        """


class StreamUnaryClientInterceptor(ClientInterceptor, Generic[Request, Response]):
    """Sees calls with a stream of requests and one response."""

    @abc.abstractmethod
    async def intercept_stream_unary(
        self,
        continuation: Callable[
            [ClientCallDetails, AsyncIterable[Request] | Iterable[Request]],
            Awaitable[StreamUnaryCall[Request, Response]],
        ],
        client_call_details: ClientCallDetails,
        request_iterator: AsyncIterable[Request] | Iterable[Request],
    ) -> StreamUnaryCall[Request, Response] | Response:
        """Make the call, or answer it.

        Args:
            continuation: `await continuation(client_call_details, request_iterator)` starts the call and
                gives it.
            client_call_details: the call that the application makes.
            request_iterator: the requests: the application's iterable, or an async iterator of what it writes.

        Returns:
            The call, or a response message.

        Raises:
            AioRpcError: the call ends with that.
            asyncio.CancelledError: the call was cancelled.
        """


class StreamStreamClientInterceptor(ClientInterceptor, Generic[Request, Response]):
    """Sees calls with streams both ways."""

    @abc.abstractmethod
    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [ClientCallDetails, AsyncIterable[Request] | Iterable[Request]],
            Awaitable[StreamStreamCall[Request, Response]],
        ],
        client_call_details: ClientCallDetails,
        request_iterator: AsyncIterable[Request] | Iterable[Request],
    ) -> StreamStreamCall[Request, Response] | AsyncIterator[Response]:
        """Make the call, or answer it.

        Args:
            continuation: `await continuation(client_call_details, request_iterator)` starts the call and
                gives it.
            client_call_details: the call that the application makes.
            request_iterator: the requests: the application's iterable, or an async iterator of what it writes.

        Returns:
            The call, or an async iterator of what the application shall read. Status and metadata are then
            those of the last call that the continuation gave.

        Raises:
            AioRpcError: the call ends with that.
            asyncio.CancelledError: the call was cancelled.
        """


class ServerInterceptor(abc.ABC):
    """Sees calls before they have a handler, and chooses it."""

    @abc.abstractmethod
    async def intercept_service(
        self,
        # Any, because overrides may leave None out of what they expect, as grpcio's documentation does.
        continuation: Callable[[HandlerCallDetails], Awaitable[RpcMethodHandler | Any]],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler | None:
        """Choose the handler of a call.

        It runs in the task that will run an `async` handler, so what it sets in context variables the handler
        sees. It sees calls of methods that nobody serves, too.

        Args:
            continuation: `await continuation(handler_call_details)` asks the next interceptor, and after the
                last one the server's handlers.
            handler_call_details: method and metadata of the call.

        Returns:
            What serves the call; None refuses it with UNIMPLEMENTED.

        Raises:
            Exception: the call ends with UNKNOWN, and the text of the exception.
        """


CLIENT_KINDS: tuple[type[ClientInterceptor], ...] = (
    UnaryUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    StreamStreamClientInterceptor,
)


def client_interceptors_by_kind(
    interceptors: Iterable[Any] | None,
) -> tuple[tuple[Any, ...], ...]:
    """The interceptors of each of `CLIENT_KINDS`, in order.

    An object of several kinds counts as the first of them alone, as in grpcio, so that a program sees the calls
    that it saw there.

    Raises:
        ValueError: one of them is no client interceptor.
    """
    found: tuple[list[Any], ...] = ([], [], [], [])
    for interceptor in interceptors or ():
        for kind, of_kind in zip(CLIENT_KINDS, found, strict=True):
            if isinstance(interceptor, kind):
                of_kind.append(interceptor)
                break
        else:
            kinds = " or ".join(kind.__name__ for kind in CLIENT_KINDS)
            raise ValueError(f"Interceptor {interceptor!r} must be {kinds}")
    return tuple(map(tuple, found))


def check_server_interceptors(interceptors: Iterable[Any] | None) -> tuple[ServerInterceptor, ...]:
    """The interceptors as a tuple.

    Raises:
        ValueError: one of them is no server interceptor.
    """
    given = tuple(interceptors or ())
    wrong = [each for each in given if not isinstance(each, ServerInterceptor)]
    if wrong:
        raise ValueError(
            f"Interceptor must be ServerInterceptor (of clarion.aio), the following are invalid: {wrong}"
        )
    return given


def metadata_for_interceptors(metadata: Any) -> Any:
    """What interceptors see of a call's metadata: a `Metadata`, so that they can add to it.

    What is no metadata at all stays as it is: the call will say so.
    """
    if metadata and isinstance(metadata, (Metadata, Mapping, str, bytes)):
        return metadata
    try:
        return Metadata.from_tuple(metadata)
    except (TypeError, ValueError):
        return metadata
