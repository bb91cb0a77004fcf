"""A client's connection, read by the threads that wait for its answers.

The thread that waits for a response reads the socket itself: no thread switch lies between the bytes and the
caller. Of several waiting threads one reads (the leader) and wakes those whose answers came; when it has its
own it hands the reading on. While nobody waits, the I/O thread reads, so that PING, GOAWAY and calls nobody
waits for (futures) are served. It takes over only after the connection has been left alone for a moment;
otherwise each call would pay for handing the socket over and back.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from clarion.client_core import Attempt, LinkOwner, Pending, attempts_on, cancel_calls
from clarion.http2 import Abort, Config, Connection, Keepalive
from clarion.http2.watching import connection_type
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.link import Link
from clarion.sync.poller import Poller

__all__ = ["ClientLink", "WaitedCall"]

# How long a connection is left alone before the I/O thread reads it, in seconds.
_MOMENT = 0.02

_allocate_lock = threading.Lock


class Waiter:
    """A thread that waits for a call.

    Attributes:
        progress: something happened to the call.
        sleeper: the lock the thread sleeps on, or None.
    """

    progress = False
    sleeper: threading.Lock | None = None


class WaitedCall(Waiter):
    """A call that threads wait for. It is the waiter of the one thread that is in `ClientLink.exchange`.

    Attributes:
        attempt: the try in progress; it says which link the call is on.
        waiters: the threads that are in `ClientLink.wait`.
    """

    attempt: Attempt | None
    waiters: list[Waiter] | None = None

    def open_on(self, link: ClientLink) -> None:
        """Open a stream on `link` if one is free (with the lock)."""
        raise NotImplementedError


class ClientLink(Link):
    """A connection that this side opened.

    Attributes:
        speaks_http1: it has HTTP/1.1 on it; see `clarion.web.client`.
        held: the socket is not to be read now (with the lock).
    """

    speaks_http1 = False
    held = False

    def __init__(self, sock: socket.socket, io: IoThread, config: Config, owner: LinkOwner) -> None:
        super().__init__(sock, io)
        self._owner = owner
        self.connection = self.make_connection(config)
        self.pending: deque[Pending] = deque()
        self._leader: Waiter | None = None
        self._sleepers: dict[Waiter, threading.Lock] = {}
        self._unattended = 0
        self._checking = False
        self._used = 0.0
        self._poller = Poller(sock)
        self._keepalive = Keepalive(self.connection, self.later)
        with self.lock:
            self.connection.start()
            self.flush()
        self.watch(READ)

    def make_connection(self, config: Config) -> Connection:
        """What is on the socket."""
        web = self._owner.options.web
        if web is None:
            return connection_type()(self, time.monotonic, config)
        connection: Connection = web.make_connection(self, time.monotonic, config)
        return connection

    def close(self, message: str) -> None:
        with self.lock:
            cancel_calls(self.connection, message)
        super().close(message)

    def peer_name(self) -> str:
        return self.peer

    # Waiting, on a calling thread

    def exchange(self, call: WaitedCall, deadline: float | None) -> None:
        """Start `call`, and read the socket or sleep until the call made progress.

        This is `link_available` and `wait` in one, for the call that blocks its thread; what it does not finish
        (the reading thread left, the deadline passed, no stream is free) is for `wait` to go on with.
        """
        lead = False
        try:
            with self.lock:
                call.open_on(self)
                # Writing lets go of the lock, so the answer may be there; and a call that found no stream here may
                # have one elsewhere by now.
                attempt = call.attempt
                if attempt is None or attempt.link is not self or call.progress or not self._open:
                    return
                if self._leader is None:
                    lead = True
                    self._leader = call
                elif deadline is None:
                    self._fall_asleep(call)
                else:
                    return
            if lead:
                self._lead(call, deadline)
            else:
                self._sleep(call, None)
        finally:
            self._leave(call)

    def wait(self, call: WaitedCall, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Wait until `ready()`, or until `call` is no longer on this link.

        Args:
            call: what to wait for.
            ready: whether there is nothing to wait for; evaluated with the lock.
            deadline: on `time.monotonic()`, or None.

        Returns:
            False if the deadline passed first.
        """
        waiter = Waiter()
        try:
            with self.lock:
                if call.waiters is None:
                    call.waiters = []
                call.waiters.append(waiter)
            while True:
                with self.lock:
                    if ready() or call.attempt is None or call.attempt.link is not self:
                        return True
                    waiter.progress = False
                    lead = self._leader is None and self._open and not self.held
                    if lead:
                        self._leader = waiter
                    else:
                        self._fall_asleep(waiter)
                if lead:
                    in_time = self._lead(waiter, deadline)
                    with self.lock:
                        self._leader = None
                else:
                    in_time = self._sleep(waiter, deadline)
                if not in_time and not waiter.progress:
                    return ready()
        finally:
            with self.lock:
                if call.waiters is not None and waiter in call.waiters:
                    call.waiters.remove(waiter)
            self._leave(waiter)

    def _fall_asleep(self, waiter: Waiter) -> None:
        """Make a lock for `waiter` to sleep on (with the lock)."""
        sleeper = _allocate_lock()
        sleeper.acquire()
        waiter.sleeper = sleeper
        self._sleepers[waiter] = sleeper

    def _sleep(self, waiter: Waiter, deadline: float | None) -> bool:
        """Sleep until woken: by progress, or to lead. Returns False if the deadline passed first."""
        sleeper = waiter.sleeper
        if sleeper is None:
            return True
        if deadline is None:
            return sleeper.acquire()
        timeout = max(deadline - time.monotonic(), 0.0)
        return sleeper.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

    def _leave(self, waiter: Waiter) -> None:
        """`waiter`'s thread goes. If it was to lead, somebody else must."""
        if self._leader is waiter or waiter.sleeper is not None or self._sleepers:
            with self.lock:
                self._sleepers.pop(waiter, None)
                waiter.sleeper = None
                if self._leader is waiter or (self._leader is None and self._sleepers):
                    self._hand_over()
        if self._leader is None:
            self._left_alone()

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
        """Nobody reads: wake somebody who will, if there is one (with the lock)."""
        self._leader = None
        if self._sleepers:
            waiter, sleeper = self._sleepers.popitem()
            waiter.sleeper = None
            sleeper.release()

    def _left_alone(self) -> None:
        """Perhaps no thread reads any more: have the I/O thread do it, at once or in a moment."""
        self._used = time.monotonic()
        if self._unattended > 0:
            self.io.post(self._attend)
        elif not self._checking:
            self._checking = True
            self.io.post(self._check_later)

    def notify(self, call: WaitedCall) -> None:
        """Something happened to `call` (with the lock)."""
        self._wake(call)
        if call.waiters is not None:
            for waiter in call.waiters:
                self._wake(waiter)

    def _wake(self, waiter: Waiter) -> None:
        waiter.progress = True
        sleeper = waiter.sleeper
        if sleeper is not None:
            waiter.sleeper = None
            self._sleepers.pop(waiter, None)
            sleeper.release()
        elif waiter is self._leader and not self.receiving:
            self._poller.wake()

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
            if not self._open:
                self._checking = False
                return
            if self._leader is None and time.monotonic() - self._used >= _MOMENT:
                self._checking = False
                self.watch(self._events | READ)
                return
            if self._leader is not None and time.monotonic() - self._used >= 1:
                # A long wait: the thread says when it leaves.
                self._checking = False
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
            self._poller.close()
        else:
            self._poller.wake()
            self.io.call_later(_MOMENT, self.closed)

    # ConnectionObserver (with the lock): the channel hears everything on the I/O thread

    def ready(self) -> None:
        self.io.post(lambda: self._owner.link_ready(self))

    def streams_available(self) -> None:
        self.io.post(self._serve_pending)

    def goaway_received(self, code: int, debug: bytes) -> None:
        self.io.post(lambda: self._owner.link_draining(self, code, debug))

    def ping_acknowledged(self, data: bytes) -> None:
        self._keepalive.answered(data)

    def finished(self, reason: Abort) -> None:
        self._keepalive.stop()
        self.io.post(lambda: self._owner.link_closed(self, reason))

    def _serve_pending(self) -> None:
        while self.pending and self.connection.can_open:
            self.pending.popleft().link_available(self)
        with self.lock:
            if not self.pending:
                return
            if not self.connection.can_open:
                self.connection.want_stream()
                return
        self.io.post(self._serve_pending)

    def abandon(self) -> None:
        """In a forked child: forget the connection, which is the parent's."""
        self.lock = threading.Lock()
        self._open = False
        self._leader = None
        self.sock.close()
        self._poller.close()
        self._sleepers = {}
        for attempt in attempts_on(self.connection):
            attempt.call.forked()
        with self.lock:
            self.connection.connection_lost("the process was forked; this call is the parent's")
