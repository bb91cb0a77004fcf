"""Header fields to metadata: entries or `RemoteError`; and whatever comes out can be sent, and arrives the same."""

from __future__ import annotations

from clarion.errors import LocalError, RemoteError
from clarion.protocol.metadata import decode_metadata, encode_metadata
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_NAMES = (b"x-a", b"x-a-bin", b"grpc-x", b"user-agent", b"te", b":path", b"grpc-status-details-bin")


def _decode(fields: list[tuple[bytes, bytes]]) -> None:
    try:
        entries = decode_metadata(fields)
    except RemoteError:
        return
    for key, value in entries:
        assert isinstance(value, bytes) is key.endswith("-bin")
        assert isinstance(value, bytes) or (value.isascii() and value.isprintable())
    # Text loses spaces at its ends when it is sent, and names of the transport are left out: so twice.
    once = decode_metadata(encode_metadata(entries))
    assert decode_metadata(encode_metadata(once)) == once
    sent = {key for key, _ in once}
    stripped = [
        (key, value if isinstance(value, bytes) else value.strip(" "))
        for key, value in entries
        if key in sent
    ]
    assert [tuple(each) for each in once] == stripped


def _encode(entries: list[tuple[str, str | bytes]]) -> None:
    try:
        fields = encode_metadata(entries)
    except LocalError:
        return
    for name, value in fields:
        assert name.strip() == name
        assert value.strip(b" ") == value
        assert value.isascii()
        assert not set(value) & {0, 10, 13}
    decode_metadata(fields)


def fuzz_one(data: bytes) -> None:
    """A list of fields, received and then, as text, sent."""
    reader = Reader(data)
    fields = []
    while reader.left:
        form = reader.byte()
        fields.append((reader.choose(_NAMES) if form & 1 else reader.piece(), reader.piece()))
    _decode(fields)
    _encode(
        [
            (
                name.decode("latin-1"),
                value if name.endswith(b"-bin") else value.decode("utf-8", "surrogateescape"),
            )
            for name, value in fields
        ]
    )
