"""What the scripted channel, server and times offer: grpcio-testing's classes and methods.

"The program" is what is tested. A test plays the server of a call that the program makes (`...ChannelRpc`), or the client
of one that it serves (`...ServerRpc`). What has not happened yet is waited for, without limit.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

from clarion.status import StatusCode
from clarion.sync.channel_interface import Channel as _Channel
from clarion.sync.interfaces import Future

__all__ = [
    "Channel",
    "Server",
    "StreamStreamChannelRpc",
    "StreamStreamServerRpc",
    "StreamUnaryChannelRpc",
    "StreamUnaryServerRpc",
    "Time",
    "UnaryStreamChannelRpc",
    "UnaryStreamServerRpc",
    "UnaryUnaryChannelRpc",
    "UnaryUnaryServerRpc",
]


# Playing the server


class _ChannelRpc(abc.ABC):
    @abc.abstractmethod
    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send metadata, before any response.

        Args:
            initial_metadata: `(key, value)` pairs.
        """

    @abc.abstractmethod
    def cancelled(self) -> None:
        """Wait until the program has cancelled the call.

        Raises:
            ValueError: the call ended in another way.
        """


class _TakesRequests(_ChannelRpc):
    @abc.abstractmethod
    def take_request(self) -> Any:
        """Wait for the next request of the program, and return it."""

    @abc.abstractmethod
    def requests_closed(self) -> None:
        """Wait until the program has sent its last request."""


class _SendsResponses(_ChannelRpc):
    @abc.abstractmethod
    def send_response(self, response: Any) -> None:
        """Send a response message."""

    @abc.abstractmethod
    def terminate(self, trailing_metadata: Any, code: StatusCode, details: str) -> None:
        """End the call.

        Args:
            trailing_metadata: pairs, or None.
            code: the status.
            details: the status message.
        """


class _SendsResponse(_ChannelRpc):
    @abc.abstractmethod
    def terminate(
        self, response: Any, trailing_metadata: Any, code: StatusCode, details: str
    ) -> None:
        """End the call.

        Args:
            response: the response message; None where the status is not OK.
            trailing_metadata: pairs, or None.
            code: the status.
            details: the status message.
        """


class UnaryUnaryChannelRpc(_SendsResponse):
    """A call of the program with one request, which was taken with it, and one response."""


class UnaryStreamChannelRpc(_SendsResponses):
    """A call of the program with one request, which was taken with it, and a stream of responses."""


class StreamUnaryChannelRpc(_TakesRequests, _SendsResponse):
    """A call of the program with a stream of requests and one response."""


class StreamStreamChannelRpc(_TakesRequests, _SendsResponses):
    """A call of the program with streams both ways."""


class Channel(_Channel):
    """A channel for the program, whose calls a test answers.

    Each `take_` method waits for a call of one method, and takes every call once, in the order in which they were made.
    """

    @abc.abstractmethod
    def take_unary_unary(self, method_descriptor: Any) -> tuple[Any, Any, UnaryUnaryChannelRpc]:
        """Take a call; returns its metadata, its request and the call.

        Args:
            method_descriptor: protobuf's descriptor of the method.
        """

    @abc.abstractmethod
    def take_unary_stream(self, method_descriptor: Any) -> tuple[Any, Any, UnaryStreamChannelRpc]:
        """Take a call; returns its metadata, its request and the call."""

    @abc.abstractmethod
    def take_stream_unary(self, method_descriptor: Any) -> tuple[Any, StreamUnaryChannelRpc]:
        """Take a call; returns its metadata and the call."""

    @abc.abstractmethod
    def take_stream_stream(self, method_descriptor: Any) -> tuple[Any, StreamStreamChannelRpc]:
        """Take a call; returns its metadata and the call."""


# Playing the client


class _ServerRpc(abc.ABC):
    @abc.abstractmethod
    def initial_metadata(self) -> Any:
        """Wait for the metadata before the first response, and return it."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Cancel the call."""


class _SendsRequests(_ServerRpc):
    @abc.abstractmethod
    def send_request(self, request: Any) -> None:
        """Send a request message."""

    @abc.abstractmethod
    def requests_closed(self) -> None:
        """Say that there are no more requests."""


class _TakesResponses(_ServerRpc):
    @abc.abstractmethod
    def take_response(self) -> Any:
        """Wait for the next response of the program, and return it.

        Raises:
            ValueError: the call ended without another one.
        """

    @abc.abstractmethod
    def termination(self) -> tuple[Any, StatusCode, str]:
        """Wait for the end; returns trailing metadata, status and status message.

        Raises:
            ValueError: the test cancelled the call, and so has no status.
        """


class _TakesResponse(_ServerRpc):
    @abc.abstractmethod
    def termination(self) -> tuple[Any, Any, StatusCode, str]:
        """Wait for the end; returns the response or None, trailing metadata, status and status message.

        Raises:
            ValueError: the test cancelled the call, and so has no status.
        """


class UnaryUnaryServerRpc(_TakesResponse):
    """A call that the program serves, with one request and one response."""


class UnaryStreamServerRpc(_TakesResponses):
    """A call that the program serves, with one request and a stream of responses."""


class StreamUnaryServerRpc(_SendsRequests, _TakesResponse):
    """A call that the program serves, with a stream of requests and one response."""


class StreamStreamServerRpc(_SendsRequests, _TakesResponses):
    """A call that the program serves, with streams both ways."""


class Server(abc.ABC):
    """Calls servicers, each call on a thread of its own. `timeout` is in seconds of the server's `Time`, or None."""

    @abc.abstractmethod
    def invoke_unary_unary(
        self, method_descriptor: Any, invocation_metadata: Any, request: Any, timeout: float | None
    ) -> UnaryUnaryServerRpc:
        """Begin a call.

        Args:
            method_descriptor: protobuf's descriptor of the method.
            invocation_metadata: pairs.
            request: the request message.
            timeout: see the class.
        """

    @abc.abstractmethod
    def invoke_unary_stream(
        self, method_descriptor: Any, invocation_metadata: Any, request: Any, timeout: float | None
    ) -> UnaryStreamServerRpc:
        """Begin a call; see `invoke_unary_unary`."""

    @abc.abstractmethod
    def invoke_stream_unary(
        self, method_descriptor: Any, invocation_metadata: Any, timeout: float | None
    ) -> StreamUnaryServerRpc:
        """Begin a call; see `invoke_unary_unary`."""

    @abc.abstractmethod
    def invoke_stream_stream(
        self, method_descriptor: Any, invocation_metadata: Any, timeout: float | None
    ) -> StreamStreamServerRpc:
        """Begin a call; see `invoke_unary_unary`."""


class Time(abc.ABC):
    """Time for tests. What is due at a time has been called before the time is said to be later than that."""

    @abc.abstractmethod
    def time(self) -> float:
        """The time in seconds."""

    @abc.abstractmethod
    def call_in(self, behavior: Callable[[], Any], delay: float) -> Future[Any]:
        """Call `behavior()` after `delay` seconds, unless the future that this returns is cancelled before."""

    @abc.abstractmethod
    def call_at(self, behavior: Callable[[], Any], time: float) -> Future[Any]:
        """Call `behavior()` at a time, unless the future that this returns is cancelled before."""

    @abc.abstractmethod
    def sleep_for(self, duration: float) -> None:
        """Let so many seconds pass."""

    @abc.abstractmethod
    def sleep_until(self, time: float) -> None:
        """Let the time pass until then."""
