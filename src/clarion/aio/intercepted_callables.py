"""The multi-callables of a channel that has interceptors for calls of their kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from clarion.aio.errors import UsageError
from clarion.aio.intercepted_calls import (
    InterceptedStreamStreamCall,
    InterceptedStreamUnaryCall,
    InterceptedUnaryStreamCall,
    InterceptedUnaryUnaryCall,
)
from clarion.aio.interceptors import ClientCallDetails, metadata_for_interceptors
from clarion.aio.interfaces import (
    Call,
    MetadataType,
    StreamStreamCall,
    StreamStreamMultiCallable,
    StreamUnaryCall,
    StreamUnaryMultiCallable,
    UnaryStreamCall,
    UnaryStreamMultiCallable,
    UnaryUnaryCall,
    UnaryUnaryMultiCallable,
)
from clarion.method import Compression

if TYPE_CHECKING:
    from clarion.aio.channel import Channel

__all__ = [
    "InterceptedStreamStreamMultiCallable",
    "InterceptedStreamUnaryMultiCallable",
    "InterceptedUnaryStreamMultiCallable",
    "InterceptedUnaryUnaryMultiCallable",
]


class _Intercepted:
    """A method whose calls go through interceptors.

    Args:
        channel: where the calls go.
        interceptors: those of the method's kind; the first is the outermost.
        path: `/package.Service/Method`.
        make: makes the callable without interceptors for a path; an interceptor may change that.
    """

    # Libraries give callables attributes of their own, such as a `__name__`.
    __slots__ = ("__dict__", "_channel", "_interceptors", "_make", "_path", "_plain")

    def __init__(
        self,
        channel: Channel,
        interceptors: tuple[Any, ...],
        path: str | bytes,
        make: Callable[[Any], Any],
    ) -> None:
        self._channel = channel
        self._interceptors = interceptors
        self._path = path if isinstance(path, bytes) else path.encode()
        self._make = make
        self._plain = make(path)

    def _new(
        self,
        kind: Any,
        request: Any,
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> Any:
        channel = self._channel
        if channel._closed:
            raise UsageError("Channel is closed.")

        def start(details: ClientCallDetails, request: Any) -> Call:
            path = details.method
            if isinstance(path, str):
                path = path.encode()
            plain = self._plain if path == self._path else self._make(path)
            # Interceptors may pass on objects of their own, which need not have everything.
            call: Call = plain(
                request,
                timeout=getattr(details, "timeout", timeout),
                metadata=getattr(details, "metadata", metadata),
                credentials=getattr(details, "credentials", credentials),
                wait_for_ready=getattr(details, "wait_for_ready", wait_for_ready),
                compression=getattr(details, "compression", compression),
            )
            return call

        details = ClientCallDetails(
            self._path, timeout, metadata_for_interceptors(metadata), credentials, wait_for_ready
        )
        call = kind(asyncio.get_running_loop(), self._interceptors, start, details, request)
        channel.track_intercepted(call)
        return call


class InterceptedUnaryUnaryMultiCallable(_Intercepted, UnaryUnaryMultiCallable[Any, Any]):
    """Calls a method with one request and one response."""

    __slots__ = ()

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryUnaryCall[Any, Any]:
        """Start a call; see `UnaryUnaryMultiCallable`."""
        call: UnaryUnaryCall[Any, Any] = self._new(
            InterceptedUnaryUnaryCall,
            request,
            timeout,
            metadata,
            credentials,
            wait_for_ready,
            compression,
        )
        return call


class InterceptedUnaryStreamMultiCallable(_Intercepted, UnaryStreamMultiCallable[Any, Any]):
    """Calls a method with one request and a stream of responses."""

    __slots__ = ()

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryStreamCall[Any, Any]:
        """Start a call; see `UnaryStreamMultiCallable`."""
        call: UnaryStreamCall[Any, Any] = self._new(
            InterceptedUnaryStreamCall,
            request,
            timeout,
            metadata,
            credentials,
            wait_for_ready,
            compression,
        )
        return call


class InterceptedStreamUnaryMultiCallable(_Intercepted, StreamUnaryMultiCallable[Any, Any]):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

    def __call__(
        self,
        request_iterator: Iterable[Any] | AsyncIterable[Any] | None = None,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamUnaryCall[Any, Any]:
        """Start a call; see `StreamUnaryMultiCallable`."""
        call: StreamUnaryCall[Any, Any] = self._new(
            InterceptedStreamUnaryCall,
            request_iterator,
            timeout,
            metadata,
            credentials,
            wait_for_ready,
            compression,
        )
        return call


class InterceptedStreamStreamMultiCallable(_Intercepted, StreamStreamMultiCallable[Any, Any]):
    """Calls a method with streams both ways."""

    __slots__ = ()

    def __call__(
        self,
        request_iterator: Iterable[Any] | AsyncIterable[Any] | None = None,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: Any = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamStreamCall[Any, Any]:
        """Start a call; see `StreamStreamMultiCallable`."""
        call: StreamStreamCall[Any, Any] = self._new(
            InterceptedStreamStreamCall,
            request_iterator,
            timeout,
            metadata,
            credentials,
            wait_for_ready,
            compression,
        )
        return call
