"""gRPC-Web as a client speaks it: the headers of a request, and what a response means."""

from __future__ import annotations

from clarion.protocol.compression import accept_encoding
from clarion.protocol.outcome import Outcome
from clarion.protocol.status_mapping import status_from_http
from clarion.protocol.timeout import encode_timeout
from clarion.status import StatusCode
from clarion.web.encodings import compressor_of
from clarion.web.enveloped_response import EnvelopedResponse
from clarion.web.envelopes import GRPC_WEB_END, EnvelopeReader
from clarion.web.errors import WebError
from clarion.web.fields import Fields, joined, metadata_of, single, without_http
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


class Response(EnvelopedResponse[GrpcWebType]):
    """Reads one response. One whose headers have the status has no initial metadata unless a body comes."""

    _END_FLAG = GRPC_WEB_END
    _text = False
    _trailers_only: Outcome | None = None

    def _read_head(self, status: int, fields: Fields, type: GrpcWebType) -> None:
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
        else:
            self.metadata = metadata_of(fields)

    def _body_of(self, envelopes: EnvelopeReader) -> Reader:
        return Reader(envelopes, self._text)

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """See `EnvelopedResponse`."""
        if chunk and self._trailers_only is not None:
            # What has a body has its status there.
            self.metadata = self._trailers_only.trailing_metadata
            self._trailers_only = None
        return super().feed(chunk)

    def finish(self) -> Outcome:
        """See `EnvelopedResponse`."""
        if self.outcome is None:
            self.outcome = self._trailers_only
        return super().finish()

    def _read_end(self, end: bytes) -> Outcome:
        trailers = read_trailers(end, self._max_metadata)
        return outcome_of(trailers, "from the response's trailers")


def _refuse_coding(fields: Fields) -> None:
    coding = joined(fields, b"content-encoding")
    if coding is not None and coding.strip().lower() != b"identity":
        raise WebError(
            StatusCode.INTERNAL,
            f"the response has content-encoding {coding[:40]!r}, which was not asked for",
        )
