"""Messages between a stream and its call: a compressed one is kept packed until it is wanted.

A bomb of many small compressed messages would otherwise unpack into far more memory than flow control
accounts for.
"""

from __future__ import annotations

from clarion.errors import RemoteError
from clarion.protocol.compression import Compressor, DecompressedTooLarge
from clarion.status import StatusCode

__all__ = ["CompressedMessage", "Uncompressed", "UnpackFailed", "as_bytes", "unpack"]


class CompressedMessage(bytes):
    """A message as it came, with the compressed flag set."""

    __slots__ = ()


class Uncompressed(bytes):
    """A serialized message that is to be sent as it is, also where the call compresses its messages.

    Return it from a serializer for what would not shrink, such as an image, or must not be compressed
    because it puts a secret beside text that an attacker chooses. It decides for each message on its own, on
    both sides and with every pattern of call; on a call without compression it changes nothing.
    """

    __slots__ = ()


class UnpackFailed(RemoteError):
    """A compressed message could not be unpacked; `code` is the status it ends the call with."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def as_bytes(payload: object) -> bytes:
    """What a serializer returned, where that is not plainly `bytes`.

    Views and arrays are copied, for the application may change them before they are sent.

    Raises:
        TypeError: it is no message; one must not get as far as the bytes of other calls.
    """
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, bytearray | memoryview):
        return bytes(payload)
    raise TypeError(f"a serialized message is bytes, not {type(payload).__name__}")


def unpack(message: bytes, compressor: Compressor | None, max_size: int, role: str) -> bytes:
    """Return the message itself.

    Args:
        message: as it came.
        compressor: what the peer's `grpc-encoding` names; None for identity.
        max_size: bytes the unpacked message may have; -1 for no limit.
        role: `CLIENT` or `SERVER`, for the error text.

    Raises:
        UnpackFailed: compressed without an encoding, damaged (INTERNAL), or larger than `max_size`
            (RESOURCE_EXHAUSTED).
    """
    if type(message) is not CompressedMessage:
        return message
    if compressor is None:
        raise UnpackFailed(
            StatusCode.INTERNAL,
            "a message has the compressed flag set, but grpc-encoding names no compression",
        )
    try:
        return compressor.decompress(bytes(message), max_size)
    except DecompressedTooLarge as error:
        raise UnpackFailed(StatusCode.RESOURCE_EXHAUSTED, f"{role}: {error}") from None
    except RemoteError as error:
        raise UnpackFailed(StatusCode.INTERNAL, str(error)) from None
