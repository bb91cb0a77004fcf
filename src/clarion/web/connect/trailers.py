"""Trailing metadata in Connect, which uses no HTTP trailers.

Rules kept: a unary answer has it among its headers, under names that begin with `trailer-`; a stream has it in the JSON at
its end, where a name has a list of values, written as header fields are. Names that begin with `connect-` are the
protocol's in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from clarion.metadata import Metadatum
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode
from clarion.web.connect.errors import (
    error_object,
    error_of,
    outcome_of_error,
    read_error,
)
from clarion.web.envelopes import CONNECT_END, envelope
from clarion.web.errors import WebError
from clarion.web.fields import Fields, check_size, metadata_of, without_http
from clarion.web.json_text import load_json, to_json

__all__ = ["end_frame", "prefixed", "read_end", "split_prefixed"]

_PREFIX: Final = b"trailer-"


def prefixed(trailing: Fields) -> Fields:
    """Trailing metadata, encoded, as headers of a unary answer."""
    return tuple((_PREFIX + name, value) for name, value in without_http(trailing))


def split_prefixed(fields: Iterable[tuple[bytes, bytes]]) -> tuple[Fields, Fields]:
    """The headers of a unary answer that are leading, and those that are trailing, without the prefix."""
    leading, trailing = [], []
    for name, value in fields:
        if name.startswith(_PREFIX):
            trailing.append((name.removeprefix(_PREFIX), value))
        else:
            leading.append((name, value))
    return tuple(leading), tuple(trailing)


def end_frame(
    code: StatusCode = StatusCode.OK,
    message: str = "",
    trailing: Fields = (),
) -> bytes:
    """The last envelope of a stream: EndStreamResponse.

    Args:
        code: the call's status.
        message: the status message.
        trailing: the trailing metadata, encoded; `grpc-status-details-bin` becomes the error's details.
    """
    end: dict[str, Any] = {}
    if code is not StatusCode.OK:
        error, trailing = error_of(code, message, trailing)
        end["error"] = error_object(error)
    metadata: dict[str, list[str]] = {}
    for name, value in without_http(trailing):
        metadata.setdefault(name.decode("ascii"), []).append(value.decode("ascii"))
    if metadata:
        end["metadata"] = metadata
    return envelope(to_json(end), CONNECT_END)


def read_end(data: bytes, max_metadata_size: int) -> Outcome:
    """Read an EndStreamResponse.

    Args:
        data: uncompressed.
        max_metadata_size: the largest trailing metadata, as RFC 9113 section 6.5.2 counts it.

    Raises:
        WebError: it is none.
    """
    try:
        end = load_json(data)
    except (ValueError, RecursionError) as error:
        raise WebError(StatusCode.INTERNAL, f"the response's end is no JSON: {error}") from None
    if not isinstance(end, dict):
        raise WebError(StatusCode.INTERNAL, "the response's end is no JSON object")
    metadata = _read_metadata(end.get("metadata"), max_metadata_size)
    failed = end.get("error")
    if failed is None:
        return Outcome(StatusCode.OK, "", metadata) if metadata else OK
    return outcome_of_error(read_error(failed, StatusCode.UNKNOWN), metadata)


def _read_metadata(value: Any, max_size: int) -> tuple[Metadatum, ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise _no_metadata()
    fields = []
    for name, values in value.items():
        if not isinstance(values, list):
            raise _no_metadata()
        for each in values:
            if not isinstance(each, str) or not name.isascii():
                raise _no_metadata()
            text = each.strip(" \t").encode("utf-8", "replace")
            fields.append((name.lower().encode("ascii"), text))
    check_size(fields, max_size)
    return metadata_of(fields)


def _no_metadata() -> WebError:
    return WebError(
        StatusCode.INTERNAL, "the metadata at the response's end is no object of lists of strings"
    )
