"""The protocols of the web as a call's requests go out in them, and its answers come in."""

from __future__ import annotations

from typing import Any

from clarion.protocol.client_stream import ClientStream
from clarion.protocol.compression import Compressor
from clarion.protocol.outcome import Metadata, Outcome
from clarion.web import base64_stream, grpc_web
from clarion.web.client.call_side import ClientSide, Fields
from clarion.web.connect import clients
from clarion.web.connect.content_types import ConnectType
from clarion.web.grpc_web.content_types import GrpcWebType

__all__ = ["ConnectStreamSide", "ConnectUnarySide", "GrpcWebSide", "GrpcWebTextSide"]


class _StreamSide(ClientSide):
    """An answer that is messages with prefixes, and an end."""

    answer: grpc_web.Response | clients.StreamResponse

    @property
    def compressor(self) -> Compressor | None:
        return self.answer.compressor

    def read(self, data: bytes | memoryview) -> tuple[list[bytes], Outcome | None]:
        return self.answer.feed(data), self.answer.outcome

    def finish(self) -> tuple[bytes | None, Outcome]:
        return None, self.answer.finish()


class GrpcWebSide(_StreamSide):
    """gRPC-Web."""

    text = False
    answer: grpc_web.Response
    _trailers_only = False

    def begin(self, prefix: bytes, payload: bytes | None, end_stream: bool) -> None:
        request = self.request
        self._type = GrpcWebType(self.text, request.codec)
        fields = grpc_web.request_fields(
            self._type,
            timeout=self.timeout,
            encoding=request.encoding,
            metadata=request.metadata,
        )
        if payload is not None:
            prefix, payload = self.framed(prefix, payload)
        self.open(fields, prefix, payload, end_stream=end_stream)

    def read_head(self, status: int, fields: Fields) -> Outcome | None:
        attempt: ClientStream = self.attempt
        self.answer = grpc_web.Response(
            status, fields, self._type, attempt.max_receive, self.web.max_metadata(self)
        )
        # Until a body comes, for then the status is there.
        self._trailers_only = any(name == b"grpc-status" for name, _value in fields)
        return self.answer.outcome

    @property
    def metadata(self) -> Metadata | None:
        return None if self._trailers_only else self.answer.metadata

    def read(self, data: bytes | memoryview) -> tuple[list[bytes], Outcome | None]:
        self._trailers_only = False
        return super().read(data)

    def finish(self) -> tuple[bytes | None, Outcome]:
        message, outcome = super().finish()
        if self._trailers_only and not self._waits_with_metadata():
            # A proxy that met no message has put headers and trailers into one list: what is in it may be either.
            self._trailers_only = False
            self.answer.metadata = outcome.trailing_metadata
            self._tell_metadata()
        return message, outcome


class GrpcWebTextSide(GrpcWebSide):
    """gRPC-Web in base64."""

    text = True

    def framed(self, prefix: bytes, payload: bytes) -> tuple[bytes, bytes]:
        return b"", base64_stream.encode(prefix + payload)


class ConnectStreamSide(_StreamSide):
    """Connect, for methods with a stream on either side."""

    answer: clients.StreamResponse

    def begin(self, prefix: bytes, payload: bytes | None, end_stream: bool) -> None:
        request = self.request
        self._type = ConnectType(True, request.codec)
        fields = clients.post_fields(
            self._type,
            timeout=self.timeout,
            encoding=request.encoding,
            metadata=request.metadata,
        )
        self.open(fields, prefix, payload, end_stream=end_stream)

    def read_head(self, status: int, fields: Fields) -> Outcome | None:
        attempt: ClientStream = self.attempt
        self.answer = clients.StreamResponse(
            status, fields, self._type, attempt.max_receive, self.web.max_metadata(self)
        )
        return self.answer.outcome

    @property
    def metadata(self) -> Metadata | None:
        return self.answer.metadata


class ConnectUnarySide(ClientSide):
    """Connect, for methods with one request and one response: the bodies are the messages."""

    answer: clients.UnaryResponse
    _is_error = False

    def begin(self, prefix: bytes, payload: bytes | None, end_stream: bool) -> None:
        request = self.request
        assert payload is not None
        encoding = request.encoding if prefix[0] else ""
        self._type = ConnectType(False, request.codec)
        said: Any = {"timeout": self.timeout, "metadata": request.metadata}
        path = self._path_of_get(payload, encoding)
        if path is not None:
            # It counts what is sent as messages.
            self.connection.messages_sent += 1
            self.open(clients.get_fields(**said), method=b"GET", path=path, end_stream=True)
            return
        fields = clients.post_fields(self._type, encoding=encoding, **said)
        self.open(fields, b"", payload, end_stream=True)

    def _path_of_get(self, payload: bytes, encoding: str) -> bytes | None:
        """The path and query of a GET; None where it is to be a POST."""
        web, request = self.web, self.request
        path = web.prefix + request.path
        # Base64 makes it a third longer; a message that cannot fit need not be tried.
        if not web.get or len(path) + len(payload) > web.max_url or not web.is_safe(request.path):
            return None
        query = clients.get_query(payload, request.codec, encoding)
        path = b"%b?%b" % (path, query)
        return path if len(path) <= web.max_url else None

    def read_head(self, status: int, fields: Fields) -> Outcome | None:
        attempt: ClientStream = self.attempt
        self._is_error = status != 200
        self.answer = clients.UnaryResponse(
            status, fields, self._type, attempt.max_receive, self.web.max_metadata(self)
        )
        return self.answer.outcome

    @property
    def metadata(self) -> Metadata | None:
        return self.answer.metadata

    def _waits_with_metadata(self) -> bool:
        # An error has one set of metadata, as a call that fails at once has in gRPC.
        return self._is_error or super()._waits_with_metadata()

    def _tell_metadata(self) -> None:
        if not self._is_error:
            super()._tell_metadata()

    def read(self, data: bytes | memoryview) -> tuple[list[bytes], Outcome | None]:
        self.answer.feed(data)
        return [], self.answer.outcome

    def finish(self) -> tuple[bytes | None, Outcome]:
        return self.answer.finish()
