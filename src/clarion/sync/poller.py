"""How a thread that reads a connection itself waits for it: for the socket, or for another thread's wake-up."""

from __future__ import annotations

import select
import socket

__all__ = ["Poller"]

# The system calls take no wait of years; whoever waits looks at its deadline again.
_LONGEST_WAIT = 3600.0


class Poller:
    """Waits for a socket to be readable, or for `wake`."""

    __slots__ = ("_poll", "_sock", "_wake_reader", "_wake_writer")

    def __init__(self, sock: socket.socket) -> None:
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._sock = sock.fileno()
        self._poll = None
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(sock, select.POLLIN)
            poller.register(self._wake_reader, select.POLLIN)
            self._poll = poller.poll

    def ready(self, timeout: float | None) -> bool:
        """Wait for `timeout` seconds at most; return whether the socket is readable."""
        if timeout is not None and timeout > _LONGEST_WAIT:
            timeout = _LONGEST_WAIT
        wake = self._wake_reader
        if self._poll is not None:
            events = self._poll(None if timeout is None else timeout * 1000 + 1)
            if len(events) == 1 and events[0][0] == self._sock:
                return True
            descriptors = [event[0] for event in events]
        else:
            descriptors = select.select([self._sock, wake.fileno()], [], [], timeout)[0]
        if wake.fileno() in descriptors:
            try:
                wake.recv(4096)
            except OSError:
                # Somebody else took it: it is the wake-up that counts, not the byte.
                pass
        return self._sock in descriptors

    def wake(self) -> None:
        """Make `ready`, on another thread, return; from any thread."""
        try:
            self._wake_writer.send(b"\0")
        except OSError:
            # Full: it wakes anyway.
            pass

    def close(self) -> None:
        """Give the wake-up's descriptors back."""
        self._wake_reader.close()
        self._wake_writer.close()
