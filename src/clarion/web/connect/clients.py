"""Connect as a client speaks it: what a request says, and what a response means.

Rules kept (Connect, "Unary-Response", "Streaming-Response"): an answer with HTTP status 200 has the content type of the
request; another one is an error, in JSON if it is the server's, and told by the HTTP status if it is not. A stream without
its end was cut off. Nothing that a server sends raises: it becomes the call's outcome.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote_from_bytes

from clarion.metadata import Metadatum
from clarion.protocol.compression import Compressor
from clarion.protocol.messages import UnpackFailed, unpack
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from clarion.web.connect.bodies import BodyReader
from clarion.web.connect.codes import code_from_http
from clarion.web.connect.content_types import ConnectType, looks_like_connect, parse_content_type
from clarion.web.connect.errors import decode_error, outcome_of_error
from clarion.web.connect.timeouts import encode_timeout
from clarion.web.connect.trailers import read_end, split_prefixed
from clarion.web.encodings import compressor_of, preference
from clarion.web.enveloped_response import EnvelopedResponse
from clarion.web.envelopes import CONNECT_END
from clarion.web.errors import WebError
from clarion.web.fields import Fields, check_size, metadata_of, single, without_http

__all__ = ["StreamResponse", "UnaryResponse", "get_fields", "get_query", "post_fields"]

_INTERNAL: Final = StatusCode.INTERNAL


def post_fields(
    type: ConnectType,
    *,
    timeout: float | None = None,
    encoding: str = "",
    metadata: Fields = (),
) -> Fields:
    """The header fields of a POST.

    Args:
        type: of the request and of its response.
        timeout: seconds until the deadline, or None.
        encoding: how the body, or messages of a stream, are compressed; "" if they are not.
        metadata: the metadata, encoded.
    """
    prefix = b"connect-" if type.streaming else b""
    fields = [
        (b"content-type", type.content_type),
        (b"connect-protocol-version", b"1"),
        (prefix + b"accept-encoding", preference()),
    ]
    if encoding:
        fields.append((prefix + b"content-encoding", encoding.encode()))
    if type.streaming:
        # Or a library for HTTP asks for the whole body compressed.
        fields.append((b"accept-encoding", b"identity"))
    return (*fields, *_timeout(timeout), *without_http(metadata))


def get_fields(*, timeout: float | None = None, metadata: Fields = ()) -> Fields:
    """The header fields of a GET; see `post_fields`."""
    return ((b"accept-encoding", preference()), *_timeout(timeout), *without_http(metadata))


def get_query(message: bytes, codec: str, encoding: str = "") -> bytes:
    """The query of a GET; parameters are in the order that Connect recommends, for caches.

    Args:
        message: serialized, and compressed already if it is to be.
        codec: how it is serialized.
        encoding: how it is compressed; "" if it is not.
    """
    if codec == "json" and not encoding:
        base64, text = b"", quote_from_bytes(message, safe="").encode()
    else:
        packed = binascii.b2a_base64(message, newline=False).rstrip(b"=")
        base64, text = b"base64=1&", packed.translate(_URL_SAFE)
    compression = b"compression=%b&" % encoding.encode() if encoding else b""
    parts = base64, compression, codec.encode(), text
    return b"connect=v1&%b%bencoding=%b&message=%b" % parts


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _timeout(seconds: float | None) -> Fields:
    value = None if seconds is None else encode_timeout(seconds)
    return () if value is None else ((b"connect-timeout-ms", value),)


def _check_type(said: bytes, wanted: ConnectType) -> None:
    """Refuse the response's content type if it is not the request's."""
    if parse_content_type(said, (wanted.codec,)) == wanted:
        return
    text = said[:60].decode("latin-1")
    if looks_like_connect(said):
        raise WebError(
            _INTERNAL, f"the response has content-type {text!r}, which was not asked for"
        )
    raise WebError(
        StatusCode.UNKNOWN, f"the response has content-type {text!r}; this is no Connect server"
    )


class UnaryResponse:
    """Reads the response to a unary call.

    Args:
        status: the HTTP status.
        fields: the header fields.
        type: of the request.
        max_message_size: the largest message, packed or not, in octets; -1 for no limit.
        max_metadata_size: the largest header list, as RFC 9113 section 6.5.2 counts it; also the limit for errors.

    Attributes:
        metadata: the initial metadata.
        outcome: how the call ended, once it did: what still comes means nothing then.
    """

    def __init__(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        type: ConnectType,
        max_message_size: int,
        max_metadata_size: int,
    ) -> None:
        self.metadata: tuple[Metadatum, ...] = ()
        self.outcome: Outcome | None = None
        self._status = status
        self._max = max_message_size
        self._compressor: Compressor | None = None
        self._trailing: tuple[Metadatum, ...] = ()
        self._is_error = status != 200
        try:
            self._read_head(tuple(fields), type, max_metadata_size)
        except WebError as error:
            self.outcome = Outcome(error.code, str(error))
        if self._is_error:
            self._max = max(max_message_size, max_metadata_size) if max_message_size >= 0 else -1
        self._body = BodyReader(self._max, self._compressor is not None)

    def _read_head(self, fields: Fields, type: ConnectType, max_metadata_size: int) -> None:
        check_size(fields, max_metadata_size)
        leading, trailing = split_prefixed(fields)
        self.metadata = metadata_of(leading)
        self._trailing = metadata_of(trailing)
        content_type = single(fields, b"content-type", _INTERNAL) or b""
        if self._is_error:
            said = parse_content_type(content_type, ("json",))
            if said is None or said.streaming:
                self.outcome = self._inferred()
                return
        else:
            _check_type(content_type, type)
        encoding = single(fields, b"content-encoding", _INTERNAL) or b""
        self._compressor = compressor_of(encoding, code=_INTERNAL)

    @property
    def _text(self) -> str:
        return f"the response has HTTP status {self._status}"

    def _inferred(self) -> Outcome:
        text = self._text
        return Outcome(code_from_http(self._status), text, self._trailing, debug=text)

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next octets of the body."""
        if self.outcome is None:
            try:
                self._body.feed(chunk)
            except WebError as error:
                self.outcome = (
                    self._inferred() if self._is_error else Outcome(error.code, f"CLIENT: {error}")
                )

    def finish(self) -> tuple[bytes | None, Outcome]:
        """The body has ended. Returns the message, which only a call that ended with OK has, and the outcome."""
        if self.outcome is not None:
            return None, self.outcome
        message = None
        try:
            body = unpack(self._body.finish()[0], self._compressor, self._max, "CLIENT")
        except UnpackFailed as error:
            self.outcome = self._inferred() if self._is_error else Outcome(error.code, str(error))
        else:
            if self._is_error:
                said = decode_error(body, code_from_http(self._status), self._text)
                self.outcome = outcome_of_error(said, self._trailing)
            else:
                message = body
                self.outcome = Outcome(StatusCode.OK, "", self._trailing) if self._trailing else OK
        return message, self.outcome


class StreamResponse(EnvelopedResponse[ConnectType]):
    """Reads the response to a call with a stream on either side."""

    _END_FLAG = CONNECT_END

    def _read_head(self, status: int, fields: Fields, type: ConnectType) -> None:
        if status != 200:
            raise WebError(code_from_http(status), f"the response has HTTP status {status}")
        _check_type(single(fields, b"content-type", _INTERNAL) or b"", type)
        encoding = single(fields, b"connect-content-encoding", _INTERNAL) or b""
        self.compressor = compressor_of(encoding, code=_INTERNAL)
        coding = single(fields, b"content-encoding", _INTERNAL)
        if coding not in (None, b"identity"):
            raise WebError(
                _INTERNAL, "the response as a whole is compressed, which was not asked for"
            )
        self.metadata = metadata_of(fields)

    def _read_end(self, end: bytes) -> Outcome:
        return read_end(end, self._max_metadata)
