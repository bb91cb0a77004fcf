"""Just enough of an HTTP/2 client, on plain sockets, to open what must then stay idle.

It is written apart from Clarion's own engine, so that no server is measured with the code it runs
on. Header blocks are literals without indexing and without Huffman coding (RFC 7541 section
6.2.2): any decoder reads them and no dynamic table grows.
"""

from __future__ import annotations

import socket
import struct

from bench.harness.processes import Invalid

__all__ = ["RawConnection", "frame", "header_block"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK = END_STREAM = 1
END_HEADERS = 4
REPLY_SECONDS = 10.0


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113 section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(fields: list[tuple[str, str]]) -> bytes:
    """Fields as literals without indexing; names and values under 127 bytes."""
    block = b""
    for name, value in fields:
        block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return block


class RawConnection:
    """A connection that has exchanged SETTINGS with its server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_SECONDS)
        self._buffer = b""
        self._next_stream = 1
        self._port = port
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b""))
        self._until(SETTINGS, 0)

    def open_stream(self, path: str, message: bytes = b"", *, end: bool = False) -> int:
        """Send the HEADERS of a call and perhaps one message; returns the stream's id."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        block = header_block(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", f"127.0.0.1:{self._port}"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ]
        )
        out = frame(HEADERS, END_HEADERS, stream, block)
        if message:
            out += frame(DATA, END_STREAM if end else 0, stream, message)
        self._socket.sendall(out)
        return stream

    def call(self, path: str, message: bytes) -> bytes:
        """Do a unary call whose reply is one DATA frame, and return that frame's payload."""
        self.open_stream(path, message, end=True)
        return self._until(DATA, None)

    def echo(self, stream: int, message: bytes) -> bytes:
        """Send one message on an open stream and return the payload of the DATA frame that answers."""
        self._socket.sendall(frame(DATA, 0, stream, message))
        return self._until(DATA, None)

    def settle(self) -> None:
        """Return when the server has taken in all that was sent: its answer to a PING says so."""
        self._socket.sendall(frame(PING, 0, 0, b"settled?"))
        self._until(PING, ACK)

    def close(self) -> None:
        self._socket.close()

    def _until(self, wanted: int, flags: int | None) -> bytes:
        """Read frames up to the wanted one, doing what a peer must on the way."""
        while True:
            kind, flag, payload = self._read_frame()
            if kind in (RST_STREAM, GOAWAY):
                name = "RST_STREAM" if kind == RST_STREAM else "GOAWAY"
                raise Invalid(f"the server answered an idle stream or connection with {name}")
            if kind == SETTINGS and not flag & ACK:
                self._socket.sendall(frame(SETTINGS, ACK, 0, b""))
            if kind == PING and not flag & ACK:
                self._socket.sendall(frame(PING, ACK, 0, payload))
            if kind == HEADERS and flag & END_STREAM and wanted != HEADERS:
                raise Invalid("the server ended a call that was to stay open or to have a reply")
            if kind == wanted and (flags is None or flag & ACK == flags):
                return payload

    def _read_frame(self) -> tuple[int, int, bytes]:
        head = self._read(9)
        length = int.from_bytes(head[:3], "big")
        return head[3], head[4], self._read(length)

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                received = self._socket.recv(65536)
            except OSError as error:
                raise Invalid(f"the server did not answer: {error}") from None
            if not received:
                raise Invalid("the server closed an idle connection")
            self._buffer += received
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken
