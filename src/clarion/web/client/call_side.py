"""What stands between an attempt at a call and its connection on a web channel.

To the connection it is a stream; to the attempt it is a connection of gRPC, with the few methods that attempts use of one. Its
subclasses (`protocols`) say the request in gRPC-Web or Connect, and read the answer, which the attempt then hears as gRPC's
headers, messages and trailers. So calls of all kinds, their retries, hedges, traces and limits, are what they are.

Rules it keeps:
- The attempt hears one outcome. What came before it was delivered; what comes after it is dropped.
- Initial metadata is told as soon as it is there, but for calls that may be tried again. With these it waits for the first
  message or the end, while the request is not complete a moment at most: a server that fails before its first message has
  then committed to nothing, as with gRPC's Trailers-Only, and all its metadata is trailing metadata.
- A stream that was cut off may have had its effect. It counts as unprocessed, and is tried again unseen, only where a server
  closed a connection of HTTP/1.1 that it had kept open until then, and the method has no side effects or is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from clarion.client_core.call import Attempt, HedgedAttempt
from clarion.hpack import HeaderList
from clarion.http2 import Abort, ErrorCode
from clarion.http2.errors import StreamFault
from clarion.http2.semantics import MalformedHeaders, check_response, check_trailers
from clarion.http2.stream import Stream
from clarion.protocol.client_stream import ClientStream, head_as_read, trailers_as_read
from clarion.protocol.compression import Compressor
from clarion.protocol.outcome import Metadata, Outcome
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.web.client.options import WebClient

__all__ = ["ClientSide", "Fields", "Request", "is_attempt", "read_request"]

Fields = tuple[tuple[bytes, bytes], ...]

# gRPC's own, for which each protocol has its way; and what HTTP/2 alone has.
_OF_GRPC = frozenset((b"te", b"content-type", b"grpc-accept-encoding", b"grpc-encoding"))
_GRPC = b"application/grpc"
# How long metadata waits for what follows it, in seconds.
_MOMENT = 0.1


class _Head(NamedTuple):
    """An answer's head, taken apart once for each distinct header list."""

    status: int
    fields: Fields
    content_type: str
    length: int | None
    says_status: bool


def _read_answer(headers: HeaderList) -> _Head:
    status = check_response(headers.fields)
    fields = tuple(field for field in headers.fields if field[0][:1] != b":")
    values = dict(fields)
    length = values.get(b"content-length")
    if length is not None:
        same = all(value == length for name, value in fields if name == b"content-length")
        if not same or not length.isdigit() or len(length) > 18:
            raise MalformedHeaders(f"content-length is {length[:60]!r}, or others")
    return _Head(
        status,
        fields,
        values.get(b"content-type", b"")[:60].decode("latin-1"),
        None if length is None else int(length),
        b"grpc-status" in values,
    )


class Request(NamedTuple):
    """What a call of gRPC says, taken apart.

    Attributes:
        scheme, authority, path: where it goes.
        codec: how messages are encoded: `proto`, `json`.
        encoding: how they are compressed; "" if they are not.
        metadata: all other fields, the user agent among them.
    """

    scheme: bytes
    authority: bytes
    path: bytes
    codec: str
    encoding: str
    metadata: Fields


def read_request(fields: Fields) -> Request:
    """Take the request headers of a call apart."""
    values: dict[bytes, bytes] = {}
    metadata = []
    for name, value in fields:
        if name[:1] == b":" or name in _OF_GRPC:
            values[name] = value
        else:
            metadata.append((name, value))
    codec = values[b"content-type"][len(_GRPC) + 1 :].decode("latin-1")
    return Request(
        values[b":scheme"],
        values[b":authority"],
        values[b":path"],
        codec or "proto",
        values.get(b"grpc-encoding", b"").decode("latin-1"),
        tuple(metadata),
    )


