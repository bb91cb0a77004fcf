"""The least that a Python process can do per message: no library, no protocol, only the bytes.

It answers every request to SayHello with the same bytes and sends the frames of Talk back as they came, from a
blocking socket with a thread of its own. It checks nothing, knows no flow control but for large allowances, and
serves nothing but this benchmark. What it reaches against grpcio is more than any implementation in Python can,
so a target above it cannot be met. Prints `PORT n` and stops on SIGTERM.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading

__all__: list[str] = []

_PREFACE = 24
_DATA, _HEADERS, _SETTINGS, _WINDOW_UPDATE = 0, 1, 4, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGEST = (1 << 31) - 1


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


_HEAD = b"\x88" + _literal(b"content-type", b"application/grpc")
_OK = _literal(b"grpc-status", b"0")
_HELLO = b"\x0a\x0dHello, Alice!"
_BODY = b"\0" + len(_HELLO).to_bytes(4, "big") + _HELLO
_SETUP = (
    _frame(_SETTINGS, 0, 0, b"\0\4" + (1 << 30).to_bytes(4, "big"))
    + _frame(_SETTINGS, _ACK, 0, b"")
    + _frame(_WINDOW_UPDATE, 0, 0, (_LARGEST - 65_535).to_bytes(4, "big"))
)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while len(received) < _PREFACE:
        received += connection.recv(_PREFACE - len(received))
    connection.sendall(_SETUP)
    received = b""
    # The open streams, and whether their response headers were sent.
    begun: dict[int, bool] = {}
    while data := connection.recv(65_536):
        received += data
        answer = b""
        start = 0
        while len(received) - start >= 9:
            size = int.from_bytes(received[start : start + 3], "big")
            end = start + 9 + size
            if end > len(received):
                break
            kind, ends = received[start + 3], received[start + 4] & _END_STREAM
            stream = int.from_bytes(received[start + 5 : start + 9], "big")
            if kind == _HEADERS:
                begun[stream] = False
            elif kind == _DATA:
                if not begun[stream] and (size or ends):
                    begun[stream] = True
                    answer += _frame(_HEADERS, _END_HEADERS, stream, _HEAD)
                if not ends:
                    answer += received[start:end]
                else:
                    if size:
                        answer += _frame(_DATA, 0, stream, _BODY)
                    answer += _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _OK)
                    del begun[stream]
            start = end
        received = received[start:]
        if answer:
            connection.sendall(answer)
    connection.close()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"PORT {listener.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
