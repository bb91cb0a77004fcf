"""gRPC-Web as a server speaks it: what a request says, and the headers of its response."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from clarion.metadata import Metadatum
from clarion.protocol.compression import Compressor
from clarion.protocol.timeout import InvalidTimeout, decode_timeout
from clarion.status import StatusCode
from clarion.web.encodings import compressor_of, parse_accept
from clarion.web.envelopes import EnvelopeReader
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.fields import Fields, check_size, joined, metadata_of, single, without_http
from clarion.web.grpc_web.content_types import GrpcWebType, answer_type, parse_content_type
from clarion.web.grpc_web.reader import Reader

__all__ = ["GrpcWebRequest", "read_request", "response_fields"]


class GrpcWebRequest(NamedTuple):
    """What a request says before its messages.

    Attributes:
        type: its content type.
        answer_type: the response's.
        timeout: seconds the client gives the call, or None.
        compressor: how the request's messages are compressed; None for identity.
        accepts: the encodings that the client reads.
        metadata: the application's metadata.
    """

    type: GrpcWebType
    answer_type: GrpcWebType
    timeout: float | None
    compressor: Compressor | None
    accepts: tuple[str, ...]
    metadata: tuple[Metadatum, ...]

    def reader(self, max_message_size: int) -> Reader:
        """What cuts the request's body into messages.

        Args:
            max_message_size: the largest message in octets as they are on the wire; -1 for no limit.
        """
        return Reader(EnvelopeReader(max_message_size), self.type.text)


def read_request(fields: Iterable[tuple[bytes, bytes]], max_metadata_size: int) -> GrpcWebRequest:
    """Read a request's header fields.

    Args:
        fields: all of them; pseudo-header fields are passed over.
        max_metadata_size: the largest header list, as RFC 9113 section 6.5.2 counts it.

    Raises:
        HttpRefusal: it is no gRPC-Web (415).
        WebError: it is, and cannot be served.
    """
    fields = tuple(fields)
    asked = parse_content_type(single(fields, b"content-type", StatusCode.INTERNAL) or b"")
    if asked is None:
        raise HttpRefusal(415, "the content-type is none of gRPC-Web")
    _refuse_content_encoding(fields)
    check_size(fields, max_metadata_size)
    timeout = single(fields, b"grpc-timeout", StatusCode.INTERNAL)
    try:
        seconds = None if timeout is None else decode_timeout(timeout)
    except InvalidTimeout as error:
        raise WebError(StatusCode.INTERNAL, str(error)) from None
    return GrpcWebRequest(
        asked,
        answer_type(asked, joined(fields, b"accept")),
        seconds,
        compressor_of(single(fields, b"grpc-encoding", StatusCode.INTERNAL) or b""),
        parse_accept(joined(fields, b"grpc-accept-encoding") or b""),
        metadata_of(fields),
    )


def _refuse_content_encoding(fields: Fields) -> None:
    coding = joined(fields, b"content-encoding")
    if coding is not None and coding.strip().lower() != b"identity":
        raise HttpRefusal(
            415,
            "a gRPC-Web request has no content-encoding; compress messages, and say grpc-encoding",
            ((b"accept-encoding", b"identity"),),
        )


def response_fields(type: GrpcWebType, metadata: Fields = (), encoding: str = "") -> Fields:
    """The header fields of a response, which has HTTP status 200 whatever becomes of it.

    Args:
        type: the request's `answer_type`.
        metadata: the application's initial metadata.
        encoding: how messages are compressed, if they are.

    Raises:
        InvalidMetadata: the metadata cannot be sent.
    """
    fields: Fields = ((b"content-type", type.content_type),)
    if encoding:
        fields += ((b"grpc-encoding", encoding.encode()),)
    return fields + without_http(metadata)
