"""A TCP proxy that does to connections what networks do, on purpose.

Rules it keeps: one thread, which never blocks on a socket; what the application calls is done when the call returns;
chance comes from one seed, so a run can be repeated as far as its timing allows; a proxy that is closed leaves no thread
and no descriptor.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import random
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from clarion.testing.faults import Direction, Ending, Faults
from clarion.testing.pipe import Pipe

__all__ = ["ChaosProxy", "Counts"]

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE
_RESETTING = struct.pack("ii", 1, 0)
_HOST = "127.0.0.1"
# How long the peers of a connection that ended in good order have to close it, in seconds.
_PATIENCE = 1.0


@dataclasses.dataclass
class Counts:
    """What happened so far.

    Attributes:
        accepted: connections from clients.
        unreachable: those of them for which the server could not be reached; they were reset.
        endings: how many directions came to each ending of their faults.
        to_server, to_client: bytes passed on, of connections that are over.
    """

    accepted: int = 0
    unreachable: int = 0
    endings: dict[Ending, int] = dataclasses.field(default_factory=dict)
    to_server: int = 0
    to_client: int = 0


class _Connection:
    """A client's connection and ours to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, faults: Faults, seed: float):
        rng = random.Random(seed)  # nosec B311  # tests want the same again
        self.client = client
        self.server = server
        self.connecting = True
        self.swallowed = faults.is_black_hole
        self.up = Pipe(client, server, faults.of(Direction.TO_SERVER), rng)
        self.down = Pipe(server, client, faults.of(Direction.TO_CLIENT), rng)
        self.wake_at = math.inf
        self.close_at = math.inf

    @property
    def is_over(self) -> bool:
        """Whether nothing will pass any more, and nobody is to be kept waiting for that."""
        pipes = (self.up, self.down)
        if self.close_at < math.inf:
            return all(pipe.finished for pipe in pipes) or time.monotonic() >= self.close_at
        return all(pipe.over and not pipe.is_kept_open for pipe in pipes)

    def events(self, sock: socket.socket) -> int:
        """What to look for on one of the two sockets."""
        if self.connecting:
            return _WRITE if sock is self.server else 0
        inward, outward = (self.up, self.down) if sock is self.client else (self.down, self.up)
        return (_READ if inward.wants_bytes else 0) | (_WRITE if outward.blocked else 0)


