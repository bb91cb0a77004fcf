"""The client's `Runtime` on the I/O thread, one for all channels of the process."""

from __future__ import annotations

# Its exit handler joins all pool threads; ours, registered after it, runs before it.
import concurrent.futures.thread  # noqa: F401
import errno
import logging
import os
import queue
import random
import socket
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.client_core import LinkOwner, Timer
from clarion.http2 import Config
from clarion.plugin_threads import apart
from clarion.resolver.target import Address, HostPort, ProxiedAddress, UnixAddress, VsockAddress
from clarion.sockets import give_up_unacknowledged, prepare, vsock_family
from clarion.sync.client_link import ClientLink
from clarion.sync.io_thread import WRITE, IoThread

if TYPE_CHECKING:
    from clarion.sync.channel import Channel

_LOG = logging.getLogger(__name__)

__all__ = ["SyncRuntime", "forget_fork", "runtime"]


class SyncRuntime:
    """Time, names and connections from the I/O thread."""

    def __init__(self) -> None:
        self.io = IoThread("clarion-client")
        self.now = IoThread.now
        self.random = random.random
        self.post = self.io.post
        self.post_from_thread = self.io.post
        self.apart = apart
        self.lock = threading.Lock
        self._callbacks: queue.SimpleQueue[Callable[[], object]] | None = None
        self.links: weakref.WeakSet[ClientLink] = weakref.WeakSet()

    def call_back(self, callback: Callable[[], object]) -> None:
        """Run an application's callback, on a thread on which it may block without stopping anything else."""
        if self._callbacks is None:
            self._callbacks = queue.SimpleQueue()
            threading.Thread(
                target=_run_callbacks,
                args=(self._callbacks,),
                name="clarion-callbacks",
                daemon=True,
            ).start()
        self._callbacks.put(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return self.io.call_later(delay, callback)

    def resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        """Look up a name; numbers at once, other names on a thread that lives as long as the look-up."""
        try:
            addresses = _look_up(name, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            threading.Thread(
                target=self._resolve, args=(name, done), name="clarion-resolver", daemon=True
            ).start()
        else:
            self.post(lambda: done(addresses, ""))

    def _resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        try:
            addresses = _look_up(name, 0)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self.post(lambda: done(None, why))
        else:
            self.post(lambda: done(addresses, ""))

    def connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[ClientLink | None, str], None],
    ) -> None:
        security: Any = owner.security
        if security is not None:
            refused = security.refuse(address)
            if refused:
                done(None, refused)
                return
        give_up = self.now() + owner.options.connect_timeout
        try:
            sock, where = _open(address)
        except OSError as error:
            done(None, error.strerror or str(error))
            return

        def connected(code: int) -> None:
            if code:
                sock.close()
                done(None, os.strerror(code))
                return
            give_up_unacknowledged(sock, config.keepalive)
            if isinstance(address, ProxiedAddress):
                from clarion.sync.tunnel import Tunnel

                Tunnel(self.io, sock, address, max(give_up - self.now(), 0.0), tunnelled)
            else:
                tunnelled("")

        def tunnelled(failure: str) -> None:
            if failure:
                done(None, failure)
            elif security is not None and security.encrypted:
                # Loaded by the channel, which has credentials.
                from clarion.sync import tls

                seconds = max(give_up - self.now(), 0.0)
                tls.connect(sock, self.io, config, owner, seconds, linked)
            else:
                web = owner.options.web
                kind = ClientLink if web is None or not web.http1 else web.sync_link()
                linked(kind(sock, self.io, config, owner), "")

        def linked(link: ClientLink | None, why: str) -> None:
            if link is not None:
                self.links.add(link)
            done(link, why)

        try:
            prepare(sock, owner.options.dscp, owner.options.receive_buffer)
            code = sock.connect_ex(where)
        except OSError as error:
            # A path that is too long for a Unix socket, for one.
            sock.close()
            done(None, error.strerror or str(error))
            return
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            _Connecting(self.io, sock, connected)
        else:
            connected(code)


def _run_callbacks(callbacks: queue.SimpleQueue[Callable[[], object]]) -> None:
    while True:
        callback = callbacks.get()
        try:
            callback()
        except BaseException:
            _LOG.exception("an application's callback raised")
        # The next one may be long in coming, and this one holds the channel.
        del callback


def _look_up(name: HostPort, flags: int) -> list[Address]:
    infos = socket.getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM, flags=flags)
    return [HostPort(str(info[4][0]), int(info[4][1])) for info in infos]


def _open(address: Address) -> tuple[socket.socket, Any]:
    if isinstance(address, UnixAddress):
        path = "\0" + address.path if address.abstract else address.path
        family: int = socket.AF_UNIX
        where: Any = path
    elif isinstance(address, VsockAddress):
        family, where = vsock_family(), tuple(address)
    else:
        if isinstance(address, ProxiedAddress):
            address = address.proxy
        info = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )[0]
        family, where = info[0], info[4]
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    return sock, where


class _Connecting:
    """A socket whose connection is being made."""

    def __init__(self, io: IoThread, sock: socket.socket, connected: Callable[[int], None]) -> None:
        self._io = io
        self._sock = sock
        self._connected = connected
        io.watch(sock, WRITE, self)

    def io_ready(self, events: int) -> None:
        self._io.watch(self._sock, 0, self)
        self._connected(self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


_runtime: SyncRuntime | None = None
_runtime_lock = threading.Lock()
channels: weakref.WeakSet[Channel] = weakref.WeakSet()


def runtime() -> SyncRuntime:
    """The process's runtime, started if need be."""
    global _runtime
    found = _runtime
    if found is None:
        with _runtime_lock:
            found = _runtime
            if found is None:
                found = _runtime = SyncRuntime()
    return found


def forget_fork() -> None:
    """In a forked child: the threads and connections are the parent's. Each channel starts anew."""
    global _runtime, _runtime_lock
    _runtime_lock = threading.Lock()
    old, _runtime = _runtime, None
    links = []
    if old is not None:
        links = list(old.links)
        old.io.abandon()
    for forget in (
        *(channel.renew_locks for channel in list(channels)),
        *(link.abandon for link in links),
        *(channel.forget_fork for channel in list(channels)),
    ):
        try:
            forget()
        except Exception:
            # Another thread of the parent was in the middle of it. The child has no use for it anyway.
            _LOG.debug("could not clean up after a fork", exc_info=True)


def _close_at_exit() -> None:
    """End the calls in progress, so that no thread waits for one while the interpreter exits."""
    for channel in list(channels):
        channel.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_fork)

# Before the interpreter joins its threads, which atexit's callbacks come after.
getattr(threading, "_register_atexit", lambda callback: None)(_close_at_exit)
