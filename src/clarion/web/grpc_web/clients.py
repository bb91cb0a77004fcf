"""gRPC-Web as a client speaks it: the headers of a request, and what a response means."""

from __future__ import annotations

from collections.abc import Iterable

from clarion.metadata import Metadatum
from clarion.protocol.compression import Compressor, accept_encoding
from clarion.protocol.messages import UnpackFailed, unpack
from clarion.protocol.outcome import Outcome
from clarion.protocol.status_mapping import status_from_http
from clarion.protocol.timeout import encode_timeout
from clarion.status import StatusCode
from clarion.web.encodings import compressor_of
from clarion.web.envelopes import GRPC_WEB_END, EnvelopeReader
from clarion.web.errors import WebError
from clarion.web.fields import Fields, check_size, joined, metadata_of, single, without_http
from clarion.web.grpc_web.content_types import GrpcWebType, parse_content_type
from clarion.web.grpc_web.frames import outcome_of, read_trailers
from clarion.web.grpc_web.reader import Reader

__all__ = ["Response", "request_fields"]

_AGENT = b"user-agent"
_WEB_AGENT = b"x-user-agent"


def request_fields(
    type: GrpcWebType,
    *,
    timeout: float | None = None,
    encoding: str = "",
    metadata: Fields = (),
) -> Fields:
    """The header fields of a request, which is a POST.

    Args:
        type: of the request and of its response.
        timeout: seconds until the deadline, or None.
        encoding: how messages are compressed, if they are.
        metadata: the metadata, encoded.
    """
    fields = [
        (b"content-type", type.content_type),
        (b"accept", type.content_type),
        (b"x-grpc-web", b"1"),
        (b"grpc-accept-encoding", accept_encoding()),
    ]
    if timeout is not None:
        fields.append((b"grpc-timeout", encode_timeout(timeout)))
    if encoding:
        fields.append((b"grpc-encoding", encoding.encode()))
    # PROTOCOL-WEB, "User Agent": what stands for it. Proxies and logs look at the other, so it has both.
    agents = {name: value for name, value in metadata if name in (_AGENT, _WEB_AGENT)}
    if _AGENT in agents and _WEB_AGENT not in agents:
        fields.append((_WEB_AGENT, agents[_AGENT]))
    return (*fields, *without_http(metadata))


class Response:
    """Reads one response. Of what the server sends, nothing raises: it becomes the outcome.

    Args:
        status: the HTTP status.
        fields: the header fields.
        type: of the request.
        max_message_size: the largest message, packed or not, in octets; -1 for no limit.
        max_metadata_size: the largest header list, and trailers, as RFC 9113 section 6.5.2 counts it.

    Attributes:
        metadata: the initial metadata. A response whose headers have the status has none unless a body comes.
        compressor: how messages are compressed; None for identity.
        outcome: how the call ended, once it did: what still comes means nothing then.
    """

    def __init__(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        type: GrpcWebType,
        max_message_size: int,
        max_metadata_size: int,
    ) -> None:
        self.metadata: tuple[Metadatum, ...] = ()
        self.compressor: Compressor | None = None
        self.outcome: Outcome | None = None
        self._max_metadata = max_metadata_size
        self._trailers_only: Outcome | None = None
        self._text = False
        fields = tuple(fields)
        try:
            self._read_head(status, fields, type, max_metadata_size)
        except WebError as error:
            self.outcome = Outcome(error.code, str(error))
        envelopes = EnvelopeReader(
            max_message_size, end_flag=GRPC_WEB_END, max_end_size=max_metadata_size
        )
        self._reader = Reader(envelopes, self._text)

    def _read_head(self, status: int, fields: Fields, type: GrpcWebType, max_size: int) -> None:
        check_size(fields, max_size)
        said = any(name == b"grpc-status" for name, _ in fields)
        if status != 200:
            if said:
                self.outcome = outcome_of(fields, f"from headers with HTTP status {status}")
            else:
                self.outcome = Outcome(
                    status_from_http(status), f"the response has HTTP status {status}"
                )
            return
        content_type = single(fields, b"content-type", StatusCode.INTERNAL) or b""
        answered = parse_content_type(content_type)
        if answered is None:
            text = content_type[:60].decode("latin-1")
            raise WebError(
                StatusCode.UNKNOWN,
                f"the response has content-type {text!r}; this is no gRPC-Web server",
            )
        if (answered.subtype or "proto") != (type.subtype or "proto"):
            raise WebError(
                StatusCode.INTERNAL,
                f"the response's messages are {answered.subtype!r}, and not what was asked for",
            )
        self._text = answered.text
        _refuse_coding(fields)
        encoding = single(fields, b"grpc-encoding", StatusCode.INTERNAL) or b""
        self.compressor = compressor_of(encoding, code=StatusCode.INTERNAL)
        if said:
            self._trailers_only = outcome_of(fields, "Trailers-Only")
            self._fields = fields
        else:
            self.metadata = metadata_of(fields)

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """Take the next octets of the body; return the messages that they complete, `CompressedMessage` where they are
        compressed.
        """
        if self.outcome is not None:
            return []
        try:
            if self._trailers_only is not None and chunk:
                # What has a body has its status there.
                self._trailers_only = None
                self.metadata = metadata_of(self._fields)
            return self._reader.feed(chunk)
        except WebError as error:
            self.outcome = Outcome(error.code, str(error))
            return list(error.messages)

    def finish(self) -> Outcome:
        """The body has ended. Returns the outcome."""
        if self.outcome is None:
            self.outcome = self._trailers_only or self._end()
        return self.outcome

    def _end(self) -> Outcome:
        try:
            self._reader.finish()
            end = unpack(self._reader.end or b"", self.compressor, self._max_metadata, "CLIENT")
            return outcome_of(
                read_trailers(end, self._max_metadata), "from the response's trailers"
            )
        except (WebError, UnpackFailed) as error:
            return Outcome(error.code, str(error))


def _refuse_coding(fields: Fields) -> None:
    coding = joined(fields, b"content-encoding")
    if coding is not None and coding.strip().lower() != b"identity":
        raise WebError(
            StatusCode.INTERNAL,
            f"the response has content-encoding {coding[:40]!r}, which was not asked for",
        )