class ClientSide(Stream):
    """One attempt on a web channel.

    Args:
        web: the channel's protocol.
        connection: of HTTP.
        attempt: the call's side.
        request: what the call says.

    Attributes:
        attempt: None when it is over.
        timeout: what is left of the call's deadline when it begins, in seconds, or None.
    """

    attempt: Any
    connection: Any
    timeout: float | None = None
    # The answer's head was understood.
    _begun = False
    _told = False
    _status = 0

    def __init__(
        self, web: WebClient, connection: Any, attempt: ClientStream, request: Request
    ) -> None:
        super().__init__(connection)
        self.web = web
        self.attempt = attempt
        self.request = request

    @property
    def call(self) -> Any:
        """The call, as an attempt has it."""
        return self.attempt.call

    # The request, and the answer, as the subclass has them

    def begin(self, prefix: bytes, payload: bytes | None, end_stream: bool) -> None:
        """Send the head of the request, and the message that there is."""
        raise NotImplementedError

    def framed(self, prefix: bytes, payload: bytes) -> tuple[bytes, bytes]:
        """A message of a stream as it is sent."""
        return prefix, payload

    def read_head(self, status: int, fields: Fields) -> Outcome | None:
        """Read the answer's head. Returns the call's outcome, if that is all there is to know."""
        raise NotImplementedError

    @property
    def metadata(self) -> Metadata | None:
        """The initial metadata; None until it is known that it is such."""
        raise NotImplementedError

    @property
    def compressor(self) -> Compressor | None:
        """How the answer's messages are compressed."""
        return None

    def read(self, data: bytes | memoryview) -> tuple[list[bytes], Outcome | None]:
        """Read a piece of the answer's body: the messages that it completes, and the outcome if that is clear now."""
        raise NotImplementedError

    def finish(self) -> tuple[bytes | None, Outcome]:
        """The body is over: the message that this completes, and the outcome."""
        raise NotImplementedError

    # What the subclass does

    def open(
        self,
        fields: Fields,
        prefix: bytes = b"",
        payload: bytes | None = None,
        *,
        method: bytes = b"POST",
        path: bytes | None = None,
        end_stream: bool = False,
    ) -> None:
        """Open the stream."""
        request = self.request
        head = (
            (b":method", method),
            (b":scheme", request.scheme),
            (b":path", self.web.prefix + request.path if path is None else path),
            (b":authority", request.authority),
            *fields,
        )
        attempt = self.attempt
        attempt.connection = self
        self.connection.open_side(self, head, prefix, payload, end_stream)
        attempt.stream_id = self.stream_id
        self._share(attempt)

    def _share(self, attempt: Any) -> None:
        attempt.local_closed = self.local_closed
        attempt.parked = self.parked

    # What the connection says

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        if self.attempt is None:
            return
        if self._begun:
            # RFC 9113 §8.1: trailers, which no protocol here has a use for.
            check_trailers(headers.fields)
            if not end_stream:
                raise MalformedHeaders("a second header list without END_STREAM")
            self._ended()
            return
        head = headers.memo
        if type(head) is not _Head:
            head = headers.memo = _read_answer(headers)
        status = head.status
        if status < 200:
            if end_stream:
                raise MalformedHeaders(f"HTTP status {status} with END_STREAM")
            return
        self._begun = True
        limit = self.web.max_metadata(self)
        if headers.size > limit:
            # Not all of them are there to be counted.
            why = f"received metadata size exceeds hard limit ({headers.size} vs. {limit})"
            self._end(Outcome(StatusCode.RESOURCE_EXHAUSTED, why))
            return
        if end_stream and head.length:
            raise MalformedHeaders("content-length promises a body, and there is none")
        self.content_left = head.length
        self._status = status
        outcome = self.read_head(status, head.fields)
        if outcome is not None:
            if status != 200 and not head.says_status:
                # Who answered is no server of the protocol: a proxy, or a website.
                said = f"{outcome.details}; content-type {head.content_type!r}"
                outcome = outcome._replace(details=said)
            self._end(outcome)
            return
        if not self._waits_with_metadata():
            self._tell_metadata()
        elif not self.local_closed:
            # The application may wait for it with its next request.
            self.connection.observer.later(_MOMENT, self._tell_metadata)
        if end_stream:
            self._ended()

    def _waits_with_metadata(self) -> bool:
        attempt = self.attempt
        plan = attempt.call.plan if is_attempt(attempt) else None
        if plan is None or self._told:
            return False
        return plan.retry is not None or isinstance(attempt, HedgedAttempt)

    def _tell_metadata(self) -> None:
        if self._told or self.attempt is None or self.metadata is None:
            return
        self._told = True
        head = head_as_read(self.metadata, self.compressor)
        self.attempt.headers_received(head, False)

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        attempt = self.attempt
        if attempt is None:
            return
        if not self._begun:
            raise StreamFault(self.stream_id, ErrorCode.PROTOCOL_ERROR, "DATA before headers")
        size = len(data)
        if not end_stream:
            # As calls of gRPC do it; see `MessageStream`.
            if attempt.inbox:
                attempt.held += size
            else:
                self.connection.consumed(self, size)
        if size:
            messages, outcome = self.read(data)
            for message in messages:
                if not self._deliver(message):
                    return
            if outcome is not None:
                self._end(outcome)
                return
            if not self._told and not self._waits_with_metadata():
                self._tell_metadata()
        if end_stream:
            self._ended()

    def _deliver(self, message: bytes) -> bool:
        """Tell of a message; return whether the call wants more."""
        attempt = self.attempt
        self._tell_metadata()
        if attempt.over:
            return False
        self.connection.messages_received += 1
        attempt.message_received(message)
        return not attempt.over

    def _ended(self) -> None:
        """The answer is complete."""
        attempt = self.attempt
        if attempt is None:
            # Metadata, or a message, ended it.
            return
        message, outcome = self.finish()
        if message is not None and not self._deliver(message):
            return
        if self.attempt is None:
            return
        if outcome.code is StatusCode.OK:
            self._tell_metadata()
        headers = trailers_as_read(self._complete(outcome), only=not self._told)
        self._share(attempt)
        attempt.remote_closed = True
        self.attempt = None
        attempt.headers_received(headers, True)

    def _complete(self, outcome: Outcome) -> Outcome:
        """With the metadata that was held back."""
        held = None if self._told else self.metadata
        if not held:
            return outcome
        return outcome._replace(trailing_metadata=(*held, *outcome.trailing_metadata))

    def _end(self, outcome: Outcome) -> None:
        """The answer cannot be used, or the rest of it does not matter."""
        attempt, self.attempt = self.attempt, None
        attempt.local_closed = attempt.remote_closed = True
        if not (self.local_closed and self.remote_closed):
            # The text that errors of HTTP come with is short, and the connection is good for other calls after it.
            is_error = self.connection.is_http1 and self._status != 200
            code = ErrorCode.NO_ERROR if is_error else ErrorCode.CANCEL
            self.connection.reset(self, code)
        attempt.end(outcome)

    def refuse(self, why: str, code: StatusCode = StatusCode.UNIMPLEMENTED) -> None:
        """End the attempt, which cannot be made on this connection."""
        attempt, self.attempt = self.attempt, None
        attempt.connection = self
        self.local_closed = self.remote_closed = True
        outcome = Outcome(code, why)
        if not is_attempt(attempt):
            # Who begins it counts it.
            self.connection.opened += 1
            attempt.end(outcome)
            return

        def end() -> None:
            with attempt.link.lock:
                attempt.end(outcome)

        # Not from here: the call is about to be told that it is on its way.
        attempt.call.core.runtime.post_from_thread(end)

    def aborted(self, reason: Abort) -> None:
        attempt, self.attempt = self.attempt, None
        if attempt is None:
            return
        attempt.local_closed = attempt.remote_closed = True
        connection: Any = self.connection
        if (
            connection.is_http1
            and reason.connection_lost
            and reason.remote
            and connection.reused
            and not connection.heard
            and self.web.is_repeatable(self.request.path)
        ):
            reason = reason._replace(unprocessed=True)
        attempt.aborted(reason)

    def writable(self) -> None:
        attempt = self.attempt
        if attempt is not None:
            attempt.parked = None
            attempt.writable()

    def end(self, outcome: Outcome) -> None:
        """End the attempt from outside."""
        if self.attempt is not None:
            self.attempt.end(outcome)

    # What an attempt does with its connection

    @property
    def now(self) -> Callable[[], float]:
        """The clock."""
        now: Callable[[], float] = self.connection.now
        return now

    @property
    def outbox(self) -> list[Any]:
        """What waits to be written."""
        outbox: list[Any] = self.connection.outbox
        return outbox

    @property
    def calls_failed(self) -> int:
        """See `http2.Connection`."""
        count: int = self.connection.calls_failed
        return count

    @calls_failed.setter
    def calls_failed(self, value: int) -> None:
        self.connection.calls_failed = value

    def send_message(
        self, attempt: Any, prefix: bytes, payload: bytes, *, end_stream: bool = False
    ) -> None:
        """A message. What the transport does not take is parked here, and so on the attempt."""
        if self.local_closed:
            return
        prefix, payload = self.framed(prefix, payload)
        self.connection.send_message(self, prefix, payload, end_stream=end_stream)
        self._share(attempt)

    def send_end(self, attempt: Any) -> None:
        """No more messages follow."""
        if not self.local_closed:
            self.connection.send_end(self)
            self._share(attempt)

    def reset(self, attempt: Any, code: int) -> None:
        """Give the attempt up."""
        self.attempt = None
        if self.stream_id:
            self.connection.reset(self, code)

    def consumed(self, attempt: Any, size: int) -> None:
        """`size` bytes of the answer need no longer be held back."""
        self.connection.consumed(self, size)


def is_attempt(stream: Any) -> bool:
    """Whether `stream` is an attempt at a call, and not one of the channel's own calls."""
    return isinstance(stream, Attempt)
