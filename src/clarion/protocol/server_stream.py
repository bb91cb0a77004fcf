"""A gRPC call on an HTTP/2 stream, the server's side (PROTOCOL-HTTP2).

`ServerStream` knows the wire: the request's head, messages cut out of DATA, response headers, trailers,
Trailers-Only. It does not know methods, handlers or time; the class above does.
"""

from __future__ import annotations

from typing import ClassVar

from clarion.hpack import HeaderList, encode_literal
from clarion.http2.connection import Connection
from clarion.http2.semantics import MalformedHeaders, check_trailers
from clarion.http2.stream import Abort
from clarion.protocol.compression import Compressor, accept_encoding
from clarion.protocol.content_type import CONTENT_TYPE, response_heads
from clarion.protocol.framing import prefix
from clarion.protocol.message_stream import MessageStream
from clarion.protocol.messages import Uncompressed
from clarion.protocol.metadata import metadata_size
from clarion.protocol.percent import encode_message, shorten_message
from clarion.protocol.request_head import RequestHead, read_request
from clarion.status import StatusCode

__all__ = ["ServerStream"]

Fields = tuple[tuple[bytes, bytes], ...]

_STATUS_OK: Fields = ((b"grpc-status", b"0"),)

# A status message is always sent whole up to this size, in bytes; beyond it, as far as the client takes it.
_SHORT = 256
# All else that can stand in Trailers-Only, as header list sizes count.
_STATUS_SIZE = 512

# The end of most calls, good on every connection because no dynamic table is involved.
_PLAIN_OK = encode_literal(b"grpc-status", b"0")


