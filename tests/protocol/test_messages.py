"""Compressed messages stay packed until they are wanted, and what is wrong with them has a status."""

from __future__ import annotations

import zlib

import pytest

from clarion.protocol.compression import get_compressor
from clarion.protocol.messages import (
    CompressedMessage,
    Uncompressed,
    UnpackFailed,
    as_bytes,
    unpack,
)
from clarion.status import StatusCode

GZIP = get_compressor("gzip")


def test_plain_bytes_pass_whatever_the_encoding() -> None:
    message = b"x" * 100
    assert unpack(message, None, 10, "CLIENT") is message
    assert unpack(message, GZIP, 10, "CLIENT") is message


def test_a_compressed_message() -> None:
    assert GZIP is not None
    packed = CompressedMessage(GZIP.compress(b"hello"))
    assert unpack(packed, GZIP, -1, "CLIENT") == b"hello"
    assert unpack(packed, GZIP, 5, "CLIENT") == b"hello"
    assert type(unpack(packed, GZIP, 5, "CLIENT")) is bytes


def test_a_message_that_is_larger_when_unpacked() -> None:
    assert GZIP is not None
    packed = CompressedMessage(GZIP.compress(b"hello"))
    with pytest.raises(UnpackFailed, match=r"SERVER: .*4") as caught:
        unpack(packed, GZIP, 4, "SERVER")
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


def test_a_bomb() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    packed = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(64)) + compressor.flush()
    with pytest.raises(UnpackFailed) as caught:
        unpack(CompressedMessage(packed), GZIP, 1 << 20, "SERVER")
    assert caught.value.code is StatusCode.RESOURCE_EXHAUSTED


def test_the_compressed_flag_without_an_encoding() -> None:
    with pytest.raises(UnpackFailed, match="compressed flag") as caught:
        unpack(CompressedMessage(b"x"), None, -1, "SERVER")
    assert caught.value.code is StatusCode.INTERNAL


def test_damage() -> None:
    with pytest.raises(UnpackFailed, match="gzip") as caught:
        unpack(CompressedMessage(b"no gzip"), GZIP, -1, "CLIENT")
    assert caught.value.code is StatusCode.INTERNAL


def test_what_serializers_return_is_bytes_or_copied() -> None:
    message = Uncompressed(b"x")
    assert as_bytes(message) is message
    array = bytearray(b"before")
    for given in array, memoryview(array):
        taken = as_bytes(given)
        assert type(taken) is bytes
        array[:] = b"after!"
        assert taken == b"before"
        array[:] = b"before"


@pytest.mark.parametrize("payload", ["x", None, 5, [b"x"]])
def test_what_is_no_message_gets_no_further(payload: object) -> None:
    with pytest.raises(TypeError, match=type(payload).__name__):
        as_bytes(payload)
