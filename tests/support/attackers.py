"""Clients that mean harm, or know no better: many raw connections that each do next to nothing, for as long as they like.

A `Swarm` keeps them all on one thread. What a kind of attacker sends when it is connected, and what it does each second from
then on, is an `Attack`.
"""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from support.http2 import (
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    PREFACE,
    block,
    data,
    frame,
    headers,
    settings,
    window_update,
)
from support.verified import SERVICE, download, pack

__all__ = ["ATTACKS", "Attack", "Memory", "Swarm"]

_MOST = 2**31 - 1
_WINDOW = 4
LIMIT = 30.0


@dataclass(frozen=True)
class Attack:
    """What each connection of a swarm does.

    Attributes:
        opening: sent at once.
        trickle: sent after it, so many bytes at a time.
        at_a_time: how many.
        reads: bytes read each time.
    """

    opening: bytes = b""
    trickle: bytes = b""
    at_a_time: int = 1
    reads: int = 0


def _fields(pattern: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", f"/{SERVICE}/{pattern}".encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )


def _download() -> bytes:
    """Asks for more than anybody will ever read, with all the window there is."""
    request = pack(0, 0, 1, download(1 << 30, 1 << 16))
    return (
        PREFACE
        + settings({_WINDOW: _MOST})
        + window_update(0, _MOST - 65_535)
        + headers(1, _fields("unary_stream"))
        + data(1, b"\0" + len(request).to_bytes(4, "big") + request, end=True)
    )


def _slow_block() -> bytes:
    """A header block that never ends, in one frame after the other; it starts with what is right."""
    start = block(_fields("unary_unary"))
    return frame(HEADERS, 0, 1, start) + b"".join(
        # `name: value` without indexing, in literals: valid, and new each time.
        frame(CONTINUATION, 0, 1, b"\0\x07x-%05d\x01y" % number)
        for number in range(1000)
    )


def _large_block() -> bytes:
    """As large a header block as is taken, without its end."""
    # A literal field whose value is announced as 100,000 bytes: 127 and the rest in groups of seven bits.
    rest = 100_000 - 127
    length = b"\x7f" + bytes([rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14])
    literal = block(_fields("unary_unary")) + b"\0\x06x-long" + length
    return frame(HEADERS, 0, 1, literal + b"a" * 16_000) + b"".join(
        frame(CONTINUATION, 0, 1, b"a" * 16_000) for _ in range(5)
    )


_HELLO = PREFACE + settings()
_ONE_FRAME = block(_fields("unary_unary")) + b"\0\x06x-slow\x7f" + b"a" * 16_000

ATTACKS = {
    "idle": Attack(_HELLO),
    "silent": Attack(),
    "slow preface": Attack(trickle=PREFACE + settings()),
    "slow header block": Attack(_HELLO, _slow_block(), 8),
    "slow HEADERS frame": Attack(_HELLO, frame(HEADERS, END_HEADERS, 1, _ONE_FRAME)),
    "large header block": Attack(_HELLO + _large_block()),
    "slow reader": Attack(_download(), reads=1),
}


class Swarm:
    """Many connections that do the same.

    Args:
        port: the server's, on 127.0.0.1.
        attack: what they do.
        size: how many connect, one after the other.
        period: seconds between what each does and what it does next.
    """

    def __init__(self, port: int, attack: Attack, size: int, period: float = 1.0) -> None:
        self.attack = attack
        self.refused = 0
        self._sockets: dict[socket.socket, int] = {}
        self._period = period
        self._stop = threading.Event()
        for _ in range(size):
            self._connect(port)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _connect(self, port: int) -> None:
        sock = socket.socket()
        # A small buffer: what is not read must stay with the server.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(LIMIT)
        try:
            sock.connect(("127.0.0.1", port))
            sock.sendall(self.attack.opening)
        except OSError:
            self.refused += 1
            sock.close()
            return
        sock.setblocking(False)
        self._sockets[sock] = 0

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            for sock in list(self._sockets):
                self._act(sock)

    def _act(self, sock: socket.socket) -> None:
        attack, sent = self.attack, self._sockets[sock]
        try:
            more = attack.trickle[sent : sent + attack.at_a_time]
            if more:
                self._sockets[sock] += sock.send(more)
            # Who reads nothing would not notice that it was thrown out.
            if attack.reads:
                gone = not sock.recv(attack.reads)
            else:
                gone = not sock.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            gone = True
        if gone:
            del self._sockets[sock]
            sock.close()

    @property
    def connected(self) -> int:
        """Connections that the server has not ended yet, as far as was noticed."""
        return len(self._sockets)

    def close(self) -> None:
        """Close them all."""
        self._stop.set()
        self._thread.join(LIMIT)
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()


class Memory:
    """What another process holds, in bytes; of Linux."""

    available = Path("/proc/self/status").exists()

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._stat = Path(f"/proc/{pid}/stat")

    def _read(self, name: str) -> int:
        for line in self._status.read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) << 10
        raise AssertionError(f"{self._status} has no {name}")

    @property
    def resident(self) -> int:
        return self._read("VmRSS")

    @property
    def peak(self) -> int:
        return self._read("VmHWM")

    @property
    def processor(self) -> float:
        """Seconds of processor time so far."""
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
