"""Calls without a channel of one's own: one function per pattern, with channels from a cache.

Environment variables, read on import, as grpcio has them:

- GRPC_PYTHON_MANAGED_CHANNEL_EVICTION_SECONDS: how long an unused channel is kept; 600.
- GRPC_PYTHON_MANAGED_CHANNEL_MAXIMUM: how many channels are kept; 256.
- GRPC_PYTHON_DEFAULT_TIMEOUT_SECONDS: the timeout of calls that state none; 60.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from clarion.credentials import insecure_channel_credentials, ssl_channel_credentials
from clarion.experimental.channel_cache import ChannelCache, number_from_environment
from clarion.experimental.warning import experimental_api
from clarion.method import Compression
from clarion.sync.channel import insecure_channel, secure_channel
from clarion.sync.channel_interface import Channel
from clarion.sync.interfaces import CallIterator

__all__ = [
    "insecure_channel_credentials",
    "stream_stream",
    "stream_unary",
    "unary_stream",
    "unary_unary",
]

Request = TypeVar("Request")
Response = TypeVar("Response")
Metadata = Sequence[tuple[str, str | bytes]]

_DEFAULT_TIMEOUT = number_from_environment("GRPC_PYTHON_DEFAULT_TIMEOUT_SECONDS", 60.0)

_cache = ChannelCache(
    number_from_environment("GRPC_PYTHON_MANAGED_CHANNEL_EVICTION_SECONDS", 600.0),
    int(number_from_environment("GRPC_PYTHON_MANAGED_CHANNEL_MAXIMUM", 256)),
)


_insecure = insecure_channel_credentials()


def _channel(
    target: str,
    options: Sequence[tuple[str, Any]],
    channel_credentials: Any,
    insecure: bool,
    compression: Compression | None,
) -> Channel:
    if insecure and channel_credentials:
        raise ValueError(
            "insecure=True and channel_credentials exclude each other; pass one of them"
        )
    if insecure:
        channel_credentials = _insecure
    options = tuple(map(tuple, options))

    def make() -> Channel:
        if channel_credentials is _insecure:
            return insecure_channel(target, options, compression)
        credentials = channel_credentials or ssl_channel_credentials()
        return secure_channel(target, credentials, options, compression)

    return _cache.get((target, options, channel_credentials, compression), make)


@experimental_api
def unary_unary(
    request: Request,
    target: str,
    method: str,
    request_serializer: Callable[[Request], bytes] | None = None,
    response_deserializer: Callable[[bytes], Response] | None = None,
    options: Sequence[tuple[str, Any]] = (),
    channel_credentials: Any = None,
    insecure: bool = False,
    call_credentials: Any = None,
    compression: Compression | None = None,
    wait_for_ready: bool | None = None,
    timeout: float | None = _DEFAULT_TIMEOUT,
    metadata: Metadata | None = None,
    _registered_method: bool | None = False,
) -> Response:
    """Call a method with one request and one response, and wait for the response.

    Args:
        request: the request message.
        target: the server, as `clarion.insecure_channel` takes it.
        method: `/package.Service/Method`.
        request_serializer: request to bytes; None passes bytes through.
        response_deserializer: bytes to response; None passes bytes through.
        options: channel arguments, `(name, value)` pairs.
        channel_credentials: how the channel is secured; by default with TLS.
        insecure: use no TLS; excludes `channel_credentials`.
        call_credentials: credentials of this call.
        compression: how the channel's requests are compressed.
        wait_for_ready: wait through failures to connect; by default True.
        timeout: seconds that the call may take; None for no limit.
        metadata: `(key, value)` pairs.

    Returns:
        The response message.

    Raises:
        RpcError: the call ended with another status than OK.
        ValueError: both `insecure` and `channel_credentials` are given.
    """
    channel = _channel(target, options, channel_credentials, insecure, compression)
    return channel.unary_unary(
        method, request_serializer, response_deserializer, _registered_method
    )(
        request,
        timeout=timeout,
        metadata=metadata,
        credentials=call_credentials,
        wait_for_ready=wait_for_ready is None or wait_for_ready,
    )


@experimental_api
def unary_stream(
    request: Request,
    target: str,
    method: str,
    request_serializer: Callable[[Request], bytes] | None = None,
    response_deserializer: Callable[[bytes], Response] | None = None,
    options: Sequence[tuple[str, Any]] = (),
    channel_credentials: Any = None,
    insecure: bool = False,
    call_credentials: Any = None,
    compression: Compression | None = None,
    wait_for_ready: bool | None = None,
    timeout: float | None = _DEFAULT_TIMEOUT,
    metadata: Metadata | None = None,
    _registered_method: bool | None = False,
) -> CallIterator[Response]:
    """Call a method with one request and a stream of responses; see `unary_unary`.

    Returns:
        The call: iterate over it for the responses.
    """
    channel = _channel(target, options, channel_credentials, insecure, compression)
    return channel.unary_stream(
        method, request_serializer, response_deserializer, _registered_method
    )(
        request,
        timeout=timeout,
        metadata=metadata,
        credentials=call_credentials,
        wait_for_ready=wait_for_ready is None or wait_for_ready,
    )


@experimental_api
def stream_unary(
    request_iterator: Iterator[Request],
    target: str,
    method: str,
    request_serializer: Callable[[Request], bytes] | None = None,
    response_deserializer: Callable[[bytes], Response] | None = None,
    options: Sequence[tuple[str, Any]] = (),
    channel_credentials: Any = None,
    insecure: bool = False,
    call_credentials: Any = None,
    compression: Compression | None = None,
    wait_for_ready: bool | None = None,
    timeout: float | None = _DEFAULT_TIMEOUT,
    metadata: Metadata | None = None,
    _registered_method: bool | None = False,
) -> Response:
    """Call a method with a stream of requests and one response, and wait for the response; see `unary_unary`.

    Args:
        request_iterator: the requests.
    """
    channel = _channel(target, options, channel_credentials, insecure, compression)
    return channel.stream_unary(
        method, request_serializer, response_deserializer, _registered_method
    )(
        request_iterator,
        timeout=timeout,
        metadata=metadata,
        credentials=call_credentials,
        wait_for_ready=wait_for_ready is None or wait_for_ready,
    )


@experimental_api
def stream_stream(
    request_iterator: Iterator[Request],
    target: str,
    method: str,
    request_serializer: Callable[[Request], bytes] | None = None,
    response_deserializer: Callable[[bytes], Response] | None = None,
    options: Sequence[tuple[str, Any]] = (),
    channel_credentials: Any = None,
    insecure: bool = False,
    call_credentials: Any = None,
    compression: Compression | None = None,
    wait_for_ready: bool | None = None,
    timeout: float | None = _DEFAULT_TIMEOUT,
    metadata: Metadata | None = None,
    _registered_method: bool | None = False,
) -> CallIterator[Response]:
    """Call a method with streams both ways; see `unary_unary`.

    Args:
        request_iterator: the requests.

    Returns:
        The call: iterate over it for the responses.
    """
    channel = _channel(target, options, channel_credentials, insecure, compression)
    return channel.stream_stream(
        method, request_serializer, response_deserializer, _registered_method
    )(
        request_iterator,
        timeout=timeout,
        metadata=metadata,
        credentials=call_credentials,
        wait_for_ready=wait_for_ready is None or wait_for_ready,
    )
