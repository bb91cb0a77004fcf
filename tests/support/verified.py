"""Messages that prove themselves, and a server that checks them.

Every message carries its call's number, its own number in its stream, how many the stream has, and a checksum. So whoever
receives one knows whether it is the one that had to come, whichever way it went. A server's handlers tell a `Witness` what
they saw: which calls began and how often, and what was not as it had to be.

Used by the chaos and overload tests and by the soak, in one process with the client or apart from it.
"""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import clarion

__all__ = [
    "PATTERNS",
    "SERVICE",
    "Corrupt",
    "Witness",
    "body",
    "digest",
    "download",
    "handlers",
    "pack",
    "unpack",
]

SERVICE = "verified.Service"
PATTERNS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")

_HEAD = struct.Struct("!QIII")
_PLAN = struct.Struct("!II")
_DIGEST = struct.Struct("!II")


class Corrupt(AssertionError):
    """A message that is not the one that had to come."""


def body(call: int, number: int, size: int) -> bytes:
    """What message `number` of a call carries: other bytes for each, and the same each time."""
    seed = b"%d/%d." % (call, number)
    return (seed * (size // len(seed) + 1))[:size]


def pack(call: int, number: int, of: int, content: bytes) -> bytes:
    """Message `number` of a stream of `of`."""
    checksum = zlib.crc32(content, call & 0xFFFFFFFF ^ number << 8 ^ of)
    return _HEAD.pack(call, number, of, checksum) + content


def unpack(message: bytes, number: int, call: int | None = None) -> tuple[int, int, bytes]:
    """The call, how many messages its stream has, and the content of message `number`.

    Raises `Corrupt` if it is another message, or of another call than `call`.
    """
    if len(message) < _HEAD.size:
        raise Corrupt(f"a message of {len(message)} bytes")
    whose, which, of, checksum = _HEAD.unpack_from(message)
    content = message[_HEAD.size :]
    if call is not None and whose != call:
        raise Corrupt(f"message {which} of call {whose} came to call {call}")
    if which != number:
        raise Corrupt(f"call {whose}: message {which} came as number {number}")
    if zlib.crc32(content, whose & 0xFFFFFFFF ^ which << 8 ^ of) != checksum:
        raise Corrupt(f"call {whose}: message {which} of {len(content)} bytes has other bytes")
    return whose, of, content


def download(messages: int, size: int) -> bytes:
    """The content that asks a `unary_stream` for so many messages of a size."""
    return _PLAN.pack(messages, size)


def digest(messages: int, checksum: int) -> bytes:
    """The content with which `stream_unary` says what it received."""
    return _DIGEST.pack(messages, checksum)


class Witness:
    """What the handlers of one server saw.

    Args:
        journal: a file that the number of each call is appended to as it begins, for who outlives the process.

    Attributes:
        begun: how often each call began; None if `counting` is off.
        faults: what was not as it had to be.
    """

    def __init__(self, journal: str | None = None, *, counting: bool = True) -> None:
        self.begun: Counter[int] | None = Counter() if counting else None
        self.faults: list[str] = []
        self._lock = threading.Lock()
        self._journal = -1
        if journal is not None:
            self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def begins(self, call: int) -> None:
        if self._journal >= 0:
            os.write(self._journal, struct.pack("!Q", call))
        if self.begun is not None:
            with self._lock:
                self.begun[call] += 1

    def first(self, message: bytes) -> tuple[int, int, bytes]:
        """The first or only request of a call."""
        try:
            call, of, content = unpack(message, 0)
        except Corrupt as error:
            self.faults.append(f"request: {error}")
            raise
        self.begins(call)
        return call, of, content

    def next(self, message: bytes, number: int, call: int) -> bytes:
        """A further request."""
        try:
            return unpack(message, number, call)[2]
        except Corrupt as error:
            self.faults.append(f"request: {error}")
            raise

    def ended(self, call: int, number: int, of: int) -> None:
        """A stream of requests ended in good order after `number` messages."""
        if number != of:
            self.faults.append(f"call {call}: {number} requests of {of}, and the end in good order")
            raise Corrupt(self.faults[-1])

    @staticmethod
    def read_journal(path: str) -> Counter[int]:
        """How often each call began, by a journal."""
        with open(path, "rb") as file:
            return Counter(each[0] for each in struct.iter_unpack("!Q", file.read()))


class _Requests:
    """Checks a stream of requests, one by one."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.call = self.of = self.number = self.checksum = 0

    def take(self, message: bytes) -> bytes:
        if self.number:
            content = self.witness.next(message, self.number, self.call)
        else:
            self.call, self.of, content = self.witness.first(message)
        self.number += 1
        self.checksum = zlib.crc32(content, self.checksum)
        return content

    def echo(self, message: bytes) -> bytes:
        content = self.take(message)
        return pack(self.call, self.number - 1, self.of, content)

    def end(self) -> bytes:
        self.witness.ended(self.call, self.number, self.of)
        return pack(self.call, 0, 1, digest(self.number, self.checksum))


def _answer(witness: Witness, request: bytes) -> bytes:
    call, _, content = witness.first(request)
    return pack(call, 0, 1, content[::-1])


def _answers(witness: Witness, request: bytes) -> Iterator[bytes]:
    call, _, content = witness.first(request)
    messages, size = _PLAN.unpack(content)
    for number in range(messages):
        yield pack(call, number, messages, body(call, number, size))


def _sync(witness: Witness, pause: float) -> dict[str, Any]:
    def unary_unary(request: bytes, context: Any) -> bytes:
        if pause:
            time.sleep(pause)
        return _answer(witness, request)

    def unary_stream(request: bytes, context: Any) -> Iterator[bytes]:
        return _answers(witness, request)

    def stream_unary(requests: Iterator[bytes], context: Any) -> bytes:
        checked = _Requests(witness)
        for request in requests:
            checked.take(request)
        return checked.end()

    def stream_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        checked = _Requests(witness)
        for request in requests:
            yield checked.echo(request)
        checked.end()

    return locals()


def _aio(witness: Witness, pause: float) -> dict[str, Any]:
    async def unary_unary(request: bytes, context: Any) -> bytes:
        if pause:
            await asyncio.sleep(pause)
        return _answer(witness, request)

    async def unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for response in _answers(witness, request):
            yield response

    async def stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
        checked = _Requests(witness)
        async for request in requests:
            checked.take(request)
        return checked.end()

    async def stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        checked = _Requests(witness)
        async for request in requests:
            yield checked.echo(request)
        checked.end()

    return locals()


def handlers(front: str, witness: Witness, pause: float = 0.0) -> dict[str, Any]:
    """The service's handlers for the front end `sync` or `aio`, by method name.

    Those of one request and one response take `pause` seconds.
    """
    functions = (_sync if front == "sync" else _aio)(witness, pause)
    return {
        pattern: getattr(clarion, f"{pattern}_rpc_method_handler")(functions[pattern])
        for pattern in PATTERNS
    }
