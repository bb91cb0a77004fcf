"""A channel and the callables it makes, as abstract classes that applications may implement too.

Tests make channels of their own (`class FakeChannel(grpc.Channel)`), and so do libraries that wrap one. What is
abstract here is what is abstract in grpcio's classes of the same name. The callables are generic in the types of
request and response, for type checkers.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from clarion.connectivity import ChannelConnectivity
from clarion.credentials import CallCredentials
from clarion.generics import Generic, In, Out, RequestIn, ResponseOut
from clarion.method import Compression
from clarion.sync.interfaces import Call, CallFuture, CallIterator, MetadataPairs

__all__ = [
    "Channel",
    "StreamStreamMultiCallable",
    "StreamUnaryMultiCallable",
    "UnaryStreamMultiCallable",
    "UnaryUnaryMultiCallable",
]


class UnaryUnaryMultiCallable(abc.ABC, Generic[RequestIn, ResponseOut]):
    """Calls a method with one request and one response."""

    @abc.abstractmethod
    def __call__(
        self,
        request: RequestIn,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseOut:
        """Call the method, and wait for the response.

        Args:
            request: the request message.
            timeout: seconds that the call may take.
            metadata: `(key, value)` pairs.
            credentials: call credentials; they need a secure channel.
            wait_for_ready: wait through failures to connect, instead of failing with UNAVAILABLE.
            compression: overrides the channel's.

        Returns:
            The response message.

        Raises:
            RpcError: the call ended with another status than OK. It is a `Call`, too.
        """

    @abc.abstractmethod
    def with_call(
        self,
        request: RequestIn,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[ResponseOut, Call]:
        """Call the method, and wait for the response; see `__call__`.

        Returns:
            The response message, and the call for its status and metadata.
        """

    @abc.abstractmethod
    def future(
        self,
        request: RequestIn,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> CallFuture[ResponseOut]:
        """Start a call; see `__call__`.

        Returns:
            A future for the response message, which is the call, too.
        """


class UnaryStreamMultiCallable(abc.ABC, Generic[RequestIn, ResponseOut]):
    """Calls a method with one request and a stream of responses."""

    @abc.abstractmethod
    def __call__(
        self,
        request: RequestIn,
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> CallIterator[ResponseOut]:
        """Start a call; for the arguments see `UnaryUnaryMultiCallable`.

        Returns:
            The call. Iterate over it for the responses; that may raise `RpcError`.
        """


class StreamUnaryMultiCallable(abc.ABC, Generic[RequestIn, ResponseOut]):
    """Calls a method with a stream of requests and one response."""

    @abc.abstractmethod
    def __call__(
        self,
        request_iterator: Iterable[RequestIn],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> ResponseOut:
        """Call the method, and wait for the response; for other arguments see `UnaryUnaryMultiCallable`.

        Args:
            request_iterator: an iterable of requests; it is consumed on another thread.

        Returns:
            The response message.

        Raises:
            RpcError: the call ended with another status than OK. It is a `Call`, too.
        """

    @abc.abstractmethod
    def with_call(
        self,
        request_iterator: Iterable[RequestIn],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> tuple[ResponseOut, Call]:
        """Call the method, and wait for the response; see `__call__`.

        Returns:
            The response message, and the call for its status and metadata.
        """

    @abc.abstractmethod
    def future(
        self,
        request_iterator: Iterable[RequestIn],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> CallFuture[ResponseOut]:
        """Start a call; see `__call__`.

        Returns:
            A future for the response message, which is the call, too.
        """


class StreamStreamMultiCallable(abc.ABC, Generic[RequestIn, ResponseOut]):
    """Calls a method with streams both ways."""

    @abc.abstractmethod
    def __call__(
        self,
        request_iterator: Iterable[RequestIn],
        timeout: float | None = None,
        metadata: MetadataPairs | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> CallIterator[ResponseOut]:
        """Start a call; for the arguments see `StreamUnaryMultiCallable`.

        Returns:
            The call. Iterate over it for the responses; that may raise `RpcError`.
        """


class Channel(abc.ABC):
    """Makes callables for the methods of a server. A context manager that closes itself at its end."""

    @abc.abstractmethod
    def subscribe(
        self, callback: Callable[[ChannelConnectivity], Any], try_to_connect: bool | None = False
    ) -> None:
        """Call `callback(state)` now and on every change of the connectivity state.

        Args:
            callback: what to call.
            try_to_connect: connect, if the channel is IDLE.
        """

    @abc.abstractmethod
    def unsubscribe(self, callback: Callable[[ChannelConnectivity], Any]) -> None:
        """Stop calling `callback`."""

    @abc.abstractmethod
    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMultiCallable[Out, In]:
        """Make the callable for a method with one request and one response.

        Args:
            method: `/package.Service/Method`.
            request_serializer: request to bytes; None passes bytes through.
            response_deserializer: bytes to response; None passes bytes through.
        """

    @abc.abstractmethod
    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMultiCallable[Out, In]:
        """Make the callable for a method with one request and a stream of responses; see `unary_unary`."""

    @abc.abstractmethod
    def stream_unary(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMultiCallable[Out, In]:
        """Make the callable for a method with a stream of requests and one response; see `unary_unary`."""

    @abc.abstractmethod
    def stream_stream(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMultiCallable[Out, In]:
        """Make the callable for a method with streams both ways; see `unary_unary`."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the channel. Calls in progress end with CANCELLED; closing twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        self.close()
        return None