class ServerStream(MessageStream):
    """One call as the wire has it.

    Args:
        connection, stream_id: where the call came from.
        max_receive: largest request message in bytes; -1 for no limit.
        max_metadata: largest request metadata in bytes.

    Attributes:
        head: the request's head, once it came.
        encoder: how response messages are compressed; None for identity.
        head_block, head_fields: response headers without metadata; for another content-type than the usual one,
            the class above sets both.
        headers_sent: response headers were handed to the connection.
        gone: the stream was aborted; nothing can be sent any more.
    """

    ROLE = "SERVER"

    head: RequestHead | None = None
    encoder: Compressor | None = None
    head_block, head_fields = response_heads(CONTENT_TYPE)
    headers_sent = False
    gone = False

    _set_later: ClassVar[tuple[str, ...]] = ("head",)

    def __init__(
        self, connection: Connection, stream_id: int, max_receive: int, max_metadata: int
    ) -> None:
        MessageStream.__init__(self, connection, stream_id, max_receive)
        self._max_metadata = max_metadata

    # What the class above hears

    def call_started(self) -> None:
        """`head` is there and in order."""
        raise NotImplementedError

    def call_aborted(self, reason: Abort) -> None:
        """The client cancelled, or the connection went."""
        raise NotImplementedError

    # What the connection says

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        if self.head is not None:
            # RFC 9113 §8.1: trailers. gRPC has no use for a request's trailers.
            check_trailers(headers.fields)
            if not self.over:
                self._end_without_data()
            return
        head = headers.memo
        if type(head) is not RequestHead:
            head = read_request(headers, self._max_metadata)
        if end_stream and head.content_length:
            # RFC 9113 §8.1.1
            raise MalformedHeaders("content-length promises a body, and there is none")
        self.head = head
        self.content_left = head.content_length
        if head.http_error:
            self.refuse_http(headers, head.http_error)
        elif head.error is not None:
            self.send_status(*head.error)
        else:
            self.call_started()
            if end_stream and not self.over:
                self._end_without_data()

    def _end_without_data(self) -> None:
        if self.at_boundary:
            self.messages_ended()
        else:
            self.messages_failed(StatusCode.INTERNAL, "the request ended within a message")

    def aborted(self, reason: Abort) -> None:
        if not self.over:
            self.connection.calls_failed += 1
        self.gone = True
        self.over = True
        if self.head is not None:
            self.call_aborted(reason)

    # What the class above does

    def unpack(self, message: bytes) -> bytes:
        """Return a received message itself; raises `UnpackFailed`."""
        assert self.head is not None
        return self.unpack_with(self.head.compressor, message)

    def send_initial_metadata(self, fields: Fields) -> None:
        """Send response headers, with the application's metadata."""
        self.headers_sent = True
        if self.gone:
            return
        assert self.head is not None
        connection = self.connection
        head = self.head_fields
        if self.encoder is not None:
            head += ((b"grpc-encoding", self.encoder.name.encode()),)
        if self.head.compressor is not None or self.encoder is not None:
            head += ((b"grpc-accept-encoding", accept_encoding()),)
        connection.send_headers(self, connection.encoder.encode(head + fields))

    def send_response(self, payload: bytes, *, compress: bool = True) -> None:
        """Send a message. It may be parked; `Stream.parked` tells, `writable` tells when it is gone."""
        if self.gone:
            return
        encoder = self.encoder
        if encoder is not None and compress and type(payload) is not Uncompressed:
            payload = encoder.compress(payload)
            self.connection.send_message(self, prefix(len(payload), True), payload)
        else:
            self.connection.send_message(self, prefix(len(payload)), payload)

    def send_ok_response(self, payload: bytes) -> None:
        """Send headers, the one message and status OK: the whole of most responses."""
        if self.gone:
            return
        self.over = True
        connection = self.connection
        head = self.head_block
        if connection.encoder.pending_update:
            head = connection.encoder.take_update() + head
        if connection.respond(self, head, len(payload).to_bytes(5, "big"), payload, _PLAIN_OK):
            return
        connection.send_headers(self, head)
        connection.send_message(self, prefix(len(payload)), payload)
        connection.send_trailers(self, _STATUS_OK)

    def send_status(self, code: StatusCode, details: str = "", fields: Fields = ()) -> None:
        """End the call. Without response headers so far this is Trailers-Only."""
        self.over = True
        if self.gone:
            return
        connection = self.connection
        if code is not StatusCode.OK:
            connection.calls_failed += 1
        trailers: Fields = ((b"grpc-status", b"%d" % code.value[0]),)
        if fields:
            fields = self._bearable(fields)
        if details:
            message = encode_message(details)
            if len(message) > _SHORT:
                message = self._fit(message, fields)
            trailers += ((b"grpc-message", message),)
        trailers += fields
        if self.headers_sent:
            connection.send_trailers(self, trailers)
            return
        self.headers_sent = True
        head = self.head_fields
        if code is StatusCode.UNIMPLEMENTED:
            head += ((b"grpc-accept-encoding", accept_encoding()),)
        connection.send_headers(self, connection.encoder.encode(head + trailers), end_stream=True)

    def _bearable(self, fields: Fields) -> Fields:
        """Trailing metadata without rich details, where with them the client would refuse the status itself."""
        limit = self.connection.peer_max_header_list_size
        if limit is None or metadata_size(fields) + _STATUS_SIZE + _SHORT <= limit:
            return fields
        return tuple(field for field in fields if field[0] != b"grpc-status-details-bin")

    def _fit(self, message: bytes, fields: Fields) -> bytes:
        """Shorten a long status message to what the client accepts; above that the status is lost too."""
        limit = self.connection.peer_max_header_list_size
        if limit is None:
            return message
        return shorten_message(message, max(limit - metadata_size(fields) - _STATUS_SIZE, _SHORT))

    def refuse_http(self, headers: HeaderList, status: int) -> None:
        """Answer what is no gRPC request in plain HTTP (415 for a foreign content-type).

        Headers that are too large (431) have gRPC's answer here, and requests that name an encoding (200) are served: whoever
        takes more than gRPC does otherwise.
        """
        head = self.head
        assert head is not None
        if head.error is not None:
            self.send_status(*head.error)
            return
        if status == 200:
            # Handlers have one encoding, and this serves them with whatever is sent.
            self.call_started()
            if self.remote_closed and not self.over:
                self._end_without_data()
            return
        self.over = self.headers_sent = True
        connection = self.connection
        connection.calls_failed += 1
        fields: Fields = ((b":status", b"%d" % status),)
        if status == 415:
            fields += (
                (b"grpc-status", b"%d" % StatusCode.INTERNAL.value[0]),
                (b"grpc-message", b"content-type must be application/grpc"),
            )
        else:
            fields += ((b"allow", b"POST"),)
        connection.send_headers(self, connection.encoder.encode(fields), end_stream=True)