class ChaosProxy:
    """Listens on a port of its own on 127.0.0.1 and passes connections on to a server, with faults.

    A context manager. Every method may be called from any thread, and from a coroutine: none takes longer than a turn of
    the proxy's loop.

    Args:
        server: the server's port on 127.0.0.1, or its `(host, port)`.
        faults: what is done to connections. Of a sequence each connection gets one by chance.
        seed: for everything that chance decides.

    Attributes:
        port: where the proxy listens.
        target: the same as a channel's target.
    """

    def __init__(
        self,
        server: int | tuple[str, int],
        faults: Faults | Sequence[Faults] = Faults(),  # noqa: B008 - it is frozen
        *,
        seed: int = 0,
    ) -> None:
        self._server = (_HOST, server) if isinstance(server, int) else server
        self._faults = _choices(faults)
        self._random = random.Random(seed)  # nosec B311
        self._connections: dict[socket.socket, _Connection] = {}
        self._counts = Counts()
        self._timers: list[tuple[float, int, _Connection]] = []
        self._order = 0
        self._paused = False
        self._running = True
        self._posted: list[tuple[Callable[[], None], threading.Event]] = []
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = _listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.target = f"{_HOST}:{self.port}"
        self._reader, self._waker = socket.socketpair()
        self._reader.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._reader, _READ)
        self._selector.register(self._listener, _READ)
        self._thread = threading.Thread(target=self._run, name="clarion-chaos-proxy", daemon=True)
        self._thread.start()

    # What the application calls

    def set_faults(self, faults: Faults | Sequence[Faults], *, now: bool = False) -> None:
        """Do this to connections from now on.

        Args:
            faults: see the class.
            now: also to those that are open. Otherwise these keep what they have.
        """

        def change() -> None:
            self._faults = _choices(faults)
            if now:
                for connection in self._each():
                    chosen = self._random.choice(self._faults)
                    connection.up.change(chosen.of(Direction.TO_SERVER))
                    connection.down.change(chosen.of(Direction.TO_CLIENT))
                    self._look_again(connection)

        self._call(change)

    def set_server(self, server: int | tuple[str, int]) -> None:
        """Pass connections that come from now on to another server."""
        address = (_HOST, server) if isinstance(server, int) else server

        def change() -> None:
            self._server = address

        self._call(change)

    def reset(self) -> int:
        """Reset all connections (RST to both peers); return how many there were."""
        return self._end_all(Ending.RESET)

    def truncate(self) -> int:
        """End all connections in good order, wherever they are; return how many there were."""
        return self._end_all(Ending.TRUNCATE)

    def pause(self) -> None:
        """Let nothing pass in any connection, as if a cable were pulled. New ones are accepted and wait."""
        self._call(lambda: self._set_paused(True))

    def resume(self) -> None:
        """End `pause`."""
        self._call(lambda: self._set_paused(False))

    def refuse(self) -> None:
        """Stop listening, so that who connects is refused. Open connections go on."""
        self._call(self._stop_listening)

    def accept(self) -> None:
        """End `refuse`: listen again on the same port.

        Raises:
            OSError: another program took the port meanwhile.
        """
        self._call(self._listen_again)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._connections) // 2

    @property
    def counts(self) -> Counts:
        """What happened so far; a copy."""
        counts = self._counts
        return dataclasses.replace(counts, endings=dict(counts.endings))

    def close(self) -> None:
        """Reset all connections, stop listening and end the thread. May be called again."""
        try:
            self._call(self._finish)
        except ValueError:
            # It is closed, or being closed by another thread.
            pass
        self._thread.join()

    def __enter__(self) -> ChaosProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        host, port = self._server
        return f"<clarion.testing.ChaosProxy on port {self.port} for {host}:{port}>"

    def _call(self, work: Callable[[], None]) -> None:
        """Have `work` done by the thread, and wait for that."""
        failure: list[BaseException] = []
        done = threading.Event()

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                failure.append(error)

        with self._lock:
            if not self._running:
                raise ValueError(f"{self!r} is closed")
            self._posted.append((guarded, done))
            try:
                self._waker.send(b"\0")
            except BlockingIOError:
                # Full: it wakes anyway.
                pass
        done.wait()
        if failure:
            raise failure[0]

    def _end_all(self, ending: Ending) -> int:
        number = 0

        def end() -> None:
            nonlocal number
            for connection in self._each():
                number += 1
                if ending is Ending.RESET:
                    self._reset(connection)
                else:
                    self._truncate(connection)

        self._call(end)
        return number

    # On the thread

    def _run(self) -> None:
        while self._running:
            for key, events in self._selector.select(self._until_next_timer()):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self._reader:
                    sock.recv(4096)
                elif sock is self._listener:
                    self._accept_one()
                elif sock in self._connections:
                    # Not there: it went with the other socket of its connection, in this turn.
                    self._ready(self._connections[sock], sock, events)
            self._run_timers()
            with self._lock:
                posted, self._posted = self._posted, []
            for work, done in posted:
                work()
                done.set()
        # Who called while another thread closed the proxy: there is nothing left to do it to.
        for _work, done in self._posted:
            done.set()

    def _until_next_timer(self) -> float | None:
        if self._paused or not self._timers:
            return None
        return max(self._timers[0][0] - time.monotonic(), 0.0)

    def _run_timers(self) -> None:
        now = time.monotonic()
        while not self._paused and self._timers and self._timers[0][0] <= now:
            connection = heapq.heappop(self._timers)[2]
            if connection.client in self._connections:
                connection.wake_at = math.inf
                self._move(connection)

    def _each(self) -> list[_Connection]:
        return list({id(each): each for each in self._connections.values()}.values())

    def _accept_one(self) -> None:
        assert self._listener is not None
        try:
            client, _address = self._listener.accept()
        except OSError:
            return
        self._counts.accepted += 1
        faults = self._random.choice(self._faults)
        server = socket.socket(
            socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET, socket.SOCK_STREAM
        )
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(client, server, faults, self._random.random())
        self._connections[client] = self._connections[server] = connection
        if not connection.swallowed:
            server.connect_ex(self._server)
            self._look_again(connection)
        else:
            connection.connecting = False
            self._count(Ending.SWALLOW)
            self._watch(client, _READ)

    def _ready(self, connection: _Connection, sock: socket.socket, events: int) -> None:
        if connection.swallowed:
            self._swallow(connection)
            return
        if connection.connecting:
            if connection.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._counts.unreachable += 1
                self._reset(connection)
                return
            connection.connecting = False
            for pipe in (connection.up, connection.down):
                pipe.begin(time.monotonic())
        elif events & _READ:
            pipe = connection.up if sock is connection.client else connection.down
            try:
                pipe.receive(time.monotonic())
            except OSError:
                self._reset(connection)
                return
        self._move(connection)

    def _swallow(self, connection: _Connection) -> None:
        try:
            gone = not connection.client.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            gone = True
        if gone:
            self._close(connection)

    def _move(self, connection: _Connection) -> None:
        """Send what is due, and look for what comes next."""
        now = time.monotonic()
        for pipe in (connection.up, connection.down):
            try:
                pipe.send(now)
            except OSError:
                self._reset(connection)
                return
            ended, pipe.ended = pipe.ended, None
            if ended is not None:
                self._count(ended)
            if ended is Ending.RESET:
                self._reset(connection)
                return
            if ended is Ending.TRUNCATE:
                self._truncate(connection)
                return
        if connection.is_over:
            self._close(connection)
        else:
            self._look_again(connection)

    def _look_again(self, connection: _Connection) -> None:
        for sock in (connection.client, connection.server):
            self._watch(sock, 0 if self._paused else connection.events(sock))
        pipes = (connection.up, connection.down)
        due = min([connection.close_at, *(pipe.due for pipe in pipes if not pipe.blocked)])
        if due < connection.wake_at:
            connection.wake_at = due
            self._order += 1
            heapq.heappush(self._timers, (due, self._order, connection))

    def _watch(self, sock: socket.socket, events: int) -> None:
        known = self._selector.get_map().get(sock)
        if known is None:
            if events:
                self._selector.register(sock, events)
        elif not events:
            self._selector.unregister(sock)
        elif known.events != events:
            self._selector.modify(sock, events)

    def _count(self, ending: Ending) -> None:
        endings = self._counts.endings
        endings[ending] = endings.get(ending, 0) + 1

    def _reset(self, connection: _Connection) -> None:
        for sock in (connection.client, connection.server):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
        self._close(connection)

    def _truncate(self, connection: _Connection) -> None:
        for sock in (connection.client, connection.server):
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                # It was not connected yet, or is not any more.
                self._reset(connection)
                return
        # To close a socket that has bytes unread would be a reset: read until the peer closes, too.
        connection.up.drop()
        connection.down.drop()
        connection.close_at = time.monotonic() + _PATIENCE
        self._look_again(connection)

    def _close(self, connection: _Connection) -> None:
        counts = self._counts
        counts.to_server += connection.up.passed
        counts.to_client += connection.down.passed
        for sock in (connection.client, connection.server):
            self._watch(sock, 0)
            del self._connections[sock]
            sock.close()

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        for connection in self._each():
            if not connection.swallowed:
                self._look_again(connection)

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._selector.unregister(listener)
            listener.close()

    def _listen_again(self) -> None:
        if self._listener is None:
            self._listener = _listen(self.port)
            self._selector.register(self._listener, _READ)

    def _finish(self) -> None:
        with self._lock:
            self._running = False
        for connection in self._each():
            self._reset(connection)
        self._stop_listening()
        self._selector.close()
        self._reader.close()
        self._waker.close()


def _choices(faults: Faults | Sequence[Faults]) -> Sequence[Faults]:
    chosen = (faults,) if isinstance(faults, Faults) else tuple(faults)
    if not chosen:
        raise ValueError("an empty sequence of faults; one Faults() is none")
    return chosen


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port))
        listener.listen(1024)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
