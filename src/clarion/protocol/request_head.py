"""A request's header list, read once for each distinct list (PROTOCOL-HTTP2, "Requests").

gRPC traffic repeats its header blocks, and the HPACK decoder returns the same `HeaderList` for a repeated
block. What is derived here is kept on that object, so the usual request costs no parsing at all.
"""

from __future__ import annotations

from clarion.errors import RemoteError
from clarion.hpack import HeaderList
from clarion.http2.semantics import check_request
from clarion.protocol.compression import Compressor, accept_encoding, get_compressor
from clarion.protocol.content_type import CONTENT_TYPE, is_grpc_content_type, subtype_of
from clarion.protocol.metadata import decode_metadata
from clarion.protocol.outcome import Metadata
from clarion.protocol.timeout import decode_timeout
from clarion.status import StatusCode

__all__ = ["CONTENT_TYPE", "RequestHead", "read_request", "is_grpc_content_type"]

_NO_ENCODINGS: frozenset[str] = frozenset()
_USUAL = ("", "proto")


class RequestHead:
    """What a request says before its messages.

    Attributes:
        path: `/package.Service/Method`.
        subtype: how the messages are encoded: `json` of application/grpc+json, "" if it is not said.
        authority: the name the client called.
        timeout: seconds the client gives the call, or None.
        compressor: how the request's messages are compressed; None for identity.
        accepts: the encodings that the client reads.
        metadata: the application's metadata.
        content_length: bytes that the body promises, or None.
        http_error: the HTTP status for a request that is no gRPC, or 0. 200 stands for one that is, and names another encoding
            than protobuf's, which servers may know nothing of.
        error: the gRPC status and text for a request that cannot be served, or None.
        elsewhere: what a reader of other protocols made of the same list; see `clarion.web`.
    """

    __slots__ = (
        "accepts",
        "authority",
        "compressor",
        "content_length",
        "elsewhere",
        "error",
        "http_error",
        "metadata",
        "path",
        "subtype",
        "timeout",
    )

    def __init__(self) -> None:
        self.path = ""
        self.subtype = ""
        self.authority = ""
        self.timeout: float | None = None
        self.compressor: Compressor | None = None
        self.accepts = _NO_ENCODINGS
        self.metadata: Metadata = ()
        self.content_length: int | None = None
        self.http_error = 0
        self.error: tuple[StatusCode, str] | None = None
        self.elsewhere: object | None = None


def read_request(headers: HeaderList, max_metadata_size: int) -> RequestHead:
    """Read a request's header list; a list larger than `max_metadata_size` is an error of the call.

    Raises:
        MalformedHeaders: RFC 9113 forbids the list.
    """
    memo = headers.memo
    if isinstance(memo, RequestHead):
        return memo
    head = RequestHead()
    if headers.size > max_metadata_size:
        # What did not fit is gone, so nothing else about the list can be judged. Whoever finds that it is no request of gRPC
        # says it in HTTP.
        head.http_error = 431
        head.error = (
            StatusCode.RESOURCE_EXHAUSTED,
            f"received metadata size exceeds hard limit ({headers.size} vs. {max_metadata_size})",
        )
        headers.memo = head
        return head
    pseudo, head.content_length = check_request(headers.fields)
    head.path = _text(pseudo[b":path"])
    head.authority = _text(pseudo.get(b":authority", b""))
    values = dict(headers.fields)
    if pseudo[b":method"] != b"POST":
        head.http_error = 405
    elif not is_grpc_content_type(values.get(b"content-type", b"")):
        head.http_error = 415
    else:
        _read_grpc(head, headers, values)
    headers.memo = head
    return head


def _text(value: bytes) -> str:
    """Names in .proto files are ASCII, but generic handlers may use any; clients send those in UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _read_grpc(head: RequestHead, headers: HeaderList, values: dict[bytes, bytes]) -> None:
    if b"te" not in values:
        head.error = (
            StatusCode.INTERNAL,
            "the request has no 'te: trailers'; a proxy on the way may not carry gRPC",
        )
        return
    head.subtype = subtype_of(values[b"content-type"])
    if head.subtype not in _USUAL:
        head.http_error = 200
    try:
        if b"grpc-timeout" in values:
            head.timeout = decode_timeout(values[b"grpc-timeout"])
        head.metadata = decode_metadata(headers.fields)
    except RemoteError as error:
        head.error = (StatusCode.INTERNAL, str(error))
        return
    accepts = values.get(b"grpc-accept-encoding")
    if accepts is not None:
        names = accepts.decode("latin-1").split(",")
        head.accepts = frozenset(name.strip() for name in names)
    encoding = values.get(b"grpc-encoding", b"identity").decode("latin-1")
    if encoding != "identity":
        head.compressor = get_compressor(encoding)
        if head.compressor is None:
            head.error = (
                StatusCode.UNIMPLEMENTED,
                (
                    f"compression {encoding[:40]!r} is not supported; "
                    f"supported are {accept_encoding().decode()}"
                ),
            )
