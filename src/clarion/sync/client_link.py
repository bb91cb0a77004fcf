"""A client's connection, read by the threads that wait for its answers.

The thread that waits for a response reads the socket itself: no thread switch lies between the bytes and the
caller. Of several waiting threads one reads (the leader) and wakes those whose answers came; when it has its
own it hands the reading on. While nobody waits, the I/O thread reads, so that PING, GOAWAY and calls nobody
waits for (futures) are served. It takes over only after the connection has been left alone for a moment;
otherwise each call would pay for handing the socket over and back.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from typing import Protocol

from clarion.client_core import Attempt, LinkOwner, Pending, cancel_calls
from clarion.http2 import Abort, Config, Connection
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.link import Link

__all__ = ["ClientLink", "Waiter"]

# How long a connection is left alone before the I/O thread reads it, in seconds.
_MOMENT = 0.02

_allocate_lock = threading.Lock


class Waiter(Protocol):
    """A call that a thread waits for.

    Attributes:
        progress: what the thread waits for happened.
        sleeper: the lock the thread sleeps on, or None.
    """

    progress: bool
    sleeper: threading.Lock | None


class ExchangedCall(Waiter, Protocol):
    """A call that `exchange` starts."""

    attempt: Attempt | None

    def open_on(self, link: ClientLink) -> None:
        """Open a stream on `link` if one is free (with the lock)."""


class ClientLink(Link):
    """A connection that this side opened."""

    def __init__(self, sock: socket.socket, io: IoThread, config: Config, owner: LinkOwner) -> None:
        super().__init__(sock, io)
        self.connection = Connection(self, time.monotonic, config)
        self.pending: deque[Pending] = deque()
        self._owner = owner
        self._leader: Waiter | None = None
        self._sleepers: dict[Waiter, threading.Lock] = {}
        self._unattended = 0
        self._checking = False
        self._used = 0.0
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._poller = _Poller(sock, self._wake_reader)
        with self.lock:
            self.connection.start()
            self.flush()
        self.watch(READ)

    def close(self, message: str) -> None:
        with self.lock:
            cancel_calls(self.connection, message)
        super().close(message)

    # Waiting, on a calling thread

    def exchange(self, call: ExchangedCall, deadline: float | None) -> None:
        """Start `call`, and read the socket or sleep until the call made progress.

        This is `link_available` and `wait` in one, for the call that blocks its thread; what it does not finish
        (the reading thread left, the deadline passed, no stream is free) is for `wait` to go on with.
        """
        with self.lock:
            call.open_on(self)
            # Writing lets go of the lock, so the answer may be there.
            lead = self._leader is None and self._open and not call.progress
            if lead:
                self._leader = call
            elif deadline is None and call.attempt is not None and not call.progress:
                sleeper = _allocate_lock()
                sleeper.acquire()
                call.sleeper = sleeper
                self._sleepers[call] = sleeper
            else:
                return
        if lead:
            try:
                self._lead(call, deadline)
            finally:
                with self.lock:
                    self._hand_over()
        else:
            try:
                sleeper.acquire()
            except BaseException:
                self._stop_sleeping(call)
                raise

    def wait(self, waiter: Waiter, deadline: float | None) -> bool:
        """Wait until `waiter.progress`, and clear it.

        Args:
            waiter: what to wait for.
            deadline: on `time.monotonic()`, or None.

        Returns:
            False if the deadline passed first.
        """
        lock = self.lock
        while True:
            with lock:
                if waiter.progress:
                    waiter.progress = False
                    return True
                lead = self._leader is None and self._open
                if lead:
                    self._leader = waiter
                else:
                    sleeper = _allocate_lock()
                    sleeper.acquire()
                    waiter.sleeper = sleeper
                    self._sleepers[waiter] = sleeper
            if lead:
                try:
                    in_time = self._lead(waiter, deadline)
                finally:
                    with lock:
                        self._hand_over()
            elif deadline is None:
                try:
                    in_time = sleeper.acquire()
                except BaseException:
                    self._stop_sleeping(waiter)
                    raise
            else:
                timeout = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
                try:
                    in_time = sleeper.acquire(timeout=timeout)
                finally:
                    self._stop_sleeping(waiter)
            if not in_time and not waiter.progress:
                return False

    def _stop_sleeping(self, waiter: Waiter) -> None:
        with self.lock:
            waiter.sleeper = None
            self._sleepers.pop(waiter, None)

    def _lead(self, waiter: Waiter, deadline: float | None) -> bool:
        """Read the socket until `waiter.progress`. Returns False if the deadline passed first."""
        ready = self._poller.ready
        receive = self.sock.recv
        lock = self.lock
        timeout: float | None = None
        while True:
            if deadline is not None:
                timeout = deadline - time.monotonic()
                if timeout <= 0:
                    return False
            if ready(timeout):
                try:
                    data = receive(self._receive_size)
                except (BlockingIOError, InterruptedError):
                    continue
                except OSError as error:
                    with lock:
                        self.lose(error)
                    return True
                with lock:
                    self.receive(data)
            if waiter.progress or not self._open:
                return True

    def _hand_over(self) -> None:
        """The leader leaves (with the lock)."""
        self._leader = None
        if self._sleepers:
            waiter, sleeper = self._sleepers.popitem()
            waiter.sleeper = None
            sleeper.release()
            return
        self._used = time.monotonic()
        if self._unattended:
            self.io.post(self._attend)
        elif not self._checking:
            self._checking = True
            self.io.post(self._check_later)

    def notify(self, waiter: Waiter) -> None:
        """Something happened that `waiter` waits for (with the lock)."""
        waiter.progress = True
        sleeper = waiter.sleeper
        if sleeper is not None:
            waiter.sleeper = None
            self._sleepers.pop(waiter, None)
            sleeper.release()
        elif waiter is self._leader and not self.receiving:
            try:
                self._wake_writer.send(b"\0")
            except OSError:
                pass

    # Calls that nobody waits for (with the lock)

    def leave_unattended(self) -> None:
        """A call goes on without a thread that waits for it."""
        self._unattended += 1
        if self._leader is None:
            self.io.post(self._attend)

    def attended(self) -> None:
        """Such a call is over, or a thread waits for it now."""
        self._unattended -= 1

    # On the I/O thread

    def _attend(self) -> None:
        with self.lock:
            if self._leader is None:
                self.watch(self._events | READ)

    def _check_later(self) -> None:
        self.io.call_later(_MOMENT, self._check)

    def _check(self) -> None:
        with self.lock:
            if self._leader is None and time.monotonic() - self._used >= _MOMENT:
                self._checking = False
                self.watch(self._events | READ)
                return
        self._check_later()

    def read_ready(self) -> None:
        with self.lock:
            if self._leader is not None or not self._open:
                # A thread reads already; it says when it no longer does.
                self.watch(self._events & ~READ)
                return
            try:
                data = self.sock.recv(self._receive_size)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self.lose(error)
                return
            self.receive(data)

    def closed(self) -> None:
        # The wake-up pipe stays until here, for a leader may be polling it.
        with self.lock:
            sleepers = list(self._sleepers.values())
            self._sleepers.clear()
            leader = self._leader
        for sleeper in sleepers:
            sleeper.release()
        if leader is None:
            self._close_wake()
        else:
            try:
                self._wake_writer.send(b"\0")
            except OSError:
                pass
            self.io.call_later(_MOMENT, self.closed)

    def _close_wake(self) -> None:
        self._wake_reader.close()
        self._wake_writer.close()

    # ConnectionObserver (with the lock): the channel hears everything on the I/O thread

    def ready(self) -> None:
        self.io.post(lambda: self._owner.link_ready(self))

    def streams_available(self) -> None:
        self.io.post(self._serve_pending)

    def goaway_received(self, code: int, debug: bytes) -> None:
        self.io.post(lambda: self._owner.link_draining(self, code, debug))

    def ping_acknowledged(self, data: bytes) -> None: ...

    def finished(self, reason: Abort) -> None:
        self.io.post(lambda: self._owner.link_closed(self, reason))

    def _serve_pending(self) -> None:
        while self.pending and self.connection.can_open:
            self.pending.popleft().link_available(self)
        with self.lock:
            if self.pending:
                self.connection.want_stream()

    def abandon(self) -> None:
        """In a forked child: forget the connection, which is the parent's."""
        self.lock = threading.Lock()
        self._open = False
        self._leader = None
        self.sock.close()
        self._close_wake()
        with self.lock:
            self.connection.connection_lost("the process was forked; this call is the parent's")


class _Poller:
    """Waits for a socket or a wake-up."""

    __slots__ = ("_poll", "_sock", "_wake", "_wake_socket")

    def __init__(self, sock: socket.socket, wake: socket.socket) -> None:
        self._sock = sock.fileno()
        self._wake = wake.fileno()
        self._wake_socket = wake
        self._poll = None
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock, select.POLLIN)
            poller.register(wake, select.POLLIN)
            self._poll = poller.poll

    def ready(self, timeout: float | None) -> bool:
        """Wait for `timeout` seconds at most; return whether the socket is readable."""
        if self._poll is not None:
            events = self._poll(None if timeout is None else timeout * 1000 + 1)
            descriptors = [event[0] for event in events]
        else:
            descriptors = select.select([self._sock, self._wake], [], [], timeout)[0]
        if self._wake in descriptors:
            try:
                self._wake_socket.recv(4096)
            except OSError:
                # Somebody else took it: it is the wake-up that counts, not the byte.
                pass
        return self._sock in descriptors
