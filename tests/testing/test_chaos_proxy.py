"""The chaos proxy under raw bytes: each fault by itself, on real sockets."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from clarion.testing import ChaosProxy, Direction, Ending, Faults
from support.footprint import Footprint, settled

if TYPE_CHECKING:
    from conftest import EchoServer

LIMIT = 20.0
DATA = random.Random(1).randbytes(300_000)


def connect(proxy: ChaosProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), LIMIT)


def exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, f"the end after {len(data)} of {size} bytes"
        data += more
    return bytes(data)


def to_the_end(sock: socket.socket) -> bytes:
    data = bytearray()
    while more := sock.recv(65536):
        data += more
    return bytes(data)


def roundtrip(sock: socket.socket, data: bytes) -> bytes:
    """Send `data` and the end; what comes back until the other end."""

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    received = to_the_end(sock)
    sender.join(LIMIT)
    return received


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(latency=0.01, jitter=0.02),
        Faults(chunk=(1, 1000), jitter=0.01),
        Faults(chunk=(7, 7), only=Direction.TO_SERVER),
        Faults(gather=0.02),
        Faults(chunk=(1, 2000), gather=0.01, jitter=0.01),
        Faults(rate=2_000_000),
        [Faults(chunk=(1, 100)), Faults(gather=0.01)],
    ],
    ids=str,
)
def test_bytes_arrive_whole_and_in_order(
    echo: EchoServer, faults: Faults | Sequence[Faults]
) -> None:
    before = Footprint.now()
    with ChaosProxy(echo.port, faults, seed=3) as proxy:
        with connect(proxy) as sock:
            assert roundtrip(sock, DATA) == DATA
        assert echo.ended.acquire(timeout=LIMIT)
        assert echo.ends == ["end"]
        while proxy.connections:
            time.sleep(0.01)
        counts = proxy.counts
        assert (counts.accepted, counts.to_server, counts.to_client) == (1, len(DATA), len(DATA))
    del sock, proxy
    # The echo server keeps no connection.
    assert settled(before).more_than(before) == ""


def test_latency_holds_bytes(echo: EchoServer) -> None:
    with ChaosProxy(echo.port, Faults(latency=0.1)) as proxy, connect(proxy) as sock:
        started = time.monotonic()
        sock.sendall(b"x")
        assert exactly(sock, 1) == b"x"
        # Never earlier; how much later is for the machine to say.
        assert time.monotonic() - started >= 0.2


def test_a_rate_is_not_exceeded(echo: EchoServer) -> None:
    faults = Faults(rate=100_000, only=Direction.TO_SERVER)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        started = time.monotonic()
        sock.sendall(bytes(30_000))
        exactly(sock, 30_000)
        assert time.monotonic() - started >= 0.2


def test_chunks_are_read_by_themselves(echo: EchoServer) -> None:
    faults = Faults(chunk=(10, 10), latency=0.001, rate=2_000, only=Direction.TO_CLIENT)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        sock.sendall(bytes(100))
        assert len(sock.recv(1000)) <= 50
        proxy.reset()


def test_truncation(echo: EchoServer) -> None:
    faults = Faults(ending=Ending.TRUNCATE, ends_after=(1234, 1234), only=Direction.TO_CLIENT)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        sock.sendall(DATA[:5000])
        assert to_the_end(sock) == DATA[:1234]
        assert echo.ended.acquire(timeout=LIMIT)
        assert echo.ends == ["end"]
        assert proxy.counts.endings == {Ending.TRUNCATE: 1}
        # A peer that does not close in its turn is not waited for.
        while proxy.connections:
            time.sleep(0.01)


def test_a_reset_after_bytes(echo: EchoServer) -> None:
    faults = Faults(ending=Ending.RESET, ends_after=(100, 100), only=Direction.TO_SERVER)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        sock.sendall(bytes(500))
        with pytest.raises(ConnectionResetError):
            to_the_end(sock)
        assert echo.ended.acquire(timeout=LIMIT)
        assert echo.ends == ["ConnectionResetError"]


def test_a_half_close(echo: EchoServer) -> None:
    faults = Faults(ending=Ending.HALF_CLOSE, ends_after=(100, 100), only=Direction.TO_SERVER)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        sock.sendall(DATA[:500])
        # The server sees an end, and can still say what it has to say.
        assert to_the_end(sock) == DATA[:100]
        assert echo.ends == ["end"]


def test_a_stall_makes_the_sender_wait(echo: EchoServer) -> None:
    faults = Faults(ending=Ending.STALL, ends_after=(100, 100), only=Direction.TO_SERVER)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        sock.sendall(DATA[:100])
        assert exactly(sock, 100) == DATA[:100]
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sock.send(DATA)
        assert proxy.connections == 1
        assert not echo.ends


def test_what_is_swallowed_does_not_arrive(echo: EchoServer) -> None:
    faults = Faults(ending=Ending.SWALLOW, ends_after=(10, 10), only=Direction.TO_SERVER)
    with ChaosProxy(echo.port, faults) as proxy, connect(proxy) as sock:
        # More than any buffer takes: somebody reads it.
        sock.sendall(DATA * 40)
        assert exactly(sock, 10) == DATA[:10]
        assert bytes(echo.received) == DATA[:10]


def test_a_black_hole(echo: EchoServer) -> None:
    with ChaosProxy(echo.port, Faults(ending=Ending.SWALLOW)) as proxy:
        with connect(proxy) as sock:
            sock.sendall(DATA * 40)
            assert proxy.connections == 1
        while proxy.connections:
            time.sleep(0.01)
        assert echo.accepted == 0
        assert proxy.counts.endings == {Ending.SWALLOW: 1}


def test_everything_is_reset_on_demand(echo: EchoServer) -> None:
    with ChaosProxy(echo.port) as proxy, connect(proxy) as one, connect(proxy) as other:
        for sock in (one, other):
            sock.sendall(b"x")
            exactly(sock, 1)
        assert proxy.reset() == 2
        for sock in (one, other):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        assert proxy.reset() == 0


def test_everything_is_truncated_on_demand(echo: EchoServer) -> None:
    with ChaosProxy(echo.port) as proxy, connect(proxy) as sock:
        sock.sendall(b"x")
        exactly(sock, 1)
        assert proxy.truncate() == 1
        assert sock.recv(1) == b""


def test_a_pause(echo: EchoServer) -> None:
    with ChaosProxy(echo.port) as proxy, connect(proxy) as sock:
        sock.sendall(b"x")
        exactly(sock, 1)
        proxy.pause()
        sock.sendall(b"y")
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        with connect(proxy) as late:
            late.sendall(b"z")
            proxy.resume()
            sock.settimeout(LIMIT)
            assert exactly(sock, 1) == b"y"
            assert exactly(late, 1) == b"z"


def test_who_is_refused_and_comes_back(echo: EchoServer) -> None:
    with ChaosProxy(echo.port) as proxy, connect(proxy) as sock:
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        # What was there goes on.
        sock.sendall(b"x")
        assert exactly(sock, 1) == b"x"
        proxy.accept()
        proxy.accept()
        with connect(proxy) as again:
            again.sendall(b"y")
            assert exactly(again, 1) == b"y"


def test_a_server_that_is_not_there_and_another_one(echo: EchoServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with ChaosProxy(("127.0.0.1", port)) as proxy:
        # The reset may come before `connect` has returned.
        with pytest.raises(ConnectionResetError), connect(proxy) as sock:
            sock.recv(1)
        assert proxy.counts.unreachable == 1
        proxy.set_server(echo.port)
        with connect(proxy) as sock:
            sock.sendall(b"x")
            assert exactly(sock, 1) == b"x"


def test_faults_change_for_new_connections_or_for_all(echo: EchoServer) -> None:
    with ChaosProxy(echo.port) as proxy, connect(proxy) as old:
        old.sendall(b"x")
        exactly(old, 1)
        proxy.set_faults(Faults(ending=Ending.TRUNCATE, ends_after=(3, 3)))
        old.sendall(b"12345")
        assert exactly(old, 5) == b"12345"
        with connect(proxy) as new:
            new.sendall(b"12345")
            assert to_the_end(new) in (b"", b"123")
        proxy.set_faults(Faults(ending=Ending.RESET, ends_after=(1, 1)), now=True)
        old.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            to_the_end(old)


def test_the_same_seed_the_same_choices(echo: EchoServer) -> None:
    def fates(seed: int) -> list[bytes]:
        faults = [
            Faults(ending=Ending.TRUNCATE, ends_after=(1, 50), only=Direction.TO_CLIENT),
            Faults(),
        ]
        with ChaosProxy(echo.port, faults, seed=seed) as proxy:
            answers = []
            for _ in range(10):
                with connect(proxy) as sock:
                    answers.append(roundtrip(sock, DATA[:60]))
            return answers

    assert fates(1) == fates(1) != fates(2)


def test_closing(echo: EchoServer) -> None:
    before = Footprint.now()
    proxy = ChaosProxy(echo.port)
    assert str(proxy.port) in repr(proxy)
    assert proxy.target == f"127.0.0.1:{proxy.port}"
    sock = connect(proxy)
    sock.sendall(b"x")
    exactly(sock, 1)
    proxy.close()
    proxy.close()
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    sock.close()
    with pytest.raises(ValueError, match="closed"):
        proxy.reset()
    with pytest.raises(ValueError, match="empty"):
        ChaosProxy(echo.port, [])
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    assert echo.ended.acquire(timeout=LIMIT)
    del sock
    assert settled(before).more_than(before) == ""
