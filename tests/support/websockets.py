"""A raw WebSocket client over a blocking socket: `wsproto` for the frames, and the handshake by hand."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import pytest

from support.credentials import CERTIFICATES
from support.libraries import LIMIT

__all__ = ["Closed", "WebSocketClient", "client_frame"]

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
# What RFC 6455 §1.3 answers to it.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x01\x02\x03\x04"


class _Port(Protocol):
    ports: list[int]


class Closed(tuple[int, str]):
    """Code and reason of the server's close."""

    __slots__ = ()


def client_frame(head: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame of a client; `head` is its first byte, `length` what it says instead of the truth."""
    size = len(payload) if length is None else length
    if size < 126:
        sizes = bytes([0x80 | size])
    elif size < 1 << 16:
        sizes = b"\xfe" + size.to_bytes(2, "big")
    else:
        sizes = b"\xff" + size.to_bytes(8, "big")
    masked = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([head]) + sizes + MASK + masked


class WebSocketClient:
    """One connection with its handshake done.

    Attributes:
        status, fields, body: of the server's answer; the body is that of a refusal.
    """

    def __init__(
        self,
        server: _Port,
        path: str = "/",
        *,
        headers: Iterable[tuple[str, str]] = (),
        drop: Iterable[str] = (),
        method: str = "GET",
        version: str = "1.1",
        tls: bool = False,
        deflate: Any = None,
        early: bytes = b"",
    ) -> None:
        self.wsproto: Any = pytest.importorskip("wsproto", reason="wsproto is not installed")
        self.sock: Any = socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT)
        self.sock.settimeout(LIMIT)
        if tls:
            context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        fields = {
            "host": "localhost",
            "upgrade": "websocket",
            "connection": "keep-alive, Upgrade",
            "sec-websocket-key": KEY,
            "sec-websocket-version": "13",
        }
        fields = {name: value for name, value in fields.items() if name not in drop}
        if deflate is not None:
            fields["sec-websocket-extensions"] = f"{deflate.name}; {deflate.offer()}"
        lines = [
            f"{method} {path} HTTP/{version}",
            *(f"{name}: {value}" for name, value in [*fields.items(), *headers]),
        ]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode() + early)
        self._buffer = b""
        self._read_head()
        self.body = b""
        self.state: Any = None
        if self.status == 101:
            assert dict(self.fields)["sec-websocket-accept"] == ACCEPT
            accepted = dict(self.fields).get("sec-websocket-extensions")
            if deflate is not None and accepted is not None:
                deflate.finalize(accepted)
            extensions = [] if deflate is None else [deflate]
            wsproto = self.wsproto
            kind = wsproto.connection.ConnectionType.CLIENT
            self.state = wsproto.connection.Connection(kind, extensions, self._buffer)
        else:
            self.body = self._read_exactly(int(dict(self.fields).get("content-length", 0)))
        self._text: Any = None

    def _read_head(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            assert data, "the server closed the connection instead of answering"
            self._buffer += data
        head, _end, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.partition(":") for line in lines)
        self.fields = [(name.lower(), value.strip()) for name, _colon, value in pairs]

    def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.sock.recv(65536)
            assert data, "the body is cut off"
            self._buffer += data
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def close_socket(self) -> None:
        self.sock.close()

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.sock.sendall(data)

    def say(self, event: Any) -> None:
        """An event of wsproto's."""
        self.raw(self.state.send(event))

    def send(self, message: str | bytes) -> None:
        events = self.wsproto.events
        kind = events.TextMessage if isinstance(message, str) else events.BytesMessage
        self.say(kind(data=message))

    def close(self, code: int | None = 1000, reason: str | None = None) -> None:
        """This side's close."""
        self.say(self.wsproto.events.CloseConnection(code=code, reason=reason))

    def events(self) -> Iterator[Any]:
        """What comes; None when the connection ends."""
        while True:
            yield from self.state.events()
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                yield None
                return
            self.state.receive_data(data)

    def next(self) -> Any:
        """The next message, close, ping or pong; None when the connection ends."""
        for event in self.events():
            if isinstance(event, self.wsproto.events.Message):
                self._text = event.data if self._text is None else self._text + event.data
                if event.message_finished:
                    text, self._text = self._text, None
                    return text
            elif isinstance(event, self.wsproto.events.CloseConnection):
                return Closed((int(event.code), event.reason or ""))
            else:
                return event
        raise AssertionError

    def until_closed(self) -> Closed:
        """The server's close; what comes before it is dropped."""
        while not isinstance(found := self.next(), Closed):
            assert found is not None, "the connection ended without a close"
        return found

    def until_gone(self) -> None:
        """Until the server has closed the connection, which is then closed here, too."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        self.sock.close()
