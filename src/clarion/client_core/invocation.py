"""What every call of a method begins with, worked out once per method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clarion.call_tracing import ClientMethodTracing, ClientTracing, failed
from clarion.client_core.call import Start
from clarion.client_core.options import ChannelOptions
from clarion.method import Compression
from clarion.protocol.compression import Compressor, accept_encoding, get_compressor
from clarion.protocol.content_type import content_type_of
from clarion.protocol.metadata import encode_metadata, metadata_size
from clarion.resolver.target import Target

__all__ = ["Method"]

Fields = tuple[tuple[bytes, bytes], ...]

# Thirty years, in seconds: more than that is no deadline, and more than timers take.
_FOR_EVER = 1e9


def _pass_through(value: Any) -> Any:
    return value


class Method:
    """A method of a channel.

    Args:
        path: `/package.Service/Method`.
        target: the channel's target, for `:authority`.
        options: the channel's settings.
        compression: the channel's compression of requests.
        serialize, deserialize: None passes bytes through. An attribute `content_subtype` of `serialize` is sent.

    Attributes:
        tracing: who traces the calls, or None.

    Raises:
        InvalidSubtype: that cannot be sent.
    """

    __slots__ = (
        "_compression",
        "_compress",
        "_compressor",
        "_fields",
        "_plain",
        "deserialize",
        "path",
        "serialize",
        "tracing",
    )

    def __init__(
        self,
        path: str | bytes,
        target: Target,
        options: ChannelOptions,
        compression: Compression | None,
        serialize: Callable[[Any], bytes] | None,
        deserialize: Callable[[bytes], Any] | None,
    ) -> None:
        self.path = path.decode() if isinstance(path, bytes) else path
        self.serialize = serialize or _pass_through
        self.deserialize = deserialize or _pass_through
        self.tracing: ClientMethodTracing | None = None
        authority = options.authority or target.authority
        self._fields: Fields = (
            (b":method", b"POST"),
            (b":scheme", (options.scheme or "http").encode("utf-8")),
            (b":path", self.path.encode("utf-8")),
            (b":authority", authority.encode("utf-8")),
            (b"te", b"trailers"),
            (b"content-type", content_type_of(serialize)),
            (b"user-agent", options.user_agent),
            (b"grpc-accept-encoding", accept_encoding()),
        )
        if compression is None:
            compression = options.compression
        self._compress = options.compress
        self._compression = compression
        self._compressor = self._find(compression)
        fields: Fields = self._fields
        if self._compressor is not None:
            fields += ((b"grpc-encoding", self._compressor.name.encode()),)
        self._plain = Start(fields, None, None, self._compressor, metadata_size(fields))

    def trace(self, tracing: ClientTracing, target: str, registered: bool) -> None:
        """Ask `tracing` who traces the calls; see `ClientTracing.method`."""
        try:
            self.tracing = tracing.method(target, self.path, registered)
        except Exception as error:
            failed(tracing, error)

    def _find(self, compression: Compression | None) -> Compressor | None:
        if not compression or not self._compress:
            return None
        return get_compressor(Compression(compression).encoding)

    def start(
        self,
        now: float,
        timeout: float | None,
        metadata: Any,
        wait_for_ready: bool | None,
        compression: Compression | None,
    ) -> Start:
        """What a call with these arguments begins with.

        Args:
            now: the clock, for the deadline.
            timeout: seconds, or None.
            metadata: `(key, value)` pairs, or None.
            wait_for_ready: wait through failures to connect; None leaves it to the service config.
            compression: overrides the channel's.

        Raises:
            InvalidMetadata: metadata that cannot be sent.
        """
        plain = self._plain
        deadline = None if timeout is None or timeout > _FOR_EVER else now + timeout
        if not metadata and wait_for_ready is None and compression is None:
            if deadline is None:
                return plain
            return Start(plain.fields, deadline, None, plain.compressor, plain.size)
        compressor = plain.compressor
        fields: Fields = plain.fields
        if compression is not None:
            compressor = self._find(compression)
            fields = self._fields
            if compressor is not None:
                fields += ((b"grpc-encoding", compressor.name.encode()),)
        if metadata:
            fields += encode_metadata(metadata)
        return Start(fields, deadline, wait_for_ready, compressor, metadata_size(fields))
