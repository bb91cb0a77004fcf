"""Compressed messages of any bytes: unpacked within the limit, or `UnpackFailed`. What we compress comes back whole."""

from __future__ import annotations

from clarion.protocol.compression import get_compressor
from clarion.protocol.messages import CompressedMessage, UnpackFailed, unpack
from clarion.status import StatusCode
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_NAMES = ("gzip", "deflate", "identity", "zstd")
_LIMITS = (1000, 0, 65_536)


def fuzz_one(data: bytes) -> None:
    """The first two bytes choose the compression and the limit."""
    reader = Reader(data)
    compressor, limit = get_compressor(reader.choose(_NAMES)), reader.choose(_LIMITS)
    packed = reader.rest()
    try:
        assert len(unpack(CompressedMessage(packed), compressor, limit, "SERVER")) <= limit
    except UnpackFailed as error:
        assert error.code in (StatusCode.INTERNAL, StatusCode.RESOURCE_EXHAUSTED)
    if compressor is not None:
        again = CompressedMessage(compressor.compress(packed))
        assert unpack(again, compressor, len(packed), "CLIENT") == packed
