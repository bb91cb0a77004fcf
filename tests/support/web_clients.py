"""Raw HTTP clients for servers of the web protocols: HTTP/1.1 by h11, HTTP/2 by h2, over blocking sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.libraries import LIMIT

__all__ = ["Answer", "Http1Client", "Http2Client", "WebClient", "read_until"]

Headers = dict[str, str]


def read_until(sock: Any, what: bytes, received: bytes = b"") -> bytes:
    """`received` and what comes behind it, up to some piece with `what`. Fails if the connection ends before."""
    while what not in received:
        data = sock.recv(65536)
        assert data, f"the connection ended without {what!r}: {received[-1000:]!r}"
        received += data
    return received


@dataclass
class Answer:
    """What a server answered; `fields` in order, names in lower case."""

    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def __getitem__(self, name: str) -> str:
        return dict(self.fields)[name]

    def get(self, name: str) -> str | None:
        return dict(self.fields).get(name)


class WebClient:
    """One connection."""

    name = ""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.sock: Any = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.sock.settimeout(LIMIT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            tls.set_alpn_protocols([self.name])
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
            assert self.sock.selected_alpn_protocol() == self.name

    def close(self) -> None:
        self.sock.close()

    def request(
        self, path: str, headers: Headers, body: bytes | Iterable[bytes] = b"", method: str = "POST"
    ) -> Answer:
        """A request with all of its body, and the answer to it."""
        pieces = [body] if isinstance(body, bytes) else body
        self.send_head(path, headers, method)
        for piece in pieces:
            self.send_piece(piece)
        self.send_end()
        return self.answer()

    def answer(self) -> Answer:
        answer = self.head()
        answer.body = b"".join(self.pieces())
        return answer

    def send_head(self, path: str, headers: Headers, method: str = "POST") -> None:
        raise NotImplementedError

    def send_piece(self, piece: bytes) -> None:
        raise NotImplementedError

    def send_end(self) -> None:
        raise NotImplementedError

    def cancel(self) -> None:
        """The client does not want the answer any more."""
        raise NotImplementedError

    def head(self) -> Answer:
        """The head of the answer."""
        raise NotImplementedError

    def pieces(self) -> Iterator[bytes]:
        """The body of the answer, as it comes."""
        raise NotImplementedError


class Http1Client(WebClient):
    """HTTP/1.1."""

    name = "http/1.1"

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port, tls)
        h11 = pytest.importorskip("h11", reason="h11 is not installed")
        self.h11: Any = h11
        self.state = h11.Connection(h11.CLIENT)

    def _send(self, event: Any) -> None:
        data = self.state.send(event)
        if data:
            self.sock.sendall(data)

    def send_head(self, path: str, headers: Headers, method: str = "POST") -> None:
        if self.state.our_state is self.h11.DONE:
            self.state.start_next_cycle()
        fields = [("host", "localhost"), *headers.items()]
        if method == "POST" and "content-length" not in headers:
            fields.append(("transfer-encoding", "chunked"))
        self._send(self.h11.Request(method=method, target=path, headers=fields))

    def send_piece(self, piece: bytes) -> None:
        if piece:
            self._send(self.h11.Data(data=piece))

    def send_end(self) -> None:
        self._send(self.h11.EndOfMessage())

    def cancel(self) -> None:
        self.close()

    def _event(self) -> Any:
        while True:
            event = self.state.next_event()
            if event is not self.h11.NEED_DATA:
                return event
            self.state.receive_data(self.sock.recv(65536))

    def head(self) -> Answer:
        event = self._event()
        while isinstance(event, self.h11.InformationalResponse):
            event = self._event()
        fields = [(name.decode(), value.decode()) for name, value in event.headers]
        return Answer(event.status_code, fields)

    def pieces(self) -> Iterator[bytes]:
        while True:
            event = self._event()
            if not isinstance(event, self.h11.Data):
                assert isinstance(event, self.h11.EndOfMessage), event
                return
            yield bytes(event.data)


class Http2Client(WebClient):
    """HTTP/2."""

    name = "h2"

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(port, tls)
        pytest.importorskip("h2", reason="h2 is not installed")
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        config = H2Configuration(client_side=True, header_encoding="utf-8")
        self.state = H2Connection(config)
        self.state.initiate_connection()
        self._flush()
        self._events: list[Any] = []
        self._stream = 0

    def _flush(self) -> None:
        data = self.state.data_to_send()
        if data:
            self.sock.sendall(data)

    def send_head(self, path: str, headers: Headers, method: str = "POST") -> None:
        self._stream = self.state.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
        ]
        self.state.send_headers(self._stream, [*pseudo, *headers.items()])
        self._flush()

    def send_piece(self, piece: bytes) -> None:
        for at in range(0, len(piece), 16_000):
            part = piece[at : at + 16_000]
            while self.state.local_flow_control_window(self._stream) < len(part):
                self._flush()
                self._receive()
            self.state.send_data(self._stream, part)
        self._flush()

    def send_end(self) -> None:
        self.state.end_stream(self._stream)
        self._flush()

    def cancel(self) -> None:
        self.state.reset_stream(self._stream, 8)
        self._flush()

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        assert data, "the server closed the connection"
        self._events += self.state.receive_data(data)
        self._flush()

    def _event(self) -> Any:
        while True:
            while self._events:
                event = self._events.pop(0)
                if getattr(event, "stream_id", None) == self._stream:
                    return event
            self._receive()

    def head(self) -> Answer:
        event = self._event()
        while type(event).__name__ != "ResponseReceived":
            event = self._event()
        fields = dict(event.headers)
        status = int(fields.pop(":status"))
        return Answer(status, [pair for pair in event.headers if pair[0] != ":status"])

    def pieces(self) -> Iterator[bytes]:
        while True:
            event = self._event()
            kind = type(event).__name__
            if kind == "DataReceived":
                self.state.acknowledge_received_data(event.flow_controlled_length, self._stream)
                self._flush()
                yield event.data
            elif kind in ("StreamEnded", "StreamReset", "ConnectionTerminated"):
                assert kind == "StreamEnded", event
                return
