"""The protocols of the web as a call's answers go out in them, and its requests come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.hpack import HeaderList
from clarion.protocol.compression import accept_encoding
from clarion.status import StatusCode
from clarion.web import base64_stream, grpc_web
from clarion.web.connect import requests, responses
from clarion.web.errors import WebError
from clarion.web.fields import without_http
from clarion.web.serving.call_side import CallSide, Fields, split_trailers
from clarion.web.serving.codecs import is_safe
from clarion.web.serving.request import Kind, WebRequest

if TYPE_CHECKING:
    from clarion.web.serving.stream import WebStream

__all__ = ["side_for"]

# What gRPC says in its response headers of the call itself.
_OF_GRPC = (b"grpc-encoding", b"grpc-accept-encoding")
_UNIMPLEMENTED = (b"grpc-status", b"12")


class _GrpcWeb(CallSide):
    """gRPC-Web: gRPC, with the trailers as the last frame of the body."""

    _text = False

    def open(self, max_metadata: int, max_receive: int) -> HeaderList:
        request = self.request
        said = request.said
        if said is None:
            said = request.said = grpc_web.read_request(request.fields, max_metadata)
        self.codec = said.type.subtype or "proto"
        self._text = said.answer_type.text
        self._type = said.answer_type.content_type
        self.reader = said.reader(max_receive)
        return self.call_head(said)

    def refuse(self, error: WebError) -> None:
        found = grpc_web.parse_content_type(self.request.values.get(b"content-type", b""))
        assert found is not None
        self._type = found.content_type
        self.answer_end(grpc_web.trailer_fields(error.code, str(error)))

    def answer_head(self, fields: Fields) -> None:
        self.stream.send_head(200, ((b"content-type", self._type), *without_http(fields)))

    def answer_message(self, prefix: bytes, payload: bytes) -> None:
        if self._text:
            self.stream.send_body(b"", base64_stream.encode(prefix + payload))
        else:
            self.stream.send_body(prefix, payload)

    def answer_end(self, trailers: Fields) -> None:
        trailers = without_http(trailers)
        if self.begun:
            self.stream.send_last(grpc_web.trailer_frame(trailers, self._text))
            return
        head: Fields = ((b"content-type", self._type),)
        if trailers[0] == _UNIMPLEMENTED:
            # As gRPC's servers do: it may be the request's compression that is not known.
            head += ((b"grpc-accept-encoding", accept_encoding()),)
        self.stream.send_only_head(200, (*head, *trailers))


class _Connect(CallSide):
    """What both kinds of Connect calls share."""

    as_grpc = False
    said: requests.ConnectRequest
    encoding = ""

    def open(self, max_metadata: int, max_receive: int) -> HeaderList:
        request = self.request
        if request.kind is Kind.CONNECT_GET:
            # Not kept: the message is in it.
            said = requests.read_get(request.query, request.fields, max_metadata, max_receive)
        elif request.said is None:
            said = request.said = requests.read_post(request.fields, max_metadata)
        else:
            said = request.said
        self.said = said
        self.codec = said.type.codec
        self.reader = said.reader(max_receive)
        return self.call_head(said)

    def initial_of(self, fields: Fields) -> Fields:
        """The initial metadata among gRPC's response headers; notes the encoding."""
        for name, value in fields:
            if name == b"grpc-encoding":
                self.encoding = value.decode("latin-1")
        return tuple(field for field in fields if field[0] not in _OF_GRPC)


class _ConnectUnary(_Connect):
    """One request, one response: the bodies are the messages."""

    patient = False
    streaming = False
    _initial: Fields = ()
    _message: bytes | None = None
    _packed = False

    def open(self, max_metadata: int, max_receive: int) -> HeaderList:
        head = super().open(max_metadata, max_receive)
        if self.said.get:
            self.reader = _Given(self.said.message)
        return head

    def refuse(self, error: WebError) -> None:
        self.stream.send_whole(*responses.unary_error(error.code, str(error)))

    def answer_head(self, fields: Fields) -> None:
        self._initial = self.initial_of(fields)

    def answer_message(self, prefix: bytes, payload: bytes) -> None:
        # Connect has the status in front of the message, so that waits.
        self._message = payload
        self._packed = bool(prefix[0])

    def answer_end(self, trailers: Fields) -> None:
        code, details, trailing = split_trailers(trailers)
        if code is StatusCode.OK:
            encoding = self.encoding if self._packed else ""
            fields = responses.unary_fields(self.said, self._initial, trailing, encoding)
            self.stream.send_whole(200, tuple(fields), self._message or b"", message=True)
        else:
            status, fields, body = responses.unary_error(code, details, trailing, self._initial)
            if code is StatusCode.UNIMPLEMENTED and self._is_nowhere:
                # To HTTP the path is what is not there; what clients infer of that is the same.
                status = 404
            self.stream.send_whole(status, fields, body)

    @property
    def _is_nowhere(self) -> bool:
        method = self.stream.call.method
        # Without a path it is not known yet; see `Codecs.method_for`.
        return method is None or not method.path


class _ConnectStream(_Connect):
    """Streams of messages, each with a prefix; the last one says how the call ended."""

    streaming = True

    def refuse(self, error: WebError) -> None:
        kind = self.request.values[b"content-type"]
        body = responses.end_frame(error.code, str(error))
        self.stream.send_whole(200, ((b"content-type", kind),), body)

    def answer_head(self, fields: Fields) -> None:
        initial = self.initial_of(fields)
        self.stream.send_head(
            200, tuple(responses.stream_fields(self.said, initial, self.encoding))
        )

    def answer_message(self, prefix: bytes, payload: bytes) -> None:
        self.stream.send_body(prefix, payload)

    def answer_end(self, trailers: Fields) -> None:
        code, details, trailing = split_trailers(trailers)
        body = responses.end_frame(code, details, trailing)
        if self.begun:
            self.stream.send_last(body)
        else:
            self.stream.send_whole(200, tuple(responses.stream_fields(self.said)), body)


class _Given:
    """The message of a request that has no body."""

    def __init__(self, message: bytes | None) -> None:
        self._message = message or b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Whatever a client adds to GET means nothing (RFC 9110 §9.3.1)."""
        return []

    def finish(self) -> list[bytes]:
        """The message."""
        return [self._message]


_SIDES: dict[Kind, type[CallSide]] = {
    Kind.GRPC_WEB: _GrpcWeb,
    Kind.CONNECT_UNARY: _ConnectUnary,
    Kind.CONNECT_GET: _ConnectUnary,
    Kind.CONNECT_STREAM: _ConnectStream,
}


def side_for(stream: WebStream, request: WebRequest) -> CallSide | None:
    """The protocol's half for a request that is a call, else None."""
    kind = _SIDES.get(request.kind)
    if kind is None or (request.kind is Kind.CONNECT_GET and not is_safe(request.path)):
        return None
    return kind(stream, request)
