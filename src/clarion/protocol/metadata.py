"""Custom metadata: the application's key-value pairs among the header fields of a call.

Rules kept (PROTOCOL-HTTP2, "Custom-Metadata"): keys are `0-9 a-z _ - .`; a key that ends in `-bin`
has octets for a value, base64 on the wire, sent without padding and accepted with or without it,
several joined by commas or not; other values are printable ASCII. Pairs keep their order.

Where the specification leaves it open, this is what grpcio does, seen from outside:

- Sending, names that the transport sets by itself (`_NOT_SENT`) are dropped in silence, so that an
  application may echo or forward all that it received. Other `grpc-` names pass: applications use
  `grpc-status-details-bin` and `grpc-trace-bin`.
- Receiving, what the protocol and the infrastructure consume (`_NOT_SHOWN`) is not shown; `host`,
  `user-agent`, and every other name is.

Better than grpcio where it breaks peers: connection-specific fields, which RFC 9113 section 8.2.2
makes malformed, are not sent; spaces around a value, malformed by section 8.2.1, are stripped;
comma-joined binary values are split; a field value that HTTP allows and gRPC does not (UTF-8, tabs)
is left out, since a call must not fail for it and an application could not send it on.

Whatever `decode_metadata` returns, `encode_metadata` accepts.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from clarion.errors import LocalError, RemoteError
from clarion.metadata import Metadatum

__all__ = [
    "InvalidMetadata",
    "InvalidMetadataType",
    "MalformedMetadata",
    "MetadatumValue",
    "decode_metadata",
    "encode_metadata",
    "metadata_size",
]

MetadatumValue = str | bytes
"""`bytes` for a key that ends in `-bin`, else `str`."""

_FIELD_OVERHEAD: Final = 32
_KEY: Final = re.compile(r"[0-9a-z_.-]+")
# RFC 9110 section 5.5: what a field value may hold. Other control characters are the peer's fault.
_FIELD_VALUE: Final = re.compile(rb"[\t -~\x80-\xff]*")

_NOT_SENT: Final = frozenset(
    {
        "content-length",
        "content-type",
        "grpc-accept-encoding",
        "grpc-encoding",
        "grpc-internal-encoding-request",
        "grpc-message",
        "grpc-previous-rpc-attempts",
        "grpc-status",
        "grpc-timeout",
        "te",
        "user-agent",
        # Connection-specific, RFC 9113 section 8.2.2.
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
    }
)

_NOT_SHOWN: Final = frozenset(
    {
        b":authority",
        b":method",
        b":path",
        b":scheme",
        b":status",
        b"content-type",
        b"grpc-accept-encoding",
        b"grpc-encoding",
        b"grpc-internal-encoding-request",
        b"grpc-message",
        b"grpc-status",
        b"grpc-timeout",
        b"te",
        # Tracing, load and mesh identity, which grpcio's core reads in the application's place. It hides
        # `endpoint-load-metrics-bin` (gRFC A51) too; here it is the way to a call's load report.
        b"grpc-server-stats-bin",
        b"grpc-tags-bin",
        b"grpc-trace-bin",
        b"grpclb_client_stats",
        b"lb-cost-bin",
        b"x-envoy-peer-metadata",
    }
)


class InvalidMetadata(LocalError, ValueError):
    """The application gave metadata that cannot be sent; nothing of it was."""


class InvalidMetadataType(InvalidMetadata, TypeError):
    """A key or a value has a type that metadata does not have."""


class MalformedMetadata(RemoteError):
    """The peer sent a key or a value that the protocol forbids."""


def encode_metadata(
    metadata: Iterable[tuple[str, MetadatumValue]] | None,
) -> tuple[tuple[bytes, bytes], ...]:
    """Return header fields for what an application gave as metadata, in its order.

    Text values may also be given as ASCII `bytes`; spaces around them are stripped. Names that the
    transport owns are left out (see the module's docstring). None gives no fields.

    Raises:
        InvalidMetadata: Not pairs, a key with illegal characters, or a text value that is not
            printable ASCII. The message names the key and the rule, never the value.
        InvalidMetadataType: A key that is not `str`, or a value of the wrong type for its key.
    """
    if not metadata:
        return ()
    if isinstance(metadata, (str, bytes, Mapping)):
        raise InvalidMetadata(
            f"metadata is a {type(metadata).__name__}; it must be a sequence of (key, value) pairs,"
            ' such as [("key", "value")]'
        )
    fields = []
    entries: Iterable[Any] = metadata  # the types are a promise that callers may break
    for entry in entries:
        try:
            key, value = entry
        except (TypeError, ValueError):
            raise InvalidMetadata(
                f"metadata has an entry of type {type(entry).__name__} that is not a (key, value)"
                ' pair; it must be a sequence of pairs, such as [("key", "value")]'
            ) from None
        rule = _sent_key(key if isinstance(key, str) else _key_of_bytes(key))
        if rule is None:
            continue
        name, binary = rule
        if not binary:
            text = value if isinstance(value, str) else _text_of(key, value)
            if not (text.isascii() and text.isprintable()):
                raise InvalidMetadata(
                    f"the value of metadata key {key!r} has characters other than space and"
                    " printable ASCII; send it under a key that ends in -bin, as bytes"
                )
            fields.append((name, text.strip(" ").encode("ascii")))
        elif isinstance(value, bytes):
            fields.append((name, binascii.b2a_base64(value, newline=False).rstrip(b"=")))
        else:
            raise InvalidMetadataType(
                f"the value of metadata key {key!r} is {type(value).__name__}; a key that ends in"
                " -bin takes bytes"
            )
    return tuple(fields)


def decode_metadata(
    fields: Iterable[tuple[bytes, bytes]],
) -> tuple[Metadatum, ...]:
    """Return what an application sees of a header block, in its order.

    Pseudo-header fields and the protocol's own fields are left out (see the module's docstring), as
    are values outside printable ASCII that are still HTTP field values. A comma-joined binary value
    becomes one entry per part.

    Raises:
        MalformedMetadata: A key with illegal characters, a control character in a text value, or
            a binary value that is not base64.
    """
    entries: list[Metadatum] = []
    for key, value in fields:
        if key in _NOT_SHOWN:
            continue
        rule = _received_key(key)
        if rule is None:
            continue
        name, binary = rule
        if not binary:
            if value.isascii():
                text = value.decode("ascii")
                if text.isprintable():
                    entries.append(Metadatum(name, text))
                    continue
            if not _FIELD_VALUE.fullmatch(value):
                raise MalformedMetadata(
                    f"the peer sent a control character in the value of metadata key {name!r}"
                )
        elif b"," in value:
            parts = value.split(b",")
            entries.extend(
                Metadatum(name, _decode_base64(name, part.strip(b" \t"))) for part in parts
            )
        else:
            entries.append(Metadatum(name, _decode_base64(name, value)))
    return tuple(entries)


def metadata_size(fields: Iterable[tuple[bytes, bytes]]) -> int:
    """Return the size of header fields as limits count it (RFC 7541 section 4.1): for each, the
    octets of name and value, and 32 more. Binary values count in base64, as they are here.
    """
    return sum(len(name) + len(value) + _FIELD_OVERHEAD for name, value in fields)


def _decode_base64(name: str, value: bytes) -> bytes:
    lacking = -len(value) & 3
    try:
        return binascii.a2b_base64(value + b"=" * lacking if lacking else value, strict_mode=True)
    except binascii.Error as error:
        raise MalformedMetadata(
            f"the peer sent a value of metadata key {name!r} that is not base64: {error}"
        ) from None


@lru_cache(maxsize=256)
def _sent_key(key: str) -> tuple[bytes, bool] | None:
    """The name on the wire and whether its value is binary; None for a name not to be sent."""
    if _KEY.fullmatch(key):
        return None if key in _NOT_SENT else (key.encode("ascii"), key.endswith("-bin"))
    rule = "must not be empty" if not key else "may only have the characters 0-9 a-z _ - ."
    advice = f"; use {key.lower()!r}" if _KEY.fullmatch(key.lower()) else ""
    raise InvalidMetadata(f"metadata key {key[:100]!r} is illegal: keys {rule}{advice}")


# Peers choose these keys, so the cache must stay small: 256 keys that fill a 16 KiB header block.
@lru_cache(maxsize=256)
def _received_key(key: bytes) -> tuple[str, bool] | None:
    """The key to show and whether its value is binary; None for a pseudo-header field."""
    if key[:1] == b":":
        return None
    name = key.decode("latin-1")
    if not _KEY.fullmatch(name):
        raise MalformedMetadata(
            f"the peer sent metadata key {key[:100]!r}; keys may only have the characters"
            " 0-9 a-z _ - ."
        )
    return name, name.endswith("-bin")


def _key_of_bytes(key: object) -> str:
    """Programs written for grpcio may give keys as bytes, against its types."""
    if isinstance(key, bytes):
        return key.decode("latin-1")
    raise InvalidMetadataType(f"metadata key {key!r} is {type(key).__name__}; keys are str")


def _text_of(key: str, value: object) -> str:
    """Programs written for grpcio may give text as bytes, and None for the empty string."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if value is None:
        return ""
    raise InvalidMetadataType(
        f"the value of metadata key {key!r} is {type(value).__name__}; it must be str, or bytes for"
        " a key that ends in -bin"
    )
