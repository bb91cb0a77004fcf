"""A gRPC call on an HTTP/2 stream, the client's side (PROTOCOL-HTTP2).

`ClientStream` knows the wire: response headers, messages cut out of DATA, trailers, Trailers-Only, and how
everything that is not gRPC maps to a status. Of one stream it reports exactly one `Outcome`.
"""

from __future__ import annotations

from typing import ClassVar

from clarion.errors import RemoteError
from clarion.hpack import HeaderList
from clarion.http2.connection import Connection
from clarion.http2.errors import ErrorCode, StreamFault
from clarion.http2.semantics import MalformedHeaders, check_response, check_trailers
from clarion.http2.stream import Abort
from clarion.protocol.compression import Compressor, get_compressor
from clarion.protocol.message_stream import MessageStream
from clarion.protocol.metadata import decode_metadata
from clarion.protocol.outcome import OK, Metadata, Outcome
from clarion.protocol.percent import decode_message
from clarion.protocol.request_head import is_grpc_content_type
from clarion.protocol.status_mapping import (
    http_details,
    reset_details,
    status_from_http,
    status_from_reset,
    status_from_wire,
)
from clarion.status import StatusCode

__all__ = ["ClientStream", "head_as_read", "trailers_as_read"]


class _ResponseHead:
    """Response headers, read once for each distinct list."""

    __slots__ = ("compressor", "encoding", "metadata", "outcome", "status")

    def __init__(self, headers: HeaderList) -> None:
        self.status = check_response(headers.fields)
        self.metadata: Metadata = ()
        self.encoding = "identity"
        self.compressor: Compressor | None = None
        self.outcome: Outcome | None = None
        if self.status < 200:
            return
        values = dict(headers.fields)
        content_type = values.get(b"content-type", b"")
        if b"grpc-status" in values:
            if self.status != 200:
                # With a body that is no gRPC, perhaps; the status stands all the same.
                self.outcome = _read_trailers(
                    headers, f"from headers with HTTP status {self.status}"
                )
                return
        elif self.status != 200:
            self.outcome = Outcome(
                status_from_http(self.status), http_details(self.status), debug="no grpc-status"
            )
            return
        elif not is_grpc_content_type(content_type):
            text = content_type[:60].decode("latin-1")
            self.outcome = Outcome(
                StatusCode.UNKNOWN,
                f"the response has content-type {text!r}; this is no gRPC server",
            )
            return
        self.metadata = decode_metadata(headers.fields)
        self.encoding = values.get(b"grpc-encoding", b"identity").decode("latin-1")
        if self.encoding != "identity":
            self.compressor = get_compressor(self.encoding)


def _read_trailers(headers: HeaderList, debug: str) -> Outcome:
    """The outcome that a header list with `grpc-status` states."""
    values = dict(headers.fields)
    wire = values.get(b"grpc-status")
    if wire is None:
        return Outcome(StatusCode.UNKNOWN, "the response ended without a grpc-status", debug=debug)
    code = status_from_wire(wire)
    metadata = decode_metadata(headers.fields)
    if code is StatusCode.OK:
        # A message with OK (grpc-js sends one) says nothing; grpcio does not show it either.
        return Outcome(code, "", metadata, debug) if metadata else OK
    return Outcome(code, decode_message(values.get(b"grpc-message", b"")), metadata, debug)


def head_as_read(metadata: Metadata, compressor: Compressor | None) -> HeaderList:
    """Response headers that came in another protocol, which were read there."""
    head = object.__new__(_ResponseHead)
    head.status = 200
    head.metadata = metadata
    head.encoding = "identity"
    head.compressor = compressor
    head.outcome = None
    headers = HeaderList((), 0)
    headers.memo = head
    return headers


def trailers_as_read(outcome: Outcome, *, only: bool) -> HeaderList:
    """The same of trailers. `only`: no headers came before them."""
    if only:
        headers = head_as_read((), None)
        head = headers.memo
        assert isinstance(head, _ResponseHead)
        head.outcome = outcome
        return headers
    headers = HeaderList((), 0)
    headers.memo = outcome
    return headers


