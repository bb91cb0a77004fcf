"""Iterators of requests: in whose context they run, when they are closed, and what a retry owes them."""

from __future__ import annotations

import contextvars
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.http2 import HEADERS, PREFACE, frame, goaway, settings
from support.libraries import LIMIT
from support.simple import ECHOES

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])
def test_they_run_in_the_caller_s_context(sync: FrontEnd, pattern: str) -> None:
    rig = sync.rig(**ECHOES)
    seen: list[str] = []

    def requests() -> Iterator[bytes]:
        seen.append(WHO.get())
        yield b"x"

    def call() -> None:
        WHO.set("caller")
        rig.call(pattern, requests())

    contextvars.copy_context().run(call)
    assert seen == ["caller"]


@pytest.mark.parametrize("how", ["cancelled", "answered"])
def test_they_are_closed_when_the_call_is_over(sync: FrontEnd, how: str) -> None:
    closed = threading.Event()
    begun = threading.Event()
    go_on = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.read()
        if how == "cancelled":
            await call.until_cancelled(lambda: None)
        return b"early"

    def requests() -> Iterator[bytes]:
        try:
            yield b"first"
            begun.set()
            assert go_on.wait(LIMIT)
            while True:
                yield b"more"
        finally:
            closed.set()

    rig = sync.rig(stream_unary=handler)
    method = rig.client.raw.stream_unary(SERVICE + "StreamUnary")
    call = method.future(requests())
    assert begun.wait(LIMIT)
    if how == "cancelled":
        call.cancel()
    else:
        assert call.result(LIMIT) == b"early"
    go_on.set()
    # Without the help of the cyclic collector: its pauses would be pauses of whatever the generator holds.
    assert closed.wait(LIMIT)


class _Refusing:
    """A server that does not act on the calls of its first connection, and answers those of its second."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT)
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.opened = threading.Event()
        self.refuse = threading.Event()
        self.reconnected = threading.Event()
        self.second = threading.Event()
        self.received = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        first, _ = self._listener.accept()
        first.settimeout(LIMIT)
        first.sendall(settings({4: (1 << 31) - 1}))
        self._until_headers(first)
        self.opened.set()
        assert self.refuse.wait(LIMIT)
        first.sendall(goaway(0))
        again, _ = self._listener.accept()
        again.settimeout(LIMIT)
        self.reconnected.set()
        assert self.second.wait(LIMIT)
        again.sendall(
            settings({4: (1 << 31) - 1}) + frame(8, 0, 0, struct.pack(">I", (1 << 31) - 65_536))
        )
        sid = self._until_headers(again)
        body = b""
        ended = False
        while not ended:
            kind, flags, of, payload = self._frame(again)
            if kind == 0 and of == sid:
                body += payload
                ended = bool(flags & 1)
            elif kind == HEADERS and flags & 1:
                ended = True
        self.received = body
        head = b"\x88" + _literal(b"content-type", b"application/grpc")
        again.sendall(frame(HEADERS, 5, sid, head + _literal(b"grpc-status", b"0")))
        self._until_end(again)
        for each in (first, again):
            each.close()

    def _until_headers(self, connection: socket.socket) -> int:
        assert connection.recv(len(PREFACE), socket.MSG_WAITALL) == PREFACE
        while True:
            kind, _flags, sid, _payload = self._frame(connection)
            if kind == HEADERS:
                return sid

    @staticmethod
    def _frame(connection: socket.socket) -> tuple[int, int, int, bytes]:
        head = connection.recv(9, socket.MSG_WAITALL)
        size = int.from_bytes(head[:3], "big")
        payload = connection.recv(size, socket.MSG_WAITALL) if size else b""
        return head[3], head[4], int.from_bytes(head[5:9], "big"), payload

    @staticmethod
    def _until_end(connection: socket.socket) -> None:
        while connection.recv(65_536):
            pass

    def close(self) -> None:
        self._thread.join(LIMIT)
        self._listener.close()


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def test_a_retry_does_not_lose_a_message(sync: FrontEnd) -> None:
    sync.clarion_only("ends such a call with UNAVAILABLE")
    server = _Refusing()
    client = sync.connect(server.target)
    packing = threading.Event()
    packed = threading.Event()

    def serialize(request: bytes) -> bytes:
        packing.set()
        assert packed.wait(LIMIT)
        return request

    method = client.raw.stream_stream(SERVICE + "StreamStream", request_serializer=serialize)
    call: Any = method(iter([b"x" * 1000]), timeout=LIMIT)
    assert server.opened.wait(LIMIT)
    assert packing.wait(LIMIT)
    server.refuse.set()
    # Now the first attempt came to nothing, and the second has no stream yet.
    assert server.reconnected.wait(LIMIT)
    packed.set()
    server.second.set()
    assert list(call) == []
    assert server.received == b"\0" + (1000).to_bytes(4, "big") + b"x" * 1000
    client.close()
    server.close()
