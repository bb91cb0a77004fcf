"""What a `ServerCall` takes for its connection when its client speaks gRPC-Web or Connect.

A call uses a connection by few methods: those of `http2.Connection` that are here. What it says by them is gRPC; a subclass says
the same to the client in another protocol, on the `WebStream` whose request it is. So calls of all kinds serve the web
as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from clarion.hpack import HeaderList
from clarion.protocol.percent import decode_message
from clarion.protocol.request_head import RequestHead
from clarion.protocol.status_mapping import status_from_wire
from clarion.status import StatusCode
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.serving.request import WebRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clarion.web.serving.stream import WebStream

__all__ = ["CallSide", "Fields", "Reader", "split_trailers"]

Fields = tuple[tuple[bytes, bytes], ...]

_STATUS = b"grpc-status"
_MESSAGE = b"grpc-message"
_PROTO = (
    b"application/grpc-web+proto, application/grpc-web-text+proto, application/connect+proto, "
    b"application/proto"
)


class Reader(Protocol):
    """Cuts messages out of a body."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that a piece of the body completes."""

    def finish(self) -> list[bytes] | None:
        """The body is over; the messages that this completes."""


def split_trailers(trailers: Fields) -> tuple[StatusCode, str, Fields]:
    """gRPC's trailers as code, details and metadata."""
    code, message, rest = StatusCode.OK, b"", []
    for name, value in trailers:
        if name == _STATUS:
            code = status_from_wire(value)
        elif name == _MESSAGE:
            message = value
        else:
            rest.append((name, value))
    return code, decode_message(message), tuple(rest)


class _FieldsAsTheyAre:
    """Stands where HPACK's encoder is."""

    pending_update = False

    def encode(self, fields: Fields) -> Any:
        """The fields."""
        return fields


class CallSide:
    """The answer half of a call, and how its request is said in gRPC.

    Args:
        stream: where the request came, and the answer goes.
        request: its head.

    Attributes:
        begun: the head of the answer was sent.
        reader: cuts messages out of the body.
        codec: how messages are encoded: `proto`, `json`.
    """

    encoder = _FieldsAsTheyAre()
    # Calls make themselves with these; windows are the stream's business.
    peer_initial_window = 0
    recv_stream_window = 0
    # Where the end of a call is part of a body, nothing limits it.
    peer_max_header_list_size: int | None = None
    # The request is a stream of messages, each with a prefix.
    patient = True
    codec = "proto"
    # The methods that such requests are for: with a stream on either side, without, or all.
    streaming: bool | None = None
    # Why the method cannot be called so; nothing of the call can be read then, nor said.
    not_served = ""
    # What goes wrong with messages is an error as gRPC has it.
    as_grpc = True
    reader: Reader

    def __init__(self, stream: WebStream, request: WebRequest) -> None:
        self.stream = stream
        self.request = request
        self.begun = False

    # The request

    def call_head(self, said: Any) -> HeaderList:
        """The request's head as a call takes it.

        Args:
            said: what the protocol's room read of it: timeout, compressor, accepts, metadata.
        """
        request = self.request
        if request.call_head is not None:
            return request.call_head
        head = RequestHead()
        head.path = request.path.decode("utf-8", "replace")
        head.authority = request.authority.decode("latin-1")
        # Who serves messages of protobuf is told of another encoding alone.
        head.subtype = "" if self.codec == "proto" else self.codec
        head.timeout = said.timeout
        head.compressor = said.compressor
        head.accepts = frozenset(said.accepts)
        head.metadata = said.metadata
        headers = request.call_head = HeaderList(request.all_fields, request.size)
        headers.memo = head
        return headers

    def open(self, max_metadata: int, max_receive: int) -> HeaderList:
        """Read the request's head; sets `reader`.

        Raises:
            WebError: it cannot be served.
        """
        raise NotImplementedError

    def refuse(self, error: WebError) -> None:
        """Answer a request whose head cannot be served."""
        raise NotImplementedError

    # The answer, as the subclass says it

    def answer_head(self, fields: Fields) -> None:
        """Initial metadata, with what gRPC says in its response headers."""
        raise NotImplementedError

    def answer_message(self, prefix: bytes, payload: bytes) -> None:
        """A message."""
        raise NotImplementedError

    def answer_end(self, trailers: Fields) -> None:
        """The end, with gRPC's trailers. `begun` tells whether there was anything before it."""
        raise NotImplementedError

    # What a call does with its connection

    @property
    def now(self) -> Callable[[], float]:
        """The clock."""
        return self.stream.connection.now

    @property
    def outbox(self) -> list[Any]:
        """What waits to be written."""
        return self.stream.connection.outbox

    @property
    def calls_failed(self) -> int:
        """See `http2.Connection`."""
        return self.stream.connection.calls_failed

    @calls_failed.setter
    def calls_failed(self, value: int) -> None:
        self.stream.connection.calls_failed = value

    @property
    def messages_received(self) -> int:
        """See `http2.Connection`."""
        return self.stream.connection.messages_received

    @messages_received.setter
    def messages_received(self, value: int) -> None:
        self.stream.connection.messages_received = value

    def send_headers(self, call: Any, block: Any, *, end_stream: bool = False) -> None:
        """Initial metadata; with `end_stream` it is gRPC's Trailers-Only."""
        if self.not_served:
            if end_stream:
                self._refuse_type()
            return
        # Behind `:status` and `content-type`, which are the protocol's to say.
        fields: Fields = block[2:]
        if not end_stream:
            self.begun = True
            self.answer_head(fields)
            return
        names = [name for name, _value in fields]
        self.answer_end(fields[names.index(_STATUS) :])

    def send_message(
        self, call: Any, prefix: bytes, payload: bytes, *, end_stream: bool = False
    ) -> None:
        """A message. What the transport does not take is parked on the stream, and so on the call."""
        self.answer_message(prefix, payload)
        call.parked = self.stream.parked

    def send_trailers(self, call: Any, trailers: Fields) -> None:
        """The end."""
        if self.not_served:
            self._refuse_type()
        else:
            self.answer_end(trailers)

    def _refuse_type(self) -> None:
        # Nearly all handlers have protobuf's encoding; of another one nothing is known here.
        accepted = ((b"accept-post", _PROTO),) if self.codec != "proto" else ()
        self.stream.refuse(self, HttpRefusal(415, self.not_served, accepted))

    def respond(self, call: Any, head: bytes, prefix: bytes, payload: bytes, end: bytes) -> bool:
        """The whole of most answers."""
        self.begun = True
        self.answer_head(())
        self.answer_message(prefix, payload)
        self.answer_end(((_STATUS, b"0"),))
        return True

    def reset(self, call: Any, code: int) -> None:
        """End the call without another word."""
        self.stream.give_up(code)

    def consumed(self, call: Any, size: int) -> None:
        """`size` bytes of the request's body need no longer be held back."""
        self.stream.connection.consumed(self.stream, size)
