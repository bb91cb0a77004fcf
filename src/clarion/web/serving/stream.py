"""A stream whose request is no gRPC: it finds out what it is, and has a call serve it.

Connections of both kinds tell it what came, as they tell a `ServerCall`: HTTP/2's where a request has another content-type than
gRPC's (see `gate`), HTTP/1.1's for each request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from clarion.hpack import HeaderList
from clarion.http2 import Abort, Connection
from clarion.http2.semantics import MalformedHeaders, check_trailers
from clarion.http2.stream import Stream
from clarion.server_core.options import ServerOptions
from clarion.status import StatusCode
from clarion.web import grpc_web
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.options import WebOptions
from clarion.web.serving.call_side import CallSide, Fields
from clarion.web.serving.codecs import NotServed, is_safe
from clarion.web.serving.protocols import side_for
from clarion.web.serving.request import Kind, WebRequest

__all__ = ["MakeCall", "WebStream"]

MakeCall = Callable[[Any, int], Any]
"""Makes a front end's `ServerCall` for a connection (here: a `CallSide`) and a stream's identifier."""

_ACCEPTED = (
    b"application/grpc-web+proto, application/grpc-web-text+proto, application/connect+proto, "
    b"application/connect+json, application/proto, application/json"
)


class WebStream(Stream):
    """One request, and its answer.

    Args:
        connection, stream_id: see `Stream`.
        options, limits: the server's.
        make_call: see `MakeCall`.
        is_http1: the request came by HTTP/1.1.
        door: the way to an application that has the requests which are no calls (`clarion.web.apps.door.Door`), or None.

    Attributes:
        call: what serves it, if it is a call.
        over: it is answered, or cut off.
    """

    call: Any = None
    over = False
    _side: CallSide | None = None
    # An application's request, `clarion.web.apps.exchange.Exchange`.
    _exchange: Any = None
    # RFC 9110 §9.3.2: answers have no body.
    _bodiless = False

    def __init__(
        self,
        connection: Connection,
        stream_id: int,
        options: WebOptions,
        limits: ServerOptions,
        make_call: MakeCall,
        *,
        is_http1: bool,
        door: Any = None,
    ) -> None:
        super().__init__(connection, stream_id)
        self._door = door
        self._options = options
        self._max_metadata = limits.max_metadata
        self._max_receive = limits.max_receive
        self._make_call = make_call
        self._is_http1 = is_http1
        self._cors: Fields = ()

    @property
    def patient(self) -> bool:
        """Whether the request is a stream of messages, which may rest."""
        return self._side is not None and self._side.patient

    # What the connection says

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        if self._side is not None or self._exchange is not None or self.over:
            # RFC 9113 §8.1: trailers, which no protocol here has a use for.
            check_trailers(headers.fields)
            self.data_received(b"", True)
            return
        # HTTP/2's connections keep no more of a header list than is allowed; HTTP/1.1 has a limit of its own.
        if headers.size > self._max_metadata and not self._is_http1:
            self._refuse_large(WebRequest(headers, cut=True))
            return
        request = WebRequest.of(headers)
        if end_stream and request.content_length:
            raise MalformedHeaders("content-length promises a body, and there is none")
        self.content_left = request.content_length
        self._bodiless = request.method == b"HEAD"
        if self._door is not None and self._door.takes(request):
            self._give_to_app(self._door, request, end_stream)
            return
        self._cors = self._options.cors.answer_fields(request.origin)
        side = side_for(self, request)
        if side is None:
            self._answer_plainly(request)
            return
        try:
            head = side.open(self._max_metadata, self._max_receive)
        except WebError as error:
            self.connection.calls_failed += 1
            self.refuse(side, error)
            return
        self._side = side
        self.call = self._make_call(side, self.stream_id)
        # Its end comes with the body's; a body that is empty ends now.
        try:
            self.call.headers_received(head, False)
        except NotServed:
            self.fail(StatusCode.UNIMPLEMENTED, "the method cannot be called so")
        if end_stream:
            self.data_received(b"", True)

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        side, call = self._side, self.call
        if self._exchange is not None:
            self._exchange.data_received(data, end_stream)
            return
        if side is None or self.over or call.over:
            return
        size = len(data)
        if not end_stream:
            # As calls of gRPC do it; see `MessageStream`.
            if call.inbox:
                call.held += size
            else:
                self.connection.consumed(self, size)
        call.remote_closed = end_stream
        # The error itself would keep this frame, and all that it knows.
        fault: tuple[StatusCode, str] | None = None
        try:
            messages = side.reader.feed(bytes(data))
            if end_stream:
                messages += side.reader.finish() or ()
        except WebError as error:
            fault, messages = (error.code, str(error)), list(error.messages)
        for message in messages:
            self.connection.messages_received += 1
            call.message_received(message)
            if call.over:
                return
        if fault is not None:
            if self._is_http1 and fault[0] is StatusCode.RESOURCE_EXHAUSTED:
                cast(Any, self.connection).too_much(self._max_receive)
            call.fail(*fault)
        elif end_stream:
            call.messages_ended()

    def aborted(self, reason: Abort) -> None:
        call, exchange = self.call, self._exchange
        self._leave()
        if call is not None:
            call.aborted(reason)
        elif exchange is not None:
            exchange.aborted(reason)

    def _leave(self) -> None:
        self.over = True
        # The call knows this stream; both knowing each other would leave them to the collector.
        self.call = self._side = self._exchange = None

    def writable(self) -> None:
        if self.call is not None:
            self.call.parked = None
            self.call.writable()
        elif self._exchange is not None:
            self._exchange.writable()

    def fail(self, code: StatusCode, details: str) -> None:
        """End the call from outside its handler."""
        if self.call is not None:
            self.call.fail(code, details)
        elif self._exchange is not None:
            self._exchange.cut_off(details)

    # What the call's side does

    def refuse(self, side: CallSide, error: WebError) -> None:
        """Answer a request whose head cannot be served."""
        if isinstance(error, HttpRefusal):
            self._refuse(error.http_status, str(error), error.fields)
        else:
            side.refuse(error)

    def give_up(self, code: int) -> None:
        """End without another word."""
        self._leave()
        self.connection.reset(self, code)

    def send_head(self, status: int, fields: Fields, *, end: bool = False) -> None:
        """The head of the answer."""
        connection = self.connection
        head = ((b":status", b"%d" % status), *fields, *self._cors)
        connection.send_headers(self, connection.encoder.encode(head), end_stream=end)

    def send_body(self, prefix: bytes, payload: bytes, *, end: bool = False) -> None:
        """A piece of the answer's body that is a message, or the end of a call."""
        connection = self.connection
        connection.send_message(self, prefix, payload, end_stream=end)

    def send_piece(self, piece: bytes) -> None:
        """A piece of the answer's body that is no message."""
        connection = self.connection
        connection.messages_sent -= 1
        connection.send_message(self, b"", piece)

    def send_last(self, payload: bytes) -> None:
        """The last piece of the answer's body, which is no message."""
        self._leave()
        # It counts what is sent as messages.
        self.connection.messages_sent -= 1
        self.connection.send_message(self, b"", payload, end_stream=True)

    def send_trailers(self, trailers: Fields) -> None:
        """The end of an answer that says something behind its body; over HTTP/1.1 that is in chunks."""
        self._leave()
        self.connection.send_trailers(self, trailers)

    def send_only_head(self, status: int, fields: Fields) -> None:
        """An answer without a body."""
        self._leave()
        self.send_head(status, fields, end=True)

    def send_whole(
        self, status: int, fields: Fields, body: bytes, *, message: bool = False
    ) -> None:
        """An answer in one piece; `message` tells whether it is a call's."""
        if message:
            # As it counts what is sent.
            self.connection.messages_sent += 1
        fields = (*fields, (b"content-length", b"%d" % len(body)))
        if body and not self._bodiless:
            self.send_head(status, fields)
            self.send_last(body)
        else:
            self.send_only_head(status, fields)

    # Requests that are no calls

    def _give_to_app(self, door: Any, request: WebRequest, end_stream: bool) -> None:
        self.connection.own_streams += 1
        self._exchange = door.open(self, request, is_http1=self._is_http1)
        if end_stream:
            self.data_received(b"", True)
        door.begin(self._exchange)

    def _answer_plainly(self, request: WebRequest) -> None:
        kind = request.kind
        if kind is Kind.PREFLIGHT:
            self._answer_preflight(request)
            return
        self.connection.calls_failed += 1
        if kind is Kind.WRONG_METHOD or kind is Kind.CONNECT_GET:
            allowed = b"GET, POST" if is_safe(request.path) else b"POST"
            self._refuse(405, "this call is made with POST", ((b"allow", allowed),))
        elif kind is Kind.GRPC and self._is_http1:
            self._refuse(505, "gRPC needs HTTP/2; gRPC-Web and Connect do not")
        else:
            accepted = ((b"accept-post", _ACCEPTED),)
            self._refuse(415, "the content-type is none of those that calls have", accepted)

    def _refuse_large(self, request: WebRequest) -> None:
        """Answer a request whose header list is too large, in its protocol if that can be told."""
        self.connection.calls_failed += 1
        self._cors = self._options.cors.answer_fields(request.origin)
        error = WebError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"received metadata size exceeds hard limit ({request.size} vs. {self._max_metadata})",
        )
        side = side_for(self, request)
        if side is not None:
            side.refuse(error)
            return
        # The content-type may be among what is lost, and the client one of gRPC, which reads these first.
        status = grpc_web.trailer_fields(error.code, str(error))
        self._refuse(431, str(error), tuple(status))

    def _answer_preflight(self, request: WebRequest) -> None:
        assert request.origin is not None
        wanted = request.values[b"access-control-request-method"]
        self._cors = ()
        fields = self._options.cors.preflight_fields(request.origin, wanted)
        self.connection.own_streams += 1
        if fields is None:
            self._refuse(403, "pages of this origin may not call (WebOptions.cors)")
        else:
            self.send_only_head(204, fields)

    def _refuse(self, status: int, why: str, fields: Fields = ()) -> None:
        text = ((b"content-type", b"text/plain; charset=utf-8"), *fields)
        self.send_whole(status, text, why.encode() + b"\n")
