"""Interceptors, as abstract classes that applications implement.

A client interceptor sees calls before the channel does, a server interceptor before the handler is chosen. One
object may implement several kinds.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from typing import Any

from clarion.client_core.call_details import ClientCallDetails
from clarion.generics import Generic, Request, Response
from clarion.method import HandlerCallDetails, RpcMethodHandler
from clarion.sync.interfaces import CallFuture, CallIterator, Future

__all__ = [
    "ClientCallDetails",
    "ServerInterceptor",
    "StreamStreamClientInterceptor",
    "StreamUnaryClientInterceptor",
    "UnaryStreamClientInterceptor",
    "UnaryUnaryClientInterceptor",
]


class UnaryUnaryClientInterceptor(abc.ABC, Generic[Request, Response]):
    """Sees calls with one request and one response."""

    @abc.abstractmethod
    def intercept_unary_unary(
        self,
        continuation: Callable[[ClientCallDetails, Request], CallFuture[Response]],
        client_call_details: ClientCallDetails,
        request: Request,
    ) -> Future[Response]:
        """Handle a call.

        Args:
            continuation: `continuation(client_call_details, request)` goes on with the call and returns it: a
                `Call` and `Future`. That does not raise for a call that failed; `result` and `exception` tell. It
                may be called any number of times; not calling it answers without the server.
            client_call_details: the call.
            request: the request message.

        Returns:
            What `continuation` returned, or another `Call` and `Future`. Of what the application does with the
            call it depends which methods are used; a blocking call uses `result` alone.
        """


class UnaryStreamClientInterceptor(abc.ABC, Generic[Request, Response]):
    """Sees calls with one request and a stream of responses."""

    @abc.abstractmethod
    def intercept_unary_stream(
        self,
        continuation: Callable[[ClientCallDetails, Request], CallIterator[Response]],
        client_call_details: ClientCallDetails,
        request: Request,
    ) -> Iterator[Response]:
        """Handle a call.

        Args:
            continuation: `continuation(client_call_details, request)` goes on with the call and returns it: a
                `Call` that is an iterator of responses.
            client_call_details: the call.
            request: the request message.

        Returns:
            What `continuation` returned, or another iterator of responses, which should be a `Call`.
        """


class StreamUnaryClientInterceptor(abc.ABC, Generic[Request, Response]):
    """Sees calls with a stream of requests and one response."""

    @abc.abstractmethod
    def intercept_stream_unary(
        self,
        continuation: Callable[[ClientCallDetails, Iterator[Request]], CallFuture[Response]],
        client_call_details: ClientCallDetails,
        request_iterator: Iterator[Request],
    ) -> Future[Response]:
        """Handle a call; see `UnaryUnaryClientInterceptor`.

        Args:
            continuation: `continuation(client_call_details, request_iterator)` goes on with the call and returns
                it: a `Call` and `Future`.
            client_call_details: the call.
            request_iterator: the requests.

        Returns:
            What `continuation` returned, or another `Call` and `Future`.
        """


class StreamStreamClientInterceptor(abc.ABC, Generic[Request, Response]):
    """Sees calls with streams both ways."""

    @abc.abstractmethod
    def intercept_stream_stream(
        self,
        continuation: Callable[[ClientCallDetails, Iterator[Request]], CallIterator[Response]],
        client_call_details: ClientCallDetails,
        request_iterator: Iterator[Request],
    ) -> Iterator[Response]:
        """Handle a call.

        Args:
            continuation: `continuation(client_call_details, request_iterator)` goes on with the call and returns
                it: a `Call` that is an iterator of responses.
            client_call_details: the call.
            request_iterator: the requests.

        Returns:
            What `continuation` returned, or another iterator of responses, which should be a `Call`.
        """


class ServerInterceptor(abc.ABC):
    """Sees every call to a server."""

    @abc.abstractmethod
    def intercept_service(
        self,
        # Any, because overrides may leave None out of what they expect, as grpcio's documentation does.
        continuation: Callable[[HandlerCallDetails], RpcMethodHandler | Any],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler | None:
        """Choose what serves a call.

        It runs on a thread of the server's pool. The interceptors and the handler of a call share one
        `contextvars` context, which begins empty.

        Args:
            continuation: `continuation(handler_call_details)` asks the next interceptor, and after the last one
                the server's handlers; it returns None for a method that nobody serves.
            handler_call_details: the call.

        Returns:
            The handler for the call: that of `continuation` or another, possibly of another pattern. None ends
            the call with UNIMPLEMENTED, an exception ends it with UNKNOWN.
        """