class ClientStream(MessageStream):
    """One attempt at a call as the wire has it.

    Args:
        connection: where the call goes.
        max_receive: largest response message in bytes; -1 for no limit.
        max_metadata: largest response metadata, initial or trailing, in bytes.

    Attributes:
        outcome: how the call ended, once it did.
    """

    ROLE = "CLIENT"

    outcome: Outcome | None = None
    _head: _ResponseHead | None = None

    _set_later: ClassVar[tuple[str, ...]] = ("_head", "outcome", "recv_credit")

    def __init__(self, connection: Connection, max_receive: int, max_metadata: int) -> None:
        MessageStream.__init__(self, connection, 0, max_receive)
        self._max_metadata = max_metadata

    # What the class above hears

    def initial_metadata_received(self, metadata: Metadata) -> None:
        """Response headers came (not for Trailers-Only)."""
        raise NotImplementedError

    def ended(self, outcome: Outcome) -> None:
        """The attempt is over."""
        raise NotImplementedError

    # What the connection says

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        if self.outcome is not None:
            return
        try:
            if headers.size > self._max_metadata:
                self.end(
                    Outcome(
                        StatusCode.RESOURCE_EXHAUSTED,
                        "received metadata size exceeds hard limit "
                        f"({headers.size} vs. {self._max_metadata})",
                    )
                )
            elif self._head is None:
                self._response_head(headers, end_stream)
            elif not end_stream:
                raise MalformedHeaders("a second header list without END_STREAM")
            else:
                outcome = headers.memo
                if type(outcome) is not Outcome:
                    check_trailers(headers.fields)
                    outcome = _read_trailers(headers, "from the server's trailers")
                    headers.memo = outcome
                if self._reader is not None and outcome.code is StatusCode.OK:
                    # The reader is kept only within a message.
                    outcome = Outcome(
                        StatusCode.INTERNAL, "the response ended in the middle of a message"
                    )
                self.end(outcome)
        except MalformedHeaders as error:
            raise StreamFault(self.stream_id, ErrorCode.PROTOCOL_ERROR, str(error)) from None
        except RemoteError as error:
            self.end(Outcome(StatusCode.INTERNAL, str(error)))

    def _response_head(self, headers: HeaderList, end_stream: bool) -> None:
        head = headers.memo
        if type(head) is not _ResponseHead:
            head = headers.memo = _ResponseHead(headers)
        if head.status < 200:
            # RFC 9113 §8.1: informational, more headers follow.
            if end_stream:
                raise MalformedHeaders(f"HTTP status {head.status} with END_STREAM")
            return
        self._head = head
        if end_stream:
            self.end(head.outcome or _read_trailers(headers, "Trailers-Only"))
        elif head.outcome is not None:
            self.end(head.outcome)
        elif head.encoding != "identity" and head.compressor is None:
            self.end(
                Outcome(
                    StatusCode.INTERNAL,
                    f"the server compressed with {head.encoding[:40]!r}, which was not offered",
                )
            )
        else:
            self.initial_metadata_received(head.metadata)

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        if self._head is None and not self.over:
            raise StreamFault(self.stream_id, ErrorCode.PROTOCOL_ERROR, "DATA before headers")
        MessageStream.data_received(self, data, end_stream)

    def messages_ended(self) -> None:
        self.end(
            Outcome(
                StatusCode.UNKNOWN,
                "the response ended without trailers",
                debug="END_STREAM on DATA; a proxy may have dropped the trailers",
            )
        )

    def messages_failed(self, code: StatusCode, details: str) -> None:
        self.end(Outcome(code, details))

    def aborted(self, reason: Abort) -> None:
        if self.outcome is not None:
            return
        if reason.connection_lost or (
            reason.unprocessed and reason.code != ErrorCode.REFUSED_STREAM
        ):
            code, details = StatusCode.UNAVAILABLE, reason.message
        elif reason.remote:
            code, details = status_from_reset(reason.code), reset_details(reason.code)
        else:
            code, details = StatusCode.INTERNAL, reason.message
        self.over = True
        self.outcome = Outcome(
            code, details, debug=reason.describe(), unprocessed=reason.unprocessed
        )
        self.ended(self.outcome)

    # What the class above does

    def unpack(self, message: bytes) -> bytes:
        """Return a received message itself; raises `UnpackFailed`."""
        compressor = self._head.compressor if self._head is not None else None
        return self.unpack_with(compressor, message)

    def end(self, outcome: Outcome) -> None:
        """End the attempt with `outcome`, decided by either side; the stream is given up."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        self.over = True
        if self.stream_id and not (self.local_closed and self.remote_closed):
            # After the server's last word, what was not sent yet is not wanted (RFC 9113 §8.1).
            code = ErrorCode.NO_ERROR if self.remote_closed else ErrorCode.CANCEL
            self.connection.reset(self, code)
        self.ended(outcome)
