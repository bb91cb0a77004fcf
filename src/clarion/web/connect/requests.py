"""A Connect request as the server reads it: its header fields, its query, its body.

Rules kept (Connect, "Unary-Request", "Unary-Get-Request", "Streaming-Request"):

- The content type decides between one bare message and envelopes. One that this side has no codec for gets 415.
- `connect-protocol-version` and `connect=v1` may be missing, unless the server asks for them, and may not be anything else.
- A GET has its message in the query, bare or in URL-safe base64, with or without padding. Parameters come in any order;
  unknown ones are passed over, and known ones come once.
- A client that does not say what it reads, reads what it wrote. An empty body is never decompressed.
- Whatever else is wrong is INVALID_ARGUMENT, in HTTP 400.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from clarion.metadata import Metadatum
from clarion.protocol.compression import Compressor
from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode
from clarion.web.connect.bodies import BodyReader
from clarion.web.connect.content_types import (
    CODECS,
    ConnectType,
    accept_post,
    parse_content_type,
)
from clarion.web.connect.timeouts import decode_timeout
from clarion.web.encodings import compressor_of, parse_accept
from clarion.web.envelopes import EnvelopeReader
from clarion.web.errors import HttpRefusal, WebError
from clarion.web.fields import Fields, check_size, joined, metadata_of, single

__all__ = ["ConnectRequest", "read_get", "read_post"]

_BAD: Final = StatusCode.INVALID_ARGUMENT
_PARAMETERS: Final = frozenset((b"message", b"base64", b"encoding", b"compression", b"connect"))
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOT_URL_SAFE: Final = re.compile(rb"[+/=]")
_MOST_PARAMETERS: Final = 64


class ConnectRequest(NamedTuple):
    """What a request says before its body.

    Attributes:
        type: its content type, and the response's; for a GET what it would be of the same POST.
        timeout: seconds the client gives the call, or None.
        compressor: how the request's messages are compressed; None for identity.
        accepts: the encodings that the client reads, best first.
        metadata: the application's metadata.
        message: what the query of a GET has, `CompressedMessage` if it is compressed; None for a POST.
    """

    type: ConnectType
    timeout: float | None
    compressor: Compressor | None
    accepts: tuple[str, ...]
    metadata: tuple[Metadatum, ...]
    message: bytes | None = None

    @property
    def get(self) -> bool:
        """Whether it is a GET, which only methods without side effects may have."""
        return self.message is not None

    def reader(self, max_message_size: int) -> EnvelopeReader | BodyReader:
        """What makes messages of the request's body. That of a GET has none.

        Args:
            max_message_size: the largest message in octets as they are on the wire; -1 for no limit.
        """
        if self.type.streaming:
            return EnvelopeReader(max_message_size, fault=_BAD)
        return BodyReader(max_message_size, self.compressor is not None)


def read_post(
    fields: Iterable[tuple[bytes, bytes]],
    max_metadata_size: int,
    *,
    codecs: Collection[str] = CODECS,
    require_version: bool = False,
) -> ConnectRequest:
    """Read the header fields of a POST.

    Args:
        fields: all of them; pseudo-header fields are passed over.
        max_metadata_size: the largest header list, as RFC 9113 section 6.5.2 counts it.
        codecs: the names of the codecs that this side has.
        require_version: refuse requests that do not say which protocol they are of.

    Raises:
        HttpRefusal: it is no Connect, or of a codec that is not there (415).
        WebError: it is, and cannot be served.
    """
    fields = tuple(fields)
    said = single(fields, b"content-type", _BAD) or b""
    kind = parse_content_type(said, codecs)
    if kind is None:
        raise HttpRefusal(
            415,
            f"no codec for content-type {said[:60].decode('latin-1')!r}",
            ((b"accept-post", accept_post(codecs)),),
        )
    _check_version(single(fields, b"connect-protocol-version", _BAD), b"1", require_version)
    of_stream = b"connect-" if kind.streaming else b""
    encoding = single(fields, of_stream + b"content-encoding", _BAD) or b""
    if kind.streaming and joined(fields, b"content-encoding") not in (None, b"identity"):
        raise WebError(
            StatusCode.UNIMPLEMENTED,
            "a stream as a whole has no content-encoding; compress messages, and say connect-content-encoding",
        )
    return _request(kind, fields, max_metadata_size, encoding, of_stream + b"accept-encoding", None)


def read_get(
    query: bytes,
    fields: Iterable[tuple[bytes, bytes]],
    max_metadata_size: int,
    max_message_size: int,
    *,
    codecs: Collection[str] = CODECS,
    require_version: bool = False,
) -> ConnectRequest:
    """Read the query and the header fields of a GET.

    Args:
        query: what is behind the `?` of the request's target.
        fields, max_metadata_size, codecs, require_version: see `read_post`.
        max_message_size: the largest message in octets as it was sent; -1 for no limit.

    Raises:
        HttpRefusal: it is of a codec that is not there (415).
        WebError: it cannot be served.
    """
    fields = tuple(fields)
    values = _parameters(query)
    _check_version(values.get(b"connect"), b"v1", require_version)
    codec = values.get(b"encoding")
    text = values.get(b"message")
    if codec is None or text is None:
        missing = "message" if codec is not None else "encoding"
        raise WebError(_BAD, f"the query of a GET has {missing}=..., which is missing")
    name = codec.decode("latin-1")
    if name not in codecs:
        raise HttpRefusal(415, f"no codec for encoding {name[:40]!r}")
    message = _from_base64(text) if values.get(b"base64") == b"1" else text
    if 0 <= max_message_size < len(message):
        raise WebError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"SERVER: Received message larger than max ({len(message)} vs. {max_message_size})",
        )
    return _request(
        ConnectType(False, name),
        fields,
        max_metadata_size,
        values.get(b"compression", b""),
        b"accept-encoding",
        message,
    )


def _request(
    type: ConnectType,
    fields: Fields,
    max_metadata_size: int,
    encoding: bytes,
    accept: bytes,
    message: bytes | None,
) -> ConnectRequest:
    check_size(fields, max_metadata_size)
    compressor = compressor_of(encoding)
    timeout = single(fields, b"connect-timeout-ms", _BAD)
    accepts = joined(fields, accept)
    if accepts is not None:
        names = parse_accept(accepts)
    else:
        names = () if compressor is None else (compressor.name,)
    if message and compressor is not None:
        message = CompressedMessage(message)
    return ConnectRequest(
        type,
        None if timeout is None else decode_timeout(timeout),
        compressor,
        names,
        metadata_of(fields, _BAD),
        message,
    )


def _check_version(said: bytes | None, wanted: bytes, required: bool) -> None:
    if said == wanted or (said is None and not required):
        return
    where = "connect-protocol-version" if wanted == b"1" else "the parameter connect"
    raise WebError(
        _BAD,
        f"{where} must be {wanted.decode()!r}"
        + ("; it is missing" if said is None else f", not {said[:20].decode('latin-1')!r}"),
    )


def _parameters(query: bytes) -> dict[bytes, bytes]:
    """The known parameters of a query, decoded as forms are: `+` is a space."""
    parts = query.split(b"&", _MOST_PARAMETERS)
    if len(parts) > _MOST_PARAMETERS:
        raise WebError(_BAD, f"the query has more than {_MOST_PARAMETERS} parameters")
    values: dict[bytes, bytes] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        name = _unquote(name)
        if name not in _PARAMETERS:
            continue
        if name in values:
            raise WebError(_BAD, f"the query has {name.decode()} more than once")
        values[name] = _unquote(value)
    return values


def _unquote(text: bytes) -> bytes:
    if _BAD_ESCAPE.search(text):
        raise WebError(_BAD, "the query has a % that no two hexadecimal digits follow")
    return unquote_to_bytes(text.replace(b"+", b" "))


def _from_base64(text: bytes) -> bytes:
    text = text.rstrip(b"=")
    try:
        if _NOT_URL_SAFE.search(text):
            raise ValueError("the alphabet is that of RFC 4648 section 5")
        standard = text.translate(_STANDARD) + b"=" * (-len(text) & 3)
        return binascii.a2b_base64(standard, strict_mode=True)
    except ValueError as error:
        raise WebError(_BAD, f"the message in the query is no URL-safe base64: {error}") from None


_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
